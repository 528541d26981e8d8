// The Tea Box: one process, one SQLite file, one page. It knows nothing of the platform but what it borrows over HTTP.
import { createServer } from "node:http";

import { Account, Refused } from "./account.mjs";
import { Obligations, isSecret } from "./obligations.mjs";
import * as pages from "./pages.mjs";
import { settingsOf } from "./settings.mjs";
import { PLANS, Shop } from "./shop.mjs";
import { Store } from "./store.mjs";
import { Tax } from "./tax.mjs";

const BODY_MAX = 64 * 1024;
const RENEW_MS = 3_600_000;
const SECURITY = {
  "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "x-content-type-options": "nosniff", "referrer-policy": "same-origin", "cache-control": "no-store",
};

let settings;
try {
  settings = settingsOf(process.env);
} catch (wrong) {
  console.error(`the box cannot start: ${wrong.message}`);
  process.exit(2);
}
if (process.argv[2] === "key") {
  console.log(settings.signing.public);
  process.exit(0);
}
const ahead = Number(process.env.BOX_CLOCK_AHEAD_DAYS ?? 0) * 86_400_000; // to see next month's boxes today
const store = new Store(settings.data, () => new Date(Date.now() + ahead));
const account = new Account(settings, store);
const shop = new Shop(store, new Tax(settings));
const obligations = new Obligations(settings, store, shop);

const routes = {
  "GET /": async ({ who }) => shown(pages.home(who, shop.isOver)),
  "GET /style.css": async () => ({ body: pages.STYLE, type: "text/css" }),
  "GET /health": async () => json({ is_well: true, ended_on: shop.store.fact("ended_on") || null }),
  "GET /sign-in": async ({ query }) => {
    const { to, browser } = await account.begin(here(query.get("back")));
    return { status: 303, headers: { location: to, "set-cookie": cookie("box_asked", browser, 1_800) } };
  },
  "GET /callback": async ({ query, cookies }) => {
    const { session, back } = await account.finish(query, cookies.box_asked ?? "");
    return { status: 303, headers: { location: back, "set-cookie": [cookie("box_asked", "", 0), cookie("box_session", session, 14 * 86_400)] } };
  },
  "POST /sign-out": async ({ cookies }) => {
    account.leave(cookies.box_session);
    return { status: 303, headers: { location: "/", "set-cookie": cookie("box_session", "", 0) } };
  },
  "POST /left": async ({ form }) => {
    await account.left(form.logout_token ?? "");
    return json({});
  },
  "GET /checkout": async ({ who, query }) => {
    const plan = query.get("plan") ?? "";
    if (!who) return { status: 303, headers: { location: `/sign-in?back=${encodeURIComponent(`/checkout?plan=${plan}`)}` } };
    return shown(pages.checkout(who, plan, await shop.quote(plan)));
  },
  "POST /checkout": async ({ who, form }) => {
    signedIn(who);
    try {
      await shop.subscribe(who.sub, form);
    } catch (wrong) {
      if (wrong.status !== 400) throw wrong;
      return shown(pages.checkout(who, form.plan, await shop.quote(form.plan), form, wrong.message), 400);
    }
    return { status: 303, headers: { location: "/me?new=1" } };
  },
  "GET /me": async ({ who, query }) => {
    if (!who) return { status: 303, headers: { location: "/sign-in?back=/me" } };
    const of = (sql) => store.all(sql, [who.sub]);
    return shown(pages.mine(who, of("select * from subscription where sub = ? order by since desc"),
      of("select * from orders where sub = ? order by at desc limit 100"), of("select * from notice where sub = ?"), query.get("new")));
  },
  "POST /cancel": async ({ who, form }) => {
    signedIn(who);
    shop.cancel(who.sub, form.id ?? "");
    return { status: 303, headers: { location: "/me" } };
  },
  // the same for programs, which come with a token of the group's sign-in
  "GET /api/me": async ({ who }) => json({ sub: signedIn(who).sub }),
  "GET /api/quote": async ({ query }) => json(await shop.quote(query.get("plan") ?? "")),
  "POST /api/subscriptions": async ({ who, form }) => json(await shop.subscribe(signedIn(who).sub, form), 201),
  "POST /desk/payments": async ({ form }) => json(shop.pay(form.order)),
  "POST /desk/refunds": async ({ form }) => json(shop.refund(form.order, form.minor)),
  "POST /desk/renewals": async () => json({ boxes: await shop.renew() }),
};

async function answer(request) {
  const url = new URL(request.url, settings.address);
  const [method, path] = [request.method === "HEAD" ? "GET" : request.method, url.pathname];
  const authorization = request.headers.authorization ?? "";
  if (path.startsWith("/obligations/") || path.startsWith("/desk/")) {
    const own = path.startsWith("/desk/") ? settings.deskKey : settings.key;
    if (!isSecret(authorization, `Bearer ${own}`)) {
      store.note("nobody known", "was refused", `${method} ${path}`);
      throw new Refused(401, "send the key that belongs here: Authorization: Bearer …");
    }
  }
  const form = method === "POST" ? await bodyOf(request) : {};
  const found = path.startsWith("/obligations/") && obligations.answer(method, path, url.searchParams, form);
  if (found) return { body: found.text, type: "application/json", headers: { "venture-signature": found.signature } };
  const route = routes[`${method} ${path}`];
  if (!route) throw new Refused(404, `there is nothing at ${method} ${path}`);
  const cookies = Object.fromEntries((request.headers.cookie ?? "").split(/; */).map((one) => one.split(/=(.*)/s).slice(0, 2)));
  const isApi = path.startsWith("/api/");
  const isForeign = method === "POST" && cookies.box_session && !isOwn(request);
  if (isForeign) throw new Refused(403, "This form was sent from a page of elsewhere.");
  const who = path.startsWith("/desk/") ? null : await account.who(isApi ? "" : cookies.box_session, isApi ? authorization : "");
  return route({ query: url.searchParams, form, cookies, who });
}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > BODY_MAX) throw new Refused(413, `a body of more than ${BODY_MAX} bytes is not read`);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString();
  if (!(request.headers["content-type"] ?? "").startsWith("application/json")) return Object.fromEntries(new URLSearchParams(text));
  try {
    const found = JSON.parse(text || "{}");
    if (typeof found === "object" && found !== null) return found;
  } catch {
    // said below
  }
  throw new Refused(400, "this body is no JSON object");
}

const shown = (body, status = 200) => ({ status, body, type: "text/html; charset=utf-8" });
const json = (value, status = 200) => ({ status, body: JSON.stringify(value), type: "application/json" });
const here = (path) => (/^\/(?![/\\])/.test(path ?? "") ? path : "/me"); // never to another site
const isSecure = settings.address.startsWith("https:");
const cookie = (name, value, age) => `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${age}${isSecure ? "; Secure" : ""}`;

function isOwn(request) {
  const site = request.headers["sec-fetch-site"];
  if (site) return site === "same-origin" || site === "none";
  return !request.headers.origin || request.headers.origin === settings.address;
}

function signedIn(who) {
  if (!who) throw new Refused(401, "Please sign in first.");
  return who;
}

async function serve(request, response) {
  let found;
  try {
    found = await answer(request);
  } catch (wrong) {
    if (!wrong.status) console.error(wrong);
    const [status, words] = wrong.status ? [wrong.status, wrong.message] : [500, "The box has a defect here; it has been noted."];
    const isPage = !/^\/(api|obligations|desk)\//.test(request.url);
    found = isPage ? shown(pages.problem(null, words), status) : json({ error: words }, status);
  }
  response.writeHead(found.status ?? 200, { ...SECURITY, ...(found.type && { "content-type": found.type }), ...found.headers });
  response.end(request.method === "HEAD" ? "" : found.body ?? "");
}

const server = createServer(serve);
server.listen(settings.port, process.env.BOX_HOST ?? "127.0.0.1", () => {
  console.log(`The Tea Box  ${settings.address}/   (${Object.keys(PLANS).length} boxes; key ${settings.signing.public})`);
});
const renewing = setInterval(() => shop.renew().catch((wrong) => console.error("boxes could not be renewed, again in an hour:", wrong)), RENEW_MS);
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    clearInterval(renewing);
    server.close(() => {
      store.close();
      process.exit(0);
    });
    server.closeAllConnections();
  });
}
