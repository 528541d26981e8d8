"""The rules of Coffee: each answers one extension point, alone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from isthmus.kernel import answers
from isthmus.packs.catalog import api as catalog
from isthmus.packs.pricing import api as pricing
from isthmus.values import Buyer

OPENING_PRICE = Fraction(90, 100)  # the first weeks cost a tenth less


@answers(pricing.adjust_unit_price)
def opening_price(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice]:
    """Sell everything a tenth cheaper while the shop is new."""
    return [
        pricing.UnitPrice(
            amount=line.amount.times(OPENING_PRICE), per=line.per, by="opening price", reason="the shop is new"
        )
        for line in lines
    ]


@answers(catalog.choose_search)
def own_search(text: str) -> str:
    """Find goods with Acme's own search service."""
    return "shelf"
