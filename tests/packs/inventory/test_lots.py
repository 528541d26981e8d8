"""Lots with a last day, what is kept back of a channel, and counting while selling goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.kernel import Platform
from isthmus.packs.inventory import api
from isthmus.packs.inventory.pack import PACK

from .conftest import SOUTH, Shop, asked, broken_conditions, front_end

TODAY = datetime.now(UTC).date()
SOON, LATER = TODAY + timedelta(days=3), TODAY + timedelta(days=30)


async def came(shop: Shop, reference: str, *lots: tuple[str, int, date | None], location: str = "shop") -> None:
    lines = tuple(
        api.Receipt(sku="milk", quantity=units, location=location, lot=lot, expires_on=day) for lot, units, day in lots
    )
    await shop.platform.call(api.receive, api.Receive(reference=reference, lines=lines), shop.caller)


async def lots(shop: Shop, **facts: object) -> list[tuple[str, str, int]]:
    found = await shop.platform.call(api.list_lots, api.ListLots(**facts), shop.caller)  # pyright: ignore[reportArgumentType]
    return [(one.location, one.lot, one.on_hand) for one in found.items]


async def sold(shop: Shop, reference: str, units: int) -> None:
    await shop.reserve(reference, ("milk", units))
    await shop.platform.call(api.ship, api.Ship(reference=reference), shop.caller)


async def expire(shop: Shop, day: date) -> int:
    now = datetime(day.year, day.month, day.day, 1, tzinfo=UTC)
    return (await shop.platform.call(api.expire_lots, api.ExpireLots(), shop.caller, now=now)).lots


async def test_what_expires_first_leaves_first_and_the_lot_says_for_what(shop: Shop, database_url: str) -> None:
    await came(shop, "note-a", ("late", 5, LATER), ("never", 5, None), ("soon", 5, SOON))
    await shop.stock(("milk", "shop", 5))  # of no lot
    await sold(shop, "order-1", 7)
    assert await lots(shop) == [("shop", "late", 3), ("shop", "never", 5)]
    await sold(shop, "order-2", 10)
    assert await lots(shop) == []
    ask = api.ListLotMovements(sku="milk", lot="late")
    moved = (await shop.platform.call(api.list_lot_movements, ask, shop.caller)).items
    assert [(one.reference, one.quantity) for one in moved] == [("order-2", -3), ("order-1", -2), ("note-a", 5)]
    assert await shop.at("milk") == (3, 0)
    assert not await broken_conditions(database_url)


async def test_what_has_expired_is_not_sold_and_is_written_off_first(shop: Shop, database_url: str) -> None:
    await came(shop, "note-a", ("soon", 4, SOON), ("late", 6, LATER))
    assert (await expire(shop, SOON), await shop.available("milk")) == (0, 10)  # its last day
    assert (await expire(shop, SOON + timedelta(days=1)), await shop.available("milk")) == (1, 6)
    assert await expire(shop, SOON + timedelta(days=1)) == 0
    with pytest.raises(api.StockShort):
        await shop.reserve("order-1", ("milk", 7))
    await sold(shop, "order-2", 2)
    assert await lots(shop) == [("shop", "soon", 4), ("shop", "late", 4)]  # what is good was sent
    lines = (api.Adjustment(sku="milk", quantity=-3, location="shop"),)
    adjust = api.Adjust(reference="bin-1", reason="expired", lines=lines)
    await shop.platform.call(api.adjust, adjust, shop.caller)
    assert await lots(shop, expires_until=SOON) == [("shop", "soon", 1)]
    assert await shop.available("milk") == 4
    assert not await broken_conditions(database_url)


async def test_goods_that_are_moved_keep_their_lots(shop: Shop, database_url: str) -> None:
    await came(shop, "note-a", ("soon", 4, SOON), ("late", 6, LATER))
    move = api.Transfer(reference="van-1", from_location="shop", to_location="yard", lines=asked(("milk", 5)))
    await shop.platform.call(api.transfer, move, shop.caller)
    assert await lots(shop, sku="milk") == [("yard", "soon", 4), ("shop", "late", 5), ("yard", "late", 1)]
    assert not await broken_conditions(database_url)


async def test_a_lot_has_one_last_day(shop: Shop) -> None:
    await came(shop, "note-a", ("a", 4, SOON))
    await came(shop, "note-b", ("a", 1, SOON))
    with pytest.raises(api.LotDiffers, match=r"another last day.* at \$\.lines\[0\]\.expires_on"):
        await came(shop, "note-c", ("a", 1, LATER))
    assert (await lots(shop), await shop.at("milk")) == ([("shop", "a", 5)], (5, 0))
    assert await lots(Shop(shop.platform, SOUTH)) == []


async def test_what_is_kept_back_of_a_channel_is_kept_back_there_alone(shop: Shop) -> None:
    await shop.stock(("milk", "shop", 10))
    limits = api.Limits(sku="milk", location="shop", safety=1, channels={"online": 6, "store": 0})
    await shop.platform.call(api.set_limits, api.SetLimits(items=(limits,)), shop.caller)
    for channel, units in (("online", 4), ("store", 10), ("app", 9)):
        ask = api.GetAvailability(skus=("milk",), channel=channel)
        answer = await shop.platform.call(api.get_availability, ask, shop.caller)
        assert answer.items[0].available == units, channel
    with pytest.raises(api.StockShort):
        await shop.reserve("order-1", ("milk", 5), channel="online")
    await shop.reserve("order-2", ("milk", 10), channel="store")


async def test_stock_is_counted_while_selling_goes_on(shop: Shop, database_url: str) -> None:
    await shop.stock(("milk", "shop", 10), ("tea", "shop", 4))
    counted_at = datetime.now(UTC)
    await sold(shop, "order-1", 3)  # after the shelf was counted, before the count is sent
    found = tuple(api.Counted(sku=sku, quantity=units, location="shop") for sku, units in (("milk", 9), ("tea", 5)))
    count = api.Count(reference="count-1", lines=found, as_of=counted_at)
    for _ in range(2):
        await shop.platform.call(api.count, count, shop.caller)
    assert (await shop.at("milk"), await shop.at("tea")) == ((6, 0), (5, 0))
    other = api.Count(reference="count-1", lines=found, as_of=counted_at - timedelta(hours=1))
    with pytest.raises(api.ReferenceUsed):
        await shop.platform.call(api.count, other, shop.caller)
    assert not await broken_conditions(database_url)


steps = st.one_of(
    st.tuples(st.just("come"), st.tuples(st.sampled_from("abc"), st.integers(1, 5))),
    st.tuples(st.just("sell"), st.integers(1, 6)),
    st.tuples(st.just("move"), st.integers(1, 4)),
    st.tuples(st.just("bin"), st.integers(1, 4)),
    st.tuples(st.just("expire"), st.integers(0, 12)),
)
DAYS = {"a": TODAY + timedelta(days=4), "b": TODAY + timedelta(days=9), "c": None}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=3, max_size=12))
async def test_whatever_happens_lots_are_parts_of_their_stock(
    make_platform: Callable[..., Awaitable[Platform]], database_url: str, done: list[tuple[str, object]]
) -> None:
    shop = Shop(await make_platform(PACK, front_end("north")))
    tag = f"{datetime.now(UTC).timestamp()}"
    for number, (name, what) in enumerate(done):
        reference = f"{tag}/{number}"
        try:
            if name == "come":
                await came(shop, reference, (what[0], what[1], DAYS[what[0]]))  # type: ignore[index]
            elif name == "sell":
                await sold(shop, reference, what)  # type: ignore[arg-type]
            elif name == "move":
                lines = asked(("milk", what))  # type: ignore[arg-type]
                move = api.Transfer(reference=reference, from_location="shop", to_location="yard", lines=lines)
                await shop.platform.call(api.transfer, move, shop.caller)
            elif name == "bin":
                lost = (api.Adjustment(sku="milk", quantity=-what, location="shop"),)  # type: ignore[operator]
                adjust = api.Adjust(reference=reference, reason="expired", lines=lost)
                await shop.platform.call(api.adjust, adjust, shop.caller)
            else:
                await expire(shop, TODAY + timedelta(days=what))  # type: ignore[arg-type]
        except (api.StockShort, api.NotOnHand, api.LotDiffers):
            continue
    assert not await broken_conditions(database_url)
