"""Points: a ledger that is never short, and tiers that follow what was earned."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.packs.member import api, rules
from isthmus.values import money

from .conftest import NOW, Club, broken_conditions, email


async def test_points_are_earned_once_for_each_reference(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    ask = api.EarnPoints(member_id=member_id, reference="order-1", amount=money(4599, "USD"))
    moves = await asyncio.gather(*(north.platform.call(api.earn_points, ask, north.caller) for _ in range(8)))
    assert sorted(one.moved for one in moves) == [0] * 7 + [45]
    assert (await north.member(member_id)).points == 45


async def test_points_are_never_spent_below_zero_whoever_spends_at_once(north: Club, database_url: str) -> None:
    member_id = await north.joined(email("ada@example.org"))
    await north.earned(member_id, "order-1", 50)
    outcomes = await asyncio.gather(
        *(north.spent(member_id, f"gift-{n}", 20) for n in range(6)), return_exceptions=True
    )
    short = [one for one in outcomes if isinstance(one, api.PointsShort)]
    assert len(short) == 4
    assert "balance is 10" in str(short[0])
    assert (await north.member(member_id)).points == 10
    assert await broken_conditions(database_url) == {}


async def test_spending_points_keeps_the_tier_and_a_return_may_lose_it(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    assert (await north.earned(member_id, "order-1", 120)).tier == "silver"
    assert (await north.spent(member_id, "gift", 20)).tier == "silver"
    assert (await north.reversed(member_id, "order-1")).tier == ""


async def test_a_share_of_a_credit_is_taken_back_once_for_each_part(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    await north.earned(member_id, "order-1", 100)
    third = api.Share(amount=money(1000, "USD"), out_of=money(3000, "USD"))
    for part, moved in (("return-1", -33), ("return-1", 0), ("return-2", -34)):  # 66.7 are due for both
        assert (await north.reversed(member_id, "order-1", share=third, part=part)).moved == moved
    assert (await north.reversed(member_id, "order-1")).moved == -33  # all that is left of it
    assert (await north.reversed(member_id, "order-1", share=third, part="return-3")).moved == 0


async def test_what_was_spent_meanwhile_cannot_be_taken_back(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    await north.earned(member_id, "order-1", 100)
    await north.spent(member_id, "gift", 70)
    assert (await north.reversed(member_id, "order-1")).balance == 0


async def test_movements_are_listed_the_latest_first_in_pages(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    for number in range(7):
        ask = api.EarnPoints(member_id=member_id, reference=f"order-{number}", points=number + 1)
        await north.platform.call(api.earn_points, ask, north.caller, now=NOW + timedelta(hours=number % 4))
    found = await north.movements(member_id, limit=3)
    assert sorted(one.reference for one in found) == [f"order-{n}" for n in range(7)]
    assert found == sorted(found, key=lambda one: one.at, reverse=True)
    with pytest.raises(api.BadCursor):
        await north.call(api.list_points, api.ListPoints(member_id=member_id, cursor="zz"))


async def test_points_of_25_pieces_that_come_back_one_by_one_are_all_taken_back(north: Club) -> None:
    member_id = await north.joined(email("ada@example.org"))
    await north.earned(member_id, "order-1", 10)  # 25 pieces of 0.40
    piece = api.Share(amount=money(40, "USD"), out_of=money(1000, "USD"))
    moved = [(await north.reversed(member_id, "order-1", share=piece, part=f"return-{n}")).moved for n in range(25)]
    assert sum(moved) == -10
    assert (await north.member(member_id)).points == 0
    assert sum(moved[:13]) == -5  # 5.2 are due for 13 of 25: never more than half a point beside what is due


@given(credited=st.integers(0, 10**9), parts=st.lists(st.integers(0, 10**7), min_size=1, max_size=8))
def test_what_all_parts_so_far_stand_for_is_within_half_a_point_and_all_of_them_are_the_credit(
    credited: int, parts: list[int]
) -> None:
    whole = max(1, sum(parts))
    given_back = 0
    for at in range(len(parts)):
        due = rules.due_back(credited, [(part, whole) for part in parts[: at + 1]])
        assert abs(2 * (due * whole - credited * sum(parts[: at + 1]))) <= whole
        assert given_back <= due <= credited
        given_back = due
    assert given_back == credited or sum(parts) == 0
