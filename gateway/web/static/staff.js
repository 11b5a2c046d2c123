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
