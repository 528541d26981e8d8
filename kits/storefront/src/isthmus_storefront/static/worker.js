// Keeps a shop's app: what it needs to open, the pages that were looked at, and the basket's changes made while offline.
// What it keeps of a person is in `pages` and in the database, and goes when they sign out.
"use strict";
importScripts("/app/store.js?v=__VERSION__");

const VERSION = "__VERSION__";
const STATIC = `static-${VERSION}`;
const PAGES = "pages";
const FILES = __FILES__;
const OFFLINE = "/app/offline";
const KEPT = /^\/($|product\/|basket$|orders($|\/[0-9a-f-]{36}$))/;
const LINES_MAX = 100; // that the shop takes at once
const PAGES_MAX = 60; // some megabytes
const PATIENCE_MS = 5000; // of somebody who looks at a page that does not come, while one is kept

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => event.waitUntil(heard(event.data || {})));
self.addEventListener("sync", (event) => {
  if (event.tag === "basket") event.waitUntil(bring());
});
self.addEventListener("fetch", (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (request.method === "GET" && FILES.includes(url.pathname + url.search)) event.respondWith(file(request));
  else if (request.mode !== "navigate") return;
  else if (request.method === "GET") event.respondWith(page(event, url));
  else if (url.pathname === "/basket") event.respondWith(change(request));
  else if (/^\/sign-(in|out)$/.test(url.pathname)) event.respondWith(leave(request));
  else event.respondWith(fetch(request).catch(() => unsure()));
});

async function install() {
  const cache = await caches.open(STATIC);
  await cache.addAll(FILES.map((one) => new Request(one, { cache: "reload" })));
}

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith("static-") && name !== STATIC) await caches.delete(name);
  await self.clients.claim();
  await first();
}

// The page that the app opens with is kept from the first visit on, which began before there was a worker.
async function first() {
  const cache = await caches.open(PAGES);
  if (await cache.match("/")) return;
  const answer = await fetch("/", { credentials: "same-origin" }).catch(() => null);
  if (answer && answer.ok) await cache.put("/", answer);
}

async function heard(said) {
  if (said.type === "bring") await bring();
  if (said.type === "take-over") await self.skipWaiting();
}

async function file(request) {
  const cache = await caches.open(STATIC);
  return (await cache.match(request)) || fetch(request);
}

async function page(event, url) {
  const kept = KEPT.test(url.pathname) ? await (await caches.open(PAGES)).match(event.request) : undefined;
  const asked = fetch(event.request);
  if (url.pathname === "/sign-in/back") asked.then(() => caches.delete(PAGES)).catch(() => {});
  asked.then((answer) => event.waitUntil(keep(event.request, url, answer.clone()))).catch(() => {});
  try {
    return await (kept ? Promise.race([asked, late()]) : asked);
  } catch {
    return kept ? marked(kept) : offline();
  }
}

function late() {
  return new Promise((_, reject) => setTimeout(reject, PATIENCE_MS));
}

async function keep(request, url, answer) {
  if (!answer.ok || answer.type !== "basic" || !KEPT.test(url.pathname)) return;
  const cache = await caches.open(PAGES);
  await cache.delete(request);
  await cache.put(request, answer);
  const held = (await cache.keys()).filter((one) => new URL(one.url).pathname !== "/");
  for (const one of held.slice(0, -PAGES_MAX)) await cache.delete(one);
}

// A kept page says of when it is; what it shows of prices and stock is unsure, and nothing can be ordered from it.
async function marked(kept) {
  const when = kept.headers.get("date") || "";
  const text = (await kept.text()).replace("<html", `<html data-kept="${new Date(when || Date.now()).toISOString()}"`);
  return new Response(text, { headers: headersOf(kept) });
}

function headersOf(kept) {
  const headers = { "content-type": "text/html; charset=utf-8" };
  const policy = kept.headers.get("content-security-policy");
  return policy ? { ...headers, "content-security-policy": policy } : headers;
}

async function offline() {
  const kept = await caches.match(OFFLINE);
  return kept ? marked(kept) : Response.error();
}

// An order or a payment whose answer did not come may have arrived: it is never repeated here.
async function unsure() {
  const kept = await caches.match(OFFLINE);
  if (!kept) return Response.error();
  const text = (await kept.text()).replace("<html", "<html data-kept data-unsure");
  return new Response(text, { status: 503, headers: headersOf(kept) });
}

async function change(request) {
  const form = Object.fromEntries((await request.clone().formData()).entries());
  try {
    return await fetch(request);
  } catch {
    await store.wait(form);
    await tell({ type: "waiting" });
    if (self.registration.sync) await self.registration.sync.register("basket").catch(() => {});
    return Response.redirect("/basket", 303);
  }
}

// Who comes or goes leaves nothing of theirs to the next, also where the shop cannot be reached.
async function leave(request) {
  const isOut = new URL(request.url).pathname === "/sign-out";
  if (isOut) await forget();
  try {
    const answer = await fetch(request);
    await caches.delete(PAGES);
    return answer;
  } catch {
    return offline();
  } finally {
    await tell({ type: isOut ? "left" : "came" });
  }
}

async function forget() {
  await caches.delete(PAGES);
  await store.forget();
  const pushed = self.registration.pushManager && (await self.registration.pushManager.getSubscription().catch(() => null));
  if (pushed) await pushed.unsubscribe(); // what is said to who has left is not shown to the next
}

let bringing = Promise.resolve();

// One after the other: two tabs that come back at once send each change once.
function bring() {
  bringing = bringing.then(send, send);
  return bringing;
}

async function send() {
  if (!(await store.waiting()).length) return;
  let answer = await push();
  if (answer.status === 409) {
    await store.renew(); // this device was restored, or somebody else has signed in
    answer = await push();
  }
  if (!answer.ok) throw new Error(`the shop answered ${answer.status}`); // they wait on
  const said = await answer.json();
  await store.brought(answer.last, said.version);
  await store.note([...((await store.notes()) || []), ...said.notes]);
  if ((await store.waiting()).length) return send();
  await caches.open(PAGES).then((cache) => cache.delete("/basket"));
  await tell({ type: "brought", count: said.count });
}

// Push the changes that wait, in their order, some at a time; each is taken once, however often it is sent.
async function push() {
  const waiting = (await store.waiting()).slice(0, LINES_MAX);
  const changes = waiting.map(({ form, seen, base }) => ({ form, seen, base }));
  const answer = await fetch("/basket/bring", {
    method: "POST",
    credentials: "same-origin",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client: await store.client(), first: waiting[0].sequence, changes }),
  });
  return Object.assign(answer, { last: waiting.at(-1).sequence });
}

async function tell(said) {
  for (const client of await self.clients.matchAll({ type: "window" })) client.postMessage(said);
}
