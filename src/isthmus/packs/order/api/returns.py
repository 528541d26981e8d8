"""Returns, as others may name them: goods that a buyer gives back, to the cent.

request ──▶ requested ──approve──▶ approved ──receive──▶ received ──settle──▶ refunded
                └──reject──▶ rejected
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.markings import Pii
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
    note: Annotated[str, Pii("free-text")]
    kind: Literal["return", "closing"] = "return"  # a closing is of goods that were never sent


class DecideReturn(Value):
    """Approve or reject a return that was asked for."""

    return_id: UUID
    is_approved: bool
    note: Annotated[str, Pii("free-text"), Meta(max_length=240)] = ""


class ReceiveReturn(Value):
    """Record that the goods of an approved return are back."""

    return_id: UUID


class SettleReturn(Value):
    """Record that a received return was refunded; `refunded` says how much, where less was left than it comes to."""

    return_id: UUID
    refunded: Money | None = None


class GetReturn(Value):
    """Ask for a return."""

    return_id: UUID


class ListReturns(Value):
    """Ask for the returns of an order."""

    order_id: UUID


class Returns(Value):
    """The returns of an order, the first first."""

    items: tuple[Return, ...]


class BookRefund(Value):
    """Write down that money of a group went back. `cause` is a return, an order of the group, or what a person said."""

    group_id: UUID
    cause: Annotated[str, Meta(max_length=128)]
    amount: Money


class BookedRefund(Value):
    """How much of it was written down for orders of the group; nothing where there is no such group."""

    booked: Money


class ListRefunds(Value):
    """Ask what went back for an order."""

    order_id: UUID


class Refunded(Value):
    """Money that went back for an order. cause: a return, the order itself where it was cancelled, or by hand."""

    cause: Annotated[str, Meta(max_length=128)]
    amount: Money


class Refunds(Value):
    """What went back for an order, the first first."""

    items: tuple[Refunded, ...]


class CloseLines(Value):
    """Close what of an order will never come: so much of these lines, or all that is not sent."""

    order_id: UUID
    reason: Annotated[str, Meta(min_length=1, max_length=240)]
    lines: Annotated[tuple[CloseLine, ...], Meta(max_length=LINES_MAX)] = ()


class CloseLine(Value):
    """So much of a line will never come."""

    line: int
    quantity: Quantity


@event("order.lines-closed", version="1.0", subject="order_id")
class LinesClosed(Value):
    """Goods of an order will not be sent; what they cost goes back."""

    order_id: UUID
    return_id: UUID
    lines: tuple[CloseLine, ...]
    refund: Money
    reason: Annotated[str, Pii("free-text")]


@event("order.return-moved", version="1.0", subject="order_id")
class ReturnMoved(Value):
    """A return is in another state."""

    order_id: UUID
    return_id: UUID
    state: ReturnState
    refund: Money
    agreed: Money | None = None  # what it was to be, where less was left to give back when it was settled


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


@capability("order.book-refund", version="1.0", is_internal=True, effect=Effect.WRITE)
def book_refund(ask: BookRefund) -> BookedRefund:
    """Write down that money of a group went back, on the order that it was for.

    What was given by hand counts for all orders that stand, in proportion to what is left of each.
    """
    ...


@capability("order.list-refunds", version="1.0", is_internal=True, effect=Effect.READ, raises=[UnknownOrder])
def list_refunds(ask: ListRefunds) -> Refunds:
    """List the money that went back for an order, and what each amount was for."""
    ...


@capability(
    "order.close-lines",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownOrder, IllegalTransition],
)
def close_lines(ask: CloseLines) -> Return:
    """Close what of a paid order will never come; the answer is what goes back for it, still to be settled.

    An order of which something was sent and nothing is left to send is shipped by it.
    """
    ...


@capability("order.get-return", version="1.0", effect=Effect.READ, raises=[UnknownReturn])
def get_return(ask: GetReturn) -> Return:
    """Return a return."""
    ...


@capability("order.list-returns", version="1.0", effect=Effect.READ)
def list_returns(ask: ListReturns) -> Returns:
    """List the returns of an order; none where the order is not known."""
    ...
