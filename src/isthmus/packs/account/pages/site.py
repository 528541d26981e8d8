"""Signing in: what a shop asks for, a link by e-mail, the question what the shop may know, and the way back to it."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from isthmus.kernel import Caller, Platform, decode, encode, errors

from .. import api, rules, storage
from ..rules import ASKED, SESSION, Unfit, Wanted
from ..service.accounts import Accounts, ClientSettings
from .browser import SECURITY, STYLE, is_own, keep, kept, page
from .protocol import Protocol, once, read_form, sentence_of

Made = Callable[[Request], Awaitable[Response]]


def site(platform: Platform) -> Starlette:
    """Return the application, for the clients that the settings name."""
    accounts = platform.resources[Accounts]
    assert isinstance(accounts, Accounts)
    protocol, pages = Protocol(accounts), Pages(platform, accounts)
    routes = [
        Route("/.well-known/openid-configuration", protocol.document),
        Route("/keys", protocol.keys),
        Route("/token", protocol.token, methods=["POST"]),
        Route("/revoke", protocol.revoke, methods=["POST"]),
        Route("/userinfo", protocol.person, methods=["GET", "POST"]),
        Route("/style.css", _style),
        Route("/authorize", _shown(pages.authorize)),
        Route("/sign-in", _shown(pages.sign_in), methods=["GET", "POST"]),
        Route("/link", _shown(pages.link), methods=["GET", "POST"]),
        Route("/consent", _shown(pages.consent), methods=["GET", "POST"]),
        Route("/leave", _shown(pages.leave), methods=["GET", "POST"]),
    ]
    return Starlette(routes=routes if accounts.issuer else [])


async def _style(request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers=SECURITY)


def _shown(make: Made) -> Made:
    """Return a page that says what is wrong, and takes no form of elsewhere."""

    async def answer(request: Request) -> Response:
        try:
            if request.method == "POST" and not is_own(request):
                raise Unfit("invalid_request", "this form was sent from a page of elsewhere")
            return await make(request)
        except Unfit as wrong:
            return page(request, "problem.html", status=400, problem=wrong.sentence)
        except errors.IsthmusError as wrong:
            return page(request, "problem.html", status=401, problem=sentence_of(wrong))

    return answer


class Pages:
    """The pages that a shopper sees."""

    def __init__(self, platform: Platform, accounts: Accounts) -> None:
        self._platform = platform
        self._accounts = accounts

    async def authorize(self, request: Request) -> Response:
        """Take what a shop asks for, and go on to sign in, to consent, or at once back to it."""
        asked = once(parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=50))
        client, own = self._client(asked.get("client_id", ""))
        if asked.get("redirect_uri") not in own.redirects:
            raise Unfit("invalid_request", "the shop sends you to a place that is not known as its own")
        try:
            wanted = rules.wanted(asked)
        except Unfit as wrong:
            said = {"error": wrong.error, "error_description": wrong.sentence, "state": asked.get("state", "")}
            return self._back(asked["redirect_uri"], said)
        secret = secrets.token_urlsafe(32)
        async with self._accounts.database.platform() as session:
            await storage.add_interaction(session, secret, client, encode(wanted).decode())
        reply = await self._go_on(request, secret, client, wanted)
        keep(request, reply, ASKED, secret, storage.INTERACTION_S)
        return reply

    async def _go_on(self, request: Request, secret: str, client: str, wanted: Wanted, entered: str = "") -> Response:
        """Return the next step of a sign-in; entered: the secret of a session that has just begun."""
        async with self._accounts.database.platform() as session:
            row = await storage.known(session, entered or kept(request, SESSION))
            is_old = row is not None and wanted.max_age_s is not None and row["age_s"] > wanted.max_age_s
            if row is None or (not entered and (is_old or "login" in wanted.prompt)):
                return self._step(wanted, "login_required", "sign-in")
            allowed = await storage.consented(session, row["account_id"], client)
        if not allowed.issuperset(wanted.scope.split()) or (not entered and "consent" in wanted.prompt):
            return self._step(wanted, "consent_required", "consent")
        return await self._granted(secret, client, wanted, row["session_id"])

    def _step(self, wanted: Wanted, error: str, name: str) -> Response:
        if "none" in wanted.prompt:
            return self._back(wanted.redirect_uri, {"error": error, "state": wanted.state})
        return RedirectResponse(f"{self._accounts.issuer}/{name}", 303, headers=SECURITY)

    async def _granted(self, secret: str, client: str, wanted: Wanted, session_id: Any) -> Response:
        code = secrets.token_urlsafe(32)
        async with self._accounts.act(client, "account.grant", session=str(session_id), scope=wanted.scope) as session:
            if await storage.interaction(session, secret) is None:
                raise api.LinkSpent
            await storage.add_code(session, code, session_id, client, wanted)
            await storage.end_interaction(session, secret)
        return self._back(wanted.redirect_uri, {"code": code, "state": wanted.state})

    async def sign_in(self, request: Request) -> Response:
        """Ask for an address, and have a link sent to it."""
        secret, client, _ = await self._interaction(request)
        own = self._accounts.settings.clients[client]
        if request.method == "GET":
            return page(request, "sign_in.html", shop=own.name or client, is_sent=False)
        address = (await read_form(request)).get("address", "")
        try:
            ask = api.AskForLink(address=rules.address_of(address), interaction=rules.hash_of(secret).hex())
            caller = Caller(front_end=own.front_end, client=client, via="http")
            await self._platform.call(api.ask_for_link, ask, caller)
        except errors.BadAsk as refused:
            return page(
                request,
                "sign_in.html",
                status=400,
                shop=own.name or client,
                is_sent=False,
                problem=sentence_of(refused),
            )
        return page(request, "sign_in.html", shop=own.name or client, is_sent=True)

    async def link(self, request: Request) -> Response:
        """Sign in by a link, by its page's button: what looks at mails opens links, and uses none up."""
        secret, client, wanted = await self._interaction(request)
        leads_to = (wanted.redirect_uri,)
        if request.method == "GET":
            link = request.query_params.get("link", "")
            name = self._accounts.settings.clients[client].name or client
            return page(request, "link.html", leads_to=leads_to, link=link, shop=name)
        link_id = rules.link_id_of((await read_form(request)).get("link", ""), self._accounts.key.derived("links"))
        entered = secrets.token_urlsafe(32)
        async with self._accounts.act(client, "account.sign-in") as session:
            found = link_id and await storage.use_link(session, link_id, rules.hash_of(secret).hex())
            if not found:
                raise api.LinkSpent
            account_id = await storage.account_of(session, found, self._accounts.seals)
            await storage.add_session(session, entered, account_id)
            await storage.add_consent(session, account_id, client, wanted.scope)  # they have signed in for this shop
        reply = await self._go_on(request, secret, client, wanted, entered)
        keep(request, reply, SESSION, entered, storage.SESSION_S)
        return reply

    async def consent(self, request: Request) -> Response:
        """Ask what another shop may know of who is signed in already."""
        secret, client, wanted = await self._interaction(request)
        async with self._accounts.database.platform() as session:
            row = await storage.known(session, kept(request, SESSION))
            address = await storage.address_of(session, row, self._accounts.seals) if row else None
        if row is None:
            return self._step(wanted, "login_required", "sign-in")
        if request.method == "GET":
            name = self._accounts.settings.clients[client].name or client
            scope = wanted.scope.split()
            return page(
                request, "consent.html", leads_to=(wanted.redirect_uri,), shop=name, scope=scope, address=address
            )
        if (await read_form(request)).get("act") != "allow":
            return self._back(wanted.redirect_uri, {"error": "access_denied", "state": wanted.state})
        async with self._accounts.act(client, "account.consent", scope=wanted.scope) as session:
            await storage.add_consent(session, row["account_id"], client, wanted.scope)
        return await self._granted(secret, client, wanted, row["session_id"])

    async def leave(self, request: Request) -> Response:
        """Sign out of all shops: each hears of it; whom a shop sends here is asked first, unless it names the session.

        They go back to the shop where it has said so beforehand.
        """
        asked = dict(request.query_params) if request.method == "GET" else await read_form(request)
        async with self._accounts.database.platform() as session:
            row = await storage.known(session, kept(request, SESSION))
            hint = await self._accounts.signing.claims(session, asked.get("id_token_hint", ""), self._accounts.issuer)
        is_meant = row is not None and hint is not None and hint.get("sid") == str(row["session_id"])
        client = str(hint["aud"]) if hint else asked.get("client_id", "")
        after = _after(self._accounts.settings.clients.get(client), asked)
        if row is not None and not (is_meant or (request.method == "POST" and asked.get("act") == "leave")):
            state = asked.get("state", "")
            return page(
                request, "leave.html", leads_to=(after,), is_left=False, client_id=client, after=after, state=state
            )
        if row is not None:
            async with self._accounts.act(client, "account.sign-out", session=str(row["session_id"])) as session:
                await storage.end_session(session, row["session_id"])
        query = urlencode({"state": asked["state"]}) if asked.get("state") else ""
        reply: Response = page(request, "leave.html", is_left=True, client_id="", after="", state="")
        if after:
            reply = RedirectResponse(f"{after}?{query}" if query else after, 303, headers=SECURITY)
        keep(request, reply, SESSION, "", 0)
        return reply

    def _client(self, name: str) -> tuple[str, ClientSettings]:
        own = self._accounts.settings.clients.get(name)
        if own is None:
            raise Unfit("invalid_client", "no shop is known here by this client_id")
        return name, own

    async def _interaction(self, request: Request) -> tuple[str, str, Wanted]:
        """Return what is under way in this browser. Raises LinkSpent where nothing is, or no more."""
        secret = kept(request, ASKED)
        async with self._accounts.database.platform() as session:
            row = await storage.interaction(session, secret)
        if row is None or row["client"] not in self._accounts.settings.clients:
            raise api.LinkSpent
        return secret, row["client"], decode(row["request"].encode(), Wanted)

    def _back(self, address: str, said: Mapping[str, str]) -> Response:
        """Send somebody back to the shop, with what came of it, and from whom (RFC 9207)."""
        query = urlencode({name: one for name, one in {**said, "iss": self._accounts.issuer}.items() if one})
        return RedirectResponse(f"{address}{'&' if '?' in address else '?'}{query}", 303, headers=SECURITY)


def _after(own: ClientSettings | None, asked: Mapping[str, str]) -> str:
    """Return where somebody goes after signing out, where the shop has said that it is its own."""
    given = asked.get("post_logout_redirect_uri", "")
    return given if own is not None and given in own.after else ""
