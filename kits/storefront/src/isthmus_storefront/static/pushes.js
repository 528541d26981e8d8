
// What is pushed is shown by the platform's script; the shop hears that it was shown, and opened.
importScripts("/app/push.js");

function receipt(id, what) {
  if (!id) return Promise.resolve();
  const body = JSON.stringify({ id, what });
  const headers = { "content-type": "application/json" };
  return fetch("/app/push/receipt", { method: "POST", credentials: "same-origin", headers, body }).catch(() => {});
}

self.addEventListener("push", (event) => {
  let said = {};
  try { said = event.data.json(); } catch { /* not of this platform: it has no id */ }
  event.waitUntil(receipt(said.id, "shown"));
});
self.addEventListener("notificationclick", (event) => event.waitUntil(receipt((event.notification.data || {}).id, "opened")));
