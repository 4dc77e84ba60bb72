// Keeps an open screen up to date: the daemon sends pieces of it that have changed, and they take the place of the old ones.
"use strict";
(() => {
  const topic = document.body.dataset.topic;
  const told = document.getElementById("live");
  const stale = document.getElementById("stale");
  if (!told || !window.EventSource) return;
  const pending = new Map();
  let source = null, heard = Date.now(), again = 0;

  const say = (text, on) => {
    told.className = on ? "on" : "off";
    if (told.textContent !== text) told.textContent = text;
  };

  // What is being read or used stays as it is until it is left.
  const busy = (place) => {
    const picked = getSelection();
    return !picked.isCollapsed && place.contains(picked.anchorNode);
  };

  const handle = (element) => {
    if (element.id) return "#" + CSS.escape(element.id);
    const href = element.getAttribute("href");
    return href ? '[href="' + CSS.escape(href) + '"]' : null;
  };

  const put = (place, html) => {
    const focused = place.contains(document.activeElement) ? handle(document.activeElement) : null;
    const open = [...place.querySelectorAll("details")].map((each) => each.open);
    const moved = [...place.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    place.innerHTML = html;
    place.querySelectorAll("details").forEach((each, at) => { each.open = Boolean(open[at]); });
    place.querySelectorAll(".scroll").forEach((each, at) => { each.scrollLeft = moved[at] || 0; });
    const again = focused && place.querySelector(focused);
    if (again) again.focus({preventScroll: true});
  };

  // Old figures must not look like new ones, the verdict least of all.
  const age = (since) => {
    document.body.classList.toggle("stale", Boolean(since));
    stale.hidden = !since;
    stale.textContent = since ? "Unknown: no word from archsyncd since " + since + " UTC. What is shown here is from then." : "";
  };

  const look = (event) => {
    heard = Date.now();
    say("Live", true);
    if (!stale.hidden) age("");
    for (const [id, html] of Object.entries(JSON.parse(event.data))) pending.set(id, html);
    for (const [id, html] of pending) {
      const place = document.getElementById(id);
      if (place && busy(place)) continue;
      pending.delete(id);
      if (place && place.innerHTML !== html) put(place, html);
    }
  };

  const open = () => {
    clearTimeout(again);
    source = new EventSource("/live?of=" + encodeURIComponent(topic));
    source.addEventListener("look", look);
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return;
      again = setTimeout(open, 5000);
      // A session that has ended is begun anew on the screen that asks for the token.
      fetch("/status.json", {cache: "no-store"}).then((answer) => { if (answer.status === 401) location.reload(); }, () => {});
    };
  };

  const close = () => {
    clearTimeout(again);
    if (source) source.close();
  };

  setInterval(() => {
    if (document.hidden || Date.now() - heard <= 5000) return;
    const since = new Date(heard).toISOString().slice(11, 19);
    say("Not live since " + since + " UTC", false);
    if (stale.hidden) age(since);
  }, 1000);
  // A tab that nobody sees keeps no stream.
  document.addEventListener("visibilitychange", () => { close(); if (!document.hidden) open(); });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
})();
