"""What happens, as rules of booking see it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value, event
from isthmus.values import Money

Kind = Literal[
    "payment-captured",
    "payment-received",
    "payment-refunded",
    "goods-delivered",
    "goods-returned",
    "order-cancelled",
    "deposit-forfeited",
    "points-moved",
    "points-honoured",
    "points-lapsed",
    "points-spent-elsewhere",
    "stock-sold",
    "stock-bought",
    "discount-borne",
    "credit-sold",
    "credit-given",
    "credit-redeemed",
    "credit-expired",
    "credit-moved-elsewhere",
    "owed-elsewhere",
    "chargeback-opened",
    "chargeback-won",
    "chargeback-lost",
]


class PromotionShare(Value):
    """What a promotion took off a line."""

    promotion: str
    amount: Money


class SoldLine(Value):
    """What of a line was delivered or came back. total: what is paid for it, tax included, after discounts.

    commission is what the front end keeps of goods that it sells for somebody else. Of a small part it may round to
    nothing: `is_for_another` says whose they are. promotions divide the discount of this part.
    """

    sku: str
    seller: str
    tax_category: str
    jurisdiction: str
    total: Money
    tax: Money
    discount: Money
    commission: Money
    promotions: tuple[PromotionShare, ...] = ()
    line: int = 0
    is_for_another: bool = False
    taxed_at: str | None = None  # percent, or a code of why none is due; empty: not known; none: turnover is not kept


class Owed(Value):
    """What another is to pay, or to be paid: another front end, or whoever else bears a part."""

    owner: str  # as accounts have it: front-end/fresh, seller/17
    amount: Money
    account: str = ""  # of what stands in the other's books: where it stands there, signed as it is there


class Happening(Value):
    """Something that moves money, goods or points. amount is what it is about in all; the rest says of what it is."""

    kind: Kind
    amount: Money
    reference: str  # an order, a group of orders, or what a payment was for
    order_kind: str = "standard"
    channel: str = "online"
    method: str = ""
    provider: str = ""
    fee: Money | None = None  # what the provider keeps
    is_for_goods: bool = True  # of a refund: owed for an order or a return, and no allowance
    lines: tuple[SoldLine, ...] = ()
    delivery_fee: Money | None = None
    delivery: SoldLine | None = None  # the fee as it was taxed
    member_id: UUID | None = None
    points: int = 0
    reason: str = ""
    value_date: date | None = None  # of what counts for another day than today
    owed: tuple[Owed, ...] = ()  # between front ends, and by who bears a discount; together they are the amount


class Booked(Value):
    """How many entries were booked."""

    entries: Annotated[int, Meta(ge=0)]


class DueLine(Value):
    """What one line makes due to another: gross less commission. Negative: the other one owes it."""

    reference: str  # once
    owner: str  # as accounts have it: seller/17, front-end/fresh
    gross: Money
    commission: Money
    line: int | None = None


@event("bookkeeping.became-due", version="1.0", subject="reference")
class BecameDue(Value):
    """Others are due something, or owe it: so much as was booked with the entry of this reference."""

    reference: str
    kind: Kind
    about: str  # an order, or what passed between front ends
    lines: tuple[DueLine, ...]
