"""What is written as known to be new and is there already: the transaction is broken off, and all stays as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import ports
from isthmus.packs.inventory import api as inventory
from isthmus.packs.inventory.storage import reservations
from isthmus.packs.order import api as order
from isthmus.packs.order.storage import orders
from isthmus.packs.payment import api as payment
from isthmus.packs.payment.storage import payments
from isthmus.sealing import UNSEALED
from isthmus.store import ConstraintBroken
from isthmus.values import money

from .conftest import Shop

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
EUR = money(100, "EUR")


async def _reservation(session: ports.Session, group_id: UUID) -> None:
    held = inventory.Allocation(line=0, sku="tea", location="main", quantity=1, back_ordered=0)
    made = inventory.Reservation(
        reference=str(group_id), state=inventory.ReservationState.HELD, allocations=(held,), expires_at=None
    )
    holding = reservations.Holding(reservation=made, asked=b"asked", at=NOW, by="test")
    await reservations.hold_new(session, "north", holding)


async def _order(session: ports.Session, group_id: UUID) -> None:
    nothing = money(0, "EUR")
    line = order.DraftLine(
        sku="tea", title="Tea", quantity=1, unit="piece", seller="", location="main", tax_category="",
        list_amount=EUR, amount=EUR, discount=nothing, tax=nothing, total=EUR,
    )  # fmt: skip
    ask = order.PlaceOrder(group_id=group_id, lines=(line,), currency="EUR", delivery_fee=nothing, total=EUR)
    part = orders.Part(
        order_id=uuid4(), number=10**9, key="", lines=(0,), delivery_fee=0, delivery_tax=0, total=100, commissions=(0,)
    )
    facts = {"box": "north", "now": NOW, "by": "test", "state": order.OrderState.PLACED}
    await orders.place(session, "north", ask, [part], facts, UNSEALED, is_new=True)


async def _payment(session: ports.Session, group_id: UUID) -> None:
    ask = payment.OpenPayment(reference=str(group_id), amount=EUR)
    await payments.open_payment(session, "north", (uuid4(), uuid4()), ask, NOW, is_new=True)


async def _receipt(session: ports.Session, group_id: UUID) -> None:
    ask = payment.OpenPayment(reference=str(group_id), amount=EUR, received_as="cash")
    await payments.open_payment(session, "north", (uuid4(), uuid4()), ask, NOW, is_new=True)


@pytest.mark.parametrize(
    ("write", "once"),
    [
        (_reservation, "reservation_pkey"),
        (_order, "orders_of_group_once"),
        (_payment, "payment_front_end_reference_key"),
        (_receipt, "payment_front_end_reference_key"),
    ],
)
async def test_what_is_there_already_breaks_the_transaction_off(
    shop: Shop, write: Callable[[ports.Session, UUID], Awaitable[None]], once: str
) -> None:
    ask = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),))
    placed = await shop.platform.call(checkout.place_order, ask, shop.north, key="first")
    before = await _written(shop)
    writing = await shop.database.write("north", None)
    await write(writing, placed.group_id)
    with pytest.raises(ConstraintBroken) as broken:
        await writing.commit([], None)
    assert broken.value.constraint == once
    await writing.close()
    assert await _written(shop) == before


async def _written(shop: Shop) -> list[dict[str, object]]:
    """Return the counts of what an order writes, and what is held."""
    async with shop.database.platform() as session:
        rows = await session.fetch(
            """select (select count(*) from inventory.reservation) as reservations,
                (select count(*) from inventory.reservation_line) as held_lines,
                (select count(*) from inventory.reservation_step) as steps,
                (select sum(reserved) from inventory.stock) as reserved,
                (select count(*) from "order".orders) as orders, (select count(*) from "order".lines) as lines,
                (select count(*) from "order".history) as history,
                (select count(*) from payment.payment) as payments, (select count(*) from payment.leg) as legs"""
        )
    return [dict(row) for row in rows]
