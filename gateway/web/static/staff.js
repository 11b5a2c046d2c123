"use strict";
// Pages work without this. What htmx asks for by itself says so in a header (X-By-Itself).
const byItself = (event) => "X-By-Itself" in event.detail.requestConfig.headers;

// An error takes the place of the page, as it would without a script; one that nobody asked for does not.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status >= 400 && byItself(event)) event.detail.shouldSwap = false;
});

// A page that can no longer renew itself must not look as if nothing happened.
const stale = (is) => { document.getElementById("stale").hidden = !is; };
document.addEventListener("htmx:sendError", () => stale(true));
document.addEventListener("htmx:timeout", () => stale(true));
document.addEventListener("htmx:afterRequest", (event) => {
  if (byItself(event) && event.detail.xhr.status) stale(event.detail.xhr.status >= 400);
});

// What is wrong is where the reader goes on, above the form that it is about, unless the page says where.
const wrong = document.querySelector("#main > .error[role=alert], .narrow > .error[role=alert]");
if (wrong && !document.querySelector("[autofocus]")) {
  wrong.tabIndex = -1;
  wrong.focus();
}

// A part that renews itself takes the focus from nobody: it stays on the same thing (htmx itself keeps it on what has an id).
// Where that thing is gone, on the part: not on the button beside it, which does the same to somebody else.
const alike = (part, key) => [...part.querySelectorAll("a, button, input, select, textarea, summary, [tabindex]")].filter((each) => named(each) === key);
const named = (each) => [each.tagName, each.href, each.form?.action, each.name, each.value, each.tabIndex].join(" ");
const held = new Map(); // by part: two may renew themselves at the same moment
document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target, here = document.activeElement;
  if (part.contains(here)) held.set(part.id, { key: named(here), at: alike(part, named(here)).indexOf(here), itself: here === part });
});
document.addEventListener("htmx:afterSettle", () => {
  for (const [id, { key, at, itself }] of held) {
    const part = document.getElementById(id), here = document.activeElement;
    if (!part || (here !== null && here !== document.body)) continue;
    const same = itself ? part : alike(part, key)[at];
    if (!same) part.tabIndex = -1;
    (same ?? part).focus({ preventScroll: true });
  }
  held.clear();
});
