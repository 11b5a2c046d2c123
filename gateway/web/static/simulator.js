// Without this script the page works by its form. With it, texts appear by themselves and a phone in use reloads nothing.
"use strict";

const table = document.getElementById("table");
const DEEDS = ["reply", "dial", "call"];
const used = new Map(); // a phone's section -> what its buttons do
document.getElementById("refresh").hidden = true;
for (const section of table.querySelectorAll(".phone")) used.set(section, begin(section));
table.addEventListener("submit", (event) => {
  const [deed, about] = (event.submitter?.name === "do" ? event.submitter.value : "").split(" ");
  const press = deed === "clock" ? () => passTime(about) : used.get(event.submitter?.closest(".phone"));
  if (!press || deed === "away") return;
  event.preventDefault();
  press(event.submitter);
});

// The answer, or undefined after saying what is wrong.
async function ask(what, body, say) {
  try {
    const reply = await fetch(`${table.dataset.base}/${what}?language=${table.dataset.language}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await reply.json();
    say(reply.ok ? "" : answer.error, what);
    return reply.ok ? answer : undefined;
  } catch {
    say(table.dataset.away, "connection");
  }
}

// An hour at a time. What was pressed has the focus again in the end: a button that is disabled loses it.
async function passTime(to) {
  const now = document.getElementById("now");
  const trouble = document.getElementById("trouble");
  const say = (words) => ([trouble.textContent, trouble.hidden] = [words, !words]);
  const buttons = now.closest(".clock").querySelectorAll("button");
  const pressed = document.activeElement;
  now.ariaBusy = "true";
  let until = to === "on" ? table.elements.until.value : null;
  for (const button of buttons) button.disabled = true;
  for (;;) {
    const answer = await ask("clock", until ? { until } : { to }, say);
    if (!answer) break;
    now.textContent = `${answer.day} ${answer.date} ${answer.time}`;
    until = answer.until;
    if (!until) break;
    await new Promise((done) => setTimeout(done, 500));
  }
  for (const button of buttons) button.disabled = false;
  now.ariaBusy = "false";
  if (document.activeElement === document.body) pressed.focus();
  if (trouble.hidden && table.elements.until) table.elements.until.value = "";
}

function begin(section) {
  const [draft, log, menu, trouble] = ["textarea", ".texts", ".menu", ".trouble"].map((each) => section.querySelector(each));
  const kept = Object.fromEntries(["id", "session", "pressed", "screen"].map((name) => [name, section.querySelector(`[name=${name}]`)]));
  const phone = section.dataset.phone;
  let since = [...log.querySelectorAll("article")].at(-1)?.dataset.at;
  let counting;

  log.scrollTop = log.scrollHeight;
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
  return press;

  function press(button) {
    const [deed, , key] = button.value.split(" ");
    if (deed === "send") return send();
    if (deed === "dial") return dial([], true);
    if (deed === "call") return ask("call", { phone }, say).then((answer) => answer && refresh());
    if (deed === "hang") return hang();
    if (deed === "key") draft.setRangeText(key, draft.selectionStart, draft.selectionEnd, "end");
    if (deed === "clear") draft.value = "";
    countSoon();
  }

  async function send() {
    const text = draft.value;
    const code = /^\*123(?:\*([^#]*))?#$/.exec(text.trim());
    if (code) return dial(code[1] ? [code[1]] : [], true);
    if (kept.session.value) return dial([kept.pressed.value, text.trim()].filter(Boolean), false);
    const answer = await ask("reply", { phone, text, id: kept.id.value }, say);
    if (!answer) return;
    if (draft.value === text) draft.value = "";
    kept.id.value = crypto.randomUUID();
    countSoon();
    refresh();
  }

  // A menu by USSD: its screen lies over the texts until it is hung up.
  async function dial(pressed, anew) {
    const session = anew ? crypto.randomUUID() : kept.session.value;
    const answer = await ask("dial", { phone, session, text: pressed.join("*") }, say);
    if (!answer) return;
    draft.value = "";
    countSoon();
    show(answer.ends ? "" : session, pressed.join("*"), answer.screen);
  }

  function hang() {
    show("", "", "");
    draft.focus();
  }

  function show(session, pressed, screen) {
    [kept.session.value, kept.pressed.value, kept.screen.value] = [session, pressed, screen];
    menu.querySelector("pre").textContent = screen;
    menu.querySelector(".open").hidden = !session;
    menu.hidden = !screen;
  }

  async function refresh() {
    const answer = await ask("texts", since ? { phone, since } : { phone }, say);
    if (!answer) return;
    since = answer.next ?? undefined;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const fresh = answer.texts.filter((text) => !log.querySelector(`[data-id="${text.id}"]`));
    fresh.forEach(add);
    if (fresh.length && atEnd) log.scrollTop = log.scrollHeight;
  }

  function add(text) {
    const article = document.createElement("article");
    article.className = text.incoming ? "in" : "out";
    [article.dataset.id, article.dataset.at] = [text.id, text.at];
    const whose = element("span", text.incoming ? table.dataset.received : table.dataset.sent);
    whose.className = "hidden";
    const when = element("time", `${text.date} ${text.time}`);
    when.dateTime = text.at;
    const footer = document.createElement("footer");
    footer.append(when, element("span", priced(text)));
    article.append(whose, element("p", text.text), footer);
    const later = [...log.querySelectorAll("article")].find((other) => Date.parse(other.dataset.at) > Date.parse(text.at));
    const empty = log.querySelector(".empty");
    empty.hidden = true;
    log.insertBefore(article, later ?? empty);
  }

  function countSoon() {
    clearTimeout(counting);
    counting = setTimeout(async () => {
      const counted = await ask("count", { text: draft.value }, say);
      if (counted) section.querySelector(".count").textContent = priced(counted);
    }, 120);
  }

  // What is wrong with a deed stays until the next deed; a lost connection goes away by itself.
  function say(words, from) {
    if (DEEDS.includes(trouble.dataset.from) && !DEEDS.includes(from)) return;
    trouble.textContent = words;
    trouble.hidden = !words;
    trouble.dataset.from = words ? from : "";
  }
}

function priced(counted) {
  return `${counted.encoding} · ${table.dataset.segments.replace("{count}", counted.segments)}`;
}

function element(name, words) {
  const made = document.createElement(name);
  made.textContent = words;
  return made;
}
