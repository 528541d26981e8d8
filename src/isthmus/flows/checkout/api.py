"""The way from a basket to a paid order.

    preview-order    says what placing would do; nothing is written
    place-order      one transaction: number, stock, coupons, order, receivable, events; or nothing at all
    pay-order        authorise with the provider, confirm, capture; undone in reverse where a step fails
    confirm-payment  what follows from a payment, from whichever side the news comes first
    cancel-order     before shipping: money, stock, coupons and points go back
    expire-orders    unpaid orders run out and give back what they held

A flow owns no table. The total that was shown is charged, or the order is refused with `checkout.price-changed`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, errors, flow
from isthmus.markings import Pii
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import Address, Applied, Code, CurrencyCode, Lines, Money, Quantity, Sku

COUPONS_MAX = 10
EXPIRE_MAX = 200

CouponCodes = Annotated[tuple[Code, ...], Meta(max_length=COUPONS_MAX)]


class PreviewOrder(Value):
    """Ask what placing this order would do."""

    lines: Lines
    currency: CurrencyCode
    member_id: UUID | None = None
    address: Address | None = None
    delivery_method: Code | None = None
    slot_id: UUID | None = None
    location: Code | None = None  # the shop that sells, where it is one
    coupons: CouponCodes = ()
    order_kind: str = "standard"
    channel: str = "online"


class BillLine(Value):
    """One line of a bill: list price, what came off, tax, and what is to be paid."""

    sku: Sku
    title: str
    quantity: Quantity
    unit: str
    seller: str
    list_amount: Money
    amount: Money  # after the price rules, before discounts
    discount: Money
    tax: Money
    total: Money  # to be paid, tax included
    applied: tuple[Applied, ...] = ()


class Shortage(Value):
    """Too little stock for a line."""

    path: str
    sku: Sku
    wanted: int
    available: int


class Bill(Value):
    """What a purchase costs, and why."""

    currency: CurrencyCode
    lines: tuple[BillLine, ...]
    goods: Money
    discounts: tuple[promotion.Discount, ...]
    missed: tuple[promotion.Missed, ...]
    delivery: fulfilment.DeliveryQuote
    delivery_fee: Money  # to be paid, after discounts, tax included
    tax: Money
    tax_summary: tuple[tax.RateSummary, ...]
    total: Money


class OrderPreview(Value):
    """A bill, and what would keep the order from being placed."""

    bill: Bill
    shortages: tuple[Shortage, ...]
    can_be_placed: bool


class PlaceOrder(Value):
    """Order these goods, or what is in a basket."""

    lines: Annotated[Lines | None, Meta(description="what to buy; or name a basket")] = None
    basket_id: UUID | None = None
    currency: CurrencyCode
    member_id: UUID | None = None
    contact_email: Annotated[str, Pii("email"), Meta(max_length=254)] = ""
    address: Address | None = None
    delivery_method: Code | None = None
    slot_id: UUID | None = None
    location: Code | None = None
    coupons: CouponCodes = ()
    expected_total: Money | None = None  # what the buyer was shown; another total is refused
    paid_at_till: Code | None = None  # how it was paid on the spot (cash, card); None: payment is still to come
    order_kind: str = "standard"
    channel: str = "online"


class PlacedOrder(Value):
    """One group of orders, with the payment that is open for all of them."""

    group_id: UUID
    orders: tuple[order.OrderBrief, ...]
    payment_id: UUID
    bill: Bill
    pay_before: datetime | None


class PayOrder(Value):
    """Pay for a group of orders."""

    payment_id: UUID
    method: Code
    token: Annotated[str, Pii("payment-token"), Meta(max_length=255)]  # from the provider's own form; no card number passes here


class Paid(Value):
    """How a payment stands, and the orders that it pays for."""

    payment_id: UUID
    state: str
    orders: tuple[order.OrderBrief, ...]


class ConfirmPayment(Value):
    """Carry out what follows from a payment that has been authorised or captured. Safe to repeat."""

    payment_id: UUID


class CancelOrder(Value):
    """Cancel one order before it is shipped."""

    order_id: UUID
    reason: Annotated[str, Meta(min_length=1, max_length=240)]


class Cancelled(Value):
    """What cancelling gave back."""

    order: order.OrderBrief
    refunded: Money
    fee: Money  # kept by the shop's cancellation policy


class ExpireOrders(Value):
    """Let unpaid orders run out whose time is over."""

    limit: Annotated[int, Meta(ge=1, le=EXPIRE_MAX)] = EXPIRE_MAX


class Expired(Value):
    """How many orders ran out; fewer than the limit means that none is left."""

    orders: int


class PriceChanged(errors.Conflict):
    """The total is not the one that the buyer was shown."""

    slug = "checkout.price-changed"

    def __init__(self, *, shown: Money, now: Money) -> None:
        super().__init__(
            f"the total is {now}, and {shown} was shown",
            remedy="show the new total with checkout.preview-order and ask the buyer again",
            path="$.expected_total",
            shown=str(shown),
            now=str(now),
        )


class NothingToBuy(errors.BadAsk):
    """Neither lines nor a basket with lines."""

    slug = "checkout.nothing-to-buy"

    def __init__(self) -> None:
        super().__init__(
            "there is nothing to buy", remedy="send lines, or the basket_id of a basket that has some", path="$.lines"
        )
