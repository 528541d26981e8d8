"""Promising stock, through the pipeline on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.kernel import Platform, answers
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK
from isthmus.values import Address

from .conftest import SOUTH, Shop, asked, broken_conditions, front_end

State = api.ReservationState
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


async def test_all_lines_are_held_or_none(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5), ("pear", "shop", 1))
    with pytest.raises(api.StockShort) as refused:
        await shop.reserve("order-1", ("apple", 2), ("pear", 3), ("plum", 1))
    assert refused.value.path == "$.lines[1].sku"
    assert [(one["sku"], one["available"]) for one in refused.value.facts["lines"]] == [("pear", 1), ("plum", 0)]  # pyright: ignore
    assert await shop.at("apple") == (5, 0)
    held = await shop.reserve("order-1", ("apple", 2), ("pear", 1))
    assert [(one.line, one.sku, one.location, one.quantity) for one in held.allocations] == [
        (0, "apple", "shop", 2),
        (1, "pear", "shop", 1),
    ]
    assert await shop.at("apple") == (5, 2)


async def test_a_refused_order_of_many_lines_leaks_no_stock(shop: Shop, database_url: str) -> None:
    """The trap: guarded updates of all rows in one statement keep what they had taken when one row was short."""
    await shop.stock(*((f"sku-{n}", "shop", 10) for n in range(20)), ("scarce", "shop", 1))
    basket = [(f"sku-{n}", 1) for n in range(20)]
    for attempt in range(5):
        with pytest.raises(api.StockShort):
            await shop.reserve(f"order-{attempt}", *basket, ("scarce", 2))
    assert [await shop.available(f"sku-{n}") for n in range(20)] == [10] * 20
    assert not await broken_conditions(database_url)


async def test_a_reference_reserves_once(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5))
    first = await shop.reserve("order-1", ("apple", 4))
    assert await shop.reserve("order-1", ("apple", 4)) == first
    assert await shop.at("apple") == (5, 4)
    with pytest.raises(api.ReferenceUsed, match="order-1"):
        await shop.reserve("order-1", ("apple", 1))
    with pytest.raises(api.ReferenceUsed):
        await shop.reserve("order-1", ("apple", 5))


async def test_two_lines_of_one_sku_share_what_there_is(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5))
    with pytest.raises(api.StockShort) as refused:
        await shop.reserve("order-1", ("apple", 3), ("apple", 3))
    assert refused.value.path == "$.lines[1].sku"
    await shop.reserve("order-2", ("apple", 3), ("apple", 2))
    assert await shop.at("apple") == (5, 5)


async def test_stock_is_taken_by_priority_and_split_over_locations(shop: Shop) -> None:
    await shop.stock(("apple", "far", 9), ("apple", "near", 2))
    items = (api.Location(code="far", priority=2), api.Location(code="near", priority=1))
    await shop.platform.call(api.put_locations, api.PutLocations(items=items), shop.caller)
    held = await shop.reserve("order-1", ("apple", 5))
    assert {one.location: one.quantity for one in held.allocations} == {"near": 2, "far": 3}
    with pytest.raises(api.StockShort):
        await shop.reserve("order-2", ("apple", 1), location="near")


async def test_a_closed_location_sells_nothing(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 9))
    closed = api.PutLocations(items=(api.Location(code="shop", is_open=False),))
    await shop.platform.call(api.put_locations, closed, shop.caller)
    assert await shop.available("apple") == 0
    with pytest.raises(api.StockShort):
        await shop.reserve("order-1", ("apple", 1))


async def test_safety_stock_is_not_sold_and_back_orders_end_at_their_limit(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 10))
    limits = api.SetLimits(items=(api.Limits(sku="apple", location="shop", safety=2, back_order_limit=3),))
    await shop.platform.call(api.set_limits, limits, shop.caller)
    held = await shop.reserve("order-1", ("apple", 10))
    assert (held.allocations[0].quantity, held.allocations[0].back_ordered) == (10, 2)
    with pytest.raises(api.StockShort) as refused:
        await shop.reserve("order-2", ("apple", 2))
    assert refused.value.facts["lines"][0]["available"] == 1  # pyright: ignore
    assert not await broken_conditions(database_url)


async def test_confirming_is_safe_to_repeat_and_keeps_goods_from_expiring(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5))
    await shop.reserve("order-1", ("apple", 2), expires_at=NOW)
    await shop.reserve("order-2", ("apple", 3), expires_at=NOW + timedelta(hours=1))
    for _ in range(2):
        confirmed = await shop.platform.call(api.confirm, api.Confirm(reference="order-1"), shop.caller)
        assert (confirmed.state, confirmed.expires_at) == (State.CONFIRMED, None)
    after = NOW + timedelta(minutes=59)
    assert await shop.platform.call(api.expire, api.Expire(), shop.caller, now=after) == api.ExpiredReservations(
        references=()
    )
    ended = await shop.platform.call(api.expire, api.Expire(), shop.caller, now=NOW + timedelta(hours=2))
    assert ended.references == ("order-2",)
    assert await shop.at("apple") == (5, 2)
    with pytest.raises(api.ReservationEnded, match="order-2' is expired"):
        await shop.platform.call(api.confirm, api.Confirm(reference="order-2"), shop.caller)


async def test_releasing_gives_back_once_and_some_lines_only_what_is_held(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5), ("pear", "shop", 5))
    await shop.reserve("order-1", ("apple", 3), ("pear", 2))
    part = api.Release(reference="order-1", lines=asked(("apple", 1)))
    await shop.platform.call(api.release, part, shop.caller)
    assert await shop.at("apple") == (5, 2)
    with pytest.raises(api.NotHeld, match="holds 2 of 'apple', not 3"):
        await shop.platform.call(api.release, api.Release(reference="order-1", lines=asked(("apple", 3))), shop.caller)
    for _ in range(2):
        released = await shop.platform.call(api.release, api.Release(reference="order-1"), shop.caller)
        assert released.state is State.RELEASED
    assert (await shop.at("apple"), await shop.at("pear")) == ((5, 0), (5, 0))


async def test_a_parcel_leaves_stock_once_and_the_rest_can_follow(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 5))
    await shop.reserve("order-1", ("apple", 3))
    first = api.Ship(reference="order-1", parcel="a", lines=asked(("apple", 1)))
    for _ in range(2):
        shipped = await shop.platform.call(api.ship, first, shop.caller)
        assert (shipped.state, shipped.allocations[0].shipped) == (State.CONFIRMED, 1)
    assert await shop.at("apple") == (4, 2)
    with pytest.raises(api.ReferenceUsed, match="order-1/a"):
        await shop.platform.call(api.ship, api.Ship(reference="order-1", parcel="a"), shop.caller)
    rest = await shop.platform.call(api.ship, api.Ship(reference="order-1", parcel="b"), shop.caller)
    assert rest.state is State.SHIPPED
    assert await shop.at("apple") == (2, 0)
    with pytest.raises(api.ReservationEnded):
        await shop.platform.call(api.ship, api.Ship(reference="order-1", parcel="c"), shop.caller)
    assert not await broken_conditions(database_url)


async def test_back_ordered_goods_ship_when_they_have_come_in(shop: Shop, database_url: str) -> None:
    await shop.stock(("apple", "shop", 1))
    limits = api.SetLimits(items=(api.Limits(sku="apple", location="shop", back_order_limit=5),))
    await shop.platform.call(api.set_limits, limits, shop.caller)
    await shop.reserve("order-1", ("apple", 4))
    with pytest.raises(api.NotOnHand, match="has 1 on hand"):
        await shop.platform.call(api.ship, api.Ship(reference="order-1"), shop.caller)
    assert await shop.at("apple") == (1, 4)
    await shop.stock(("apple", "shop", 3))
    await shop.platform.call(api.ship, api.Ship(reference="order-1"), shop.caller)
    assert await shop.at("apple") == (0, 0)
    assert not await broken_conditions(database_url)


@pytest.mark.parametrize("capability", [api.confirm, api.release, api.ship, api.get_reservation])
async def test_a_reference_that_was_never_reserved_is_unknown(shop: Shop, capability: object) -> None:
    with pytest.raises(api.UnknownReservation, match="'order-9'"):
        await shop.platform.call(capability, capability.ask(reference="order-9"), shop.caller)  # pyright: ignore


async def test_a_reservation_can_be_read_with_what_has_become_of_it(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5))
    held = await shop.reserve("order-1", ("apple", 3), expires_at=NOW)
    read = await shop.platform.call(api.get_reservation, api.GetReservation(reference="order-1"), shop.caller)
    assert read == held


async def test_a_reservation_tells_who_did_what(shop: Shop) -> None:
    await shop.stock(("apple", "shop", 5))
    await shop.reserve("order-1", ("apple", 3))
    await shop.platform.call(api.confirm, api.Confirm(reference="order-1"), shop.caller)
    await shop.platform.call(api.ship, api.Ship(reference="order-1"), shop.caller)
    steps = await shop.platform.call(
        api.list_reservation_steps, api.ListReservationSteps(reference="order-1"), shop.caller
    )
    assert [(one.state, one.by) for one in steps.items] == [
        (state, "north-till") for state in (State.HELD, State.CONFIRMED, State.SHIPPED)
    ]
    with pytest.raises(api.UnknownReservation):
        await shop.platform.call(api.list_reservation_steps, api.ListReservationSteps(reference="order-9"), shop.caller)


async def test_one_front_end_never_sees_the_stock_of_another(shop: Shop) -> None:
    south = Shop(shop.platform, SOUTH)
    await shop.stock(("apple", "shop", 5))
    await shop.reserve("order-1", ("apple", 1))
    with pytest.raises(api.StockShort):
        await south.reserve("order-1", ("apple", 1))
    with pytest.raises(api.UnknownReservation):
        await south.platform.call(api.release, api.Release(reference="order-1"), south.caller)
    await south.stock(("apple", "shop", 2))
    await south.reserve("order-1", ("apple", 2))
    assert (await shop.at("apple"), await south.at("apple")) == ((5, 1), (2, 2))


@answers(api.source_lines, when={"order_kind": "standard"})
def nearest_only(lines: Sequence[api.SourcingLine], destination: Address | None) -> Sequence[api.Sourcing]:
    country = destination.country if destination else ""
    return [
        api.Sourcing(
            locations=tuple(offer.stock.location for offer in line.offers if offer.stock.country == country),
            may_split=False,
        )
        for line in lines
    ]


@answers(api.sellable_quantity)
def half_of_it(stocks: Sequence[api.StockAt]) -> Sequence[int]:
    return [stock.on_hand // 2 - stock.reserved for stock in stocks]


@answers(api.back_order_limit)
def two_beyond(stocks: Sequence[api.StockAt]) -> Sequence[int]:
    return [2] * len(stocks)


async def test_a_front_end_says_where_from_how_much_and_how_far_beyond(
    make_platform: Callable[..., Awaitable[Platform]], database_url: str
) -> None:
    shop = Shop(await make_platform(PACK, front_end("north", [nearest_only, half_of_it, two_beyond])))
    await shop.stock(("apple", "here", 10), ("apple", "there", 50))
    items = (api.Location(code="here", country="US"), api.Location(code="there", country="CA"))
    await shop.platform.call(api.put_locations, api.PutLocations(items=items), shop.caller)
    with pytest.raises(api.StockShort) as refused:
        await shop.reserve("order-1", ("apple", 8), destination=Address(country="US"))
    assert refused.value.facts["lines"][0]["available"] == 7  # pyright: ignore
    held = await shop.reserve("order-1", ("apple", 7), destination=Address(country="US"))
    assert [(one.location, one.back_ordered) for one in held.allocations] == [("here", 2)]
    assert not await broken_conditions(database_url)
