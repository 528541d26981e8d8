// The kiosk's goods, its webhook, and how it sells.
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Platform } from "./platform.js";

const LONG_AGO = "2020-01-01T00:00:00Z";
const GOODS = [{ sku: "tea", title: "Tea", minor: 1000 }, { sku: "jam", title: "Jam", minor: 400 }];

export interface Sold { orders: { order_id: string; number: string }[]; due_now: { minor: number; currency: string } }

export class Shop {
  constructor(private readonly platform: Platform, private readonly folder: string) {}

  /** Put goods, prices and stock, and have orders told; done already, it changes nothing. */
  async open(hook: string): Promise<string> {
    mkdirSync(this.folder, { recursive: true });
    const { platform } = this;
    await platform.call("catalog.put-categories", { categories: [{ code: "food", name: "Food" }] }, "categories");
    const products = GOODS.map(({ sku, title }) => ({ code: sku, title, category: "food", seller: "maker", variants: [{ sku }] }));
    await platform.call("catalog.import-products", { products }, "products");
    const listings = GOODS.map(({ sku }) => ({ sku, offered_from: LONG_AGO }));
    await platform.call("catalog.publish", { listings }, "listings");
    const prices = GOODS.map(({ sku, minor }) => ({ sku, currency: "EUR", amount: minor, valid_from: LONG_AGO }));
    await platform.call("pricing.put-prices", { prices }, "prices");
    const lines = GOODS.map(({ sku }) => ({ sku, quantity: 1000, location: "main" }));
    if (!existsSync(join(this.folder, "stocked"))) {
      await platform.call("inventory.receive", { reference: "opening", lines }, "stock");
      writeFileSync(join(this.folder, "stocked"), "");
    }
    const rates = [{ zone: "all", currency: "EUR", base_minor: 500 }];
    await platform.call("fulfilment.put-methods", { items: [{ code: "post", name: "Post", rates }] }, "methods");
    return this.told(hook);
  }

  /** Sell so many of something: an order, once for each `once`. */
  async sell(sku: string, quantity: number, once: string = randomUUID()): Promise<Sold> {
    return this.platform.call<Sold>("checkout.place-order", { currency: "EUR", lines: [{ sku, quantity }] }, once);
  }

  private async told(hook: string): Promise<string> {
    const file = join(this.folder, "secret");
    const ask = { name: "kiosk", url: hook, types: ["order.*"], ordered: true };
    const made = await this.platform.call<{ secret?: string }>("webhooks.put-endpoint", ask, randomUUID());
    let secret = made.secret ?? (existsSync(file) ? readFileSync(file, "utf8") : "");
    if (!secret) secret = (await this.platform.call<{ secret: string }>("webhooks.rotate-secret", { name: "kiosk" }, randomUUID())).secret;
    writeFileSync(file, secret, { mode: 0o600 });
    return secret;
  }
}
