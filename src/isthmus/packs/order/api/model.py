"""What an order is, as others may name it: drafts, discounts with their shares, lines, history."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii
from isthmus.values import LINES_MAX, Address, Applied, CurrencyCode, Moment, Money, Quantity, Sku, attributes_of

DISCOUNTS_MAX = 100

OrderAttributes = Annotated[dict[str, Any], attributes_of("order.order")]
LineAttributes = Annotated[dict[str, Any], attributes_of("order.line")]
Email = Annotated[str, Pii("email"), Meta(max_length=254)]


class OrderState(enum.StrEnum):
    PLACED = "placed"
    PAID = "paid"
    PART_SHIPPED = "part-shipped"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Taxed(Value):
    """How an amount was taxed: by whose rates, in which category, and at which rate in all, or why at none.

    Without a rate it is not known, as where a front end charges no tax anywhere.
    """

    jurisdiction: str
    category: str
    rate_ppm: int | None = None
    exempt_because: str = ""


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
    attributes: LineAttributes = {}
    taxed: Taxed | None = None


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
    attributes: OrderAttributes = {}
    delivery_tax: Money | None = None  # in the delivery fee
    delivery_taxed: Taxed | None = None


class DiscountShare(Value):
    """What a line has of a discount; `line` counts the lines of the draft from 0."""

    line: Annotated[int, Meta(ge=0, lt=LINES_MAX)]
    amount: Money


class DraftDiscount(Value):
    """What a promotion takes off: off lines, and then its shares add up to it, or off the delivery fee."""

    promotion: str
    amount: Money
    coupon: Annotated[str | None, Pii("identifier")] = None
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
    supplements: UUID | None = None  # the order that it was added to: both together were validated


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
    closed: int = 0  # will never be sent


class HistoryEntry(Value):
    """Who did what when."""

    at: Moment
    by: str
    what: str
    note: Annotated[str, Pii("free-text")]


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
    coupons: tuple[Annotated[str, Pii("identifier")], ...]  # one may be a person's own
    placed_at: Moment
    pay_before: Moment | None
    history: tuple[HistoryEntry, ...]
    attributes: OrderAttributes = {}
    supplements: UUID | None = None  # the order that this was added to after that was paid
    review_until: Moment | None = None  # somebody looks at it, and decides until then
    delivery_tax: Money | None = None  # in the delivery fee
    delivery_taxed: Taxed | None = None
