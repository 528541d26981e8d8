"""Two shops of one group, and short ways to ask for their members."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from isthmus.kernel import ALLOW, Caller, FrontEnd, Pass, Platform, Verdict, answers, veto
from isthmus.packs.member import api
from isthmus.packs.member.pack import PACK
from isthmus.packs.personal_data.pack import PACK as PERSONAL_DATA
from isthmus.packs.personal_data.service.envelopes import FileSettings, KeyFile
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.sealing import Seals
from isthmus.store import Database
from isthmus.values import Address, Money

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
NORTH = Caller(front_end="north", client="north-office")
SEALED = ("member.identity", "member.membership", "member.address")
SOUTH = Caller(front_end="south", client="south-office")
HOME = Address(country="US", city="Oxford", postcode="45056", street="1 Elm Street", recipient="Ada")


@answers(api.tier_for)
def silver_from_a_hundred(points: int) -> str:
    return "silver" if points >= 100 else ""


@answers(api.points_earned)
def a_point_for_each_unit(amount: Money) -> int | Pass:
    return amount.minor // 100


@answers(api.validate_registration)
def with_terms(registration: api.Registration) -> Verdict:
    return ALLOW if "terms" in registration.consents else veto("the terms are not accepted")


class Club:
    """Short ways to ask for one front end."""

    def __init__(self, platform: Platform, caller: Caller) -> None:
        self.platform = platform
        self.caller = caller

    async def call(self, capability: object, ask: object) -> object:
        return await self.platform.call(capability, ask, self.caller)  # pyright: ignore[reportArgumentType]

    async def joined(self, *identities: api.Identity, **facts: object) -> UUID:
        ask = api.Register(**{"identities": identities, "consents": ("terms",), **facts})  # pyright: ignore[reportArgumentType]
        return (await self.platform.call(api.register, ask, self.caller)).member_id

    async def member(self, member_id: UUID) -> api.Member:
        return await self.platform.call(api.get_member, api.GetMember(member_id=member_id), self.caller)

    async def merged(self, member_id: UUID, other_id: UUID) -> api.Member:
        ask = api.Merge(member_id=member_id, other_id=other_id, evidence="the same card")
        return await self.platform.call(api.merge, ask, self.caller)

    async def address(self, member_id: UUID, label: str, address: Address = HOME) -> api.Member:
        ask = api.PutAddress(member_id=member_id, label=label, address=address)
        return await self.platform.call(api.put_address, ask, self.caller)

    async def earned(self, member_id: UUID, reference: str, points: int) -> api.PointsMoved:
        ask = api.EarnPoints(member_id=member_id, reference=reference, points=points)
        return await self.platform.call(api.earn_points, ask, self.caller)

    async def spent(self, member_id: UUID, reference: str, points: int) -> api.PointsMoved:
        ask = api.SpendPoints(member_id=member_id, reference=reference, points=points)
        return await self.platform.call(api.spend_points, ask, self.caller)

    async def reversed(self, member_id: UUID, reference: str, **facts: object) -> api.PointsMoved:
        ask = api.ReversePoints(member_id=member_id, reference=reference, **facts)  # pyright: ignore[reportArgumentType]
        return await self.platform.call(api.reverse_points, ask, self.caller)

    async def movements(self, member_id: UUID, limit: int = 50) -> list[api.PointsMovement]:
        """Return the movements of all pages."""
        found: list[api.PointsMovement] = []
        cursor: str | None = None
        while True:
            ask = api.ListPoints(member_id=member_id, limit=limit, cursor=cursor)
            page = await self.platform.call(api.list_points, ask, self.caller)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found


def email(value: str, *, is_verified: bool = True) -> api.Identity:
    return api.Identity(kind="email", value=value, is_verified=is_verified)


def front_end(code: str, *answered: object) -> FrontEnd:
    return FrontEnd(code=code, name=code, owner=code, uses=("member.*",), answers=answered)  # pyright: ignore[reportArgumentType]


async def broken_conditions(url: str) -> dict[str, object]:
    """Return the rows that break a condition of the pack, over all front ends."""
    connection = await asyncpg.connect(url)
    try:
        found = {one.name: [dict(row) for row in await connection.fetch(one.sql)] for one in PACK.conditions}
    finally:
        await connection.close()
    return {name: rows for name, rows in found.items() if rows}


@pytest.fixture
async def keys(database_url: str, tmp_path: Path) -> AsyncIterator[PersonKeys]:
    """Give keys under which everything of members is kept encrypted that can be."""
    envelope = KeyFile("file", FileSettings())
    envelope.begin(tmp_path)
    async with await Database.open(database_url) as database:
        yield PersonKeys(database, envelope, SEALED)


@pytest.fixture(params=("in the clear", "encrypted"))
async def platform(
    request: pytest.FixtureRequest, make_platform: Callable[..., Awaitable[Platform]], keys: PersonKeys
) -> Platform:
    """Give a north with tiers, points and terms, and a south with nothing of its own; it is the same encrypted."""
    north = front_end("north", silver_from_a_hundred, a_point_for_each_unit, with_terms)
    seals = {Seals: keys} if request.param == "encrypted" else {}
    return await make_platform(PACK, PERSONAL_DATA, north, front_end("south"), clock=lambda: NOW, resources=seals)


@pytest.fixture
def north(platform: Platform) -> Club:
    return Club(platform, NORTH)


@pytest.fixture
def south(platform: Platform) -> Club:
    return Club(platform, SOUTH)
