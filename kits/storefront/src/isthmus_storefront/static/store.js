// What a device keeps of a basket while it is offline: changes that wait, goods that were seen, and what is to be said.
"use strict";
const store = (() => {
  const opened = () =>
    new Promise((resolve, reject) => {
      const asked = indexedDB.open("shop", 2);
      asked.onupgradeneeded = ({ oldVersion }) => {
        if (oldVersion < 1) for (const name of ["waiting", "goods", "facts"]) asked.result.createObjectStore(name);
        else number(asked.transaction); // they were kept by line, and had no order
      };
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });

  async function within(names, mode, work) {
    const database = await opened();
    try {
      const transaction = database.transaction(names, mode);
      const done = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = transaction.onerror = () => reject(transaction.error);
      });
      const found = await work(...names.map((name) => transaction.objectStore(name)));
      await done;
      return found;
    } finally {
      database.close();
    }
  }

  const result = (asked) =>
    new Promise((resolve, reject) => {
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });

  // Give this device another name, under which its changes are numbered anew.
  async function number(transaction) {
    const [waiting, facts] = ["waiting", "facts"].map((name) => transaction.objectStore(name));
    const all = await result(waiting.getAll());
    waiting.clear();
    all.forEach(({ form, seen, base = 0 }, at) => waiting.put({ sequence: at + 1, form, seen, base }, at + 1));
    facts.put(all.length, "last");
    facts.put(crypto.randomUUID(), "client");
  }

  return {
    // A log: each change has the next number, says how many there shall be, and which version of the basket was known.
    wait: (form) =>
      within(["waiting", "goods", "facts"], "readwrite", async (waiting, goods, facts) => {
        const [seen, last, base] = await Promise.all([goods.get(form.sku), facts.get("last"), facts.get("version")].map(result));
        const sequence = (last || 0) + 1;
        waiting.put({ sequence, form, seen, base: base || 0 }, sequence);
        facts.put(sequence, "last");
      }),
    waiting: () => within(["waiting"], "readonly", (waiting) => result(waiting.getAll())),
    client: () =>
      within(["facts"], "readwrite", async (facts) => {
        const known = await result(facts.get("client"));
        const client = known || crypto.randomUUID();
        if (!known) facts.put(client, "client");
        return client;
      }),
    renew: () => within(["waiting", "facts"], "readwrite", (waiting) => number(waiting.transaction)),
    brought: (last, version) =>
      within(["waiting", "facts"], "readwrite", (waiting, facts) => {
        waiting.delete(IDBKeyRange.upperBound(last));
        facts.put(version, "version");
      }),
    saw: (all) =>
      within(["goods"], "readwrite", (goods) => {
        for (const one of all) goods.put(one, one.sku);
      }),
    note: (notes) => within(["facts"], "readwrite", (facts) => void facts.put(notes, "notes")),
    notes: () => within(["facts"], "readonly", (facts) => result(facts.get("notes"))),
    set: (name, value) => within(["facts"], "readwrite", (facts) => void facts.put(value, name)),
    get: (name) => within(["facts"], "readonly", (facts) => result(facts.get(name))),
    forget: () =>
      within(["waiting", "goods", "facts"], "readwrite", (...all) => {
        for (const one of all) one.clear();
      }),
  };
})();
