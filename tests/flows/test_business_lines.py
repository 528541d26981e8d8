"""The three business lines that ship, on the whole platform: what each does otherwise than the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Caller, Capability, Platform, errors
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.runtime.deploy.loading import front_end_folders
from isthmus.runtime.isolation.isolate import load_isolated, points_of
from isthmus.runtime.isolation.limits import Isolation
from isthmus.store import Database, migrate_own
from isthmus.values import Address, Money, money
from tests import promises, shipped
from tests.runtime.own_line import becomes, delivering

FOLDERS = Path(__file__).parents[2] / "front_ends"
CODES = ("market", "brand", "fresh")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOME = Address(country="US", region="OH", city="Oxford", postcode="45056", street="1 Elm Street")
GOODS = {  # sku: (category, seller, brand, unit, price in cents, per, units in stock)
    "cup": ("home", "ada", "own", "piece", 1000, 1, 50),
    "mug": ("home", "ben", "own", "piece", 900, 1, 50),
    "jar": ("home", "ben", "other", "piece", 1100, 1, 50),
    "soup": ("GROCERY", "ada", "own", "piece", 500, 1, 50),
    "cheddar": ("cheese", "dairy", "own", "gram", 1299, 1000, 9_000),
    "gouda": ("cheese", "dairy", "own", "gram", 1399, 1000, 9_000),
    "brie": ("cheese", "dairy", "own", "gram", 3999, 1000, 9_000),
    "cod": ("SEAFOOD", "boat", "own", "piece", 2000, 1, 50),
}


@dataclass(frozen=True, slots=True)
class Lines:
    """The platform with the business lines on it."""

    platform: Platform
    database: Database

    async def call(self, code: str, capability: Capability[Any, Any], ask: Any, now: datetime = NOON) -> Any:
        return await self.platform.call(capability, ask, Caller(front_end=code, client=f"{code}-site"), now=now)

    async def place(self, code: str, *lines: tuple[str, int], now: datetime = NOON, **facts: Any) -> Any:
        asked = tuple(checkout.BuyLine(sku=sku, quantity=quantity) for sku, quantity in lines)
        ask = checkout.PlaceOrder(currency="USD", lines=asked, **facts)
        return await self.call(code, checkout.place_order, ask, now)

    async def preview(self, code: str, *lines: tuple[str, int], now: datetime = NOON, **facts: Any) -> Any:
        asked = tuple(checkout.BuyLine(sku=sku, quantity=quantity) for sku, quantity in lines)
        ask = checkout.PreviewOrder(currency="USD", lines=asked, **facts)
        return await self.call(code, checkout.preview_order, ask, now)

    async def pay(self, code: str, payment_id: UUID) -> checkout.Paid:
        ask = checkout.PayOrder(payment_id=payment_id, method="card", token="ok")
        return await self.call(code, checkout.pay_order, ask)

    async def order(self, code: str, order_id: UUID) -> order.Order:
        return await self.call(code, order.get_order, order.GetOrder(order_id=order_id))

    async def gold_member(self) -> UUID:
        ask = member.Register(
            identities=(member.Identity(kind="email", value="ada@example.org", is_verified=True),), consents=("terms",)
        )
        joined = await self.call("brand", member.register, ask)
        points = member.EarnPoints(member_id=joined.member_id, reference="before", points=1_000)
        await self.call("brand", member.earn_points, points)
        return joined.member_id


def usd(minor: int) -> Money:
    return money(minor, "USD")


@pytest.fixture
async def lines(database: Database) -> AsyncIterator[Lines]:
    """Give the three, each with the same goods, and look at every condition in the end."""
    points = points_of(shipped.PACKS)
    found = [load_isolated(folder, Isolation(), points) for folder in front_end_folders(FOLDERS)]
    release = shipped.build([one for one in found if one.code in CODES])
    resources = {payment.Providers: payment.Providers([payment.TestProvider()]), order.Numbers: order.Numbers(database)}
    lines = Lines(Platform(release, database, resources=resources), database)
    await stocked(lines)
    yield lines
    assert await promises.broken(database, release.packs.values()) == []


async def stocked(lines: Lines) -> None:
    """Put the same goods, prices, stock and ways of delivery into each of the three."""
    categories = tuple(
        catalog.CategoryDraft(code=one, name=one) for one in sorted({good[0] for good in GOODS.values()})
    )
    await lines.call("market", catalog.put_categories, catalog.PutCategories(categories=categories))
    drafts = tuple(
        catalog.ProductDraft(
            code=sku,
            title=sku.title(),
            category=category,
            seller=seller,
            brand=brand,
            tax_category=category if category.isupper() else "",
            attributes={"department": category},
            variants=(catalog.Variant(sku=sku, unit=unit, weight_grams=1 if unit == "gram" else 200),),
        )
        for sku, (category, seller, brand, unit, *_) in GOODS.items()
    )
    await lines.call("market", catalog.import_products, catalog.ImportProducts(products=drafts))
    listings = tuple(
        catalog.Listing(
            sku=sku,
            offered_from=LONG_AGO,
            min_quantity=100 if good[3] == "gram" else 1,
            step=50 if good[3] == "gram" else 1,
        )
        for sku, good in GOODS.items()
    )
    prices = tuple(
        pricing.PriceEntry(sku=sku, currency="USD", amount=good[4], per=good[5], valid_from=LONG_AGO)
        for sku, good in GOODS.items()
    )
    receipts = tuple(inventory.Receipt(sku=sku, quantity=good[6], location="main") for sku, good in GOODS.items())
    rate = fulfilment.Rate(zone="us", currency="USD", base_minor=499)
    methods = (
        fulfilment.Method(code="post", name="Post", rates=(rate,)),
        fulfilment.Method(code="van", name="Van", needs_slot=True, rates=(rate,)),
    )
    for code in CODES:
        await lines.call(code, catalog.publish, catalog.Publish(listings=listings))
        await lines.call(code, pricing.put_prices, pricing.PutPrices(prices=prices))
        await lines.call(code, inventory.receive, inventory.Receive(reference="first", lines=receipts))
        await lines.call(code, fulfilment.put_methods, fulfilment.PutMethods(items=methods))


async def test_a_marketplace_basket_becomes_an_order_for_each_seller_and_each_pays_commission(lines: Lines) -> None:
    bought = await lines.place("market", ("cup", 2), ("mug", 1), ("soup", 1), address=HOME)
    await lines.pay("market", bought.payment_id)
    sold = {one.part: await lines.order("market", one.order_id) for one in bought.orders}
    assert {seller: [line.sku for line in one.lines] for seller, one in sold.items()} == {
        "ada": ["cup", "soup"],
        "ben": ["mug"],
    }
    assert [line.commission for line in sold["ada"].lines] == [usd(160), usd(25)]
    assert [line.commission for line in sold["ben"].lines] == [usd(72)]
    assert all(one.state is order.OrderState.PAID for one in sold.values())


async def test_one_of_two_orders_is_cancelled_before_paying_and_the_other_is_charged(lines: Lines) -> None:
    bought = await lines.place("market", ("cup", 1), ("mug", 1))
    gone = next(one for one in bought.orders if one.part == "ben")
    await lines.call("market", checkout.cancel_order, checkout.CancelOrder(order_id=gone.order_id, reason="not needed"))
    paid = await lines.pay("market", bought.payment_id)
    found = await lines.call("market", payment.get_payment, payment.GetPayment(payment_id=bought.payment_id))
    assert (found.amount, found.captured) == (usd(1000), usd(1000))
    assert sorted(one.state for one in paid.orders) == ["cancelled", "paid"]


async def test_gold_members_of_the_brand_pay_the_member_price_and_lose_points_for_what_they_return(
    lines: Lines,
) -> None:
    ada = await lines.gold_member()
    bought = await lines.place("brand", ("cup", 2), member_id=ada, address=HOME)
    assert bought.bill.lines[0].amount == usd(1840)
    assert "gold member" in bought.bill.lines[0].applied[0].reason
    await lines.pay("brand", bought.payment_id)
    before = (await lines.call("brand", member.get_member, member.GetMember(member_id=ada))).points
    order_id = bought.orders[0].order_id
    await lines.call("brand", after_sale.ship_order, after_sale.ShipOrder(order_id=order_id))
    wanted = order.RequestReturn(order_id=order_id, lines=(order.ReturnLine(line=0, quantity=1),))
    asked = await lines.call("brand", order.request_return, wanted)
    await lines.call("brand", order.decide_return, order.DecideReturn(return_id=asked.return_id, is_approved=True))
    for _ in range(2):
        await lines.call("brand", after_sale.refund_return, after_sale.RefundReturn(return_id=asked.return_id))
    after = (await lines.call("brand", member.get_member, member.GetMember(member_id=ada))).points
    earned = before - 1_000
    returned = asked.refund.minor / bought.bill.total.minor
    assert before - after > 0
    assert abs((before - after) - earned * returned) <= 0.5


async def test_what_the_brand_engraves_is_neither_cancelled_nor_taken_back(lines: Lines) -> None:
    async def bought(**own: Any) -> order.Order:
        ask = checkout.PlaceOrder(
            currency="USD",
            lines=(checkout.BuyLine(sku="cup", quantity=1, attributes=own),),
            attributes={"wrap": "box", "note": "for Ada"},
        )
        placed = await lines.call("brand", checkout.place_order, ask)
        await lines.pay("brand", placed.payment_id)
        return await lines.order("brand", placed.orders[0].order_id)

    plain, engraved = await bought(), await bought(engraving="A. L.")
    assert engraved.attributes == {"wrap": "box", "note": "for Ada"}
    await lines.call("brand", checkout.cancel_order, checkout.CancelOrder(order_id=plain.order_id, reason="too many"))
    cancel = checkout.CancelOrder(order_id=engraved.order_id, reason="too many")
    with pytest.raises(order.CancelRefused, match="it is being engraved"):
        await lines.call("brand", checkout.cancel_order, cancel)
    await lines.call("brand", after_sale.ship_order, after_sale.ShipOrder(order_id=engraved.order_id))
    wanted = order.RequestReturn(order_id=engraved.order_id, lines=(order.ReturnLine(line=0, quantity=1),))
    with pytest.raises(order.NotReturnable, match="'Cup' is engraved"):
        await lines.call("brand", order.request_return, wanted)


async def test_the_grocer_leaves_no_fish_at_a_door_and_the_market_knows_no_doors(lines: Lines) -> None:
    slot = {"address": HOME, "attributes": {"leave_at": "door"}}
    previewed = await lines.preview("fresh", ("cod", 1), **slot)
    assert "'Cod' is not left at a door" in previewed.refusals[0]
    assert (await lines.preview("fresh", ("mug", 2), **slot)).refusals == ()
    with pytest.raises(errors.BadAsk, match="'market' has no attributes of 'order.order', and leave_at came"):
        await lines.preview("market", ("mug", 2), attributes={"leave_at": "door"})


async def test_presold_goods_take_a_deposit_now_and_the_balance_before_they_are_sent(lines: Lines) -> None:
    bought = await lines.place("brand", ("cup", 40), order_kind="presale", address=HOME)
    total = bought.bill.total
    assert bought.due_now == total.times(Fraction(1, 5))
    deposit = await lines.pay("brand", bought.payment_id)
    assert (deposit.state, [one.state for one in deposit.orders]) == ("captured", ["placed"])
    waiting = await lines.order("brand", bought.orders[0].order_id)
    assert waiting.pay_before == NOON + timedelta(days=30)
    with pytest.raises(order.IllegalTransition):
        await lines.call("brand", after_sale.ship_order, after_sale.ShipOrder(order_id=waiting.order_id))
    paid = await lines.pay("brand", bought.balance_payment_id)
    assert [one.state for one in paid.orders] == ["paid"]
    found = await lines.call(
        "brand", payment.list_payments, payment.ListPayments(references=payment.references_of(str(bought.group_id)))
    )
    assert sum(one.captured.minor for one in found.items) == total.minor


async def test_a_presale_that_is_cancelled_gives_the_deposit_back_once(lines: Lines) -> None:
    bought = await lines.place("market", ("cup", 5), order_kind="presale", address=HOME)
    await lines.pay("market", bought.payment_id)
    ask = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="changed my mind")
    gone = await lines.call("market", checkout.cancel_order, ask)
    assert gone.refunded == bought.due_now
    found = await lines.call("market", payment.get_payment, payment.GetPayment(payment_id=bought.payment_id))
    assert found.refunded == bought.due_now


async def test_a_return_of_what_was_paid_in_two_parts_is_given_back_from_both(lines: Lines) -> None:
    bought = await lines.place("brand", ("cup", 10), order_kind="presale")
    for payment_id in (bought.payment_id, bought.balance_payment_id):
        await lines.pay("brand", payment_id)
    order_id = bought.orders[0].order_id
    await lines.call(
        "brand",
        inventory.receive,
        inventory.Receive(reference="came", lines=(inventory.Receipt(sku="cup", quantity=20, location="main"),)),
    )
    await lines.call("brand", after_sale.ship_order, after_sale.ShipOrder(order_id=order_id))
    wanted = order.RequestReturn(order_id=order_id, lines=(order.ReturnLine(line=0, quantity=10),))
    asked = await lines.call("brand", order.request_return, wanted)
    await lines.call("brand", order.decide_return, order.DecideReturn(return_id=asked.return_id, is_approved=True))
    for _ in range(2):
        await lines.call("brand", after_sale.refund_return, after_sale.RefundReturn(return_id=asked.return_id))
    found = await lines.call(
        "brand", payment.list_payments, payment.ListPayments(references=payment.references_of(str(bought.group_id)))
    )
    assert sum(one.refunded.minor for one in found.items) == asked.refund.minor
    assert found.items[1].refunded == found.items[1].captured  # the balance first


async def test_a_deposit_that_no_balance_follows_stays_and_the_goods_are_free_again(lines: Lines) -> None:
    bought = await lines.place("brand", ("cup", 5), order_kind="presale")
    await lines.pay("brand", bought.payment_id)
    late = NOON + timedelta(days=31)
    assert (await lines.call("brand", checkout.expire_orders, checkout.ExpireOrders(), late)).orders == 1
    assert (await lines.order("brand", bought.orders[0].order_id)).state is order.OrderState.EXPIRED


async def test_the_grocer_sells_by_weight_to_the_gram(lines: Lines) -> None:
    bought = await lines.place("fresh", ("cheddar", 750), ("cup", 1))
    assert bought.bill.lines[0].amount == usd(974)  # 0.75 kg at 12.99, in the buyer's favour
    assert (bought.bill.lines[0].quantity, bought.bill.lines[0].unit) == (750, "gram")
    with pytest.raises(catalog.QuantityRefused, match="in steps of 50, not 775"):
        await lines.place("fresh", ("cheddar", 775))


async def test_the_grocer_marks_down_in_the_evening(lines: Lines) -> None:
    evening = NOON.replace(hour=19)
    assert (await lines.preview("fresh", ("cup", 2))).bill.total == usd(2000)
    marked = (await lines.preview("fresh", ("cup", 2), now=evening)).bill
    assert marked.total == usd(1400)
    assert marked.lines[0].applied[0].by == "evening markdown"


async def test_fish_comes_in_a_slot_that_was_booked_and_a_slot_has_room_for_so_many(lines: Lines) -> None:
    slot = fulfilment.NewSlot(
        method="van", starts_at=NOON + timedelta(hours=4), ends_at=NOON + timedelta(hours=6), capacity=1
    )
    opened = await lines.call("fresh", fulfilment.open_slots, fulfilment.OpenSlots(items=(slot,)))
    slot_id = opened.items[0].slot_id
    with pytest.raises(fulfilment.Undeliverable, match="booked slot"):
        await lines.place("fresh", ("cod", 1), address=HOME, delivery_method="post")
    with pytest.raises(checkout.SlotNeeded, match="'van'"):
        await lines.place("fresh", ("cod", 1), address=HOME, delivery_method="van")
    preview = await lines.preview("fresh", ("cod", 1), address=HOME, delivery_method="van")
    assert not preview.can_be_placed
    assert "booked time" in preview.refusals[0]
    bought = await lines.place("fresh", ("cod", 1), address=HOME, delivery_method="van", slot_id=slot_id)
    with pytest.raises(fulfilment.SlotFull):
        await lines.place("fresh", ("cod", 1), address=HOME, delivery_method="van", slot_id=slot_id)
    ask = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="not home")
    await lines.call("fresh", checkout.cancel_order, ask)
    await lines.place("fresh", ("cod", 1), address=HOME, delivery_method="van", slot_id=slot_id)


async def test_what_is_short_is_replaced_by_what_costs_nearly_the_same_where_the_buyer_says_so(lines: Lines) -> None:
    wanted = (("cheddar", 8_500),)  # a tenth of the nine kilograms stays for who walks in
    preview = await lines.preview("fresh", *wanted)
    assert [(one.sku, one.available) for one in preview.shortages] == [("cheddar", 8_100)]
    assert preview.substitutes == ()  # catalog.choose-substitute: nothing else is there in that quantity
    await lines.call(
        "fresh",
        inventory.receive,
        inventory.Receive(
            reference="more",
            lines=(
                inventory.Receipt(sku="gouda", quantity=9_000, location="main"),
                inventory.Receipt(sku="brie", quantity=9_000, location="main"),
            ),
        ),
    )
    preview = await lines.preview("fresh", *wanted)
    (offered,) = preview.substitutes
    assert (offered.path, offered.instead_of, offered.offer.sku) == ("$.lines[0].sku", "cheddar", "gouda")
    assert not preview.can_be_placed
    with pytest.raises(inventory.StockShort):
        await lines.place("fresh", *wanted)
    agreed = await lines.preview("fresh", *wanted, accepts_substitutes=True)
    bought = await lines.place("fresh", *wanted, accepts_substitutes=True, expected_total=agreed.bill.total)
    assert [(line.sku, line.instead_of) for line in bought.bill.lines] == [("gouda", "cheddar")]
    assert bought.bill.total == offered.offer.amount


async def test_what_a_front_end_does_not_list_is_refused_also_where_substitutes_are_accepted(lines: Lines) -> None:
    for how in ({}, {"accepts_substitutes": True}):
        with pytest.raises(catalog.UnknownSku):
            await lines.preview("fresh", ("no-such-thing", 1), **how)


async def test_the_brand_offers_its_own_goods_only_instead_and_the_marketplace_nothing(lines: Lines) -> None:
    preview = await lines.preview("brand", ("cup", 60))
    assert [one.offer.sku for one in preview.substitutes] == []
    await lines.call(
        "brand",
        inventory.receive,
        inventory.Receive(
            reference="more",
            lines=(
                inventory.Receipt(sku="mug", quantity=50, location="main"),
                inventory.Receipt(sku="jar", quantity=50, location="main"),
            ),
        ),
    )
    preview = await lines.preview("brand", ("cup", 60))
    assert [one.offer.sku for one in preview.substitutes] == ["mug"]
    assert (await lines.preview("market", ("cup", 60))).substitutes == ()


async def test_the_grocers_picking_list_has_each_online_order_until_it_is_picked(lines: Lines) -> None:
    await migrate_own(lines.database.url, "fresh", FOLDERS / "fresh" / "migrations")
    own = lines.platform.release.lines["fresh"].offered

    async def call(name: str, **fields: Any) -> Any:
        capability = own[f"fresh.{name}"].capability
        return await lines.call("fresh", capability, capability.ask(**fields))

    async def listed() -> list[str]:
        return [one.number for one in (await call("to-pick")).orders]

    async with delivering(lines.platform, lines.database):
        in_shop = await lines.place("fresh", ("cup", 1), paid_at_till="cash", channel="store")
        await lines.place("market", ("cup", 1))
        online = await lines.place("fresh", ("cup", 2))
        await becomes(listed, [one.number for one in online.orders])
        assert in_shop.orders[0].number not in await listed()
        await call("picked", order_id=online.orders[0].order_id)
        assert await listed() == []
