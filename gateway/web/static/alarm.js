"use strict";
// While something urgent waits that nobody has taken: a sound every few seconds, and a mark in the title of the tab.
// Browsers let a page sound only after its reader touched it; until then the page says so.
(() => {
  const title = document.title;
  let audio = null;
  const box = () => document.getElementById("urgent");
  const waiting = () => Number(box()?.dataset.count || 0);
  const heard = () => audio !== null && audio.state === "running";
  function beep(after, pitch) {
    const tone = audio.createOscillator(), level = audio.createGain(), at = audio.currentTime + after;
    tone.frequency.value = pitch;
    level.gain.setValueAtTime(0.25, at);
    level.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
    tone.connect(level).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.4);
  }
  function show() {
    const count = waiting(), mute = box()?.querySelector(".mute");
    document.title = count ? `(${count}!) ${title}` : title;
    if (mute) mute.style.visibility = heard() ? "hidden" : ""; // it keeps its place: what is being clicked must not move away
    const called = document.getElementById("called"), words = count ? [...box().querySelectorAll("h2, li > a")].map((each) => each.textContent).join(" · ") : "";
    if (called && called.textContent !== words) called.textContent = words; // read aloud once, and again when it is another
    document.documentElement.dataset.alarm = count ? (heard() ? "sounding" : "silent") : "";
  }
  function sound() {
    show();
    if (waiting() && heard()) { beep(0, 880); beep(0.4, 660); }
  }
  function wake() {
    audio ??= new AudioContext();
    audio.resume().then(show);
  }
  for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, wake, { passive: true });
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "urgent" || event.detail.elt?.id === "urgent") sound(); });
  setInterval(sound, 5000);
  show();
})();
