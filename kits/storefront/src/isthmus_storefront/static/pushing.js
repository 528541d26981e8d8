// What a shopper wants to be told of by pushes: asked for where it is switched on, and nowhere before.
"use strict";
(() => {
  const place = document.querySelector("[data-push]");
  if (!place || !("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) return;
  const problem = place.querySelector("[role=alert]");

  function say(text) {
    problem.textContent = text;
    problem.hidden = !text;
  }

  const bytes = (text) => {
    const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(raw, (one) => one.charCodeAt(0));
  };

  async function subscription(key) {
    if ((await Notification.requestPermission()) !== "granted") return null;
    const { pushManager } = await navigator.serviceWorker.ready;
    const asked = { userVisibleOnly: true, applicationServerKey: bytes(key) };
    try {
      return await pushManager.subscribe(asked);
    } catch (wrong) {
      if (wrong.name !== "InvalidStateError") throw wrong;
      await (await pushManager.getSubscription()).unsubscribe(); // of another key, which the shop had before
      return pushManager.subscribe(asked);
    }
  }

  async function change(box, key) {
    box.disabled = true;
    say("");
    try {
      const found = box.checked ? await subscription(key) : null;
      if (box.checked && !found) {
        box.checked = false;
        return say("This browser may not show notifications of this shop: allow it in its settings.");
      }
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      const answer = await fetch("/app/push", {
        method: "POST",
        credentials: "same-origin",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ purpose: box.name, subscription: found, zone }),
      });
      if (!answer.ok) throw new Error(`the shop answered ${answer.status}`);
      place.dataset.saved = box.name;
    } catch {
      box.checked = !box.checked; // as the shop has it
      say("That could not be saved: try again when the shop can be reached.");
    } finally {
      box.disabled = false;
    }
  }

  async function start() {
    const answer = await fetch("/app/push", { credentials: "same-origin" }).catch(() => null);
    if (!answer || !answer.ok) return;
    const { key, wanted } = await answer.json();
    if (!key) return;
    for (const box of place.querySelectorAll("input")) {
      box.checked = wanted.includes(box.name) && Notification.permission === "granted";
      box.addEventListener("change", () => change(box, key));
    }
    place.hidden = false;
  }
  start();
})();
