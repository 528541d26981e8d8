"""Bills, as others may name them: what a purchase costs, why, and what would keep it from being made."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Value, errors
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import Applied, CurrencyCode, Money, Quantity, Sku


class BasketChanged(errors.Conflict):
    """The basket was changed, or ordered, while this order was being placed."""

    slug = "checkout.basket-changed"

    def __init__(self, *, basket_id: UUID) -> None:
        super().__init__(
            f"basket {basket_id} was changed or ordered meanwhile",
            remedy="show it again with order.get-basket, and place the order if there is something in it",
            path="$.basket_id",
            basket_id=basket_id,
        )


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
    instead_of: Sku | None = None  # what was wanted, and is short


class Shortage(Value):
    """Too little stock for a line."""

    path: str
    sku: Sku
    wanted: int
    available: int


class Substitute(Value):
    """What the front end offers instead of goods that are short, in the same quantity."""

    path: str
    instead_of: Sku
    offer: catalog.Alternative


class Drift(Value):
    """A line of a basket that costs something else than it was shown to."""

    path: str
    sku: Sku
    shown: Money
    now: Money


class Bill(Value):
    """What a purchase costs, and why."""

    currency: CurrencyCode
    lines: tuple[BillLine, ...]
    goods: Money
    discounts: tuple[promotion.Discount, ...]
    missed: tuple[promotion.Missed, ...]
    delivery: fulfilment.DeliveryQuote | None  # none: taken along in the shop
    delivery_fee: Money  # to be paid, after discounts, tax included
    tax: Money
    tax_summary: tuple[tax.RateSummary, ...]
    total: Money


class OrderPreview(Value):
    """A bill, and what would keep the order from being placed."""

    bill: Bill
    shortages: tuple[Shortage, ...]
    substitutes: tuple[Substitute, ...]  # for what is short, where the front end offers any
    refusals: tuple[str, ...]
    due_now: Money  # less than the total where a deposit is enough
    parts: tuple[str, ...]  # the orders that it would be split into
    drifted: tuple[Drift, ...]  # lines of a basket that cost something else than they were shown to
    can_be_placed: bool
