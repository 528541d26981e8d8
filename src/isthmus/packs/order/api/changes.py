"""Changes of orders, as others may name them: what is not paid yet is written anew, an address is corrected.

What was paid is not written anew: units that will not be sent are closed (`close_lines`), and what is added is an order
of its own that `supplements` the first.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.markings import Pii
from isthmus.values import LINES_MAX, Address, Money

from .errors import IllegalTransition, OrderRefused, UnknownOrder
from .model import DraftLine, Order
from .orders import Reason
from .returns import CloseLine


class AmendOrder(Value):
    """Change an order that is not paid yet: so much of these lines is taken out, and lines are added as priced."""

    order_id: UUID
    reason: Reason
    lines: Annotated[tuple[CloseLine, ...], Meta(max_length=LINES_MAX)] = ()
    added: Annotated[tuple[DraftLine, ...], Meta(max_length=LINES_MAX)] = ()


class CorrectAddress(Value):
    """Correct where an order is sent to, within the country and region that it was taxed for."""

    order_id: UUID
    address: Annotated[Address, Pii("address")]
    reason: Reason


class OtherJurisdiction(errors.RuleBroken):
    """The address is where other tax is due, or where the order is not sent at all."""

    slug = "order.other-jurisdiction"

    def __init__(self, *, number: str, sold_to: str, wanted: str) -> None:
        super().__init__(
            f"order {number} was sold to {sold_to}, and {wanted} has taxes and deliveries of its own",
            remedy="correct the address within the country and region; to send it elsewhere, cancel it and order anew",
            path="$.address",
            sold_to=sold_to,
        )


@event("order.order-amended", version="1.0", subject="order_id")
class OrderAmended(Value):
    """An order that was not paid yet is another: what was taken out of it, what came in, what it comes to now."""

    order_id: UUID
    group_id: UUID
    was: Money
    total: Money
    lines: tuple[CloseLine, ...]
    added: tuple[DraftLine, ...]
    reason: Annotated[str, Pii("free-text")]


@event("order.address-corrected", version="1.0", subject="order_id")
class AddressCorrected(Value):
    """An order is sent to another address; the order has it."""

    order_id: UUID
    group_id: UUID


@capability(
    "order.amend-order",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownOrder, IllegalTransition, OrderRefused],
)
def amend_order(ask: AmendOrder) -> Order:
    """Take units out of an order that is not paid yet, and add lines; the order as it is then.

    What is left of a line is its part of all that it came to, each amount rounded once; a line of which nothing is left
    is gone. Discounts are the sums of their shares as before. An order never comes to nothing: that is a cancellation.
    """
    ...


@capability(
    "order.correct-address",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownOrder, IllegalTransition, OtherJurisdiction],
)
def correct_address(ask: CorrectAddress) -> Order:
    """Correct the address of an order of which something is still to be sent; its history says who did and why."""
    ...
