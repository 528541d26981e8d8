"""Sending goods and taking them back, as others may name it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, flow
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.values import LINES_MAX, Code, Serials


class ShipOrder(Value):
    """Send goods of an order: all that is left, or so much of these lines."""

    order_id: UUID
    parcel: Code = "1"
    lines: Annotated[tuple[order.ShippedLine, ...], Meta(max_length=LINES_MAX)] = ()
    serials: Serials = ()  # the units in the parcel, where the goods have numbers


class RefundReturn(Value):
    """Take the goods of an approved return back and return the money. `condition` is how they came."""

    return_id: UUID
    condition: Code = "new"
    serials: Serials = ()  # the units that came back, where the goods have numbers


@flow(
    "after-sale.ship-order",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.get_order, order.mark_shipped, inventory.ship],
)
def ship_order(ask: ShipOrder) -> order.Order:
    """Send goods: they leave stock, and the order says so, in one transaction. A parcel counts once."""
    ...


@flow(
    "after-sale.take-back",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.get_order, order.get_return, order.receive_return, inventory.restock, member.reverse_points],
    is_internal=True,
)
def take_back(ask: RefundReturn) -> order.Return:
    """Put the goods of an approved return into stock, or write them off, and take back the points that they earned."""
    ...


class CloseLines(order.CloseLines):
    """Close what of an order will never come: so much of these lines, or all that is not sent."""


@flow(
    "after-sale.book-refund",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.book_refund],
    is_internal=True,
)
def book_refund(ask: payment.PaymentMoved) -> order.BookedRefund:
    """Write what a payment gave back into the book of the orders that it paid for, in the same transaction."""
    ...


@flow(
    "after-sale.close-goods",
    version="1.0",
    effect=Effect.WRITE,
    uses=[
        order.get_order,
        order.close_lines,
        inventory.release,
        fulfilment.list_shipments,
        fulfilment.cancel,
        member.reverse_points,
    ],
    is_internal=True,
)
def close_goods(ask: CloseLines) -> order.Return:
    """Close lines of an order: their stock is free again, their shipment is cancelled, their points go back."""
    ...


@flow(
    "after-sale.close-lines",
    version="1.0",
    effect=Effect.SAGA,
    uses=[close_goods, order.get_order, payment.refund_from, order.settle_return],
    deadline_ms=60_000,
)
def close_lines(ask: CloseLines) -> order.Return:
    """Close what of a paid order will never come, and return what was paid for it.

    The rest of the order goes its way: where nothing is left to send, it is shipped, and can be completed. Stopped half
    way, refund-return with the answer's `return_id` goes on.
    """
    ...


@flow(
    "after-sale.refund-return",
    version="1.0",
    effect=Effect.SAGA,
    uses=[take_back, order.get_order, payment.refund_from, order.settle_return],
    deadline_ms=60_000,
)
def refund_return(ask: RefundReturn) -> order.Return:
    """Take back, refund and settle an approved return. Stopped half way, the same call goes on where it was.

    Where money was given back by hand before, what is left of what was paid is returned.
    """
    ...
