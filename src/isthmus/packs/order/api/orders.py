"""Orders, as others may name them: placed in groups, paid, sent, cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from isthmus.kernel import (
    ALLOW,
    Effect,
    Meta,
    Pass,
    Value,
    Verdict,
    capability,
    combine,
    event,
    extension_point,
)
from isthmus.markings import Pii
from isthmus.values import (
    CHANNEL,
    LINES_MAX,
    ORDER_KIND,
    Code,
    Moment,
    Money,
    PageSize,
    Quantity,
    money,
)

from .errors import BadCursor, CancelRefused, IllegalTransition, OrderRefused, TransitionRefused, UnknownOrder
from .model import (
    CheckDraft,
    Draft,
    DraftChecked,
    DraftLine,
    Email,
    Order,
    OrderLine,
    OrderState,
    PlacedGroup,
    PlaceOrder,
    Taxed,
)
from .returns import ReturnLine

EXPIRE_MAX = 200  # groups in one transaction: it holds the lock of each
MERGED_MAX = 100

Reason = Annotated[str, Pii("free-text"), Meta(min_length=1, max_length=240)]


class GroupPart(Value):
    """An order of a group that is about to be placed: its split key, its lines, and what its goods come to."""

    key: str
    lines: tuple[DraftLine, ...]
    goods: Money


class GetOrder(Value):
    """Ask for an order."""

    order_id: UUID


class GetGroup(Value):
    """Ask for the orders of a group."""

    group_id: UUID


class HeldGroup(Value):
    """The group is held."""


class GroupOrders(Value):
    """The orders of a group, whole."""

    orders: tuple[Order, ...]


class ListOrders(Value):
    """List orders, the latest first: all, or of a member, of an address (whole, in any case), in a state, in a time."""

    member_id: UUID | None = None
    merged_ids: Annotated[tuple[UUID, ...], Meta(max_length=MERGED_MAX)] = ()  # what the member was called before
    contact_email: Email | None = None
    state: OrderState | None = None
    number: Annotated[str, Meta(max_length=40)] | None = None
    placed_from: Moment | None = None
    placed_until: Moment | None = None  # not with it
    limit: PageSize = 50
    cursor: str | None = None


class OrderPage(Value):
    """Some orders, and how to go on."""

    items: tuple[Order, ...]
    next_cursor: str | None


class MarkPaid(Value):
    """Record that a group is paid. held: its orders, where this transaction holds and has read them."""

    group_id: UUID
    held: tuple[Order, ...] = ()


class RecordDeposit(Value):
    """Record that what was due at once of a group is paid; the rest is due before a later time."""

    group_id: UUID
    pay_before: Moment


class Cancel(Value):
    """Cancel an order before it leaves."""

    order_id: UUID
    reason: Reason


class CancelledOrder(Value):
    """The cancelled order, and what its front end keeps as a fee."""

    order: Order
    fee: Money
    was_paid: bool
    is_last_of_group: bool  # True where nothing of the group stands any more
    is_news: bool = True  # False where it was cancelled before, and only its money may still be on its way


class ExpireDue(Value):
    """Let unpaid orders run out whose time is over."""

    limit: Annotated[int, Meta(ge=1, le=EXPIRE_MAX)] = EXPIRE_MAX


class ExpiredGroups(Value):
    """The groups that ran out; fewer than the limit means that none is left, or that others are being worked on."""

    group_ids: tuple[UUID, ...]


class ShippedLine(Value):
    """So much of a line has left."""

    line: int
    quantity: Quantity


class MarkShipped(Value):
    """Record that goods have left: all of the order, or so much of these lines."""

    order_id: UUID
    parcel: Code = "1"
    lines: Annotated[tuple[ShippedLine, ...], Meta(max_length=LINES_MAX)] = ()


class Complete(Value):
    """Record that an order has arrived and nothing is open."""

    order_id: UUID


@event("order.order-placed", version="1.0", subject="order_id")
class OrderPlaced(Value):
    """An order was placed."""

    order_id: UUID
    group_id: UUID
    number: str
    member_id: UUID | None
    order_kind: str
    channel: str
    part: str
    total: Money
    commission: Money
    lines: tuple[DraftLine, ...]
    commissions: tuple[Money, ...] = ()  # of each line
    is_handed_over: bool = False  # paid and taken along
    delivery_tax: Money | None = None  # in what of `total` is no line's
    delivery_taxed: Taxed | None = None


@event("order.order-moved", version="1.0", subject="order_id")
class OrderMoved(Value):
    """An order is in another state."""

    order_id: UUID
    group_id: UUID
    state: OrderState
    note: Annotated[str, Pii("free-text")]
    shipped: tuple[ShippedLine, ...] = ()  # what left with it


@capability("order.check-draft", version="1.0", is_internal=True, effect=Effect.READ)
def check_draft(ask: CheckDraft) -> DraftChecked:
    """Say what would keep an order from being placed, by the same rules as placing it."""
    ...


@capability("order.place-order", version="1.0", is_internal=True, effect=Effect.WRITE, raises=[OrderRefused])
def place_order(ask: PlaceOrder) -> PlacedGroup:
    """Write a group of orders down, split as `split_key` says, numbered, with its history and events."""
    ...


@capability("order.get-order", version="1.0", effect=Effect.READ, raises=[UnknownOrder])
def get_order(ask: GetOrder) -> Order:
    """Return an order with its lines and its history."""
    ...


@capability("order.get-group", version="1.0", effect=Effect.READ, raises=[UnknownOrder])
def get_group(ask: GetGroup) -> PlacedGroup:
    """Return the orders of a group."""
    ...


@capability("order.get-group-orders", version="1.0", effect=Effect.READ, raises=[UnknownOrder], is_internal=True)
def get_group_orders(ask: GetGroup) -> GroupOrders:
    """Return the orders of a group with their lines and histories."""
    ...


@capability("order.hold-group", version="1.0", effect=Effect.WRITE, is_internal=True)
def hold_group(ask: GetGroup) -> HeldGroup:
    """Lock the orders of a group until the transaction ends. Goes along with what is read next."""
    ...


@capability("order.list-orders", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_orders(ask: ListOrders) -> OrderPage:
    """List orders, the latest first."""
    ...


@capability(
    "order.mark-paid",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownOrder, IllegalTransition, TransitionRefused],
)
def mark_paid(ask: MarkPaid) -> PlacedGroup:
    """Record that a group is paid. Safe to repeat; refused once all of it has run out or was cancelled."""
    ...


@capability(
    "order.record-deposit",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownOrder],
)
def record_deposit(ask: RecordDeposit) -> PlacedGroup:
    """Record a deposit: orders stay placed, with until `pay_before` to pay the balance. Safe to repeat."""
    ...


@capability(
    "order.cancel-order",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownOrder, IllegalTransition, CancelRefused],
)
def cancel_order(ask: Cancel) -> CancelledOrder:
    """Cancel an order before anything of it has left, as far as its front end lets it. Safe to repeat."""
    ...


@capability("order.expire-due", version="1.0", is_internal=True, effect=Effect.WRITE)
def expire_due(ask: ExpireDue) -> ExpiredGroups:
    """Let unpaid groups run out. Several may run at once: each takes other groups.

    A group that `guard_transition` keeps has a quarter of an hour more to be paid.
    """
    ...


@capability(
    "order.mark-shipped",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownOrder, IllegalTransition, TransitionRefused],
)
def mark_shipped(ask: MarkShipped) -> Order:
    """Record that goods have left; a parcel counts once. Never more than was ordered."""
    ...


@capability(
    "order.complete-order",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownOrder, IllegalTransition, TransitionRefused],
)
def complete_order(ask: Complete) -> Order:
    """Record that an order has arrived. Safe to repeat."""
    ...


@extension_point("order.validate-order", combine=combine.every, dimensions=[ORDER_KIND, CHANNEL])
def validate_order(draft: Draft) -> Verdict:
    """Refuse an order before it is placed: too small, too far, too many of one. Default: all are accepted."""
    return ALLOW


@extension_point("order.split-key", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL], per_line=True)
def split_key(lines: Sequence[DraftLine]) -> Sequence[str | Pass]:
    """Say for each line which order of the group it goes into: its seller, its place. Default: one order."""
    return [""] * len(lines)


@extension_point("order.commission", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL], per_line=True)
def commission(lines: Sequence[DraftLine]) -> Sequence[Money | Pass]:
    """Say what the front end keeps of each line that it sells for somebody else. Default: it sells its own goods.

    It is written down with the line and changes nothing for the buyer; 0 to the line's total.
    """
    return [Money(currency=line.total.currency, minor=0) for line in lines]


@extension_point(
    "order.delivery-weights", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL], until=date(2027, 6, 30)
)
def delivery_weights(parts: tuple[GroupPart, ...], fee: Money) -> tuple[int, ...] | Pass:
    """Say how the delivery fee of a group is divided over its orders: a weight for each, 0 or more.

    Each order's share goes back with it when it is cancelled. Default: by what the goods of each come to.
    """
    return tuple(part.goods.minor for part in parts)


@extension_point("order.cancellation-fee", combine=combine.highest, dimensions=[ORDER_KIND])
def cancellation_fee(order: Order) -> Money | Pass:
    """Say what is kept when a paid order is cancelled; of several answers the highest. Default: nothing."""
    return money(0, order.currency)


@extension_point("order.guard-cancellation", combine=combine.every, dimensions=[ORDER_KIND])
def guard_cancellation(order: Order) -> Verdict:
    """Refuse a cancellation: it is being cut already. Default: every order can be cancelled before it leaves."""
    return ALLOW


@extension_point("order.guard-transition", combine=combine.every, dimensions=[ORDER_KIND], until=date(2027, 6, 30))
def guard_transition(order: Order, wanted: OrderState) -> Verdict:
    """Hold an order where it is: not to be sent while it is looked into, not to run out while a bank is closed.

    Asked before an order is paid, shipped, completed or runs out; cancelling has a guard of its own. A refusal to
    be paid comes before the money is taken. Default: every step is free.
    """
    return ALLOW


@extension_point("order.guard-return", combine=combine.every, dimensions=[ORDER_KIND])
def guard_return(order: Order, lines: tuple[ReturnLine, ...], now: datetime) -> Verdict:
    """Refuse a return: too late, not these goods. Default: what is returnable comes back at any time."""
    return ALLOW


@extension_point("order.refund-share", combine=combine.lowest, dimensions=[ORDER_KIND])
def refund_share(order: Order, line: OrderLine, reason: str) -> int | Pass:
    """Say how many percent of the paid share of a line go back; of several answers the lowest. Default: 100."""
    return 100
