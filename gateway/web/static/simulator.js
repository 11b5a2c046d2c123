// Without this script the page works by forms. With it, texts appear by themselves and nothing reloads.
"use strict";

const form = document.getElementById("handset");
if (form) begin();

function begin() {
  const draft = document.getElementById("draft");
  const log = document.getElementById("texts");
  const trouble = document.getElementById("trouble");
  const phone = form.elements.phone.value;
  let draftId = form.elements.id.value;
  let since = [...log.querySelectorAll("article")].at(-1)?.dataset.at;
  const menu = document.getElementById("menu");
  let session = "";
  let pressed = [];
  let counting;

  form.querySelector("[value=refresh]").hidden = true;
  log.scrollTop = log.scrollHeight;
  draft.focus({ preventScroll: true });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    press(event.submitter);
  });
  draft.addEventListener("input", countSoon);
  draft.addEventListener("keydown", (event) => {
    // Enter ends a Vietnamese word being composed before it sends anything.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  });
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  setInterval(() => document.hidden || refresh(), 1000);

  function press(button) {
    if (button.name === "key") {
      draft.setRangeText(button.value, draft.selectionStart, draft.selectionEnd, "end");
    } else if (button.value === "clear") {
      draft.value = "";
      hang();
    } else if (button.value === "send") {
      return send();
    } else if (button.value === "call") {
      return ask("call", { phone }).then((answer) => answer && refresh());
    }
    countSoon();
  }

  async function send() {
    const text = draft.value;
    const code = /^\*123(\*[^#]*)?#$/.exec(text.trim());
    if (code || session) return dial(text.trim(), code);
    const answer = await ask("reply", { phone, text, id: draftId });
    if (answer && draft.value === text) draft.value = "";
    if (answer) {
      draftId = crypto.randomUUID();
      countSoon();
      refresh();
    }
  }

  // A menu by USSD: its screen stands over the texts until it ends, or Clear hangs up.
  async function dial(typed, code) {
    if (code) [session, pressed] = [crypto.randomUUID(), (code[1] ?? "").split("*").slice(1)];
    else pressed.push(typed);
    const answer = await ask("dial", { phone, session, text: pressed.join("*") });
    if (!answer) return code ? hang() : pressed.pop();
    draft.value = "";
    countSoon();
    menu.textContent = answer.screen;
    menu.hidden = false;
    if (answer.ends) session = "";
  }

  function hang() {
    session = "";
    menu.hidden = true;
  }

  async function refresh() {
    const answer = await ask("texts", since ? { phone, since } : { phone });
    if (!answer) return;
    since = answer.next ?? undefined;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const fresh = answer.texts.filter((text) => !document.getElementById(`text-${text.id}`));
    fresh.forEach(show);
    if (fresh.length && atEnd) log.scrollTop = log.scrollHeight;
  }

  function show(text) {
    const article = document.createElement("article");
    article.id = `text-${text.id}`;
    article.className = text.incoming ? "in" : "out";
    article.dataset.at = text.at;
    const whose = element("span", text.incoming ? form.dataset.received : form.dataset.sent);
    whose.className = "hidden";
    const when = element("time", `${text.date} ${text.time}`);
    when.dateTime = text.at;
    const footer = document.createElement("footer");
    footer.append(when, element("span", priced(text)));
    article.append(whose, element("p", text.text), footer);
    const later = [...log.querySelectorAll("article")].find((other) => Date.parse(other.dataset.at) > Date.parse(text.at));
    const empty = document.getElementById("empty");
    empty.hidden = true;
    log.insertBefore(article, later ?? empty);
  }

  function countSoon() {
    clearTimeout(counting);
    counting = setTimeout(async () => {
      const counted = await ask("count", { text: draft.value });
      if (counted) document.getElementById("count").textContent = priced(counted);
    }, 120);
  }

  function priced(counted) {
    return `${counted.encoding} · ${form.dataset.segments.replace("{count}", counted.segments)}`;
  }

  // The answer, or undefined after showing what is wrong. Trouble with the connection goes away by itself.
  async function ask(what, body) {
    try {
      const reply = await fetch(`${form.dataset.base}/${what}?language=${form.dataset.language}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      const answer = await reply.json();
      if (what === "reply" || trouble.dataset.from !== "reply") say(reply.ok ? "" : answer.error, what);
      return reply.ok ? answer : undefined;
    } catch {
      say(form.dataset.away, "connection");
    }
  }

  function say(words, from) {
    trouble.textContent = words;
    trouble.hidden = !words;
    trouble.dataset.from = words ? from : "";
  }

  function element(name, words) {
    const made = document.createElement(name);
    made.textContent = words;
    return made;
  }
}
