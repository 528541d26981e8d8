"""A payment is three transactions and a few round trips, and says so in its trace."""

from __future__ import annotations

import uuid
from typing import Any

from bench._wire import tapped
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import encode, errors
from isthmus.packs.inventory import api as inventory
from isthmus.packs.payment import api as payment
from isthmus.store import Database

from .conftest import Shop, shop_of

ROUND_TRIPS_MAX = 14  # of an order of one seller that is fetched, placed and paid, each with a key
TEA = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),))


async def test_a_paid_order_takes_few_round_trips(shop: Shop) -> None:
    async with tapped(shop.database.url) as tap, await Database.open(tap.url, connections_max=1) as database:
        platform = shop_of(database).platform
        for _ in range(2):  # the first prepares its statements
            before = tap.round_trips
            placed = await platform.call(checkout.place_order, TEA, shop.north, key=uuid.uuid4().hex)
            pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="ok")
            await platform.call(checkout.pay_order, pay, shop.north, key=uuid.uuid4().hex)
        assert tap.round_trips - before <= ROUND_TRIPS_MAX


async def test_what_a_step_changes_of_its_saga_is_in_no_index(shop: Shop) -> None:
    """So the row stays in its page, and is not written into each index anew."""
    async with shop.database.platform() as session:
        sql = "select pg_get_indexdef(indexrelid) as text from pg_index where indrelid = 'isthmus.saga'::regclass"
        named = [row["text"] for row in await session.fetch(sql)]
    assert named
    assert not [text for text in named for one in ("version", "log", "left_at") if one in text]


async def test_a_payment_is_begun_carried_on_and_settled(shop: Shop) -> None:
    """Each of the three writes down what was said before it, and begins what is asked next."""
    placed = await shop.platform.call(checkout.place_order, TEA, shop.north)
    pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="ok")
    traces: list[Any] = []
    await shop.platform.call_wire("checkout.pay-order", encode(pay), shop.north, key="k", on_trace=traces.append)
    reacting = ("after-sale.", "bookkeeping.", "ledger.", "matching.", "reconciliation.", "risk-checks.")
    own = [part.capability for part in traces[0].parts if not part.capability.startswith(reacting)]
    assert own == [
        "payment.begin-authorisation",
        "payment.ask-provider",
        "checkout.carry-on",
        "order.hold-group",
        "payment.hold-payments",
        "order.get-group-orders",
        "payment.settle-attempt",
        "order.mark-paid",
        "inventory.keep",
        "payment.ask-provider",
        "payment.settle-attempt",
    ]
    async with shop.database.platform() as session:
        assert await session.fetch_value("select count(*) from isthmus.saga") == 0
        assert await session.fetch_value("select count(*) from isthmus.idempotency") == 1


async def test_goods_that_are_held_no_more_keep_their_order_from_being_paid(shop: Shop) -> None:
    placed = await shop.platform.call(checkout.place_order, TEA, shop.north)
    release = inventory.Release(reference=str(placed.group_id))
    await shop.platform.call(inventory.release, release, shop.north)
    pay = checkout.PayOrder(payment_id=placed.payment_id, method="card", token="ok")
    try:
        await shop.platform.call(checkout.pay_order, pay, shop.north, key="k")
    except errors.Fault as fault:
        assert "reservation_is_held" in str(fault)
    asked = payment.GetPayment(payment_id=placed.payment_id)
    assert (await shop.platform.call(payment.get_payment, asked, shop.north)).state is payment.PaymentState.VOIDED
