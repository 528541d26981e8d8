"""The benchmarks still run, and what is written by hand leaves a database in which everything holds."""

from __future__ import annotations

import asyncio

import pytest

from bench import _shop as shop
from bench import catalogue, hot_checkout, hot_sku, orders, paid_kinds, process
from bench._by_hand import ByHand
from bench._paid_by_hand import PLACING_ROUND_TRIPS, PaidByHand
from bench._wire import tapped
from isthmus.governance import doctor

FIGURES = {"name", "value", "unit", "against", "ratio", "aim", "met"}


HANDS: dict[str, tuple[type[ByHand | PaidByHand], str, str]] = {
    "nine round trips": (ByHand, "buyer", "order.%"),
    "three round trips": (PaidByHand, "placer", "hand.order-placed"),
}


@pytest.mark.slow
@pytest.mark.parametrize("hand", HANDS)
def test_orders_written_by_hand_leave_the_rows_that_the_platform_leaves(hand: str) -> None:
    written, does, event = HANDS[hand]

    async def examine() -> list[str]:
        goods = orders.GOODS[:20]
        async with shop.database("by_hand") as url:
            await shop.stocked(url, goods, 1_000)
            async with written.open(url, 4) as by_hand:
                await asyncio.gather(*(getattr(by_hand, does)(lambda: goods[:5])() for _ in range(4)))
            async with shop.running(url) as running, running.database.platform() as session:
                findings = await doctor.examine(session, running.platform.release.packs.values(), 5)
                events = await session.fetch_value("select count(*) from isthmus.outbox where type like $1", event)
                assert events == 4
        return [found.name for found in findings if not found.holds]

    assert shop.run(examine()) == ["order.numbers-are-explained"]  # by hand, nobody leases numbers


@pytest.mark.slow
@pytest.mark.parametrize("hand", HANDS)
def test_the_round_trips_that_a_hand_says_it_takes_are_those_on_the_wire(hand: str) -> None:
    written, does, _ = HANDS[hand]

    async def counted() -> int:
        goods = orders.GOODS[:5]
        async with shop.database("by_hand") as url:
            await shop.stocked(url, goods, 1_000)
            async with tapped(url) as tap, written.open(tap.url, 1) as by_hand:
                buy = getattr(by_hand, does)(lambda: list(goods))
                await buy()  # prepares its statements
                before = tap.round_trips
                await buy()
                return tap.round_trips - before

    assert shop.run(counted()) == (PLACING_ROUND_TRIPS if written is PaidByHand else ByHand.round_trips)


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", [catalogue, hot_checkout, hot_sku, orders, paid_kinds, process], ids=lambda module: module.__name__
)
def test_each_figure_says_against_what_and_whether_its_aim_is_met(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, short in (("PART_S", 0.1), ("TURN_S", 0.1), ("SELLS_S", 2.0), ("QUIET_S", 0.1)):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, short)
    rows = module.rows(1)  # pyright: ignore[reportAttributeAccessIssue]
    assert rows
    assert all(set(row) == FIGURES for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)
