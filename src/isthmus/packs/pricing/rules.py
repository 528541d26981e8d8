"""Pricing, decided: which entry holds, and what a line costs."""

from __future__ import annotations

from fractions import Fraction

from isthmus.values import money, rounded

from . import api


def amounts(entry: api.PriceEntry, quantity: int, takes_sale: bool) -> tuple[int, int]:
    """Return (list, to be paid) of a line in minor units, each rounded once, half up."""
    listed = line_amount(entry.list_minor, entry.per, quantity)
    if not takes_sale or entry.sale_minor is None:
        return listed, listed
    return listed, line_amount(entry.sale_minor, entry.per, quantity)


def line_amount(minor: int, per: int, quantity: int) -> int:
    """Return what a quantity costs where `per` units cost `minor`."""
    return rounded(Fraction(minor * quantity, per))


def priced(line: api.UnitPrice, applied: tuple[api.Applied, ...]) -> api.PricedLine:
    """Finish a line with its price for one unit."""
    return api.PricedLine(
        sku=line.sku,
        quantity=line.quantity,
        list_amount=line.list_amount,
        amount=line.amount,
        unit_price=money(rounded(Fraction(line.amount.minor, line.quantity)), line.amount.currency),
        applied=applied,
    )
