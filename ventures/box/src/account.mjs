// Signing in with the group's account: OpenID Connect, authorization code with PKCE, tokens checked by the group's keys.
import { createHash, createPublicKey, randomBytes, verify } from "node:crypto";

import { hashOf } from "./settings.mjs";

const PENDING_S = 1_800;
const SESSION_S = 14 * 86_400;
const KEYS_S = 300; // shorter than the group shows a key before it signs with it
const SKEW_S = 30;
const WAITS_MS = 5_000;

const secret = () => randomBytes(32).toString("base64url");

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Account {
  constructor(settings, store) {
    this.settings = settings;
    this.store = store;
    this.known = { at: 0, keys: [], document: null };
  }

  seconds() {
    return Math.floor(this.store.clock().getTime() / 1000);
  }

  // Where the browser goes, and what it keeps meanwhile: only the browser that began comes back.
  async begin(back) {
    const { authorization_endpoint: place } = await this.document();
    const [state, nonce, verifier, browser] = [secret(), secret(), secret(), secret()];
    this.store.run("delete from pending where ends < ?", [this.seconds()]);
    this.store.run("insert into pending values (?, ?, ?, ?, ?, ?)",
      [hashOf(state), verifier, nonce, hashOf(browser), this.seconds() + PENDING_S, back]);
    const asked = new URLSearchParams({
      response_type: "code", client_id: this.settings.client, redirect_uri: this.redirect(), scope: "openid email",
      state, nonce, code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
    });
    return { to: `${place}?${asked}`, browser };
  }

  redirect() {
    return `${this.settings.address}/callback`;
  }

  // The code for a session. Each state is good once, in the browser that asked for it.
  async finish(query, browser) {
    const state = hashOf(query.get("state") ?? "");
    const pending = this.store.get("select * from pending where state = ?", [state]);
    this.store.run("delete from pending where state = ?", [state]);
    if (!pending || pending.ends < this.seconds() || pending.browser !== hashOf(browser)) {
      throw new Refused(400, "This sign-in was not begun in this browser, or too long ago. Please begin again.");
    }
    if (query.get("iss") !== this.settings.issuer) throw new Refused(400, "This answer came from somebody else.");
    if (query.get("error")) throw new Refused(403, "You were not signed in.");
    const { token_endpoint: place } = await this.document();
    const form = new URLSearchParams({
      grant_type: "authorization_code", code: query.get("code") ?? "", redirect_uri: this.redirect(),
      client_id: this.settings.client, code_verifier: pending.verifier,
    });
    const reply = await fetch(place, { method: "POST", body: form, signal: AbortSignal.timeout(WAITS_MS) });
    if (!reply.ok) throw new Refused(400, "The group's sign-in did not take the code. Please begin again.");
    const claims = await this.claims((await reply.json()).id_token);
    if (claims.aud !== this.settings.client || claims.nonce !== pending.nonce) {
      throw new Refused(401, "The group's sign-in answered for somebody else.");
    }
    return { session: this.enter(claims), back: pending.back };
  }

  enter(claims) {
    const session = secret();
    this.store.whole(() => {
      this.store.run("insert into member values (?, ?, ?) on conflict (sub) do update set email = excluded.email",
        [claims.sub, claims.email ?? "", this.store.now()]);
      this.store.run("insert into session values (?, ?, ?, ?)",
        [hashOf(session), claims.sub, claims.sid ?? "", this.seconds() + SESSION_S]);
      this.store.note(claims.sub, "signed in");
    });
    return session;
  }

  // Who is signed in: by the cookie of a browser, or by a token of the group for this very client.
  async who(cookie, authorization) {
    if (authorization) {
      const [scheme, token] = authorization.split(" ");
      if (scheme !== "Bearer") throw new Refused(401, "send a token of the group's sign-in: Authorization: Bearer …");
      const claims = await this.claims(token ?? "");
      if (claims.aud !== this.settings.client && claims.client_id !== this.settings.client) {
        throw new Refused(401, "this token is for another shop");
      }
      return { sub: claims.sub, email: claims.email ?? "" };
    }
    const found = cookie && this.store.get(
      "select sub, email from session join member using (sub) where hash = ? and ends > ?", [hashOf(cookie), this.seconds()]);
    return found || null;
  }

  leave(cookie) {
    this.store.run("delete from session where hash = ?", [hashOf(cookie ?? "")]);
  }

  // The group says that a session has ended (OpenID Connect back-channel logout).
  async left(token) {
    const claims = await this.claims(token);
    if (claims.aud !== this.settings.client || !claims.events) throw new Refused(400, "this is no logout token for us");
    this.store.run("delete from session where sid = ? and sub = ?", [claims.sid ?? "", claims.sub]);
  }

  // What a token says, once its signature, issuer and time are checked.
  async claims(token) {
    const [head, body, signature] = String(token).split(".");
    let header, claims;
    try {
      header = JSON.parse(Buffer.from(head, "base64url"));
      claims = JSON.parse(Buffer.from(body, "base64url"));
    } catch {
      throw new Refused(401, "this is no token");
    }
    if (header.alg !== "RS256") throw new Refused(401, `a token signed by ${header.alg} is not taken`);
    const key = await this.key(header.kid);
    const isSigned = key && verify("RSA-SHA256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature ?? "", "base64url"));
    if (!isSigned) throw new Refused(401, "this token was not signed by the group");
    if (claims.iss !== this.settings.issuer) throw new Refused(401, "this token is of another issuer");
    if (!(claims.exp > this.seconds() - SKEW_S)) throw new Refused(401, "this token has run out");
    if (!claims.sub) throw new Refused(401, "this token names nobody");
    return claims;
  }

  async key(kid) {
    let found = this.known.keys.find((one) => one.kid === kid);
    if (!found || this.seconds() - this.known.at > KEYS_S) {
      const { jwks_uri: place } = await this.document();
      const reply = await fetch(place, { signal: AbortSignal.timeout(WAITS_MS) });
      this.known = { ...this.known, at: this.seconds(), keys: (await reply.json()).keys };
      found = this.known.keys.find((one) => one.kid === kid);
    }
    return found && createPublicKey({ key: found, format: "jwk" });
  }

  async document() {
    if (!this.known.document) {
      const place = `${this.settings.issuer}/.well-known/openid-configuration`;
      let reply;
      try {
        reply = await fetch(place, { signal: AbortSignal.timeout(WAITS_MS) });
      } catch {
        throw new Refused(503, "The group's sign-in does not answer. Please try again in a moment.");
      }
      if (!reply.ok) throw new Refused(503, "The group's sign-in does not answer. Please try again in a moment.");
      this.known.document = await reply.json();
    }
    return this.known.document;
  }
}
