"""What front ends owe for points of a programme that they share: each its own, once, by what it holds them worth."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.governance import doctor
from isthmus.kernel import Caller, FrontEnd, Platform, answers
from isthmus.packs.grants import api as grants
from isthmus.packs.ledger import api as ledger
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.store import Database
from isthmus.store.sharing import Draft
from isthmus.values import Money, money
from tests import shipped

from .conftest import ALL

WORTH = {"north": 1, "south": 2, "west": 3}  # cents a point
START = datetime(2026, 5, 4, 12, tzinfo=UTC)
BATCH = 6
STANDS = """
select coalesce(-sum(amount), 0)::bigint from ledger.leg join ledger.account using (account_id)
where layer = '=' and account.front_end = $1 and code = 'liabilities:points'"""
LIVE = "select coalesce(sum(unspent), 0)::bigint from member.points_lot where issuer = $1"
BETWEEN = """
select coalesce(sum(amount), 0)::bigint from ledger.leg join ledger.account using (account_id)
where layer = '=' and code in ('assets:front-ends', 'liabilities:front-ends')"""


def worth_of(cents: int) -> Any:
    @answers(bookkeeping.points_worth)
    def some_cents_a_point(points: int) -> Money:
        """Hold some cents for each point."""
        return money(points * cents, "EUR")

    return some_cents_a_point


class Programme:
    """Three front ends with one programme, whose points each holds worth something else."""

    def __init__(self, database: Database) -> None:
        ends = [
            FrontEnd(code=code, name=code, owner=code, uses=ALL, answers=(worth_of(cents),))
            for code, cents in WORTH.items()
        ]
        provider = payment.TestProvider()
        resources = {payment.Providers: payment.Providers([provider]), order.Numbers: order.Numbers(database)}
        self.platform = Platform(shipped.build(ends), database, resources=resources)
        self.database = database
        self.callers = {code: Caller(front_end=code, client=code) for code in WORTH}
        self.now = START

    async def call(self, capability: Any, ask: Any, front_end: str) -> Any:
        return await self.platform.call(capability, ask, self.callers[front_end], now=self.now)

    async def shared(self, persons: Sequence[str]) -> list[dict[str, UUID]]:
        """Let west have the programme, and persons join it at all three."""
        await self.call(member.put_programme, member.PutProgramme(code="circle", valid_days=30), "west")
        for code in ("north", "south"):
            await self.call(grants.give, Draft(kind="member.programme", name="circle", to=code), "west")
        found: list[dict[str, UUID]] = []
        for person in persons:
            joined: dict[str, UUID] = {}
            for code in WORTH:
                identity = member.Identity(kind="email", value=f"{person}@example.org", is_verified=True)
                one = await self.call(member.register, member.Register(identities=(identity,)), code)
                join = member.JoinProgramme(member_id=one.member_id, programme="circle", owner="west")
                await self.call(member.join_programme, join, code)
                joined[code] = one.member_id
            found.append(joined)
        return found

    async def noted(self) -> None:
        """Let the jobs of all front ends run once."""
        for code in ("west", "north", "south"):
            await self.call(member.expire_points, member.ExpirePoints(), code)
            await self.call(ledger.take_claims, ledger.TakeClaims(), code)

    async def owed(self) -> dict[str, int]:
        async with self.database.platform() as session:
            return {code: await session.fetch_value(STANDS, code) for code in WORTH}

    async def live(self) -> dict[str, int]:
        """Return what the points are worth that members have of each, by SQL of our own."""
        async with self.database.platform() as session:
            return {code: cents * await session.fetch_value(LIVE, code) for code, cents in WORTH.items()}

    async def broken(self) -> list[str]:
        async with self.database.platform() as session:
            findings = await doctor.examine(session, self.platform.release.packs.values(), 5)
        return [found.name for found in findings if not found.holds]


@pytest.fixture
def programme(database: Database) -> Programme:
    return Programme(database)


async def test_who_gave_points_owes_them_no_more_whoever_finds_that_they_lapsed(programme: Programme) -> None:
    (ada,) = await programme.shared(["ada"])
    earn = member.EarnPoints(member_id=ada["north"], reference="o-1", points=50)
    await programme.call(member.earn_points, earn, "north")
    programme.now += timedelta(days=31)
    # south uses the account before any job: it finds what lapsed
    again = member.EarnPoints(member_id=ada["south"], reference="o-2", points=10)
    await programme.call(member.earn_points, again, "south")
    assert await programme.owed() == {"north": 50, "south": 20, "west": 0}
    assert (await programme.call(member.expire_points, member.ExpirePoints(), "west")).points == 0
    assert await programme.owed() == {"north": 50, "south": 20, "west": 0}  # it is nobody's but north's to book
    assert await programme.broken() == []
    async with programme.database.platform_transaction() as session:
        await session.execute("update member.points_gone set at = at - interval '2 days'")
    assert await programme.broken() == ["member.gone-points-are-told"]  # north's job has not run for days
    for _ in range(2):
        await programme.call(member.expire_points, member.ExpirePoints(), "north")
        assert await programme.broken() == []
        assert await programme.owed() == {"north": 0, "south": 20, "west": 0}
    programme.now += timedelta(days=31)
    await programme.noted()
    assert await programme.owed() == dict.fromkeys(WORTH, 0)


async def test_points_are_owed_by_what_they_are_worth_where_they_were_given(programme: Programme) -> None:
    (ada,) = await programme.shared(["ada"])
    earn = member.EarnPoints(member_id=ada["north"], reference="o-1", points=120)
    await programme.call(member.earn_points, earn, "north")
    await programme.call(
        member.spend_points, member.SpendPoints(member_id=ada["south"], reference="gift", points=80), "south"
    )
    assert (await programme.owed())["south"] == 0  # it gave none
    await programme.noted()
    assert await programme.owed() == {"north": 40, "south": 0, "west": 0}
    trial = await programme.call(ledger.trial_balance, ledger.GetTrialBalance(by_front_end=True), "north")
    assert {line.code: line.closing.minor for line in trial.lines} == {
        "expenses:points": 120 - 80 + 160,  # what south asks for them is more than what north held for them
        "liabilities:front-ends": -160,
        "liabilities:points": -40,
    }


async def test_a_front_end_that_leaves_owes_its_members_points_until_they_are_gone(programme: Programme) -> None:
    (ada,) = await programme.shared(["ada"])
    earn = member.EarnPoints(member_id=ada["north"], reference="o-1", points=50)
    await programme.call(member.earn_points, earn, "north")
    given = await programme.call(grants.give, Draft(kind="member.programme", name="circle", to="north"), "west")
    await programme.call(grants.withdraw, grants.WithdrawGrant(grant_id=given.grant_id), "west")
    alone = member.EarnPoints(member_id=ada["north"], reference="o-2", points=7)
    await programme.call(member.earn_points, alone, "north")  # of its own again
    spend = member.SpendPoints(member_id=ada["south"], reference="gift", points=30)
    await programme.call(member.spend_points, spend, "south")
    await programme.noted()
    assert await programme.owed() == {"north": 20 + 7, "south": 0, "west": 0}
    programme.now += timedelta(days=31)
    await programme.noted()
    await programme.noted()
    assert await programme.owed() == {"north": 7, "south": 0, "west": 0}
    async with programme.database.platform() as session:
        assert await session.fetch_value(BETWEEN) == 0
    assert await programme.broken() == []


async def test_points_that_never_expire_are_owed_no_more_once_nobody_is_behind_them(programme: Programme) -> None:
    (ada, bob) = await programme.shared(["ada", "bob"])
    await programme.call(member.put_programme, member.PutProgramme(code="circle"), "west")
    for who, code, points in ((ada, "north", 50), (ada, "south", 20), (bob, "north", 5)):
        earn = member.EarnPoints(member_id=who[code], reference=f"o-{points}", points=points)
        await programme.call(member.earn_points, earn, code)
    for code in ("north", "south"):
        await programme.call(member.erase, member.Erase(member_id=ada[code]), code)
        await programme.noted()
        assert await programme.owed() == {"north": 55, "south": 40, "west": 0}, "she is known at the west still"
    await programme.call(member.erase, member.Erase(member_id=ada["west"]), "west")
    for _ in range(2):
        await programme.noted()
        await programme.noted()  # what west's job found for those whose jobs had run
        assert await programme.owed() == {"north": 5, "south": 0, "west": 0} == await programme.live()
    assert await programme.broken() == []


async def test_who_left_a_programme_and_is_erased_then_leaves_no_points_that_are_owed(programme: Programme) -> None:
    (ada,) = await programme.shared(["ada"])
    await programme.call(member.put_programme, member.PutProgramme(code="circle"), "west")
    earn = member.EarnPoints(member_id=ada["north"], reference="o-1", points=50)
    await programme.call(member.earn_points, earn, "north")
    for code in WORTH:
        await programme.call(member.leave_programme, member.LeaveProgramme(member_id=ada[code]), code)
    alone = member.EarnPoints(member_id=ada["south"], reference="o-2", points=7)
    await programme.call(member.earn_points, alone, "south")  # of the membership itself, in no programme
    await programme.noted()
    assert await programme.owed() == {"north": 50, "south": 14, "west": 0}, "she may come back"
    for code in WORTH:
        await programme.call(member.erase, member.Erase(member_id=ada[code]), code)
    for _ in range(2):
        await programme.noted()
    assert await programme.owed() == dict.fromkeys(WORTH, 0)
    assert await programme.broken() == []


async def some_act(
    programme: Programme, randomness: random.Random, persons: list[dict[str, UUID]], number: int
) -> None:
    """Earn, spend, take back or let lapse at some front end; what the rules refuse is refused."""
    code = randomness.choice([*WORTH])
    who = randomness.choice(persons)[code]
    match randomness.choice(["earn", "earn", "spend", "spend", "back", "lapse", "note"]):
        case "earn":
            ask = member.EarnPoints(member_id=who, reference=f"o-{number}", points=randomness.randint(1, 90))
            await programme.call(member.earn_points, ask, code)
        case "spend":
            spend = member.SpendPoints(member_id=who, reference=f"g-{number}", points=randomness.randint(1, 120))
            await programme.call(member.spend_points, spend, code)
        case "back":
            back = member.ReversePoints(member_id=who, reference=f"o-{randomness.randint(0, number)}")
            await programme.call(member.reverse_points, back, code)
        case "lapse":
            await programme.call(member.expire_points, member.ExpirePoints(), code)
        case _:
            await programme.call(ledger.take_claims, ledger.TakeClaims(), code)


@pytest.mark.parametrize(
    ("seed", "acts"), [(1, 60), *(pytest.param(seed, 300, marks=pytest.mark.slow) for seed in (2, 3))]
)
async def test_whatever_happens_at_three_front_ends_each_owes_what_its_live_points_are_worth(
    programme: Programme, seed: int, acts: int
) -> None:
    randomness = random.Random(seed)
    persons = await programme.shared(["ada", "bob"])
    for first in range(0, acts, BATCH):
        programme.now += timedelta(days=randomness.choice([0, 0, 7, 20]))
        one_batch = (some_act(programme, randomness, persons, number) for number in range(first, first + BATCH))
        outcomes = await asyncio.gather(*one_batch, return_exceptions=True)
        refused = [one for one in outcomes if one is not None]
        assert all(isinstance(one, member.PointsShort) for one in refused), refused
    await programme.noted()
    await programme.noted()  # what west's job found for those whose jobs had run
    live = await programme.live()
    assert await programme.owed() == live
    assert sum(live.values()) > 0
    async with programme.database.platform() as session:
        assert await session.fetch_value(BETWEEN) == 0  # what one is owed, another owes
        assert await session.fetch_value("select count(*) from member.points_gone") == 0
    assert await programme.broken() == []


async def test_nobody_tells_a_front_end_of_lots_that_they_do_not_see(programme: Programme, database_url: str) -> None:
    (ada,) = await programme.shared(["ada"])
    earn = member.EarnPoints(member_id=ada["north"], reference="o-1", points=50)
    await programme.call(member.earn_points, earn, "north")
    leave = member.LeaveProgramme(member_id=ada["south"])
    connection = await asyncpg.connect(database_url)
    lot = await connection.fetchrow("select account_id, lot_id from member.points_lot")
    assert lot is not None
    write = """insert into member.points_gone (front_end, programme, account_id, lot_id, why, points)
               values ($1, 'circle', $2, $3, 'lapsed', $4)"""
    try:
        await connection.execute("set role isthmus_app; set isthmus.front_end = 'south'")
        await connection.execute(write, "north", *lot, 50)
        assert await connection.fetchval("select count(*) from member.points_gone") == 0  # it is north's to read
        refused = [("west", 50), ("north", 51)]  # not its issuer; more than the lot has
        for issuer, points in refused:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(write, issuer, *lot, points)
        await programme.call(member.leave_programme, leave, "south")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(write, "north", *lot, 50)
    finally:
        await connection.close()
