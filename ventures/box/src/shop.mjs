// What the box does: subscriptions, their boxes, payments, refunds, and the end of it all.
import { randomUUID } from "node:crypto";

import { Refused } from "./account.mjs";
import { CURRENCY } from "./settings.mjs";

export const PLANS = {
  discovery: { title: "Discovery", gross: 1990, cost: 720, months: 1, words: "Four small teas every month, each from another garden." },
  garden: { title: "One garden", gross: 2990, cost: 1180, months: 1, words: "A hundred grams every month, and the story of who picked it." },
  season: { title: "The season", gross: 7490, cost: 2940, months: 3, words: "A large box every three months, with what was picked last." },
};

const CUSTOMERS = "assets:customers";
const BANK = "assets:bank";
const SALES = "income:sales";
const RETURNS = "income:returns";
const GOODS = "expenses:goods";
const SUPPLIERS = "liabilities:suppliers";
const TAX = "liabilities:tax:de:food";

export class Shop {
  constructor(store, tax) {
    this.store = store;
    this.tax = tax;
  }

  get isOver() {
    return this.store.fact("ended_on") !== "";
  }

  async quote(plan) {
    const found = PLANS[plan];
    if (!found || !Object.hasOwn(PLANS, plan)) throw new Refused(404, `there is no box ${plan}: choose ${Object.keys(PLANS).join(", ")}`);
    const { tax, by } = await this.tax.of(plan, found.gross);
    const quoted = { plan, currency: CURRENCY, gross_minor: found.gross, net_minor: found.gross - tax, tax_minor: tax };
    this.store.record("quote-box", { plan }, quoted);
    return { ...quoted, by };
  }

  async subscribe(sub, form) {
    if (this.isOver) throw new Refused(410, "The Tea Box has ended, and takes no new subscriptions.");
    const quoted = await this.quote(form.plan);
    const to = checked(form);
    const id = randomUUID();
    return this.store.whole(() => {
      this.store.run("insert into subscription values (?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?)",
        [id, sub, quoted.plan, to.name, to.street, to.postcode, to.city, to.iban, this.store.now(), this.nextOf(quoted.plan, this.store.clock())]);
      const order = this.sell(id, sub, quoted);
      this.store.note(sub, "subscribed", id);
      const given = Object.fromEntries(Object.keys(to).map((name) => [name, "…"])); // where it goes is nobody's business
      this.store.record("subscribe", { plan: quoted.plan, ...given }, { subscription: id, order });
      return { subscription: id, order };
    });
  }

  // One box: an order, its entry in the books, and what leaves the box about it.
  sell(subscription, sub, quoted) {
    const { plan, gross_minor: gross, tax_minor: tax } = quoted;
    const order = randomUUID();
    this.store.run("insert into orders values (?, ?, ?, ?, ?, ?, ?, ?, 'open', 0)",
      [order, subscription, sub, plan, gross, tax, quoted.by, this.store.now()]);
    this.store.book(`order/${order}`, "sale", order, [[CUSTOMERS, gross], [SALES, tax - gross], [TAX, -tax]]);
    this.store.sold(sub, this.exported("sale", order, order, plan, gross, tax));
    return order;
  }

  exported(kind, saleId, order, plan, gross, tax) {
    return {
      sale_id: saleId, kind, order_id: order, at: this.store.now(), item: plan, currency: CURRENCY,
      net_minor: gross - tax, tax_minor: tax,
    };
  }

  nextOf(plan, from) {
    const next = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + PLANS[plan].months, 1));
    const day = Math.min(from.getUTCDate(), new Date(Date.UTC(next.getUTCFullYear(), next.getUTCMonth() + 1, 0)).getUTCDate());
    return new Date(Date.UTC(next.getUTCFullYear(), next.getUTCMonth(), day)).toISOString().slice(0, 10);
  }

  // The boxes that are due: one for each subscription whose day has come.
  async renew() {
    const today = this.store.now().slice(0, 10);
    const due = this.isOver ? [] : this.store.all("select * from subscription where state = 'active' and next_on <= ? limit 1000", [today]);
    for (const one of due) {
      const quoted = await this.quote(one.plan);
      this.store.whole(() => {
        const next = this.nextOf(one.plan, new Date(`${one.next_on}T00:00:00Z`));
        const moved = this.store.run("update subscription set next_on = ? where id = ? and next_on = ? and state = 'active'", [next, one.id, one.next_on]);
        if (moved) this.sell(one.id, one.sub, quoted);
      });
    }
    return due.length;
  }

  cancel(sub, id) {
    const moved = this.store.run("update subscription set state = 'cancelled' where id = ? and sub = ? and state = 'active'", [id, sub]);
    if (!moved) throw new Refused(404, "You have no such subscription.");
    this.store.record("cancel-box", { id }, { state: "cancelled" });
    this.store.note(sub, "cancelled", id);
  }

  // The bank has said that an order was paid.
  pay(order) {
    return this.store.whole(() => {
      const found = this.order(order);
      if (found.state !== "open") throw new Refused(409, `order ${order} is ${found.state} already`);
      this.store.run("update orders set state = 'paid' where id = ?", [order]);
      const { cost } = PLANS[found.plan]; // it is filled and sent now: what that costs
      this.store.book(`payment/${order}`, "payment-received", order,
        [[BANK, found.gross], [CUSTOMERS, -found.gross], [GOODS, cost], [SUPPLIERS, -cost]]);
      this.store.note("desk", "noted a payment", order);
      return { order, paid_minor: found.gross };
    });
  }

  // Money goes back, in part or all of it, with its share of the tax; the last part takes what rounding left.
  refund(order, minor) {
    return this.store.whole(() => {
      const found = this.order(order);
      const left = found.gross - found.refunded;
      if (!(Number.isSafeInteger(minor) && minor > 0 && minor <= left)) {
        throw new Refused(400, `of order ${order} ${left} cents can go back: send minor from 1 to ${left}`);
      }
      const taxBefore = Math.round((found.tax * found.refunded) / found.gross);
      const tax = Math.round((found.tax * (found.refunded + minor)) / found.gross) - taxBefore;
      const part = this.store.get("select count(*) as n from sale where fields like ?", [`%"kind":"refund","order_id":"${order}"%`]).n + 1;
      const from = found.state === "paid" ? BANK : CUSTOMERS;
      this.store.run("update orders set refunded = refunded + ? where id = ?", [minor, order]);
      this.store.book(`refund/${order}/${part}`, "refund", `${order}/${part}`, [[RETURNS, minor - tax], [TAX, tax], [from, -minor]]);
      this.store.sold(found.sub, this.exported("refund", `${order}/${part}`, order, found.plan, -minor, -tax));
      this.store.note("desk", "refunded", order);
      this.store.record("refund-box", { order, minor }, { order, refunded_minor: minor, tax_minor: tax });
      return { order, refunded_minor: minor, tax_minor: tax };
    });
  }

  order(id) {
    const found = this.store.get("select * from orders where id = ?", [String(id)]);
    if (!found) throw new Refused(404, `there is no order ${id}`);
    return found;
  }

  // Forget a person: orders and entries keep amounts, and name nobody.
  forget(sub) {
    return this.store.whole(() => {
      const known = this.store.get("select 1 from member where sub = ?", [sub]);
      for (const sql of [
        "delete from member where sub = ?", "delete from session where sub = ?", "delete from notice where sub = ?",
        "update subscription set sub = '', name = '', street = '', postcode = '', city = '', iban = '', state = 'cancelled' where sub = ?",
        "update orders set sub = '' where sub = ?", "update sale set sub = '' where sub = ?",
        "update audit set who = 'erased' where who = ?",
      ]) this.store.run(sql, [sub]);
      this.store.note("group", "forgot a person");
      return known ? 1 : 0;
    });
  }

  // End it: nothing more is sold, and every member reads on the page that it is over.
  end(words) {
    return this.store.whole(() => {
      if (!this.isOver) {
        this.store.keep("ended_on", this.store.now().slice(0, 10));
        for (const { sub } of this.store.all("select distinct sub from subscription where sub <> ''")) {
          this.store.run("insert into notice (sub, at, words) values (?, ?, ?)", [sub, this.store.now(), words]);
        }
        this.store.run("update subscription set state = 'ended' where state = 'active'");
        this.store.note("group", "ended the box");
      }
      return { ended_on: this.store.fact("ended_on"), informed: this.store.get("select count(distinct sub) as n from notice").n };
    });
  }
}

function checked(form) {
  const to = Object.fromEntries(["name", "street", "postcode", "city", "iban"].map((name) => [name, String(form[name] ?? "").trim().slice(0, 120)]));
  const lacking = Object.keys(to).filter((name) => !to[name]);
  if (lacking.length) throw new Refused(400, `Please fill in: ${lacking.join(", ")}.`);
  if (!/^\d{5}$/.test(to.postcode)) throw new Refused(400, `A German postcode has five digits, and ${to.postcode} is none.`);
  to.iban = to.iban.replaceAll(" ", "").toUpperCase();
  if (!isIban(to.iban)) throw new Refused(400, "This IBAN has a slip in it: please look at it again.");
  return to;
}

// ISO 13616: the country and check digits moved to the end, letters as numbers, modulo 97 leaves 1.
function isIban(text) {
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(text)) return false;
  const digits = (text.slice(4) + text.slice(0, 4)).replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55));
  return BigInt(digits) % 97n === 1n;
}
