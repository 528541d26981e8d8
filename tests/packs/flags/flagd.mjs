// flagd's evaluator of npm: reads {"flags": …, "asked": [[key, context], …]} and writes the variants.
// node flagd.mjs FOLDER_OF_NODE_MODULES
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { FlagdCore } = require("@openfeature/flagd-core");
let text = "";
for await (const part of process.stdin) text += part;
const { flags, asked } = JSON.parse(text);
const core = new FlagdCore();
core.setConfigurations(JSON.stringify({ flags }));
const found = asked.map(([key, context]) => {
  const one = core.resolveStringEvaluation(key, "code", context, console);
  return [one.reason, one.variant ?? null];
});
process.stdout.write(JSON.stringify(found));
