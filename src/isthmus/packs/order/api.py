"""Orders, as others may name them: baskets, orders in groups, and what becomes of them.

    order:   place ──▶ placed ──mark-paid──▶ paid ──mark-shipped──▶ part-shipped ──▶ shipped ──complete──▶ completed
                         │ └─expire─▶ expired   │
                         └──────cancel──────────┴──▶ cancelled        (handed over in a shop: completed at once)
    return:  request ──▶ requested ──approve──▶ approved ──receive──▶ received ──settle──▶ refunded
                             └──reject──▶ rejected

What is placed together is one group; each order of it is what one seller or place sends. The total of a group is
the sum of its orders'. An order is kept as it was sold: prices, discounts, tax, the version of the rules. Numbers
count up within a front end: each server leases a block of them, so that no order waits for another, and a number
that was never used can be explained by its lease.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal
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
    Address,
    Applied,
    Code,
    CurrencyCode,
    Moment,
    Money,
    PageSize,
    Quantity,
    Sku,
    money,
)

from .api_baskets import *  # noqa: F403 - one api in two files
from .numbers import Numbers as Numbers
from .refusals import BadCursor as BadCursor
from .refusals import BasketFull as BasketFull
from .refusals import BasketsDiffer as BasketsDiffer
from .refusals import CancelRefused as CancelRefused
from .refusals import IllegalTransition as IllegalTransition
from .refusals import NotReturnable as NotReturnable
from .refusals import OrderRefused as OrderRefused
from .refusals import TransitionRefused as TransitionRefused
from .refusals import UnknownBasket as UnknownBasket
from .refusals import UnknownOrder as UnknownOrder
from .refusals import UnknownReturn as UnknownReturn

EXPIRE_MAX = 200  # groups in one transaction: it holds the lock of each
DISCOUNTS_MAX = 100
MERGED_MAX = 100

Email = Annotated[str, Pii("email"), Meta(max_length=254)]
Reason = Annotated[str, Meta(min_length=1, max_length=240)]


class OrderState(enum.StrEnum):
    PLACED = "placed"
    PAID = "paid"
    PART_SHIPPED = "part-shipped"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ReturnState(enum.StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    RECEIVED = "received"
    REFUNDED = "refunded"


class DraftLine(Value):
    """A line as it was priced: what is paid for it is `total` = amount − discount, with its tax added or in it."""

    sku: Sku
    title: str
    quantity: Quantity
    unit: str
    seller: str
    location: str
    tax_category: str
    list_amount: Money
    amount: Money
    discount: Money
    tax: Money
    total: Money
    is_returnable: bool = True
    applied: tuple[Applied, ...] = ()


class Draft(Value):
    """An order that is about to be placed, as extension points see it."""

    lines: Annotated[tuple[DraftLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    currency: CurrencyCode
    delivery_fee: Money  # to be paid, tax included
    total: Money
    member_id: UUID | None = None
    contact_email: Email = ""
    address: Annotated[Address | None, Pii("address")] = None
    delivery_method: str = ""
    slot_id: UUID | None = None
    coupons: tuple[str, ...] = ()
    order_kind: str = "standard"
    channel: str = "online"


class DiscountShare(Value):
    """What a line has of a discount; `line` counts the lines of the draft from 0."""

    line: Annotated[int, Meta(ge=0, lt=LINES_MAX)]
    amount: Money


class DraftDiscount(Value):
    """What a promotion takes off: off lines, and then its shares add up to it, or off the delivery fee."""

    promotion: str
    amount: Money
    coupon: str | None = None
    reason: str = ""
    target: Literal["lines", "delivery"] = "lines"
    shares: Annotated[tuple[DiscountShare, ...], Meta(max_length=LINES_MAX)] = ()


class PlaceOrder(Draft):
    """Write an order down as it was priced. `group_id` places once.

    Where `discounts` are given, each is the sum of its shares, and each line's discount is what it has of them.
    """

    group_id: UUID
    discounts: Annotated[tuple[DraftDiscount, ...], Meta(max_length=DISCOUNTS_MAX)] = ()
    pay_before: Moment | None = None  # None: it is paid already
    is_handed_over: bool = False  # paid and taken along: the order is complete at once
    plan: str = ""  # the version of the rules that it was sold under


class OrderBrief(Value):
    """An order in a few words."""

    order_id: UUID
    number: str
    state: OrderState
    part: str  # what the split key said: a seller, a place, or nothing
    lines: int
    total: Money


class PlacedGroup(Value):
    """The orders of a group, in the order of their numbers."""

    group_id: UUID
    orders: tuple[OrderBrief, ...]
    total: Money


class CheckDraft(Draft):
    """Ask whether an order would be accepted, and how it would be split; nothing is written."""


class DraftChecked(Value):
    """What would keep the order from being placed, and the parts that it would be split into."""

    refusals: tuple[str, ...]
    parts: tuple[str, ...]


class OrderLine(DraftLine):
    """A line of an order, and what has become of it."""

    line: int
    commission: Money  # of `total`, what the front end keeps from whose goods they are
    shipped: int
    returned: int
    refunded: Money


class HistoryEntry(Value):
    """Who did what when."""

    at: Moment
    by: str
    what: str
    note: str


class Order(Value):
    """An order, whole."""

    order_id: UUID
    group_id: UUID
    number: str
    state: OrderState
    part: str
    member_id: UUID | None
    contact_email: Email
    address: Annotated[Address | None, Pii("address")]
    order_kind: str
    channel: str
    box: str
    plan: str
    currency: CurrencyCode
    lines: tuple[OrderLine, ...]
    delivery_fee: Money
    delivery_method: str
    total: Money
    refunded: Money
    coupons: tuple[str, ...]
    placed_at: Moment
    pay_before: Moment | None
    history: tuple[HistoryEntry, ...]


class GetOrder(Value):
    """Ask for an order."""

    order_id: UUID


class GetGroup(Value):
    """Ask for the orders of a group."""

    group_id: UUID


class ListOrders(Value):
    """List orders, the latest first: all, or of a member, or in a state."""

    member_id: UUID | None = None
    merged_ids: Annotated[tuple[UUID, ...], Meta(max_length=MERGED_MAX)] = ()  # what the member was called before
    state: OrderState | None = None
    number: Annotated[str, Meta(max_length=40)] | None = None
    limit: PageSize = 50
    cursor: str | None = None


class OrderPage(Value):
    """Some orders, and how to go on."""

    items: tuple[Order, ...]
    next_cursor: str | None


class MarkPaid(Value):
    """Record that a group is paid."""

    group_id: UUID


class Cancel(Value):
    """Cancel an order before it leaves."""

    order_id: UUID
    reason: Reason


class CancelledOrder(Value):
    """The cancelled order, and what its front end keeps as a fee."""

    order: Order
    fee: Money
    was_paid: bool
    is_last_of_group: bool  # True where every other order of the group has ended too


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


@event("order.order-moved", version="1.0", subject="order_id")
class OrderMoved(Value):
    """An order is in another state."""

    order_id: UUID
    group_id: UUID
    state: OrderState
    note: str


@event("order.return-moved", version="1.0", subject="order_id")
class ReturnMoved(Value):
    """A return is in another state."""

    order_id: UUID
    return_id: UUID
    state: ReturnState
    refund: Money


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
    "order.cancel-order",
    version="1.0",
    is_internal=True,
    effect=Effect.WRITE,
    raises=[UnknownOrder, IllegalTransition, CancelRefused],
)
def cancel_order(ask: Cancel) -> CancelledOrder:
    """Cancel an order before anything of it has left, as far as its front end lets it."""
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
    return [money(0, line.total.currency) for line in lines]


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
