"""Memberships that become one have one account in each programme, with all points, lots and tiers of both."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.packs.grants import api as grants
from isthmus.packs.member import api, rules
from isthmus.store.sharing import Draft

from .conftest import broken_conditions, email
from .test_programmes import TIERS, Group, events
from .test_programmes import group as group

ISSUED = "select issuer, sum(unspent)::int as points from member.points_lot where account_id = $1 group by issuer"
HAD = """
select one.front_end || '/' || one.programme as programme, count(distinct one.account_id) as accounts
from member.account one left join member.membership held using (account_id)
where one.person_id = any($1) or (held.person_id = any($1) and held.state = 'active') group by 1
"""


async def rows(url: str, sql: str, *args: object) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(sql, *args)]
    finally:
        await connection.close()


@pytest.fixture
async def two(group: Group) -> Group:
    """Give the group a second programme, for all."""
    house = group["house"].caller
    await group.platform.call(api.put_programme, api.PutProgramme(code="club", name="The club", tiers=TIERS), house)
    for code in ("north", "south"):
        shared = Draft(kind="member.programme", name="club", to=code)
        await group.platform.call(grants.give, shared, house)
    return group


async def join(group: Group, code: str, member_id: UUID, programme: str = "circle") -> None:
    ask = api.JoinProgramme(member_id=member_id, programme=programme, owner="house")
    await group.platform.call(api.join_programme, ask, group[code].caller)


async def test_the_account_that_one_had_elsewhere_joins_that_of_the_other(group: Group, database_url: str) -> None:
    ada, work = (email(f"{name}@example.org", is_verified=True) for name in ("ada", "work"))
    south = await group["south"].joined(ada)
    one, other = await group["north"].joined(ada), await group["north"].joined(work)
    await join(group, "south", south)
    await join(group, "north", other)
    await group["south"].earned(south, "order-1", 120)
    await group["north"].earned(other, "order-1", 90)
    await group["north"].merged(one, other)
    for code, member_id in (("north", one), ("south", south)):
        found = await group.account(code, member_id)
        assert (found.points, found.earned, found.tier) == (210, 210, "gold")
    assert len(await rows(database_url, "select from member.account")) == 1
    assert not await broken_conditions(database_url)


@pytest.mark.parametrize("who_joined", ["one", "other"])
async def test_points_of_a_membership_without_a_programme_go_into_the_account_of_the_other(
    group: Group, database_url: str, who_joined: str
) -> None:
    ada, work = (email(f"{name}@example.org", is_verified=True) for name in ("ada", "work"))
    one, other = await group["north"].joined(ada), await group["north"].joined(work)
    await join(group, "north", one if who_joined == "one" else other)
    await group["north"].earned(one, "order-1", 120)
    await group["north"].earned(other, "order-2", 90)
    await group["north"].spent(other, "gift-1", 30)
    await group["north"].merged(one, other)
    found = await group.account("north", one)
    assert (found.points, found.earned, found.tier) == (180, 210, "gold")
    assert (await group["north"].member(one)).points == 180
    assert (await group["north"].spent(one, "gift-2", 180)).balance == 0
    moved = await events(database_url, "member.points-moved")
    assert sum(int(str(one["points"])) for one in moved) == 0, "what the books owe is what the member has"
    assert not await broken_conditions(database_url)


async def test_joining_a_programme_makes_the_points_no_second_debt(group: Group, database_url: str) -> None:
    north = await group["north"].joined(email("ada@example.org", is_verified=True))
    await group["north"].earned(north, "order-1", 70)
    await join(group, "north", north)
    moved = await events(database_url, "member.points-moved")
    assert [(one["reason"], one["points"]) for one in moved] == [
        ("order", 70),
        ("into-programme", -70),
        ("from-membership", 70),
    ]


async def test_a_programme_that_the_front_end_has_no_part_in_stays_as_it_is(two: Group, database_url: str) -> None:
    ada, work = (email(f"{name}@example.org", is_verified=True) for name in ("ada", "work"))
    souths = [await two["south"].joined(one) for one in (ada, work)]
    norths = [await two["north"].joined(one) for one in (ada, work)]
    for member_id in souths:
        await join(two, "south", member_id, "club")
        await two["south"].earned(member_id, f"order-{member_id}", 50)
    given = Draft(kind="member.programme", name="club", to="north", can="read")
    await two.platform.call(grants.give, given, two["house"].caller)
    await two["north"].merged(*norths)
    assert [(await two.account("south", one)).points for one in souths] == [50, 50]
    assert not await broken_conditions(database_url)


async def test_who_shares_an_account_through_a_merge_joins_elsewhere_with_that_account(
    group: Group, database_url: str
) -> None:
    ada, work = (email(f"{name}@example.org", is_verified=True) for name in ("ada", "work"))
    one, other = await group["north"].joined(ada), await group["north"].joined(work)
    south = await group["south"].joined(work)
    for code, member_id in (("north", one), ("north", other), ("south", south)):
        await join(group, code, member_id)
    await group["north"].earned(one, "order-1", 60)
    await group["north"].merged(one, other)
    house = await group["house"].joined(work)
    assert (await group.join("house", house, None)).points == 60
    assert len(await rows(database_url, "select from member.account")) == 1


PROGRAMMES = st.sampled_from(["", "circle", "club"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.fixed_dictionaries(
        {
            (code, who): st.none()
            | st.tuples(PROGRAMMES, st.integers(0, 150), st.integers(0, 150), st.integers(0, 100))
            for code in ("north", "south")
            for who in ("ada", "work")
        }
    ),
    turned=st.booleans(),
)
async def test_nothing_is_lost_or_doubled_whatever_each_of_two_has_anywhere(
    two: Group, database_url: str, places: dict[tuple[str, str], tuple[str, int, int, int] | None], turned: bool
) -> None:
    """Each place: the programme that is joined, points earned before and after that, and how many are spent."""
    names = {who: email(f"{who}-{uuid4().hex}@example.org", is_verified=True) for who in ("ada", "work")}
    members: dict[tuple[str, str], UUID] = {}
    earned = spent = 0
    for (code, who), had in places.items():
        members[code, who] = member_id = await two[code].joined(names[who])
        programme, before, after, spend = had or ("", 0, 0, 0)
        await two[code].earned(member_id, f"before-{member_id}", before) if before else None
        await join(two, code, member_id, programme) if programme else None
        await two[code].earned(member_id, f"after-{member_id}", after) if after else None
        has = (await two.account(code, member_id)).points
        await two[code].spent(member_id, f"spent-{member_id}", min(spend, has)) if min(spend, has) else None
        earned, spent = earned + before + after, spent + min(spend, has)
    one, other = (members["north", who] for who in (("work", "ada") if turned else ("ada", "work")))
    await two["north"].merged(one, other)
    persons = await rows(
        database_url, "select person_id from member.membership where member_id = any($1)", list(members.values())
    )
    had = await rows(database_url, HAD, [row["person_id"] for row in persons])
    assert {row["programme"]: row["accounts"] for row in had if row["accounts"] > 1} == {}
    accounts: dict[object, api.ProgrammeAccount] = {}
    for (code, _), member_id in members.items():
        if member_id != other:
            found = await two.account(code, member_id)
            accounts[(found.owner, found.programme) if found.programme else member_id] = found
            assert (await two[code].member(member_id)).points == found.points
            assert found.programme is None or found.tier == rules.tier_of(TIERS, found.earned)
    assert sum(found.points for found in accounts.values()) == earned - spent
    assert sum(found.earned for found in accounts.values()) == earned
    await two["north"].spent(one, f"all-{one}", points) if (
        points := (await two.account("north", one)).points
    ) else None
    assert not await broken_conditions(database_url)
