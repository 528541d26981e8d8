// An app that keeps a text with Yjs: it has taken some updates, and writes; it says its update and what it shows then.
import { createRequire } from "node:module";

const [modules, asked] = process.argv.slice(2);
const Y = createRequire(modules + "/")("yjs");
const { updates, edits } = JSON.parse(asked);
const doc = new Y.Doc();
for (const one of updates) Y.applyUpdate(doc, Buffer.from(one, "base64"));
const before = Y.encodeStateVector(doc);
for (const [at, taken, words] of edits) {
  doc.getText("text").delete(at, taken);
  doc.getText("text").insert(at, words);
}
const update = Buffer.from(Y.encodeStateAsUpdate(doc, before)).toString("base64");
console.log(JSON.stringify({ update, text: doc.getText("text").toString() }));
