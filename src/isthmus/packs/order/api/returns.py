"""Returns, as others may name them: goods that a buyer gives back, to the cent.

request ──▶ requested ──approve──▶ approved ──receive──▶ received ──settle──▶ refunded
                └──reject──▶ rejected
"""

from __future__ import annotations

import enum
from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.values import LINES_MAX, Code, Money, Quantity

from .errors import IllegalTransition, NotReturnable, UnknownOrder, UnknownReturn


class ReturnState(enum.StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    RECEIVED = "received"
    REFUNDED = "refunded"


class ReturnLine(Value):
    """So much of a line comes back."""

    line: int
    quantity: Quantity
    reason: Code = "unwanted"


class RequestReturn(Value):
    """Ask to give goods back."""

    order_id: UUID
    lines: Annotated[tuple[ReturnLine, ...], Meta(min_length=1, max_length=LINES_MAX)]


class RefundShare(Value):
    """What a returned line comes to, to the cent: over all returns of a line it adds up to what was paid for it."""

    line: int
    quantity: Quantity
    worth: Money  # the share of what was paid
    refund: Money  # what the front end gives back of that
    tax: Money  # the tax in `refund`
    discount: Money  # what had been taken off the goods that come back


class Return(Value):
    """A return and how it stands; `refund` is what the goods are worth to the buyer, `tax` the tax in that."""

    return_id: UUID
    order_id: UUID
    group_id: UUID
    state: ReturnState
    lines: tuple[ReturnLine, ...]
    shares: tuple[RefundShare, ...]
    refund: Money
    tax: Money
    note: str


class DecideReturn(Value):
    """Approve or reject a return that was asked for."""

    return_id: UUID
    is_approved: bool
    note: Annotated[str, Meta(max_length=240)] = ""


class ReceiveReturn(Value):
    """Record that the goods of an approved return are back."""

    return_id: UUID


class SettleReturn(Value):
    """Record that a received return was refunded."""

    return_id: UUID


class GetReturn(Value):
    """Ask for a return."""

    return_id: UUID


class ListReturns(Value):
    """Ask for the returns of an order."""

    order_id: UUID


class Returns(Value):
    """The returns of an order, the first first."""

    items: tuple[Return, ...]


@event("order.return-moved", version="1.0", subject="order_id")
class ReturnMoved(Value):
    """A return is in another state."""

    order_id: UUID
    return_id: UUID
    state: ReturnState
    refund: Money


@capability("order.request-return", version="1.0", effect=Effect.WRITE, raises=[UnknownOrder, NotReturnable])
def request_return(ask: RequestReturn) -> Return:
    """Ask to give goods back that were shipped; never more than was, and never worth more than was paid."""
    ...


@capability("order.decide-return", version="1.0", effect=Effect.WRITE, raises=[UnknownReturn, IllegalTransition])
def decide_return(ask: DecideReturn) -> Return:
    """Approve or reject a return."""
    ...


@capability(
    "order.receive-return",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownReturn, IllegalTransition],
)
def receive_return(ask: ReceiveReturn) -> Return:
    """Record that the goods are back. Safe to repeat."""
    ...


@capability(
    "order.settle-return",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownReturn, IllegalTransition],
)
def settle_return(ask: SettleReturn) -> Return:
    """Record that the money is back with the buyer. Safe to repeat."""
    ...


@capability("order.get-return", version="1.0", effect=Effect.READ, raises=[UnknownReturn])
def get_return(ask: GetReturn) -> Return:
    """Return a return."""
    ...


@capability("order.list-returns", version="1.0", effect=Effect.READ)
def list_returns(ask: ListReturns) -> Returns:
    """List the returns of an order; none where the order is not known."""
    ...
