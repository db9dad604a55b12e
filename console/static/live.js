// Keeps an open page up to date. A page says with data-live which of its parts may be replaced; a part whose
// data-keep did not change stays as it is, so that nothing is taken from under somebody who types; nor is it from
// under somebody who presses, and the keyboard's place is kept. Nobody tells us when something marked data-soon has
// come, so a page that shows one looks for itself.
"use strict";

const RESTART_MS = 3000;
const LOOK_MS = 30000;
const SOON_MS = 1000;
let fetching = false;
let again = false;
let pressed = false;
let missed = false;

// What somebody has typed so far, and where they are, goes into the part that takes this one's place.
function carryOver(part, next) {
  for (const field of part.querySelectorAll("textarea[name], input[name]:not([type=hidden])")) {
    const same = next.querySelector(`[name="${CSS.escape(field.name)}"]`);
    if (same) {
      same.value = field.value;
    }
  }
  const active = document.activeElement;
  if (!active || !part.contains(active)) {
    return null;
  }
  if (active.tagName === "A") {
    return next.querySelector(`a[href="${CSS.escape(active.getAttribute("href"))}"]`);
  }
  if (active.name) {
    const value = active.tagName === "BUTTON" ? `[value="${CSS.escape(active.value)}"]` : "";
    return next.querySelector(`[name="${CSS.escape(active.name)}"]${value}`);
  }
  return null;
}

function replaceParts(fresh) {
  if (pressed) {
    missed = true; // a press on what goes before its release would be no click
    return;
  }
  for (const part of document.querySelectorAll("[data-live]")) {
    const name = CSS.escape(part.dataset.live);
    const next = fresh.querySelector(`[data-live="${name}"]`);
    const kept = next && part.dataset.keep !== undefined && part.dataset.keep === next.dataset.keep;
    if (next && !kept && part.innerHTML !== next.innerHTML) {
      const focus = carryOver(part, next);
      part.replaceWith(document.adoptNode(next));
      focus?.focus();
    }
  }
}

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(location.pathname, { credentials: "same-origin", redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      location.reload(); // the login has ended
    } else if (answer.ok) {
      replaceParts(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch {
    // The next event, or the next look at the clock, tries again.
  } finally {
    fetching = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

function release() {
  pressed = false;
  if (missed) {
    missed = false;
    refresh();
  }
}

function listen() {
  const events = new EventSource("/events");
  events.onmessage = refresh;
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(listen, RESTART_MS);
    }
  };
}

function lookSoon() {
  if (document.querySelector("[data-soon]")) {
    refresh();
  }
}

addEventListener("pointerdown", (event) => {
  pressed = event.button === 0;
});
addEventListener("pointerup", release);
addEventListener("pointercancel", release);
listen();
setInterval(refresh, LOOK_MS);
setInterval(lookSoon, SOON_MS);
