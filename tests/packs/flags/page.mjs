// The page of an app: the web SDK of OpenFeature with its OFREP provider shows a flag, and what becomes of it.
import { OpenFeature } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

const headers = [["Authorization", `Bearer ${document.documentElement.dataset.key}`]];
const client = OpenFeature.getClient();
const show = () => {
  const { value, reason, variant } = client.getBooleanDetails("new-checkout", true);
  document.querySelector("main").textContent = `${value} ${reason} ${variant ?? ""}`;
};
client.addHandler("PROVIDER_CONFIGURATION_CHANGED", show);
await OpenFeature.setContext({ targetingKey: "ann", country: "DE" });
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: location.origin, headers, pollInterval: 3_600_000 }));
show();
