// What the service worker of an app does with a push; the app's own worker has: importScripts("<platform>/messaging/worker.js")
// It shows each push once, in place of the one before with the same tag, and leads to its link inside the app.
"use strict";

self.addEventListener("push", (event) => {
  let said = {};
  try { said = event.data ? event.data.json() : {}; } catch { said = { title: event.data.text() }; }
  const options = { body: said.body || "", data: { id: said.id || "", link: said.link || "/" } };
  if (said.tag || said.id) options.tag = said.tag || said.id;
  event.waitUntil((async () => {
    await self.registration.showNotification(said.title || "", options);
    for (const page of await self.clients.matchAll({ type: "window" })) page.postMessage({ push: said });
  })());
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { id, link } = event.notification.data || {};
  event.waitUntil((async () => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    for (const page of pages) page.postMessage({ opened: id, link });
    if (pages.length) return pages[0].focus();
    return self.clients.openWindow(link || "/");
  })());
});
