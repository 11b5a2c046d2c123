"use strict";
// What htmx brings in by itself must not move the reader: it leaves the focus where it was, since ids stay the same.
// Errors are shown too: the page that says what went wrong takes the place of the one that asked.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  if (xhr.status >= 400 && !requestConfig.headers["X-By-Itself"]) location.reload();
});
