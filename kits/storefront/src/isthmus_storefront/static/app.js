// A shop's page as an app: says when it is offline and what is unsure then, brings the basket back, and keeps itself current.
"use strict";
(() => {
  const root = document.documentElement;
  const version = root.dataset.version;
  const kept = root.dataset.kept;
  const bar = document.querySelector("[data-app-bar]");
  const LOOK_MS = 5000; // while it is offline
  let isLeaving = false;
  const ASK_AGAIN_MS = 10 * 60 * 1000; // an app that stays open for days hears of a least version

  function say(text, act, label) {
    bar.replaceChildren(document.createTextNode(text));
    if (act) {
      const button = document.createElement("button");
      button.textContent = label;
      button.addEventListener("click", act);
      bar.append(" ", button);
    }
    bar.hidden = false;
  }

  function money(minor) {
    return root.dataset.money.replace("0.00", (minor / 100).toFixed(2));
  }

  function remember() {
    if (kept !== undefined) return; // old prices are no news
    if (root.dataset.basket) store.set("version", Number(root.dataset.basket));
    const found = [...document.querySelectorAll("[data-sku]")].map(({ dataset }) => ({
      sku: dataset.sku, title: dataset.title, minor: Number(dataset.minor), quantity: Number(dataset.quantity),
    }));
    if (found.length) store.saw(found);
  }

  function lastOfEach(changes) {
    const lines = new Map();
    for (const one of changes) {
      const { quantity, ...line } = one.form;
      lines.set(JSON.stringify(Object.entries(line).sort()), one);
    }
    return [...lines.values()];
  }

  async function showWaiting() {
    const waiting = lastOfEach(await store.waiting());
    for (const one of document.querySelectorAll("[data-waiting-count]")) {
      one.textContent = waiting.length ? `+${waiting.length}` : "";
      one.hidden = !waiting.length;
    }
    const place = document.querySelector("[data-waiting]");
    if (!place) return;
    place.hidden = !waiting.length || !(location.pathname === "/basket" || root.dataset.page === "offline");
    const list = place.querySelector("ul");
    list.replaceChildren(...waiting.map(lineOf));
  }

  function lineOf({ form, seen }) {
    const item = document.createElement("li");
    const title = seen ? seen.title : form.sku;
    const name = document.createElement("b");
    name.textContent = form.quantity === "0" ? `${title}: to be taken out` : `${form.quantity} × ${title}`;
    item.append(name);
    if (seen && form.quantity !== "0") {
      const price = document.createElement("span");
      price.className = "quiet";
      price.textContent = `${money(Math.round((seen.minor * form.quantity) / seen.quantity))} when last seen`;
      item.append(price);
    }
    return item;
  }

  async function showNotes() {
    const notes = await store.notes();
    const place = document.querySelector("[data-notes]");
    if (!place || !notes || !notes.length) return;
    place.querySelector("ul").replaceChildren(
      ...notes.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
    );
    place.hidden = false;
    place.querySelector("button").addEventListener("click", async () => {
      await store.note([]);
      place.hidden = true;
    });
  }

  function sayOffline() {
    const when = kept ? new Date(kept).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "";
    root.dataset.offline = "";
    for (const one of document.querySelectorAll('form[action="/checkout"] button, form[action^="/pay"] button')) {
      one.disabled = true; // what it costs and whether it is there nobody knows now
    }
    const words = when ? `This page is of ${when}: prices and stock are unsure.` : "Prices and stock are unsure.";
    say(root.dataset.page === "offline" ? "You are offline." : `You are offline. ${words}`);
  }

  async function back() {
    const worker = (await navigator.serviceWorker.ready).active;
    if ((await store.waiting()).length) worker.postMessage({ type: "bring" });
    else if (kept !== undefined) location.reload();
    else {
      delete root.dataset.offline;
      for (const one of document.querySelectorAll("button:disabled")) one.disabled = false;
      bar.hidden = true;
    }
  }

  function heard({ data }) {
    if (data.opened && data.link) location.assign(data.link); // a push was pressed
    if (data.type === "waiting") showWaiting();
    if (data.type === "left" && !isLeaving) location.assign("/");
    if (data.type === "brought") location.pathname === "/basket" || kept !== undefined ? location.assign("/basket") : fresh(data);
  }

  function fresh({ count }) {
    for (const one of document.querySelectorAll("[data-count]")) {
      one.textContent = count || "";
      one.hidden = !count;
    }
    showWaiting();
    showNotes();
    say("You are back. Your basket was brought up to date.", () => location.assign("/basket"), "See it");
  }

  // Say whether this version may go on, as the shop says or said last; return whether it could be asked.
  async function allowed() {
    const answer = await fetch(`/app/state?version=${encodeURIComponent(version)}`).catch(() => null);
    const isThere = Boolean(answer && answer.ok);
    if (isThere) await store.set("update", await answer.json());
    const state = await store.get("update");
    const isOver = Boolean(state && state.version === version && state.state === "required");
    document.querySelector("[data-upgrade]").hidden = !isOver;
    root.toggleAttribute("data-stopped", isOver); // what stands behind it can be neither seen nor pressed
    for (const one of document.querySelectorAll("header, main, footer, .tabs")) one.inert = isOver;
    return isThere;
  }

  // A browser may think that it is online while the shop cannot be reached, and hears nothing when it can be again.
  async function look() {
    const isThere = await allowed();
    if (!isThere) sayOffline();
    else if ("offline" in root.dataset || (await store.waiting()).length) await back();
  }

  async function upgrade() {
    const registration = await navigator.serviceWorker.getRegistration();
    if (registration) await registration.unregister();
    for (const name of await caches.keys()) await caches.delete(name);
    location.reload();
  }

  function current(registration) {
    const offer = (worker) => {
      if (!worker || !navigator.serviceWorker.controller) return;
      const take = () => worker.postMessage({ type: "take-over" });
      say("There is a new version of this app.", take, "Use it");
    };
    if (registration.waiting) offer(registration.waiting);
    registration.addEventListener("updatefound", () => {
      const coming = registration.installing;
      coming.addEventListener("statechange", () => coming.state === "installed" && offer(coming));
    });
  }

  async function start() {
    document.querySelector("[data-upgrade] button").addEventListener("click", upgrade);
    if (!("serviceWorker" in navigator)) return;
    const had = Boolean(navigator.serviceWorker.controller);
    navigator.serviceWorker.addEventListener("message", heard);
    let reloaded = false;
    navigator.serviceWorker.addEventListener("controllerchange", () => {
      if (had && !reloaded) location.reload(); // once, to what the new worker has
      reloaded = true;
    });
    for (const one of document.querySelectorAll('form[action="/sign-out"]')) {
      one.addEventListener("submit", () => (isLeaving = true));
    }
    window.addEventListener("offline", sayOffline);
    window.addEventListener("online", look);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
    setInterval(look, ASK_AGAIN_MS);
    setInterval(() => "offline" in root.dataset && look(), LOOK_MS);
    if (kept !== undefined || !navigator.onLine) sayOffline();
    current(await navigator.serviceWorker.register("/worker.js"));
    remember();
    await Promise.all([showWaiting(), showNotes(), look()]);
  }

  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    const button = document.querySelector("[data-install]");
    button.hidden = false;
    button.addEventListener("click", () => event.prompt().then(() => (button.hidden = true)));
  });
  start();
})();
