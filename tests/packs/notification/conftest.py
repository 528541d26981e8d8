"""Two shops that write to people through a sender that can be told what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from isthmus.kernel import Caller, Capability, FrontEnd, Platform
from isthmus.packs.notification import api
from isthmus.packs.notification.pack import PACK
from tests.packs.desk import at_desk, desk

NORTH = Caller(front_end="north", client="north-site")
SOUTH = Caller(front_end="south", client="south-site")
DESK = desk(api)
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)

MakePlatform = Callable[..., Awaitable[Platform]]


class Post(api.Sender):
    """A sender in memory, which refuses, fails or hangs up where it is told to."""

    def __init__(self) -> None:
        self.name = "post"
        self.media = ("email",)
        self.letters: list[api.Letter] = []
        self.says: Callable[[api.Letter], api.Receipt] = lambda _: api.Receipt(state="sent", provider_reference="p")
        self.before: Callable[[], Awaitable[None]] | None = None

    async def send(self, letter: api.Letter) -> api.Receipt:
        if self.before is not None:
            await self.before()
        self.letters.append(letter)
        return self.says(letter)


class Desk:
    """Short ways to write to people for one front end."""

    def __init__(self, platform: Platform, post: Post, caller: Caller = NORTH) -> None:
        self.platform = platform
        self.post = post
        self.caller = caller

    async def call(self, capability: Capability[Any, Any], ask: object, *, now: datetime = NOW) -> Any:
        return await self.platform.call(at_desk(capability, DESK), ask, self.caller, now=now)

    async def send(self, reference: str = "r1", address: str = "ada@example.org", **facts: Any) -> api.Message:
        facts = {"kind": "order.placed", "topic": "order", "subject": "Order 1", "text": "Thank you.", **facts}
        return await self.call(api.send, api.Send(reference=reference, address=address, **facts))

    async def deliver(self, now: datetime = NOW) -> api.Delivered:
        return await self.call(api.deliver_messages, api.DeliverMessages(), now=now)

    async def get(self, reference: str = "r1") -> api.MessageLog:
        return await self.call(api.get_message, api.GetMessage(reference=reference))

    async def state(self, reference: str = "r1") -> str:
        return (await self.get(reference)).message.state

    async def erase_member(self, member_id: UUID) -> api.AddressForgotten:
        return await self.call(api.erase_address, api.EraseAddress(member_id=member_id))


def front_end(code: str, answers: tuple[Any, ...] = ()) -> FrontEnd:
    return FrontEnd(code=code, name=code, owner=code, uses=("notification.*", "desk.*"), answers=answers)


async def broken_conditions(url: str) -> dict[str, list[object]]:
    """Return the rows that break a condition of the pack, over all front ends."""
    connection = await asyncpg.connect(url)
    try:
        found = {one.name: [dict(row) for row in await connection.fetch(one.sql)] for one in PACK.conditions}
    finally:
        await connection.close()
    return {name: rows for name, rows in found.items() if rows}  # pyright: ignore[reportReturnType]


@pytest.fixture
async def make_desk(make_platform: MakePlatform) -> Callable[..., Awaitable[Desk]]:
    """Give what opens the desk of `north` with answers, beside `south` without any."""

    async def make(*answers: object) -> Desk:
        post = Post()
        platform = await make_platform(
            PACK, DESK, front_end("north", answers), front_end("south"), resources={api.Senders: api.Senders([post])}
        )
        return Desk(platform, post)

    return make


@pytest.fixture(name="desk")
async def _desk(make_desk: Callable[..., Awaitable[Desk]]) -> Desk:
    return await make_desk()
