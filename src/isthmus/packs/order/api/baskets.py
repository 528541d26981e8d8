"""Baskets, as others may name them: what a buyer is about to buy, and what it was last shown to cost.

A basket is opened, filled, merged and read; ordering it empties it. It holds no prices: `shown` is what
the buyer saw, so that a preview can say what has changed since.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import LINES_MAX, Code, CurrencyCode, Money, Quantity, Sku

from .errors import BasketFull, BasketsDiffer, UnknownBasket
from .model import LineAttributes


class BasketLine(Value):
    """So much of a SKU in a basket, and what it was last shown to cost."""

    sku: Sku
    quantity: Quantity
    shown: Money | None = None
    attributes: LineAttributes = {}


class Basket(Value):
    """A basket as it stands."""

    basket_id: UUID
    member_id: UUID | None
    currency: CurrencyCode
    lines: tuple[BasketLine, ...]
    coupons: tuple[str, ...]
    version: int


class OpenBasket(Value):
    """Open an empty basket."""

    currency: CurrencyCode
    member_id: UUID | None = None


class SetLine(Value):
    """A quantity to set; `shown` is what the line was shown to cost."""

    sku: Sku
    quantity: Annotated[int, Meta(ge=0, le=1_000_000)]
    shown: Money | None = None
    attributes: LineAttributes | None = None  # None: as they are


class SetLines(Value):
    """Set quantities in a basket: of these SKUs so much, 0 to take one out; others stay."""

    basket_id: UUID
    lines: Annotated[tuple[SetLine, ...], Meta(min_length=1, max_length=LINES_MAX)]


class SetCoupons(Value):
    """Set the coupons of a basket."""

    basket_id: UUID
    coupons: Annotated[tuple[Code, ...], Meta(max_length=10)]


class MergeBasket(Value):
    """Put what is in another basket into this one, a guest's into a member's. Safe to repeat."""

    basket_id: UUID
    from_basket_id: UUID


class GetBasket(Value):
    """Ask for a basket."""

    basket_id: UUID


@capability("order.open-basket", version="1.0", effect=Effect.WRITE)
def open_basket(ask: OpenBasket) -> Basket:
    """Open an empty basket for a member, or a guest."""
    ...


@capability("order.set-lines", version="1.0", effect=Effect.WRITE, raises=[UnknownBasket, BasketFull, BasketsDiffer])
def set_lines(ask: SetLines) -> Basket:
    """Add, change and take out lines, all or none."""
    ...


@capability("order.set-coupons", version="1.0", effect=Effect.WRITE, raises=[UnknownBasket])
def set_coupons(ask: SetCoupons) -> Basket:
    """Set the coupons that the basket is to be priced with."""
    ...


@capability("order.merge-basket", version="1.0", effect=Effect.WRITE, raises=[UnknownBasket, BasketFull, BasketsDiffer])
def merge_basket(ask: MergeBasket) -> Basket:
    """Put a guest's basket into a member's: quantities add up, coupons come together, the other is empty after.

    Refused for baskets of two currencies, and for those of two members: one would pay for the other's goods.
    """
    ...


@capability("order.get-basket", version="1.0", effect=Effect.READ, raises=[UnknownBasket])
def get_basket(ask: GetBasket) -> Basket:
    """Return a basket."""
    ...
