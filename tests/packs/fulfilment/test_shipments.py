"""Shipments and parcels, through the pipeline on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg
import pytest

from isthmus.kernel import Platform, answers
from isthmus.packs.fulfilment import api
from isthmus.packs.fulfilment.pack import PACK
from isthmus.values import SerialNumber

from .conftest import OHIO, SOUTH, Desk, asked, broken_conditions, front_end

Shipment = api.ShipmentState
Parcel = api.ParcelState


async def test_each_location_sends_one_shipment(desk: Desk) -> None:
    shipments = await desk.plan(("apple", 2, "shop"), ("pear", 1, "yard"), ("plum", 3, "shop"))
    assert [(one.location, [line.sku for line in one.lines], one.state) for one in shipments] == [
        ("shop", ["apple", "plum"], "planned"),
        ("yard", ["pear"], "planned"),
    ]
    assert [line.line for line in shipments[0].lines] == [0, 2]
    assert shipments[0].address == OHIO
    assert await desk.ask(api.get_shipment, shipment_id=shipments[0].shipment_id) == shipments[0]


@answers(api.shipment_key)
def cold_goods_apart(lines: Sequence[api.PlanLine]) -> Sequence[str]:
    return [line.attributes.get("keep", "") for line in lines]


async def test_a_front_end_keeps_goods_apart(make_platform: Callable[..., Awaitable[Platform]]) -> None:
    desk = Desk(await make_platform(PACK, front_end("north", [cold_goods_apart])))
    lines = (
        api.PlanLine(sku="ice", quantity=1, location="shop", attributes={"keep": "cold"}),
        api.PlanLine(sku="tea", quantity=1, location="shop"),
    )
    planned = await desk.ask(api.plan, reference="order-1", lines=lines, method="van")
    assert [(one.part, one.lines[0].sku) for one in planned.shipments] == [("cold", "ice"), ("", "tea")]


async def test_a_reference_is_planned_once(desk: Desk) -> None:
    first = await desk.plan(("apple", 2, "shop"))
    assert await desk.plan(("apple", 2, "shop")) == first
    with pytest.raises(api.PlannedOtherwise, match="'order-1' are planned already"):
        await desk.plan(("apple", 3, "shop"))
    with pytest.raises(api.UnknownSlot):
        await desk.ask(
            api.plan,
            reference="order-2",
            lines=(api.PlanLine(sku="apple", quantity=1, location="shop"),),
            method="van",
            slot_id=UUID(int=7),
        )


async def test_a_shipment_leaves_in_parcels_and_follows_them(desk: Desk, database_url: str) -> None:
    (planned,) = await desk.plan(("apple", 3, "shop"), ("pear", 1, "shop"))
    id_ = planned.shipment_id
    packed = await desk.ask(api.pack, shipment_id=id_, parcel="a", lines=asked(("apple", 2)))
    assert (packed.state, packed.parcels[0].state, packed.parcels[0].carrier) == (Shipment.PLANNED, Parcel.PACKED, None)
    sent = await desk.ask(api.ship, shipment_id=id_, parcel="a", carrier="post", tracking="T1")
    assert (sent.state, sent.parcels[0].carrier, sent.parcels[0].tracking) == (Shipment.PART_SHIPPED, "post", "T1")
    rest = await desk.ask(api.ship, shipment_id=id_, parcel="b", carrier="van")
    assert rest.state is Shipment.SHIPPED
    assert [(goods.sku, goods.quantity) for goods in rest.parcels[1].lines] == [("apple", 1), ("pear", 1)]
    await desk.ask(api.deliver, shipment_id=id_, parcel="a")
    done = await desk.ask(api.deliver, shipment_id=id_, parcel="b")
    assert done.state is Shipment.DELIVERED
    assert await desk.ask(api.get_shipment, shipment_id=id_) == done
    steps = await desk.ask(api.list_steps, shipment_id=id_)
    assert [(one.parcel, one.state) for one in steps.items] == [
        ("", "planned"),
        ("a", "packed"),
        ("a", "shipped"),
        ("b", "shipped"),
        ("a", "delivered"),
        ("b", "delivered"),
    ]
    assert {one.by for one in steps.items} == {"north-office"}
    assert not await broken_conditions(database_url)


async def test_a_parcel_says_which_units_are_in_it(desk: Desk) -> None:
    (shipment,) = await desk.plan(("phone", 2, "shop"), ("case", 1, "shop"))
    named = [SerialNumber(sku="phone", serial=serial) for serial in ("A1", "A2", "A3")]
    wrong = ((named[0], named[0]), named, [SerialNumber(sku="tea", serial="T1")])
    for serials in wrong:
        with pytest.raises(api.ParcelDiffers):
            await desk.ask(api.ship, shipment_id=shipment.shipment_id, carrier="dhl", serials=tuple(serials))
    sent = await desk.ask(api.ship, shipment_id=shipment.shipment_id, carrier="dhl", serials=tuple(named[:2]))
    assert sent.parcels[0].serials == tuple(named[:2])
    read = await desk.ask(api.get_shipment, shipment_id=shipment.shipment_id)
    assert read.parcels[0].serials == tuple(named[:2])


async def test_no_more_is_shipped_than_was_planned(desk: Desk) -> None:
    (planned,) = await desk.plan(("apple", 3, "shop"))
    id_ = planned.shipment_id
    with pytest.raises(api.OverShip, match="3 of 'apple' are left, not 4") as refused:
        await desk.ask(api.ship, shipment_id=id_, carrier="post", lines=asked(("apple", 4)))
    assert refused.value.path == "$.lines[0].quantity"
    await desk.ask(api.ship, shipment_id=id_, carrier="post")
    with pytest.raises(api.OverShip, match="nothing is left"):
        await desk.ask(api.ship, shipment_id=id_, parcel="2", carrier="post")


async def test_every_step_is_safe_to_repeat(desk: Desk) -> None:
    (planned,) = await desk.plan(("apple", 3, "shop"))
    id_ = planned.shipment_id
    asks = [
        (api.pack, {"lines": asked(("apple", 3))}),
        (api.ship, {"carrier": "post"}),
        (api.fail, {"reason": "nobody home"}),
        (api.take_back, {}),
    ]
    for capability, fields in asks:
        once = await desk.ask(capability, shipment_id=id_, **fields)
        assert await desk.ask(capability, shipment_id=id_, **fields) == once
    assert len((await desk.ask(api.list_steps, shipment_id=id_)).items) == 5
    assert once.state is Shipment.RETURNED
    with pytest.raises(api.ParcelDiffers, match="packed with other goods"):
        await desk.ask(api.pack, shipment_id=id_, lines=asked(("apple", 2)))


async def test_a_failed_parcel_is_tried_again_by_any_carrier(desk: Desk) -> None:
    (planned,) = await desk.plan(("apple", 3, "shop"))
    id_ = planned.shipment_id
    await desk.ask(api.ship, shipment_id=id_, carrier="post")
    failed = await desk.ask(api.fail, shipment_id=id_, reason="nobody home")
    assert (failed.parcels[0].state, failed.parcels[0].reason) == (Parcel.FAILED, "nobody home")
    again = await desk.ask(api.ship, shipment_id=id_, carrier="van")
    assert (again.parcels[0].carrier, again.parcels[0].attempts) == ("van", 2)


@pytest.mark.parametrize(
    ("before", "step"),
    [
        ((), api.deliver),
        ((), api.fail),
        ((api.ship,), api.take_back),
        ((api.ship, api.deliver), api.fail),
        ((api.ship, api.deliver), api.ship),
        ((api.ship, api.fail, api.take_back), api.ship),
    ],
)
async def test_no_step_is_skipped(desk: Desk, before: Sequence[api.Capability], step: api.Capability) -> None:  # pyright: ignore
    (planned,) = await desk.plan(("apple", 3, "shop"))
    fields = {api.ship: {"carrier": "post"}, api.fail: {"reason": "lost"}}
    await desk.ask(api.pack, shipment_id=planned.shipment_id)
    for capability in before:
        await desk.ask(capability, shipment_id=planned.shipment_id, **fields.get(capability, {}))
    again = {api.ship: {"carrier": "other"}, api.fail: {"reason": "lost"}}
    with pytest.raises(api.IllegalStep) as refused:
        await desk.ask(step, shipment_id=planned.shipment_id, **again.get(step, {}))
    assert refused.value.path == "$.parcel"


async def test_cancelling_takes_what_is_in_no_parcel(desk: Desk, database_url: str) -> None:
    (planned,) = await desk.plan(("apple", 3, "shop"), ("pear", 2, "shop"))
    id_ = planned.shipment_id
    await desk.ask(api.ship, shipment_id=id_, carrier="post", lines=asked(("apple", 2)))
    part = await desk.ask(api.cancel, reference="order-1", lines=asked(("pear", 1)))
    assert part.shipments[0].state is Shipment.PART_SHIPPED
    with pytest.raises(api.OverShip):
        await desk.ask(api.cancel, reference="order-1", lines=asked(("apple", 2)))
    for _ in range(2):
        rest = await desk.ask(api.cancel, reference="order-1")
        assert rest.shipments[0].state is Shipment.SHIPPED
    assert [line.cancelled for line in rest.shipments[0].lines] == [1, 2]
    await desk.plan(("apple", 3, "shop"), ("pear", 1, "yard"), reference="order-2")
    gone = await desk.ask(api.cancel, reference="order-2")
    assert {one.state for one in gone.shipments} == {Shipment.CANCELLED}
    assert not await broken_conditions(database_url)


async def test_unknown_shipments_and_parcels_are_named(desk: Desk) -> None:
    (planned,) = await desk.plan(("apple", 3, "shop"))
    nobody = UUID(int=7)
    with pytest.raises(api.UnknownShipment, match=str(nobody)):
        await desk.ask(api.get_shipment, shipment_id=nobody)
    with pytest.raises(api.UnknownShipment):
        await desk.ask(api.list_steps, shipment_id=nobody)
    with pytest.raises(api.UnknownShipment, match="of 'order-9'"):
        await desk.ask(api.cancel, reference="order-9")
    await desk.ask(api.pack, shipment_id=planned.shipment_id, parcel="box-1")
    with pytest.raises(api.UnknownParcel, match="did you mean 'box-1'"):
        await desk.ask(api.deliver, shipment_id=planned.shipment_id, parcel="box-2")


async def test_shipments_are_listed_by_what_is_asked_page_by_page(desk: Desk) -> None:
    for number in range(5):
        await desk.plan(("apple", 1, "shop" if number % 2 else "yard"), reference=f"order-{number}")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await desk.ask(api.list_shipments, limit=2, cursor=cursor)
        seen += [one.reference for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [f"order-{number}" for number in range(5)]
    assert len((await desk.ask(api.list_shipments, location="shop")).items) == 2
    assert len((await desk.ask(api.list_shipments, reference="order-3")).items) == 1
    assert (await desk.ask(api.list_shipments, state=Shipment.SHIPPED)).items == ()
    with pytest.raises(api.BadCursor):
        await desk.ask(api.list_shipments, cursor="nonsense")


async def test_one_front_end_never_sees_the_shipments_of_another(desk: Desk) -> None:
    (planned,) = await desk.plan(("apple", 3, "shop"))
    south = Desk(desk.platform, SOUTH)
    with pytest.raises(api.UnknownShipment):
        await south.ask(api.ship, shipment_id=planned.shipment_id, carrier="post")
    assert (await south.ask(api.list_shipments)).items == ()
    (theirs,) = await south.plan(("apple", 1, "shop"))
    assert theirs.shipment_id != planned.shipment_id


async def test_parcels_packed_at_once_take_no_more_than_there_is(desk: Desk, database_url: str) -> None:
    (planned,) = await desk.plan(("apple", 5, "shop"))

    async def ship(number: int) -> bool:
        try:
            fields = {"parcel": f"p-{number}", "lines": asked(("apple", 1))}
            await desk.ask(api.ship, shipment_id=planned.shipment_id, carrier="post", **fields)
        except api.OverShip:
            return False
        return True

    assert sum(await asyncio.gather(*map(ship, range(16)))) == 5
    assert not await broken_conditions(database_url)


async def test_the_database_itself_refuses_a_parcel_that_left_without_a_carrier(desk: Desk, database_url: str) -> None:
    (planned,) = await desk.plan(("apple", 5, "shop"))
    await desk.ask(api.pack, shipment_id=planned.shipment_id)
    connection = await asyncpg.connect(database_url)
    try:
        for change in ("state = 'shipped'", "carrier = 'post'"):
            with pytest.raises(asyncpg.CheckViolationError, match="carrier_if_and_only_if_shipped"):
                await connection.execute(f"update fulfilment.parcel set {change}")
        with pytest.raises(asyncpg.CheckViolationError, match="no_more_than_planned"):
            await connection.execute("update fulfilment.shipment_line set packed = 6")
    finally:
        await connection.close()
