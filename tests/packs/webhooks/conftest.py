"""A desk that says things of people, whose events are sent to systems outside."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest

from isthmus.app.outlets import LeavingEvents
from isthmus.kernel import Caller, Context, Effect, FrontEnd, Pack, Platform, Value, capability, event, implements
from isthmus.manifest.vault import Vault
from isthmus.markings import Pii
from isthmus.packs.webhooks import api
from isthmus.packs.webhooks.pack import PACK
from isthmus.packs.webhooks.service.sender import WebhookSender, WebhookSettings
from isthmus.store import Database
from tests.packs.conftest import MakePlatform
from tests.waiting import until


class Say(Value):
    """Say something of somebody."""

    name: str
    email: Annotated[str, Pii("email")] = "ann@example.org"


@event("desk.said", version="1.0", subject="name")
class Said(Value):
    """Something was said."""

    name: str
    email: Annotated[str, Pii("email")]


@capability("desk.say", version="1.0", effect=Effect.WRITE)
def say(ask: Say) -> Say:
    """Say it."""
    ...


@implements(say)
async def _say(ask: Say, ctx: Context) -> Say:
    ctx.emit(Said(name=ask.name, email=ask.email))
    return ask


desk_api = ModuleType("desk_api", "Says things.")
desk_api.say, desk_api.Said = say, Said  # type: ignore[attr-defined]
DESK = Pack(name="desk", owner="desk team", api=desk_api, service=(sys.modules[__name__],))
NORTH, SOUTH = (
    FrontEnd(code=code, name=code, owner=code, uses=("desk.*", "webhooks.*")) for code in ("north", "south")
)
LOOPBACK = WebhookSettings(networks=("127.0.0.0/8",), timeout_s=5)


class Desk:
    """The platform with the sender of one server."""

    def __init__(self, platform: Platform, database: Database, sender: WebhookSender) -> None:
        self.platform = platform
        self.database = database
        self.sender = sender

    async def call(self, capability: Any, ask: Value, front_end: str = "north") -> Any:
        return await self.platform.call(capability, ask, Caller(front_end=front_end, client="till"))

    async def say(self, *names: str, front_end: str = "north") -> None:
        for name in names:
            await self.call(say, Say(name=name), front_end)

    async def hook(self, url: str, name: str = "books", **more: Any) -> str:
        """Have what is said sent to an address; return the secret."""
        answer = await self.call(api.put_endpoint, api.PutEndpoint(name=name, url=url, types=("desk.*",), **more))
        assert answer.secret is not None
        return answer.secret

    async def endpoint(self, front_end: str = "north") -> api.Endpoint:
        return (await self.call(api.list_endpoints, api.ListEndpoints(), front_end)).items[0]

    async def deliveries(self, **ask: Any) -> tuple[api.Delivery, ...]:
        return (await self.call(api.list_deliveries, api.ListDeliveries(**ask))).items

    async def due_now(self) -> None:
        """Let the time pass until everything is tried again."""
        async with self.database.platform() as session:
            await session.execute("update webhooks.delivery set due_at = now(), held_until = '-infinity'")
            await session.execute("update webhooks.endpoint set retry_at = now()")
        self.sender._bell.set()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Run the sender, as a server does, as long as a block runs."""
        working = asyncio.create_task(self.sender.run(LeavingEvents(self.platform, self.database)))
        await until(self._is_following)
        yield
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    async def _is_following(self) -> bool:
        async with self.database.platform() as session:
            return bool(await session.fetch("select from isthmus.consumer where name = 'webhooks'"))


MakeDesk = Callable[[WebhookSettings], Awaitable[Desk]]


@pytest.fixture
async def make_desk(make_platform: MakePlatform, tmp_path: Path) -> MakeDesk:
    async def make(settings: WebhookSettings) -> Desk:
        platform = await make_platform(PACK, DESK, NORTH, SOUTH)
        database: Any = platform.store
        sender = WebhookSender(database, settings, Vault(tmp_path / "key", api.NoKey))
        resources: dict[type, object] = {WebhookSender: sender}
        platform.resources = resources
        return Desk(platform, database, sender)

    return make


@pytest.fixture
async def desk(make_desk: MakeDesk) -> AsyncIterator[Desk]:
    """Give the desk with its sender running, which may call this machine."""
    made = await make_desk(LOOPBACK)
    async with made.sending():
        yield made
