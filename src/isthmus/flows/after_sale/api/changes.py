"""Changing orders, as others may name it: by the rules and at the prices that they were sold under.

    not paid     the order is written anew, and so is what is due for it
    paid         what is taken out is closed and its money goes back; what is added is an order of its own, for the same
                 address and without a fee, that `supplements` the first and is sent once it is paid
    sent         nothing can be changed: goods come back by a return

An SKU that the order has costs what it cost there, before discounts; any other what it costs today. Discounts, coupons
and the fee for delivery stay with what they were given for: they shrink with what is taken out, and do not grow.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Effect, Meta, Value, errors, flow
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.tax import api as tax
from isthmus.values import LINES_MAX, QUANTITY_MAX, Code, Moment, Money

from .goods import close_goods


class SetQuantity(Value):
    """The quantity that a line is to have, of what is not closed; 0 takes it out."""

    line: int
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]


class ChangeOrder(Value):
    """Change what is ordered: lines to other quantities, and more lines.

    `expected_difference` is what the buyer was shown: more to pay, or less than nothing; another one is refused.
    """

    order_id: UUID
    reason: order.Reason
    lines: Annotated[tuple[SetQuantity, ...], Meta(max_length=LINES_MAX)] = ()
    added: Annotated[tuple[checkout.BuyLine, ...], Meta(max_length=LINES_MAX)] = ()
    location: Code | None = None  # where added goods come from, where it is one place; None: as for any order
    expected_difference: Money | None = None


class ChangePreview(Value):
    """What a change comes to, and what would keep it from being made."""

    difference: Money  # more to pay; negative: less
    taken_out: tuple[order.CloseLine, ...]
    added: tuple[order.DraftLine, ...]  # as they would be priced
    refusals: tuple[str, ...]


class ChangedGoods(Value):
    """What a change wrote down. `closed` is what goes back of a paid order; `supplement` what was added to one."""

    order: order.Order
    difference: Money
    closed: order.Return | None = None
    supplement: order.PlacedGroup | None = None
    payment_id: UUID | None = None  # that what is added is to be paid with
    pay_before: Moment | None = None


class ChangedOrder(ChangedGoods):
    """What a change came to, with what went back of the money."""

    refunded: Money


class NothingToChange(errors.BadAsk):
    """The order is as the ask wants it."""

    slug = "after-sale.nothing-to-change"

    def __init__(self, *, number: str) -> None:
        super().__init__(
            f"order {number} is like that already",
            remedy="name lines with the quantities that they are to have, or lines to add",
            path="$.lines",
        )


class AlreadyPaid(errors.Conflict):
    """More was paid of the order already than it would come to."""

    slug = "after-sale.already-paid"

    def __init__(self, *, paid: Money, total: Money) -> None:
        super().__init__(
            f"a deposit of {paid} is paid, and the orders would come to {total}",
            remedy="leave more in the order, or cancel it",
            path="$.lines",
            paid=str(paid),
            total=str(total),
        )


class OtherOrder(errors.RuleBroken):
    """What is to be added would be sent with another order than this one."""

    slug = "after-sale.other-order"

    def __init__(self, *, number: str, part: str) -> None:
        super().__init__(
            f"what is to be added does not go into order {number}, but with {part or 'the rest'}",
            remedy="add it to the order of the group that it goes with, or order it by itself",
            path="$.added",
        )


class DifferenceChanged(errors.Conflict):
    """The change comes to another difference than the buyer was shown."""

    slug = "after-sale.difference-changed"

    def __init__(self, *, shown: Money, now: Money) -> None:
        super().__init__(
            f"the change comes to {now}, and {shown} was shown",
            remedy="show it again with after-sale.preview-change, and send that as expected_difference",
            path="$.expected_difference",
            shown=str(shown),
            now=str(now),
        )


_PRICING = (
    order.get_order,
    order.check_draft,
    member.get_buyer,
    catalog.check_lines,
    pricing.quote,
)


@flow(
    "after-sale.preview-change",
    version="1.0",
    effect=Effect.READ,
    uses=[*_PRICING, tax.assess, order.list_returns],
    raises=[NothingToChange],
    deadline_ms=checkout.PREVIEW_DEADLINE_MS,
)
def preview_change(ask: ChangeOrder) -> ChangePreview:
    """Say what changing an order would come to, by the same code as changing it; nothing is written or held."""
    ...


@flow(
    "after-sale.change-goods",
    version="1.0",
    effect=Effect.WRITE,
    uses=[
        *_PRICING,
        tax.calculate,
        close_goods,
        inventory.reserve,
        inventory.extend,
        inventory.release,
        order.hold_group,
        order.get_group,
        order.amend_order,
        order.place_order,
        payment.list_payments,
        payment.expect_amount,
        payment.open_payment,
    ],
    raises=[NothingToChange, AlreadyPaid, OtherOrder, DifferenceChanged, order.OrderRefused, order.CancelRefused],
    is_internal=True,
)
def change_goods(ask: ChangeOrder) -> ChangedGoods:
    """Change an order with its goods and what is due for it, in one transaction."""
    ...


@flow(
    "after-sale.change-order",
    version="1.0",
    effect=Effect.SAGA,
    uses=[change_goods, order.get_order, payment.refund_from, order.settle_return],
    deadline_ms=60_000,
)
def change_order(ask: ChangeOrder) -> ChangedOrder:
    """Change an order before it is sent, as its front end lets it be cancelled; what was paid too much goes back.

    Whoever is first wins: what has left with a parcel meanwhile cannot be taken out any more, and what was taken out is
    not sent. While a provider owes an answer nothing is changed. Stopped half way, refund-return with the `return_id`
    of `closed` goes on.
    """
    ...


@flow(
    "after-sale.correct-address",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.get_order, order.correct_address, fulfilment.list_shipments, fulfilment.redirect],
)
def correct_address(ask: order.CorrectAddress) -> order.Order:
    """Correct where an order is sent to, in one transaction with its shipments; what has left is not stopped."""
    ...
