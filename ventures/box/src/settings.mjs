// What the box is told when it starts. Everything has a default but the two keys, which nobody may guess.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const CURRENCY = process.env.BOX_CURRENCY ?? "EUR";

export function settingsOf(env) {
  if (!/^[A-Z]{3}$/.test(CURRENCY)) throw new Error(`BOX_CURRENCY is ${CURRENCY}, which is no currency: use ISO 4217, such as EUR`);
  const lacking = ["BOX_KEY", "BOX_DESK_KEY"].filter((name) => !env[name]);
  if (lacking.length) {
    throw new Error(`${lacking.join(" and ")} is not set: choose a long random text, such as $(openssl rand -hex 24)`);
  }
  const port = Number(env.BOX_PORT ?? 8090);
  const data = env.BOX_DATA ?? "data";
  mkdirSync(data, { recursive: true });
  return {
    port,
    data,
    address: env.BOX_ADDRESS ?? `http://127.0.0.1:${port}`,
    issuer: (env.BOX_ISSUER ?? "http://127.0.0.1:8080/account").replace(/\/$/, ""),
    client: env.BOX_CLIENT ?? "box",
    key: env.BOX_KEY, // with it the group reads what the charter obliges the box to show
    deskKey: env.BOX_DESK_KEY, // with it the box's own people note payments and refunds
    platform: env.BOX_PLATFORM ?? "", // where taxes are borrowed; empty: the box reckons them itself
    platformKey: env.BOX_PLATFORM_KEY ?? "",
    signing: signingKey(join(data, "signing.pem")),
  };
}

// The key that signs what leaves the box, made at the first start; its public half goes into the charter.
function signingKey(file) {
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync("ed25519");
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  }
  const key = createPrivateKey(readFileSync(file));
  return {
    public: createPublicKey(key).export({ format: "jwk" }).x,
    of: (text) => sign(null, Buffer.from(text), key).toString("base64url"),
  };
}

export const hashOf = (text) => createHash("sha256").update(text).digest("hex");
