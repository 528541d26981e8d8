"""A provider on a port of its own, and shops that are clients of it by a library that knows nothing of Isthmus."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import httpx
import pytest
import uvicorn
from authlib.integrations.starlette_client import OAuth
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.gateway import auth
from isthmus.gateway.http import Gateway
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.kernel import FrontEnd, Platform, ports
from isthmus.packs.account import rules
from isthmus.packs.account.pack import PACK
from isthmus.packs.account.pages.site import site
from isthmus.packs.account.service.accounts import Accounts, AccountSettings, ClientSettings
from isthmus.packs.account.service.keys import DataKey
from isthmus.packs.audit.pack import PACK as AUDIT
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.personal_data.pack import PACK as PERSONAL_DATA
from isthmus.packs.personal_data.service.envelopes import FileSettings, KeyFile
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.sealing import Seals
from isthmus.store import Database, migrate

CODES = ("north", "south")
USES = ("account.*", "member.*")
ADDRESS = "ada@example.org"


@dataclass(slots=True)
class Shop:
    """A shop that signs shoppers in by OpenID Connect; `signed` and `left` are what it was told."""

    code: str
    issuer: str
    scope: str = "openid email offline_access"
    tokens: list[dict[str, Any]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        oauth = OAuth()
        client: Any = oauth.register(
            self.code,
            client_id=self.code,
            server_metadata_url=f"{self.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": self.scope, "code_challenge_method": "S256", "token_endpoint_auth_method": "none",
            },
        )  # fmt: skip

        async def enter(request: Request) -> Response:
            return await client.authorize_redirect(request, f"http://{self.code}.test/back", **request.query_params)

        async def back(request: Request) -> Response:
            token = await client.authorize_access_token(request)
            self.tokens.append(token)
            return JSONResponse(token["userinfo"])

        async def leave(request: Request) -> Response:
            self.left.append(parse_qs((await request.body()).decode())["logout_token"][0])
            return Response()

        routes = [Route("/enter", enter), Route("/back", back), Route("/left", leave, methods=["POST"])]
        return Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key=self.code)])


class Anywhere(httpx.AsyncBaseTransport):
    """Leads what a browser asks for to the shops, and to the provider's port."""

    def __init__(self, shops: dict[str, Shop]) -> None:
        self._shops = {f"{code}.test": httpx.ASGITransport(cast(Any, shop.app())) for code, shop in shops.items()}
        self._net = httpx.AsyncHTTPTransport()

    def open(self, host: str, app: Starlette) -> None:
        """Have a shop answer under a name."""
        self._shops[host] = httpx.ASGITransport(cast(Any, app))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        found = self._shops.get(request.url.host, self._net)
        return await found.handle_async_request(request)


@dataclass(frozen=True, slots=True)
class World:
    """A provider and its shops, and what a shopper does."""

    platform: Platform
    accounts: Accounts
    database: Database
    shops: dict[str, Shop]
    transport: Anywhere
    made: dict[type, object]

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.transport, follow_redirects=True, timeout=30)

    async def ask(self, browser: httpx.AsyncClient, code: str = "north", address: str = ADDRESS) -> str:
        """Ask for a link at a shop, and return what stands in the mail."""
        page = await browser.get(f"http://{code}.test/enter")
        assert page.url.path == "/account/sign-in", page.text
        assert "on its way" in (await browser.post(page.url, data={"address": address})).text
        return await self.newest_link()

    async def newest_link(self) -> str:
        async with self.database.platform() as session:
            link_id = await session.fetch_value("select link_id from account.link order by made_at desc limit 1")
        return rules.link_text(link_id, self.accounts.key.derived("links"))

    async def use(self, browser: httpx.AsyncClient, link: str) -> httpx.Response:
        return await browser.post(f"{self.accounts.issuer}/link", data={"link": link})

    async def sign_in(self, browser: httpx.AsyncClient, code: str = "north", address: str = ADDRESS) -> dict[str, Any]:
        """Sign somebody in at a shop by a link, and return what the shop knows of them."""
        reply = await self.use(browser, await self.ask(browser, code, address))
        assert reply.url.host == f"{code}.test", reply.text
        return reply.json()

    async def post(self, path: str, **form: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=30) as client:
            return await client.post(f"{self.accounts.issuer}/{path}", data=form)


def envelope_at(folder: Path) -> KeyFile:
    made = KeyFile("file", FileSettings())
    made.begin(folder)
    return made


async def _gateway(platform: Platform, database: Database, url: str) -> Gateway:
    """Return the whole of HTTP as a server has it: calls with keys, and the provider below its path."""
    sources = [auth.MIGRATIONS]
    await migrate(url, sources)
    gateway = Gateway(platform, auth.Clients(database), TraceStore(database), Readiness(database, sources))
    gateway.mount("/account", cast(Any, site(platform)))
    return gateway


@pytest.fixture
async def world(
    make_platform: Callable[..., Awaitable[Platform]], database_url: str, tmp_path: Path
) -> AsyncIterator[World]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        issuer = f"http://127.0.0.1:{listening.getsockname()[1]}/account"
        clients = {
            code: ClientSettings(
                front_end=code, redirects=(f"http://{code}.test/back",), after=(f"http://{code}.test/",)
            )
            for code in CODES
        }
        async with await Database.open(database_url) as database:
            journal = Journal(database)
            settings = AccountSettings(issuer=issuer, clients=clients)
            made: dict[type, object] = {ports.Journal: journal}
            accounts = Accounts(
                database, DataKey(tmp_path / "key"), settings, lambda: journal, lambda: cast(Seals, made[Seals])
            )
            made[Accounts] = accounts
            made[Seals] = PersonKeys(database, envelope_at(tmp_path))  # on where a test says so
            front_ends = [FrontEnd(code=code, name=code, owner=code, uses=USES) for code in CODES]
            platform = await make_platform(PACK, AUDIT, MEMBER, PERSONAL_DATA, *front_ends, resources=made)
            served = await _gateway(platform, database, database_url)
            server = uvicorn.Server(uvicorn.Config(served, log_level="error", lifespan="off"))
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            shops = {code: Shop(code, issuer) for code in CODES}
            yield World(platform, accounts, database, shops, Anywhere(shops), made)
            server.should_exit = True
            await serving
