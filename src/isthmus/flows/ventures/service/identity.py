"""Whether a venture signs people in with the group's account, and refuses whoever only says so."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from isthmus.kernel import Context
from isthmus.later import later
from isthmus.packs.account import api as account
from isthmus.packs.venture import api as venture

from .wire import Wire

if TYPE_CHECKING:
    import httpx
    from joserfc import jwk, jwt
else:
    httpx, jwk, jwt = later("httpx"), later("joserfc.jwk"), later("joserfc.jwt")

REFUSES: Final = (400, 401, 403)
STEPS_MAX: Final = 8  # from a sign-in page to the page that follows


class Unmet(Exception):
    """An obligation is not met: what was seen, and how to fix it."""

    def __init__(self, said: str, remedy: str) -> None:
        super().__init__(said)
        self.said, self.remedy = said, remedy


async def check(wire: Wire, ctx: Context) -> str:
    """Return what was seen of somebody who signs in at a venture. Raises Unmet and VentureDown."""
    own = wire.charter.obligations
    provider = await ctx.call(account.describe_provider, account.DescribeProvider(client=own.client))
    if not provider.issuer:
        raise Unmet("nobody signs in here: the platform has no issuer", 'write [settings.account] issuer = "…/account"')
    back = next((one for one in provider.redirects if one.startswith(f"{wire.charter.url}/")), "")
    if not back:
        raise Unmet(
            f"the group's sign-in knows no client {own.client!r} that is sent back to {wire.charter.url}",
            f'write [settings.account.clients.{own.client}] front_end = "{wire.charter.code}", '
            f'redirects = ["{wire.charter.url}/callback"] and restart the platform',
        )
    asked = await _begun(wire, own, provider)
    browser = await _signed_in(wire, ctx, provider, asked)
    await _sees_own_page(wire, own, browser)
    tokens = await _tokens(wire, own, provider, browser, back)
    return await _believes_only_the_group(wire, own, tokens)


def _query(address: str) -> dict[str, str]:
    """Return the parameters of an address; of one that comes twice, the first."""
    found: dict[str, list[str]] = parse_qs(str(urlsplit(address).query))
    return {name: values[0] for name, values in found.items()}


async def _begun(wire: Wire, own: venture.Obliged, provider: account.Provider) -> str:
    """Return where the venture sends who wants to sign in, checked."""
    reply = await wire.send("GET", own.sign_in)
    place = str(reply.headers.get("location", ""))
    if reply.status_code not in (302, 303, 307) or not place.startswith(f"{provider.issuer}/authorize?"):
        raise Unmet(
            f"GET {own.sign_in} answers {reply.status_code} and leads to {place[:120] or 'nowhere'}",
            f"send people to {provider.issuer}/authorize (OpenID Connect, authorization code)",
        )
    asked = _query(place)
    wanted = {"response_type": "code", "client_id": own.client, "code_challenge_method": "S256"}
    for name, value in wanted.items():
        if asked.get(name) != value:
            raise Unmet(
                f"{own.sign_in} asks for {name}={asked.get(name)!r}",
                f"send {name}={value}, with PKCE and a fresh state",
            )
    for name in ("state", "nonce", "code_challenge"):
        if len(asked.get(name, "")) < 16:
            raise Unmet(f"{own.sign_in} sends no {name} that nobody can guess", f"make {name} of 32 random bytes")
    again = str((await wire.send("GET", own.sign_in)).headers.get("location", ""))
    if _query(again).get("state") == asked["state"]:
        raise Unmet("two sign-ins have the same state", "make state, nonce and verifier anew for each sign-in")
    _keep(wire, reply)
    return place


def _keep(wire: Wire, reply: httpx.Response) -> None:
    for one in reply.headers.get_list("set-cookie"):
        name, _, value = one.partition(";")[0].partition("=")
        wire.http.cookies.delete(name) if name in wire.http.cookies else None
        if value:
            wire.http.cookies.set(name, value)


async def _signed_in(wire: Wire, ctx: Context, provider: account.Provider, asked: str) -> dict[str, str]:
    """Follow a sign-in to its end as a browser does; return what the browser keeps of the provider."""
    kept: dict[str, str] = {}
    async with httpx.AsyncClient(timeout=10, follow_redirects=False) as browser:
        reply = await browser.get(asked)
        interaction = reply.cookies.get(provider.asked_cookie, "")
        if not interaction:
            raise Unmet("the group's sign-in does not take what the venture asks for", "compare redirect_uri and scope")
        wanted = account.MakeTrialLink(
            client=wire.charter.obligations.client, interaction=hashlib.sha256(interaction.encode()).hexdigest()
        )
        link = await ctx.call(account.make_trial_link, wanted)
        text = _query(link.url)["link"]
        reply = await browser.post(f"{provider.issuer}/link", data={"link": text})
        kept = dict(browser.cookies.items())
    back = reply.headers.get("location", "")
    if not back.startswith(f"{wire.charter.url}/"):
        raise Unmet("the group's sign-in does not lead back to the venture", "compare redirects in the settings")
    reply = await wire.send("GET", back)
    _keep(wire, reply)
    if reply.status_code >= 400:
        raise Unmet(
            f"the venture answers {reply.status_code} to who comes back signed in: {reply.text[:120]}",
            "exchange the code at the token endpoint, with the verifier, and check the ID token by the group's keys",
        )
    replayed = await wire.send("GET", back, headers={"cookie": ""})
    if replayed.status_code not in REFUSES:
        raise Unmet(
            f"the way back from a sign-in works a second time, in another browser: {replayed.status_code}",
            "tie state to the browser that began, and take each state once",
        )
    return kept


async def _sees_own_page(wire: Wire, own: venture.Obliged, _: object) -> None:
    if (await wire.send("GET", own.page)).status_code != 200:
        raise Unmet(
            f"who has signed in does not see {own.page}", "give the browser a session, or name the page in the charter"
        )
    wire.http.cookies.clear()
    if (await wire.send("GET", own.page)).status_code == 200:
        raise Unmet(f"{own.page} is shown to who has not signed in", "show it to who has a session alone")


async def _tokens(
    wire: Wire, own: venture.Obliged, provider: account.Provider, kept: dict[str, str], back: str
) -> dict[str, str]:
    """Return tokens as the venture gets them, for who has just signed in there."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code", "client_id": own.client, "redirect_uri": back, "scope": "openid email",
        "state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16), "code_challenge": challenge,
        "code_challenge_method": "S256",
    }  # fmt: skip
    async with httpx.AsyncClient(timeout=10, follow_redirects=False, cookies=kept) as browser:
        reply = await browser.get(f"{provider.issuer}/authorize?{urlencode(asked)}")
        code = _query(str(reply.headers.get("location", ""))).get("code", "")
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": back, "client_id": own.client,
            "code_verifier": verifier,
        }  # fmt: skip
        found = await browser.post(f"{provider.issuer}/token", data=form)
    if not found.is_success:
        raise Unmet(
            f"the group's sign-in gives no token to {own.client!r}: {found.text[:160]}",
            "a venture is a public client with PKCE: leave secret out of its settings",
        )
    return found.json()


async def _believes_only_the_group(wire: Wire, own: venture.Obliged, tokens: dict[str, str]) -> str:
    token = tokens["access_token"]
    reply = await wire.send("GET", own.who, headers={"authorization": f"Bearer {token}"})
    subject = _part(token, 1)["sub"]
    if reply.status_code != 200 or subject not in reply.text:
        raise Unmet(
            f"GET {own.who} with a token of the group answers {reply.status_code} {reply.text[:120]}",
            "take access tokens of the group for your client_id, and answer with whose (sub) it is",
        )
    tried = 0
    async for what, forged in _forged(token):
        reply = await wire.send("GET", own.who, headers={"authorization": f"Bearer {forged}"} if forged else {})
        if reply.status_code not in REFUSES:
            raise Unmet(
                f"GET {own.who} answers {reply.status_code} to {what}",
                "check signature, algorithm, issuer, expiry and client of every token by the group's published keys",
            )
        tried += 1
    return (
        f"somebody signed in by the group's account and saw {own.page}; {tried} forged or missing tokens were refused"
    )


async def _forged(token: str) -> AsyncIterator[tuple[str, str]]:
    """Yield tokens that nobody may believe, and what is wrong with each."""
    header, claims = _part(token, 0), _part(token, 1)
    head, _, signature = token.split(".")
    own = jwk.RSAKey.generate_key(2048, {"kid": header["kid"]})
    yield "no token at all", ""
    yield "a token signed by somebody else", jwt.encode(header, claims, own)
    yield "a token without a signature", f"{_text({**header, 'alg': 'none'})}.{_text(claims)}."
    yield (
        "a token whose subject was changed",
        f"{head}.{_text({**claims, 'sub': str(claims['sub'])[::-1]})}.{signature}",
    )
    yield "a token that is no token", "not.a.token"


def _part(token: str, at: int) -> dict[str, Any]:
    text = token.split(".")[at]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _text(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
