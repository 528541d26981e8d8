"""Units with serial numbers, on a real PostgreSQL: received, held, shipped, returned, and lent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from isthmus.kernel import Platform, errors
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK
from isthmus.values import LineAsk, SerialNumber

from . import test_lending
from .conftest import NORTH, SOUTH, Shop, asked, broken_conditions, front_end

HALL = test_lending.HALL
group = test_lending.group


@pytest.fixture
async def shop(make_platform: Callable[..., Awaitable[Platform]]) -> Shop:
    """Give the north with three numbered phones in its shop, beside the south and the group."""
    north = Shop(await make_platform(PACK, *(front_end(code) for code in ("north", "south"))))
    await receive(north, "phone", "A1", "A2", "A3")
    return north


async def receive(shop: Shop, sku: str, *serials: str, location: str = "shop", reference: str = "note") -> api.Booked:
    line = api.Receipt(sku=sku, location=location, quantity=len(serials), serials=serials)
    ask = api.Receive(reference=f"{reference}-{serials[0]}", lines=(line,))
    return await shop.platform.call(api.receive, ask, shop.caller)


def named(*serials: str, sku: str = "phone") -> tuple[SerialNumber, ...]:
    return tuple(SerialNumber(sku=sku, serial=serial) for serial in serials)


async def states(shop: Shop) -> dict[str, str]:
    page = await shop.platform.call(api.list_serials, api.ListSerials(), shop.caller)
    return {one.serial: one.state for one in page.items}


async def ship(shop: Shop, reference: str, *serials: str, parcel: str = "1", lines: int | None = None) -> None:
    wanted = None if lines is None else (LineAsk(sku="phone", quantity=lines),)
    ask = api.Ship(reference=reference, parcel=parcel, lines=wanted, serials=named(*serials))
    await shop.platform.call(api.ship, ask, shop.caller)


async def hold(shop: Shop, reference: str, *serials: str) -> tuple[str, ...]:
    ask = api.HoldSerials(reference=reference, serials=named(*serials))
    return tuple(one.serial for one in (await shop.platform.call(api.hold_serials, ask, shop.caller)).serials)


async def test_numbered_units_change_their_owner_at_a_counter(group: test_lending.Group, database_url: str) -> None:
    house, north, south = (group[code] for code in ("house", "north", "south"))
    await receive(house, "phone", "H1", "H2", "H3", location=HALL)
    await north.stock(("phone", "shop", 1))
    grant = await group.lend("north")
    line = (api.SoldLine(sku="phone", quantity=1),)
    buy = api.SellStock(reference="s-1", from_location=HALL, to_location="shop", lines=line, serials=named("H2"))
    await group.platform.call(api.sell_stock, buy, north.caller)
    await group.platform.call(api.sell_stock, buy, north.caller)
    assert (await states(house), await states(north)) == (
        {"H1": "stocked", "H2": "gone", "H3": "stocked"},
        {"H2": "stocked"},
    )
    unnamed = api.SellStock(reference="s-2", from_location=HALL, to_location="shop", lines=line)
    with pytest.raises(api.SerialsNeeded):
        await group.platform.call(api.sell_stock, unnamed, north.caller)
    for wrong, error in ((("H2",), api.SerialNotThere), (("H1", "H3"), api.TooManySerials)):
        again = api.SellStock(
            reference=f"s-{wrong}", from_location=HALL, to_location="shop", lines=line, serials=named(*wrong)
        )
        with pytest.raises(error):
            await group.platform.call(api.sell_stock, again, north.caller)
    back = api.SellStock(reference="s-4", from_location="shop", to_location=HALL, lines=line, serials=named("H2"))
    await group.platform.call(api.sell_stock, back, north.caller)
    assert (await states(house))["H2"] == "stocked"
    steps = await group.platform.call(api.list_serial_steps, api.ListSerialSteps(serial="H2"), house.caller)
    assert [(one.kind, one.reference) for one in steps.items if one.kind in ("sell", "buy")] == [
        ("buy", ""),
        ("sell", ""),
    ]
    await group.withdraw(grant)
    others = await group.platform.call(api.list_serials, api.ListSerials(), south.caller)
    assert others.items == ()
    assert not await broken_conditions(database_url)


async def went(shop: Shop, reference: str) -> list[str]:
    ask = api.ListSerialSteps(reference=reference)
    found = await shop.platform.call(api.list_serial_steps, ask, shop.caller)
    return sorted(one.serial for one in found.items if one.kind == "ship")


async def test_a_shipment_says_which_units_went_and_takes_the_first_that_came_where_it_does_not(
    shop: Shop, database_url: str
):
    await shop.reserve("order-1", ("phone", 1))
    await shop.reserve("order-2", ("phone", 1))
    await ship(shop, "order-1", "A2")
    await ship(shop, "order-2")
    assert await states(shop) == {"A1": "shipped", "A2": "shipped", "A3": "stocked"}
    assert (await went(shop, "order-1"), await went(shop, "order-2")) == (["A2"], ["A1"])
    assert await shop.at("phone") == (1, 0)
    assert await broken_conditions(database_url) == {}


async def test_a_unit_that_is_held_by_its_number_goes_to_nobody_else(shop: Shop, database_url: str):
    await shop.reserve("order-1", ("phone", 2))
    await shop.reserve("order-2", ("phone", 1))
    assert await hold(shop, "order-1", "A1") == ("A1",)
    assert await hold(shop, "order-1", "A1") == ("A1",), "safe to repeat"
    with pytest.raises(api.SerialNotThere, match="'A1'") as taken:
        await ship(shop, "order-2", "A1")
    assert taken.value.path == "$.serials[0]"
    await ship(shop, "order-2")
    assert await went(shop, "order-2") == ["A2"], "the first that nobody holds"
    with pytest.raises(api.SerialNotThere):
        await hold(shop, "order-1", "A3", "A2")
    assert (await states(shop))["A3"] == "stocked", "all or none"
    await ship(shop, "order-1", lines=1)
    assert await went(shop, "order-1") == ["A1"]
    assert await broken_conditions(database_url) == {}


async def test_no_more_units_are_held_than_goods_and_what_is_let_go_can_be_held_by_others(
    shop: Shop, database_url: str
):
    await shop.reserve("order-1", ("phone", 2))
    with pytest.raises(api.TooManySerials, match="than there are"):
        await hold(shop, "order-1", "A1", "A2", "A3")
    with pytest.raises(api.TooManySerials) as twice:
        await hold(shop, "order-1", "A1", "A1")
    assert twice.value.path == "$.serials[1]"
    await hold(shop, "order-1", "A1", "A2")
    with pytest.raises(api.TooManySerials):
        await hold(shop, "order-1", "A3")
    less = api.Release(reference="order-1", lines=asked(("phone", 1)))
    await shop.platform.call(api.release, less, NORTH)
    assert sorted((await states(shop)).values()) == ["held", "stocked", "stocked"]
    await shop.platform.call(api.release, api.Release(reference="order-1"), NORTH)
    assert set((await states(shop)).values()) == {"stocked"}
    assert await broken_conditions(database_url) == {}


async def test_a_number_is_one_unit_of_its_owner_and_the_database_keeps_it_so(shop: Shop, database_url: str):
    with pytest.raises(api.SerialTaken, match="'A2' is in stock already") as again:
        await receive(shop, "phone", "A4", "A2")
    assert again.value.path == "$.lines[0].serials[1]"
    assert await shop.at("phone") == (3, 0), "nothing half done"
    await receive(Shop(shop.platform, SOUTH), "phone", "A2")  # the south learns nothing of the north's
    line = api.Receipt(sku="phone", location="shop", quantity=2, serials=("B1",))
    with pytest.raises(errors.BadAsk, match="1 serial numbers for 2 units"):
        line.__check__("$.lines[0]")
    connection = await asyncpg.connect(database_url)
    try:
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("insert into inventory.serial select * from inventory.serial limit 1")
    finally:
        await connection.close()


async def test_a_unit_comes_back_and_can_be_sold_again_or_is_written_off(shop: Shop, database_url: str):
    await shop.reserve("order-1", ("phone", 2))
    await ship(shop, "order-1", "A1", "A2")
    back = (
        api.RestockLine(sku="phone", quantity=1, location="shop", serials=("A1",)),
        api.RestockLine(sku="phone", quantity=1, location="shop", condition="broken", serials=("A2",)),
    )
    await shop.platform.call(api.restock, api.Restock(reference="return-1", lines=back), NORTH)
    assert await states(shop) == {"A1": "stocked", "A2": "gone", "A3": "stocked"}
    assert await shop.at("phone") == (2, 0)
    again = api.Restock(reference="return-2", lines=back[:1])
    with pytest.raises(api.SerialTaken):
        await shop.platform.call(api.restock, again, NORTH)
    steps = await shop.platform.call(api.list_serial_steps, api.ListSerialSteps(sku="phone", serial="A1"), NORTH)
    assert [(one.kind, one.reference) for one in steps.items] == [
        ("restock", "return-1"),
        ("ship", "order-1"),
        ("receive", "note-A1"),
    ]
    assert await broken_conditions(database_url) == {}


async def test_what_leaves_by_hand_says_which_units(shop: Shop, database_url: str):
    async def adjust(reference: str, *serials: str) -> None:
        line = api.Adjustment(sku="phone", quantity=-1, location="shop")
        ask = api.Adjust(reference=reference, reason="damaged", lines=(line,), serials=named(*serials))
        await shop.platform.call(api.adjust, ask, NORTH)

    with pytest.raises(api.SerialsNeeded, match="more units of 'phone' at 'shop' have numbers"):
        await adjust("broken-1")
    await adjust("broken-1", "A2")
    move = api.Transfer(
        reference="move-1",
        from_location="shop",
        to_location="back",
        lines=asked(("phone", 1)),
        serials=named("A1"),
    )
    await shop.platform.call(api.transfer, move, NORTH)
    counted = api.Count(reference="count-1", lines=(api.Counted(sku="phone", quantity=0, location="shop"),))
    with pytest.raises(api.SerialsNeeded):
        await shop.platform.call(api.count, counted, NORTH)
    page = await shop.platform.call(api.list_serials, api.ListSerials(sku="phone", state="stocked"), NORTH)
    assert {one.serial: one.location for one in page.items} == {"A1": "back", "A3": "shop"}
    assert await broken_conditions(database_url) == {}


async def test_of_lent_stock_the_owner_sees_which_unit_went_and_the_seller_for_which_order(
    group: test_lending.Group,
    database_url: str,
):
    house, north = group["house"], group["north"]
    await receive(house, "watch", "W1", "W2", location=HALL)
    await group.lend("north")
    await group.take_on("north")
    await north.reserve("order-9", ("watch", 1))
    ask = api.HoldSerials(reference="order-9", serials=named("W2", sku="watch"))
    await north.platform.call(api.hold_serials, ask, north.caller)
    assert await states(north) == {}, "whoever sells sees no numbers but its own orders'"
    await north.platform.call(api.ship, api.Ship(reference="order-9"), north.caller)
    assert await went(north, "order-9") == ["W2"]
    steps = await house.platform.call(api.list_serial_steps, api.ListSerialSteps(serial="W2"), house.caller)
    assert [(one.kind, one.seller, one.reference) for one in steps.items] == [
        ("ship", "north", ""),
        ("receive", None, "note-W1"),
    ]
    back = (api.RestockLine(sku="watch", quantity=1, location=HALL, serials=("W2",)),)
    await north.platform.call(api.restock, api.Restock(reference="return-9", lines=back), north.caller)
    assert await states(house) == {"W1": "stocked", "W2": "stocked"}
    assert await broken_conditions(database_url) == {}


async def test_however_many_want_one_unit_at_once_one_gets_it(shop: Shop, database_url: str):
    await receive(shop, "phone", *(f"B{number}" for number in range(9)))
    orders = [f"order-{number}" for number in range(12)]
    for order in orders:
        await shop.reserve(order, ("phone", 1))

    async def wanting(order: str) -> BaseException | None:
        try:
            await ship(shop, order, "A1" if order < "order-5" else "B1")
        except errors.Refusal as refused:
            return refused
        return None

    found = await asyncio.gather(*(wanting(order) for order in orders))
    assert [type(one).__name__ for one in found].count("NoneType") == 2, "one for each of two units"
    await asyncio.gather(*(ship(shop, order, parcel="2") for order, one in zip(orders, found, strict=True) if one))
    assert set((await states(shop)).values()) == {"shipped"}
    assert sorted([unit for order in orders for unit in await went(shop, order)]) == sorted(await states(shop))
    assert await shop.at("phone") == (0, 0)
    assert await broken_conditions(database_url) == {}
