// Keeps an open page up to date. A page says with data-live which of its parts may be replaced; a part whose
// data-keep did not change stays as it is, so that nothing is taken from under somebody who types.
"use strict";

const RESTART_MS = 3000;
let fetching = false;
let again = false;

function replaceParts(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const name = CSS.escape(part.dataset.live);
    const next = fresh.querySelector(`[data-live="${name}"]`);
    const kept = next && part.dataset.keep !== undefined && part.dataset.keep === next.dataset.keep;
    if (next && !kept && part.innerHTML !== next.innerHTML) {
      part.replaceWith(document.adoptNode(next));
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

function listen() {
  const events = new EventSource("/events");
  events.onmessage = refresh;
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(listen, RESTART_MS);
    }
  };
}

listen();
setInterval(refresh, 30000);
