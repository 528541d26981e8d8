// What a device keeps of a basket while it is offline: changes that wait, goods that were seen, and what is to be said.
"use strict";
const store = (() => {
  const opened = () =>
    new Promise((resolve, reject) => {
      const asked = indexedDB.open("shop", 1);
      asked.onupgradeneeded = () => {
        for (const name of ["waiting", "goods", "facts"]) asked.result.createObjectStore(name);
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

  // A change says how many there shall be: of two for the same line the later counts, and one that arrives twice does no harm.
  function keyOf({ quantity, ...line }) {
    return JSON.stringify(Object.entries(line).sort());
  }

  return {
    wait: (form) =>
      within(["waiting", "goods"], "readwrite", async (waiting, goods) => {
        const seen = await result(goods.get(form.sku));
        waiting.put({ key: keyOf(form), form, seen, at: Date.now() }, keyOf(form));
      }),
    waiting: () => within(["waiting"], "readonly", (waiting) => result(waiting.getAll())),
    brought: (sent) =>
      within(["waiting"], "readwrite", async (waiting) => {
        for (const one of sent) {
          const held = await result(waiting.get(one.key));
          if (held && held.at === one.at) waiting.delete(one.key); // changed meanwhile: it waits on
        }
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
