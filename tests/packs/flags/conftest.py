"""Two front ends with flags, on any number of servers of one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from isthmus.app.outlets import LeavingEvents
from isthmus.kernel import Caller, FrontEnd, Platform, Value, ports
from isthmus.packs.flags import api
from isthmus.packs.flags.pack import PACK
from isthmus.packs.flags.service.store import FlagStore
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.member.pack import PERSONS
from isthmus.store import Database
from tests.packs.conftest import MakePlatform
from tests.waiting import until

NORTH = FrontEnd(code="north", name="North", owner="north", uses=("flags.*", "member.*"))
SOUTH = FrontEnd(
    code="south", name="South", owner="south", uses=("flags.*", "member.*"), settings={"flags.four-eyes": "yes"}
)


class Desk:
    """One server's platform and its flags."""

    def __init__(self, platform: Platform, database: Database) -> None:
        self.platform = platform
        self.database = database
        self.store = FlagStore(database, PERSONS)
        resources: dict[type, object] = {FlagStore: self.store, ports.Switches: self.store}
        platform.resources = resources
        platform.switches = self.store

    async def call(self, capability: Any, ask: Value, front_end: str = "north", person: str = "ada") -> Any:
        caller = Caller(front_end=front_end, client="till", person=person)
        return await self.platform.call(capability, ask, caller)

    async def put(self, key: str, front_end: str = "north", person: str = "ada", note: str = "", **more: Any) -> Any:
        more = {"variants": {"on": True, "off": False}, "default_variant": "off", **more}
        ask = api.PutFlag(flag=api.Flag(key=key, **more), note=note)
        return await self.call(api.put_flag, ask, front_end, person)

    async def ask(self, key: str, who: str = "", front_end: str = "north", **attributes: Any) -> api.FlagEvaluation:
        context = api.Context(targeting_key=who, attributes=attributes)
        return await self.call(api.evaluate_flag, api.EvaluateFlag(key=key, context=context), front_end)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FlagStore]:
        """Follow changes and events, as a server does, as long as a block runs."""
        following = asyncio.create_task(self.store.run(LeavingEvents(self.platform, self.database)))
        await until(self._is_following)
        yield self.store
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    async def _is_following(self) -> bool:
        async with self.database.platform() as session:
            return self.store._is_following and bool(
                await session.fetch("select from isthmus.consumer where name = 'flags'")
            )

    def another(self) -> Desk:
        """Return another server on the same database."""
        return Desk(Platform(self.platform.release, self.database), self.database)


MakeFlagDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def make_desk(make_platform: MakePlatform) -> MakeFlagDesk:
    async def make(*more: Any) -> Desk:
        parts = more or (NORTH, SOUTH)
        platform = await make_platform(PACK, MEMBER, *parts)
        database: Any = platform.store
        return Desk(platform, database)

    return make


@pytest.fixture
async def desk(make_desk: MakeFlagDesk) -> Desk:
    return await make_desk()
