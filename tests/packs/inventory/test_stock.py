"""Keeping stock: each unit explained by a movement, each booking made once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from isthmus.kernel import Platform, answers
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK

from .conftest import SOUTH, Shop, asked, broken_conditions, front_end


async def test_a_delivery_is_booked_once(shop: Shop) -> None:
    note = api.Receive(reference="note-7", lines=(api.Receipt(sku="apple", quantity=5, location="shop"),))
    first = await shop.platform.call(api.receive, note, shop.caller)
    assert await shop.platform.call(api.receive, note, shop.caller) == first
    assert await shop.at("apple") == (5, 0)
    other = api.Receive(reference="note-7", lines=(api.Receipt(sku="apple", quantity=6, location="shop"),))
    with pytest.raises(api.ReferenceUsed, match="note-7"):
        await shop.platform.call(api.receive, other, shop.caller)


async def test_an_adjustment_cannot_take_what_is_reserved_or_not_there(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5), ("pear", "shop", 5))
    await shop.reserve("order-1", ("apple", 3))
    lines = (
        api.Adjustment(sku="pear", quantity=-1, location="shop"),
        api.Adjustment(sku="apple", quantity=-3, location="shop"),
    )
    with pytest.raises(api.NotOnHand, match="has 5 on hand, 3 of them reserved") as refused:
        await shop.platform.call(api.adjust, api.Adjust(reference="a-1", reason="damaged", lines=lines), shop.caller)
    assert refused.value.path == "$.lines[1].quantity"
    assert (await shop.at("apple"), await shop.at("pear")) == ((5, 3), (5, 0))


async def test_a_count_sets_stock_and_the_difference_is_a_movement(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 5))
    lines = (
        api.Counted(sku="apple", quantity=3, location="shop"),
        api.Counted(sku="pear", quantity=2, location="shop"),
    )
    counted = await shop.platform.call(api.count, api.Count(reference="c-1", lines=lines), shop.caller)
    assert [(stock.sku, stock.on_hand) for stock in counted.stocks] == [("apple", 3), ("pear", 2)]
    page = await shop.platform.call(api.list_movements, api.ListMovements(sku="apple"), shop.caller)
    assert [(one.kind.value, one.quantity, one.reference, one.by) for one in page.items] == [
        ("count", -2, "c-1", "north-till"),
        ("receive", 5, "note-north-1", "north-till"),
    ]
    assert not await broken_conditions(database_url)


async def test_a_count_below_what_is_reserved_is_refused_or_declared(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 5))
    await shop.reserve("order-1", ("apple", 4))
    lines = (api.Counted(sku="apple", quantity=1, location="shop"),)
    with pytest.raises(api.CountBelowReserved, match="has 4 reserved"):
        await shop.platform.call(api.count, api.Count(reference="c-1", lines=lines), shop.caller)
    count = api.Count(reference="c-1", lines=lines, may_fall_short=True)
    counted = await shop.platform.call(api.count, count, shop.caller)
    assert (counted.stocks[0].on_hand, counted.stocks[0].back_ordered) == (1, 3)
    assert await shop.available("apple") == 0
    await shop.platform.call(api.release, api.Release(reference="order-1"), shop.caller)
    stocks = await shop.platform.call(api.list_stock, api.ListStock(), shop.caller)
    assert stocks.items[0].back_ordered == 0
    assert not await broken_conditions(database_url)


async def test_a_transfer_moves_only_what_nobody_holds(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 5))
    await shop.reserve("order-1", ("apple", 3))
    move = api.Transfer(reference="t-1", from_location="shop", to_location="yard", lines=asked(("apple", 3)))
    with pytest.raises(api.NotOnHand):
        await shop.platform.call(api.transfer, move, shop.caller)
    move = api.Transfer(reference="t-1", from_location="shop", to_location="yard", lines=asked(("apple", 2)))
    for _ in range(2):
        await shop.platform.call(api.transfer, move, shop.caller)
    assert (await shop.at("apple", "shop"), await shop.at("apple", "yard")) == ((3, 3), (2, 0))
    assert not await broken_conditions(database_url)


async def test_goods_that_come_back_new_are_sold_again_and_others_written_off(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 1))
    lines = (
        api.RestockLine(sku="apple", quantity=2, location="shop"),
        api.RestockLine(sku="apple", quantity=3, location="shop", condition="broken"),
    )
    back = api.Restock(reference="return-1", lines=lines)
    for _ in range(2):
        await shop.platform.call(api.restock, back, shop.caller)
    assert await shop.at("apple") == (3, 0)
    page = await shop.platform.call(api.list_movements, api.ListMovements(sku="apple", limit=3), shop.caller)
    assert [(one.kind.value, one.quantity) for one in page.items] == [("write-off", -3), ("restock", 3), ("restock", 2)]
    assert not await broken_conditions(database_url)


@answers(api.restock_as)
def nothing_is_sold_again(lines: Sequence[api.RestockLine]) -> Sequence[api.RestockFate]:
    return ["written-off"] * len(lines)  # pyright: ignore[reportReturnType]


async def test_a_front_end_says_whether_goods_are_sold_again(
    make_platform: Callable[..., Awaitable[Platform]],
) -> None:
    shop = Shop(await make_platform(PACK, front_end("north", [nothing_is_sold_again])))
    lines = (api.RestockLine(sku="apple", quantity=2, location="shop"),)
    await shop.platform.call(api.restock, api.Restock(reference="return-1", lines=lines), shop.caller)
    assert await shop.at("apple") == (0, 0)


async def test_a_stock_cannot_hold_more_units_than_can_be(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 1))
    lines = (api.Adjustment(sku="apple", quantity=api.UNITS_MAX, location="shop"),)
    with pytest.raises(api.TooManyUnits, match="more than 1000000000 units"):
        await shop.platform.call(api.adjust, api.Adjust(reference="a-1", reason="found", lines=lines), shop.caller)


async def test_stock_is_listed_page_by_page_without_a_gap(shop: Shop) -> None:
    await shop.stock(*((f"sku-{n:02}", place, 1) for n in range(5) for place in ("shop", "yard")))
    seen: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        page = await shop.platform.call(api.list_stock, api.ListStock(limit=3, cursor=cursor), shop.caller)
        seen += [(one.sku, one.location) for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [(f"sku-{n:02}", place) for n in range(5) for place in ("shop", "yard")]


async def test_movements_are_listed_page_by_page_the_latest_first(shop: Shop) -> None:
    for units in (1, 2, 3):
        await shop.stock(("apple", "shop", units))
    first = await shop.platform.call(api.list_movements, api.ListMovements(sku="apple", limit=2), shop.caller)
    ask = api.ListMovements(sku="apple", limit=2, cursor=first.next_cursor)
    rest = await shop.platform.call(api.list_movements, ask, shop.caller)
    assert [one.quantity for one in (*first.items, *rest.items)] == [3, 2, 1]
    assert rest.next_cursor is None


@pytest.mark.parametrize("cursor", ["nonsense", "é", "WzFd", "e30=", "WyJcdTAwMDAiLCJhIl0="])
async def test_a_cursor_that_no_list_gave_is_refused(shop: Shop, cursor: str) -> None:
    with pytest.raises(api.BadCursor, match="not a cursor of this list"):
        await shop.platform.call(api.list_stock, api.ListStock(cursor=cursor), shop.caller)
    with pytest.raises(api.BadCursor):
        await shop.platform.call(api.list_movements, api.ListMovements(sku="apple", cursor=cursor), shop.caller)


async def test_a_front_end_lists_only_its_own(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5))
    assert (await shop.platform.call(api.list_stock, api.ListStock(), SOUTH)).items == ()
    assert (await shop.platform.call(api.list_movements, api.ListMovements(sku="apple"), SOUTH)).items == ()


async def test_a_thousand_receipts_are_booked_in_one_ask(shop: Shop) -> None:
    await shop.stock(*((f"sku-{n}", "shop", n + 1) for n in range(1000)))
    assert await shop.at("sku-999") == (1000, 0)
