// The web SDK of OpenFeature with its OFREP provider: asks for a flag until it is what it is to be.
// node web.mjs FOLDER_OF_NODE_MODULES ADDRESS KEY
import { createRequire } from "node:module";

const [folder, address, key] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { OpenFeature } = require("@openfeature/web-sdk");
const { OFREPWebProvider } = require("@openfeature/ofrep-web-provider");
globalThis.EventSource = require("eventsource").EventSource;
const headers = [["Authorization", `Bearer ${key}`]];
await OpenFeature.setContext({ targetingKey: "ann", country: "DE" });
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: address, headers, pollInterval: 3_600_000 }));
const client = OpenFeature.getClient();
const say = () => {
  const { value, reason, variant } = client.getBooleanDetails("new-checkout", true);
  process.stdout.write(`${JSON.stringify([value, reason, variant ?? null])}\n`);
};
client.addHandler("PROVIDER_CONFIGURATION_CHANGED", say);
say();
process.stdin.on("end", () => process.exit(0)).resume();
