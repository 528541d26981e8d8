"""Adding up a bill: pure arithmetic over what the domains answered."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.packs.promotion import api as promotion
from isthmus.values import Money, money


def shares_by_line(discounts: Sequence[promotion.Discount], lines: int, currency: str) -> tuple[Money, ...]:
    """Return how much all discounts together take off each line."""
    off = [0] * lines
    for discount in discounts:
        for share in discount.shares:
            off[share.line] += share.amount.minor
    return tuple(money(minor, currency) for minor in off)


def delivery_discount(discounts: Sequence[promotion.Discount], currency: str) -> Money:
    """Return how much the discounts that aim at delivery take off its fee."""
    return money(sum(one.amount.minor for one in discounts if one.target == "delivery"), currency)


def added(amounts: Sequence[Money], currency: str) -> Money:
    """Add up amounts; of none, nothing in the currency."""
    return sum(amounts, start=money(0, currency))
