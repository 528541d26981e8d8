"""Sign-in with the group's account: the shop as a client of OpenID Connect, by authorization code with PKCE.

The shop believes no address: who somebody is, the provider says, to the shop alone and over a connection of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from contextlib import suppress
from typing import Any, Final, cast
from urllib.parse import urlencode, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from . import session
from .pages import keep, shopper
from .platform import NOT_NOW, TIMEOUT_S, Platform, Refused
from .shop import Shop

AWAY_S: Final = 1_800  # how long a sign-in may take, the letter box with it
LEEWAY_S: Final = 60
SCOPE: Final = "openid email"


class Accounts:
    """The provider, as far as a shop asks it."""

    def __init__(self, issuer: str, client_id: str) -> None:
        self.issuer, self.client_id = issuer.rstrip("/"), client_id
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S)
        self._document: dict[str, Any] = {}

    async def place(self, name: str) -> str:
        """Return an address of the provider's. Raises Refused."""
        if not self._document:
            found = await self._answer("GET", f"{self.issuer}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                raise Refused({"slug": "shop.no-answer", "status": 502, "detail": NOT_NOW})
            self._document = found
        return str(self._document[name])

    async def claims(self, code: str, back: str, verifier: str, nonce: str) -> dict[str, Any]:
        """Return what the provider says of who came back with a code. Raises Refused for what it does not say to us."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        tokens = await self._answer("POST", await self.place("token_endpoint"), {**form, "client_id": self.client_id})
        try:
            said = _payload(str(tokens["id_token"]))
        except (KeyError, ValueError):
            said = {}
        is_ours = said.get("iss") == self.issuer and said.get("aud") == self.client_id
        is_fresh = isinstance(said.get("exp"), int) and said["exp"] > time.time() - LEEWAY_S
        if not (is_ours and is_fresh and hmac.compare_digest(str(said.get("nonce", "")), nonce)):
            raise refused()
        return said

    async def _answer(self, method: str, address: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            reply = await self._client.request(method, address, data=form)
            found = reply.json()
        except (httpx.HTTPError, ValueError):
            raise Refused({"slug": "shop.no-answer", "status": 503, "detail": NOT_NOW}) from None
        if not reply.is_success or not isinstance(found, dict):
            raise refused()
        return cast("dict[str, Any]", found)

    async def close(self) -> None:
        await self._client.aclose()


def refused() -> Refused:
    """Return that nobody was signed in. It does not say what was wrong."""
    return Refused({"slug": "shop.not-signed-in", "status": 400, "detail": "this sign-in did not work; begin it again"})


async def go(request: Request) -> Response:
    """Send a shopper to the provider; a signed cookie keeps what they have to come back with."""
    accounts: Accounts = request.app.state.accounts
    kept = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(kept["verifier"].encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code", "client_id": accounts.client_id, "redirect_uri": _back(request), "scope": SCOPE,
        "state": kept["state"], "nonce": kept["nonce"], "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    reply = RedirectResponse(f"{await accounts.place('authorization_endpoint')}?{urlencode(asked)}", status_code=303)
    session.write(reply, _away(request), {**kept, "until": int(time.time()) + AWAY_S}, request.app.state.secret)
    return reply


async def come_back(request: Request) -> Response:
    """Know who came back, once: their basket and orders come along, and who is new becomes a member."""
    accounts: Accounts = request.app.state.accounts
    away, asked = session.read(request, _away(request), request.app.state.secret), request.query_params
    is_known = bool(away) and hmac.compare_digest(asked.get("state", "").encode(), str(away["state"]).encode())
    if not is_known or away["until"] < time.time() or asked.get("iss") != accounts.issuer or "code" not in asked:
        raise refused()
    claims = await accounts.claims(asked["code"], _back(request), away["verifier"], away["nonce"])
    member = await _member(request.app.state.platform, claims)
    with suppress(Refused):  # whatever is wrong with what they ordered before, they are signed in
        await request.app.state.platform.call("checkout.claim-orders", {"member_id": member["member_id"]})
    name = str(claims.get("email", "")).partition("@")[0]
    kept = shopper(request) | {"member_id": member["member_id"], "name": name, "tier": member["tier"]}
    reply = keep(request, RedirectResponse("/basket" if kept.get("basket_id") else "/", status_code=303), kept)
    reply.delete_cookie(_away(request))
    return reply


async def leave(request: Request) -> Response:
    """Forget the shopper here, and go where they are signed out of the other shops."""
    accounts: Accounts = request.app.state.accounts
    asked = {"client_id": accounts.client_id, "post_logout_redirect_uri": str(request.base_url)}
    reply = RedirectResponse(f"{await accounts.place('end_session_endpoint')}?{urlencode(asked)}", status_code=303)
    shop: Shop = request.app.state.shop
    reply.delete_cookie(shop.cookie)
    return reply


async def _member(platform: Platform, claims: dict[str, Any]) -> dict[str, Any]:
    """Return the member whom an account is, by the account, else by its address, which is theirs as was just proved."""
    account = {"kind": "external", "value": f"account:{claims['sub']}"}
    identities = [{**account, "is_verified": True}]
    if claims.get("email_verified") is True:
        identities.append({"kind": "email", "value": str(claims["email"]), "is_verified": True})
    for one in identities:
        try:
            found = await platform.call("member.find-member", {"kind": one["kind"], "value": one["value"]})
        except Refused as unknown:
            if unknown.document.get("status") != 404:
                raise
            continue
        if one is not identities[0]:
            for proved in identities:
                await platform.call("member.put-identity", {"member_id": found["member_id"], "identity": proved})
        return await platform.call("member.get-member", {"member_id": found["member_id"]})
    made = await platform.call("member.register", {"identities": identities, "consents": ["terms"]})
    return await platform.call("member.get-member", {"member_id": made["member_id"]})


def origin(issuer: str) -> str:
    """Return where forms may lead beside this shop."""
    found = urlsplit(issuer)
    return f"{found.scheme}://{found.netloc}" if issuer else ""


def _payload(token: str) -> dict[str, Any]:
    """Return what a token says. It came from the provider itself, so its signature has nothing to add."""
    part = token.split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _back(request: Request) -> str:
    return f"{request.base_url}sign-in/back"


def _away(request: Request) -> str:
    shop: Shop = request.app.state.shop
    return f"{shop.cookie}_away"
