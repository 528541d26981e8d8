// What the charter obliges the box to show the group, and nothing else: its books, what it sold, what it keeps of
// persons, who looked; and that it forgets and ends when it is asked to. Each page is signed as it is sent.
import { timingSafeEqual } from "node:crypto";

import { hashOf } from "./settings.mjs";

const PAGE = 500;

// Every field that leaves the box, and every place where it keeps something of a person.
const CONTRACT = {
  version: "1.0",
  sales: [
    { name: "sale_id", type: "string" }, { name: "kind", type: "string" }, { name: "order_id", type: "string" },
    { name: "member", type: "string", personal: "identifier" }, { name: "at", type: "moment" },
    { name: "item", type: "string" }, { name: "currency", type: "string" }, { name: "net_minor", type: "integer" },
    { name: "tax_minor", type: "integer" },
  ],
  keeps: [
    { place: "member.sub", personal: "identifier" }, { place: "member.email", personal: "email" },
    { place: "session.sub", personal: "identifier" }, { place: "subscription.name", personal: "name" },
    { place: "subscription.street", personal: "address" }, { place: "subscription.postcode", personal: "address" },
    { place: "subscription.city", personal: "address" }, { place: "subscription.iban", personal: "identifier" },
    { place: "orders.sub", personal: "identifier" }, { place: "sale.sub", personal: "identifier" },
    { place: "notice.sub", personal: "identifier" }, { place: "audit.who", personal: "identifier" },
  ],
};

export const isSecret = (given, own) => timingSafeEqual(Buffer.from(hashOf(given)), Buffer.from(hashOf(own)));

export class Obligations {
  constructor(settings, store, shop) {
    this.settings = settings;
    this.store = store;
    this.shop = shop;
  }

  // Return the answer to a path, or nothing where there is no such.
  answer(method, path, query, body) {
    const after = Math.max(0, Math.trunc(Number(query.get("after")) || 0));
    const asked = `${method} ${path}`;
    const found = {
      "GET /obligations/contract": () => CONTRACT,
      "GET /obligations/journal": () => this.journal(after),
      "GET /obligations/sales": () => this.sales(after),
      "GET /obligations/audit": () => this.audit(after, query.get("about")),
      "GET /obligations/calls": () => this.calls(after),
      "POST /obligations/forget": () => ({ forgotten: this.shop.forget(String(body?.member ?? "")) }),
      "POST /obligations/end": () => this.shop.end(String(body?.words ?? "The Tea Box has ended. Thank you for drinking with us.")),
    }[asked];
    if (!found) return null;
    this.store.note("group", asked, query.get("for") ?? "");
    const text = JSON.stringify(found());
    return { text, signature: this.settings.signing.of(text) };
  }

  journal(after) {
    return this.page(after, "entry", "number, before, entry", (row) => row);
  }

  sales(after) {
    return this.page(after, "sale", "number, sub, fields",
      (row) => ({ number: row.number, member: row.sub, ...JSON.parse(row.fields) }));
  }

  audit(after, about) {
    return this.page(after, "audit", "number, at, who, what, of", (row) => row, about);
  }

  calls(after) {
    return this.page(after, "recorded", "number, at, operation, ask, answer",
      (row) => ({ ...row, ask: JSON.parse(row.ask), answer: JSON.parse(row.answer) }));
  }

  page(after, table, columns, shown, about = null) {
    const where = about === null ? "" : " and of = ?";
    const rows = this.store.all(`select ${columns} from ${table} where number > ?${where} order by number limit ${PAGE + 1}`,
      about === null ? [after] : [after, about]);
    return { venture: this.settings.client, after, items: rows.slice(0, PAGE).map(shown), is_last: rows.length <= PAGE };
  }
}
