"""Who goes first when little is left of a stock that several sell from."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence

import pytest

from isthmus.kernel import PASS, FrontEnd, Pass, Platform, Product, answers
from isthmus.packs.grants.pack import PACK as GRANTS
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK
from isthmus.products.group_buy import GROUP_BUY
from isthmus.products.wholesale import WHOLESALE

from .conftest import broken_conditions
from .test_lending import DESK, HALL, NAMES, Group

Made = Callable[..., Awaitable[Group]]


@pytest.fixture
def lending(make_platform: Callable[..., Awaitable[Platform]]) -> Made:
    """Return what makes a house with ten of tea in its hall, which north and south sell from; of south, its rules."""

    async def make(*rules: object, products: Sequence[Product] = (), units: int = 10) -> Group:
        uses = ("inventory.*", "grants.*", "desk.*")
        souths = {"answers": rules, "products": tuple(products)}
        ends = [
            FrontEnd(code=code, name=code, owner=code, uses=uses, **(souths if code == "south" else {}))  # pyright: ignore[reportArgumentType]
            for code in NAMES
        ]
        group = Group(await make_platform(PACK, GRANTS, DESK, *ends))
        hall = api.PutLocations(items=(api.Location(code=HALL),))
        await group.platform.call(api.put_locations, hall, group["house"].caller)
        await group["house"].stock(("tea", HALL, units))
        await group.lend("north")
        await group.lend("south")
        return group

    return make


@answers(api.leave_to_others)
def leave_four(stocks: Sequence[api.StockAt]) -> Sequence[int]:
    """Leave the last four of what is lent; of one's own nothing is asked."""
    assert all(stock.lent is not None and stock.lent.owner == "house" for stock in stocks)
    return [4 for _ in stocks]


@answers(api.leave_to_others)
def leave_two(stocks: Sequence[api.StockAt]) -> Sequence[int]:
    return [2 for _ in stocks]


@answers(api.leave_to_others)
def give_more_than_there_is(stocks: Sequence[api.StockAt]) -> Sequence[int]:
    return [-100 for _ in stocks]


@answers(api.sellable_quantity)
def keep_three_back(stocks: Sequence[api.StockAt]) -> Sequence[int | Pass]:
    return [PASS if stock.lent is None else stock.on_hand - stock.reserved - 3 for stock in stocks]


async def test_unless_somebody_answers_who_comes_first_gets_the_last_unit(lending: Made) -> None:
    group = await lending()
    assert [await group[code].available("tea") for code in ("north", "south")] == [10, 10]
    await group["south"].reserve("s-1", ("tea", 10))
    assert await group["north"].available("tea") == 0


async def test_who_leaves_the_last_units_never_takes_them_however_many_buy_at_once(
    lending: Made, database_url: str
) -> None:
    group = await lending(leave_four)
    assert [await group[code].available("tea") for code in ("house", "north", "south")] == [10, 10, 6]

    async def buy(code: str, number: int) -> bool:
        try:
            await group[code].reserve(f"{code}-{number}", ("tea", 1))
        except api.StockShort:
            return False
        return True

    bought = await asyncio.gather(*(buy(code, number) for number in range(12) for code in ("south", "north")))
    assert sum(bought) == 10, "first come, first served, and the last four to the north alone"
    assert sum(bought[::2]) <= 6
    assert not await broken_conditions(database_url)


async def test_ones_own_stock_is_sold_to_the_last_unit(lending: Made) -> None:
    group = await lending(leave_four)
    await group["south"].stock(("tea", "own", 2))
    assert await group["south"].available("tea") == 8
    held = await group["south"].reserve("s-1", ("tea", 8))
    assert sorted((one.location, one.quantity) for one in held.allocations) == [(HALL, 6), ("own", 2)]
    await group["south"].stock(("cup", "own", 1))
    await group["south"].reserve("s-2", ("cup", 1))  # nothing lent of it: the rule is not asked


async def test_of_several_rules_that_which_leaves_most_counts_in_no_order(lending: Made) -> None:
    product = Product(name="last-in-line", doc="Others go first.", owner="group", answers=(leave_two,))
    assert await (await lending(leave_four, products=(product,)))["south"].available("tea") == 6


async def test_what_is_kept_back_and_what_is_left_are_not_added(lending: Made) -> None:
    assert await (await lending(keep_three_back, leave_four))["south"].available("tea") == 6


async def test_no_rule_takes_more_than_the_grant_gives(lending: Made, database_url: str) -> None:
    group = await lending(give_more_than_there_is)
    await group.lend("south", most=3)
    assert await group["south"].available("tea") == 3
    with pytest.raises(api.StockShort):
        await group["south"].reserve("s-1", ("tea", 4))
    assert not await broken_conditions(database_url)


def of_stock(product: Product) -> Product:
    """Return a product with what it answers of stock: the other packs are not plugged in here."""
    answered = tuple(one for one in product.answers if one.point.name.startswith("inventory."))
    return dataclasses.replace(product, answers=answered)


async def test_resellers_and_groups_leave_the_last_units_to_single_buyers(lending: Made) -> None:
    group = await lending(products=[of_stock(one) for one in (WHOLESALE, GROUP_BUY)], units=52)

    async def available(kind: str) -> int:
        ask = api.GetAvailability(skus=("tea",), order_kind=kind)
        return (await group.platform.call(api.get_availability, ask, group["south"].caller)).items[0].available

    assert [await available(kind) for kind in ("standard", "wholesale", "group-buy")] == [52, 42, 41]
    with pytest.raises(api.StockShort):
        await group["south"].reserve("s-1", ("tea", 43), order_kind="wholesale")
    await group["south"].reserve("s-2", ("tea", 42), order_kind="wholesale")
    assert [await available(kind) for kind in ("standard", "wholesale", "group-buy")] == [10, 0, 8]
    await group["south"].reserve("s-3", ("tea", 10))
