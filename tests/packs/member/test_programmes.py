"""One programme of several front ends: points earned and spent anywhere, once, and what front ends owe one another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.grants import api as grants
from isthmus.packs.grants.pack import PACK as GRANTS
from isthmus.packs.member import api
from isthmus.packs.member.pack import PACK
from isthmus.store.sharing import Draft, Grant

from .conftest import NOW, Club, a_point_for_each_unit, broken_conditions, email, silver_from_a_hundred

ADA = email("ada@example.org", is_verified=True)
EVENTS = "select type, front_end, data from isthmus.outbox order by seq"
TIERS = (api.Tier(tier="bronze", earned=50), api.Tier(tier="gold", earned=200))


class Group:
    """A house with a programme, and two clubs that take part in it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.clubs = {
            code: Club(platform, Caller(front_end=code, client=f"{code}-desk")) for code in ("house", "north", "south")
        }

    def __getitem__(self, code: str) -> Club:
        return self.clubs[code]

    async def share(self, to: str, can: str = "use") -> Grant:
        ask = Draft(kind="member.programme", name="circle", to=to, can=can)  # pyright: ignore[reportArgumentType]
        return await self.platform.call(grants.give, ask, self["house"].caller)

    async def programme(self, **facts: object) -> None:
        ask = api.PutProgramme(code="circle", **facts)  # pyright: ignore[reportArgumentType]
        await self.platform.call(api.put_programme, ask, self["house"].caller)

    async def join(self, code: str, member_id: UUID, owner: str | None = "house") -> api.ProgrammeAccount:
        ask = api.JoinProgramme(member_id=member_id, programme="circle", owner=owner)
        return await self.platform.call(api.join_programme, ask, self[code].caller)

    async def account(self, code: str, member_id: UUID) -> api.ProgrammeAccount:
        return await self.platform.call(api.get_account, api.GetAccount(member_id=member_id), self[code].caller)

    async def expire(self, code: str) -> int:
        return (await self.platform.call(api.expire_points, api.ExpirePoints(), self[code].caller)).points

    async def everywhere(self, *codes: str) -> list[UUID]:
        """Let one person join front ends and the programme at each."""
        members = [await self[code].joined(ADA) for code in codes]
        for code, member_id in zip(codes, members, strict=True):
            await self.join(code, member_id)
        return members


@pytest.fixture
async def group(make_platform: Callable[..., Awaitable[Platform]]) -> Group:
    uses = ("member.*", "grants.*")
    rules = (silver_from_a_hundred, a_point_for_each_unit)
    ends = [
        FrontEnd(code=code, name=code, owner=code, uses=uses, answers=rules) for code in ("house", "north", "south")
    ]
    made = Group(await make_platform(PACK, GRANTS, *ends, clock=lambda: NOW))
    await made.programme(name="The circle", valid_days=365, tiers=TIERS)
    for code in ("north", "south"):
        await made.share(code)
    return made


async def events(database_url: str, kind: str) -> list[dict[str, object]]:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=__import__("json").loads)
        rows = await connection.fetch(EVENTS)
    finally:
        await connection.close()
    return [dict(row["data"]) for row in rows if row["type"] == kind]


async def test_points_of_one_front_end_are_spent_at_another_which_has_a_claim_for_them(
    group: Group, database_url: str
) -> None:
    north, south = await group.everywhere("north", "south")
    await group["north"].earned(north, "order-1", 120)
    moved = await group["south"].spent(south, "gift-1", 80)
    assert (moved.balance, moved.tier) == (40, "bronze")
    found = await group.account("north", north)
    assert (found.points, found.earned, found.tier) == (40, 120, "bronze")
    assert (await group["south"].member(south)).points == 40
    honoured = await events(database_url, "member.points-honoured")
    assert [(one["from_front_end"], one["to_front_end"], one["points"]) for one in honoured] == [("north", "south", 80)]
    for _ in range(2):
        await group.expire("north")
    said = await events(database_url, "member.points-spent-elsewhere")
    assert [(one["issuer"], one["points"]) for one in said] == [("north", 80)]
    assert await broken_conditions(database_url) == {}


async def test_the_tier_follows_what_was_earned_everywhere(group: Group) -> None:
    north, south = await group.everywhere("north", "south")
    await group["north"].earned(north, "order-1", 120)
    moved = await group["south"].earned(south, "order-1", 90)
    assert moved.tier == "gold"
    buyer = await group.platform.call(api.get_buyer, api.GetMember(member_id=north), group["north"].caller)
    assert buyer.tier == "gold"


async def test_points_that_a_member_had_go_into_the_programme_once(group: Group, database_url: str) -> None:
    member_id = await group["north"].joined(ADA)
    await group["north"].earned(member_id, "order-1", 70)
    await group["north"].spent(member_id, "gift-1", 20)
    account = await group.join("north", member_id)
    assert (account.points, account.earned, account.tier) == (50, 70, "bronze")
    assert await group.join("north", member_id) == account
    again = await group["north"].earned(member_id, "order-1", 70)  # told again: it was earned before
    assert (again.moved, again.balance) == (0, 50)
    assert await broken_conditions(database_url) == {}


async def test_what_expires_first_is_spent_first_and_nobody_spends_what_has_expired(
    group: Group, database_url: str
) -> None:
    north, south = await group.everywhere("north", "south")
    await group.programme(name="The circle", valid_days=30)
    await group["north"].earned(north, "order-1", 50)
    await group.programme(name="The circle", valid_days=10)
    await group["south"].earned(south, "order-1", 40)
    await group["south"].spent(south, "gift-1", 10)
    found = await group.account("north", north)
    assert [(one.issuer, one.unspent) for one in found.lots] == [("south", 30), ("north", 50)]
    group.platform.clock = lambda: NOW + timedelta(days=11)
    with pytest.raises(api.PointsShort):
        await group["north"].spent(north, "gift-2", 51)
    assert (await group["north"].spent(north, "gift-3", 50)).balance == 0
    assert await broken_conditions(database_url) == {}


async def test_points_lapse_at_their_day_and_their_issuer_is_told_once(group: Group, database_url: str) -> None:
    (north,) = await group.everywhere("north")
    await group["north"].earned(north, "order-1", 50)
    group.platform.clock = lambda: NOW + timedelta(days=366)
    gone = [await group.expire(code) for code in ("house", "north", "house", "north")]
    assert gone == [50, 0, 0, 0]
    lapsed = await events(database_url, "member.points-lapsed")
    assert [(one["issuer"], one["points"]) for one in lapsed] == [("north", 50)]
    assert await broken_conditions(database_url) == {}


async def test_points_that_lapse_when_an_account_is_used_are_said_as_those_that_lapse_by_themselves(
    group: Group, database_url: str
) -> None:
    (north,) = await group.everywhere("north")
    await group["north"].earned(north, "order-1", 50)
    group.platform.clock = lambda: NOW + timedelta(days=366)
    with pytest.raises(api.PointsShort):
        await group["north"].spent(north, "gift-1", 10)
    await group.expire("north")
    assert await events(database_url, "member.points-lapsed") == []  # undone with the call that was refused
    await group["north"].earned(north, "order-2", 20)
    assert [await group.expire(code) for code in ("house", "north")] == [0, 0]
    lapsed = await events(database_url, "member.points-lapsed")
    assert [(one["issuer"], one["points"]) for one in lapsed] == [("north", 50)]
    assert await broken_conditions(database_url) == {}


async def test_a_return_takes_back_what_its_order_gave(group: Group, database_url: str) -> None:
    north, south = await group.everywhere("north", "south")
    await group["south"].earned(south, "order-1", 30)
    await group["north"].earned(north, "order-1", 60)
    assert (await group["north"].reversed(north, "order-1")).balance == 30
    found = await group.account("south", south)
    assert [(one.issuer, one.unspent) for one in found.lots] == [("south", 30)]
    assert await events(database_url, "member.points-honoured") == []
    assert await broken_conditions(database_url) == {}


async def test_both_front_ends_spend_at_once_and_never_below_zero(group: Group, database_url: str) -> None:
    north, south = await group.everywhere("north", "south")
    await group["north"].earned(north, "order-1", 100)
    members = {"north": north, "south": south}
    outcomes = await asyncio.gather(
        *(
            group[code].spent(member_id, f"gift-{number}", 15)
            for number in range(8)
            for code, member_id in members.items()
        ),
        return_exceptions=True,
    )
    assert len([one for one in outcomes if isinstance(one, api.PointsShort)]) == 10
    assert (await group.account("south", south)).points == 10
    assert await broken_conditions(database_url) == {}


async def test_without_a_grant_no_programme_is_there(group: Group, database_url: str) -> None:
    member_id = await group["north"].joined(ADA)
    for owner in ("south", "nobody", None):
        with pytest.raises(api.UnknownProgramme):
            await group.join("north", member_id, owner)
    grant = await group.share("north", can="read")
    with pytest.raises(api.UnknownProgramme):
        await group.join("north", member_id)
    assert (await group["north"].earned(member_id, "order-1", 40)).balance == 40
    assert grant.can == "read"
    assert await seen_by("north", database_url) == (0, 0)


async def seen_by(code: str, database_url: str) -> tuple[int, int]:
    """Count the accounts and lots that row-level security lets a front end see."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"set role isthmus_app; set isthmus.front_end = '{code}'")
        tables = ("member.account", "member.points_lot")
        accounts, lots = [await connection.fetchval(f"select count(*) from {name}") for name in tables]
        return accounts, lots
    finally:
        await connection.close()


async def test_a_front_end_sees_the_accounts_of_its_own_members_only(group: Group, database_url: str) -> None:
    await group.everywhere("north")
    other = await group["south"].joined(email("bob@example.org", is_verified=True))
    await group.join("south", other)
    await group["south"].earned(other, "order-1", 40)
    assert await seen_by("north", database_url) == (1, 0)
    assert await seen_by("south", database_url) == (1, 1)
    assert await seen_by("house", database_url) == (2, 1)


async def test_a_front_end_that_leaves_goes_on_by_itself_and_the_others_keep_the_points(
    group: Group, database_url: str
) -> None:
    north, south = await group.everywhere("north", "south")
    await group["north"].earned(north, "order-1", 120)
    grant = await group.share("north")
    ask = grants.WithdrawGrant(grant_id=grant.grant_id)
    await group.platform.call(grants.withdraw, ask, group["house"].caller)
    moved = await group["north"].earned(north, "order-2", 10)
    assert (moved.balance, moved.tier) == (10, "")
    with pytest.raises(api.PointsShort):
        await group["north"].spent(north, "gift-1", 11)
    assert (await group.account("north", north)).points == 10
    assert (await group["south"].spent(south, "gift-1", 120)).balance == 0
    assert await seen_by("north", database_url) == (0, 0)
    assert await broken_conditions(database_url) == {}


async def test_an_erased_person_leaves_the_account_to_the_other_front_end_and_nobody_behind_it_in_the_end(
    group: Group, database_url: str
) -> None:
    north, south = await group.everywhere("north", "south")
    await group["north"].earned(north, "order-1", 120)
    await group.platform.call(api.erase, api.Erase(member_id=north), group["north"].caller)
    assert await seen_by("north", database_url) == (0, 0)
    assert (await group["south"].spent(south, "gift-1", 20)).balance == 100
    await group.platform.call(api.erase, api.Erase(member_id=south), group["south"].caller)
    connection = await asyncpg.connect(database_url)
    row = await connection.fetchrow("select person_id, points from member.account")
    await connection.close()
    assert tuple(row) == (None, 100)
    assert await broken_conditions(database_url) == {}


async def test_two_memberships_that_become_one_have_one_account_with_all_points(
    group: Group, database_url: str
) -> None:
    one = await group["north"].joined(ADA)
    other = await group["north"].joined(email("ada@work.example", is_verified=True))
    elsewhere = await group["south"].joined(email("ada@work.example", is_verified=True))
    for code, member_id, points in (("north", one, 60), ("north", other, 70), ("south", elsewhere, 80)):
        await group.join(code, member_id)
        await group[code].earned(member_id, "order-1", points)
    await group["north"].merged(one, other)
    found = await group.account("north", one)
    assert (found.points, found.earned) == (210, 210)
    assert (await group["south"].spent(elsewhere, "gift-1", 200)).balance == 10
    assert await broken_conditions(database_url) == {}


async def test_a_member_who_leaves_has_points_of_that_front_end_again_and_may_come_back(
    group: Group, database_url: str
) -> None:
    north, south = await group.everywhere("north", "south")
    await group["north"].earned(north, "order-1", 120)
    left = await group.platform.call(api.leave_programme, api.LeaveProgramme(member_id=north), group["north"].caller)
    assert (left.programme, left.points) == (None, 0)
    assert (await group["north"].earned(north, "order-2", 30)).balance == 30
    assert (await group.account("south", south)).points == 120
    assert (await group.join("north", north)).points == 150
    assert await broken_conditions(database_url) == {}


async def test_an_account_goes_with_the_person_whom_a_verified_identity_shows(group: Group) -> None:
    north = await group["north"].joined(email("ada@example.org", is_verified=False))
    await group.join("north", north)
    await group["north"].earned(north, "order-1", 40)
    south = await group["south"].joined(email("ada@home.example", is_verified=True))
    identity = email("ada@home.example", is_verified=True)
    ask = api.PutIdentity(member_id=north, identity=identity)
    await group.platform.call(api.put_identity, ask, group["north"].caller)
    assert (await group.join("south", south)).points == 40


async def test_memberships_in_two_programmes_that_become_one_keep_the_points_of_both(
    group: Group, database_url: str
) -> None:
    house = group["house"].caller
    await group.platform.call(api.put_programme, api.PutProgramme(code="club", name="The club"), house)
    shared = Draft(kind="member.programme", name="club", to="north")
    await group.platform.call(grants.give, shared, house)
    one = await group["north"].joined(ADA)
    other = await group["north"].joined(email("ada@work.example", is_verified=True))
    elsewhere = await group["south"].joined(email("ada@work.example", is_verified=True))
    await group.join("north", one)
    await group.join("south", elsewhere)
    club = api.JoinProgramme(member_id=other, programme="club", owner="house")
    await group.platform.call(api.join_programme, club, group["north"].caller)
    for code, member_id, points in (("north", one, 60), ("north", other, 70), ("south", elsewhere, 80)):
        await group[code].earned(member_id, "order-1", points)
    await group["north"].merged(one, other)
    found = await group.account("north", one)
    assert (found.programme, found.points, found.earned) == ("circle", 210, 210)
    assert sorted((lot.issuer, lot.unspent) for lot in found.lots) == [("north", 60), ("north", 70), ("south", 80)]
    assert (await group.account("south", elsewhere)).points == 210
    assert (await group["north"].spent(one, "gift-1", 210)).balance == 0
    assert await broken_conditions(database_url) == {}
