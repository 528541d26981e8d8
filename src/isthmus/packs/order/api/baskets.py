"""Baskets, as others may name them: what a buyer is about to buy, and what it was last shown to cost.

A basket is opened, filled, merged and read; ordering it empties it. It holds no prices: `shown` is what
the buyer saw, so that a preview can say what has changed since. Lines are the same where SKU and attributes are:
a ring with another engraving is a line of its own.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.markings import Pii
from isthmus.values import LINES_MAX, QUANTITY_MAX, CurrencyCode, GivenCode, Money, Quantity, Sku

from .errors import (
    BasketFull,
    BasketsDiffer,
    LineUnclear,
    QuantityTooLarge,
    TooManyCoupons,
    UnknownBasket,
    UnknownMember,
)
from .model import LineAttributes

COUPONS_MAX = 10  # of a basket: more than that nobody can explain


class BasketLine(Value):
    """So much of a SKU in a basket, and what it was last shown to cost."""

    sku: Sku
    quantity: Quantity
    shown: Money | None = None
    shown_lines: int = 1  # of so many lines `shown` is the sum, each rounded by itself
    attributes: LineAttributes = {}


class Basket(Value):
    """A basket as it stands."""

    basket_id: UUID
    member_id: UUID | None
    currency: CurrencyCode
    lines: tuple[BasketLine, ...]
    coupons: tuple[Annotated[str, Pii("identifier")], ...]  # one may be a person's own
    version: int


class OpenBasket(Value):
    """Open an empty basket."""

    currency: CurrencyCode
    member_id: UUID | None = None


class SetLine(Value):
    """A quantity to set; `shown` is what the line was shown to cost.

    With attributes it is the line that has just these. Without, it is the one line of its SKU, as it is.
    """

    sku: Sku
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
    shown: Money | None = None
    attributes: LineAttributes | None = None


class SetLines(Value):
    """Set quantities in a basket: of these lines so much, 0 to take one out; others stay."""

    basket_id: UUID
    lines: Annotated[tuple[SetLine, ...], Meta(min_length=1, max_length=LINES_MAX)]


class SetCoupons(Value):
    """Set the coupons of a basket."""

    basket_id: UUID
    coupons: Annotated[tuple[GivenCode, ...], Meta(max_length=COUPONS_MAX)]


class MergeBasket(Value):
    """Put what is in another basket into this one, a guest's into a member's. Safe to repeat."""

    basket_id: UUID
    from_basket_id: UUID


class GetBasket(Value):
    """Ask for a basket."""

    basket_id: UUID


@event("order.basket-opened", version="1.0", subject="basket_id")
class BasketOpened(Value):
    """A basket was opened for a member."""

    basket_id: UUID
    member_id: UUID
    currency: CurrencyCode


@capability("order.open-basket", version="1.0", effect=Effect.WRITE, raises=[UnknownMember])
def open_basket(ask: OpenBasket) -> Basket:
    """Open an empty basket for a member, or a guest."""
    ...


@capability(
    "order.set-lines",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownBasket, BasketFull, BasketsDiffer, LineUnclear],
)
def set_lines(ask: SetLines) -> Basket:
    """Add, change and take out lines, all or none.

    Where a SKU stands in several lines, attributes say which one is meant; 0 without any takes out all of them. To
    change what is said of a line, take it out and add it as it is to be, in one ask.
    """
    ...


@capability("order.set-coupons", version="1.0", effect=Effect.WRITE, raises=[UnknownBasket])
def set_coupons(ask: SetCoupons) -> Basket:
    """Set the coupons that the basket is to be priced with."""
    ...


@capability(
    "order.merge-basket",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownBasket, BasketFull, BasketsDiffer, QuantityTooLarge, TooManyCoupons],
)
def merge_basket(ask: MergeBasket) -> Basket:
    """Put a guest's basket into a member's: quantities add up, coupons come together, the other is empty after.

    Lines add up where they are the same in all that is said of them, and so does what they were shown to cost.
    Refused for baskets of two currencies, and for those of two members: one would pay for the other's goods; and
    where both together are more than one may hold.
    """
    ...


@capability("order.get-basket", version="1.0", effect=Effect.READ, raises=[UnknownBasket])
def get_basket(ask: GetBasket) -> Basket:
    """Return a basket."""
    ...
