"""What a line costs, decided: pure, exact until the one rounding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from isthmus.kernel import Pass, Verdict
from isthmus.kernel.host import AnswerFailed
from isthmus.language import mark
from isthmus.values import Applied, Money, money, rounded

from . import api

_UNROUNDED = api.LineRounding()  # to the whole minor unit, and no further
CHARGED_MAX = 10**15  # minor units: the most that Money can say


def listed_line(line: api.QuoteLine, entry: api.PriceEntry, now: datetime, order: dict[str, Any]) -> api.ListedLine:
    """Return a line with the price that its list gives, and with what the front end says of it and of its order."""
    currency = entry.currency
    return api.ListedLine(
        sku=line.sku,
        quantity=line.quantity,
        location=entry.location,
        price_list=entry.price_list,
        amount=Money(currency=currency, minor=entry.amount),
        sale_amount=None if entry.sale_amount is None else money(entry.sale_amount, currency),
        per=entry.per,
        valid_from=entry.valid_from,
        valid_to=entry.valid_to,
        now=now,
        line_attributes=line.attributes,
        order_attributes=order,
    )


def priced_line(
    line: api.ListedLine,
    price_id: UUID,
    is_sale_granted: bool | Pass,
    replaced: api.UnitPrice | Pass,
    rounding: api.LineRounding,
) -> api.PricedLine:
    """Price a line: what replaces its price, else the sale amount where it is granted, else the shelf's.

    Raises AnswerFailed where a replacement is below zero or in another currency.
    """
    shelf = line_amount(line.amount, line.per, line.quantity, rounding)
    unit, is_another = _unit_price(line, is_sale_granted, replaced)
    amount = shelf
    applied: tuple[Applied, ...] = ()
    if is_another:
        amount = line_amount(unit.amount, unit.per, line.quantity, rounding)
        applied = (Applied(by=unit.by, reason=unit.reason, amount=amount - shelf),)
    return api.PricedLine(
        sku=line.sku,
        quantity=line.quantity,
        list_amount=shelf,
        amount=amount,
        unit_price=line_amount(unit.amount, unit.per, 1, _UNROUNDED),
        price_id=str(price_id),
        price_list=line.price_list,
        applied=applied,
    )


def agreed_prices(
    lines: Sequence[api.QuoteLine], replaced: Sequence[api.UnitPrice | Pass]
) -> Sequence[api.UnitPrice | Pass]:
    """Return what takes the place of the shelf's prices: what was agreed goes before what a front end says now."""
    if {line.agreed for line in lines} == {None}:
        return replaced
    by, reason = mark("agreement"), mark("agreed price")
    return [
        one if line.agreed is None else api.UnitPrice(amount=line.agreed, per=line.quantity, by=by, reason=reason)
        for line, one in zip(lines, replaced, strict=True)
    ]


def line_amount(amount: Money, per: int, quantity: int, rounding: api.LineRounding) -> Money:
    """Multiply exactly, then round once to whole steps."""
    if per == rounding.step == 1:  # most prices: a whole number needs no rounding
        return Money(currency=amount.currency, minor=amount.minor * quantity)
    exact = Fraction(amount.minor * quantity, per * rounding.step)
    return money(rounded(exact, rounding.rounding) * rounding.step, amount.currency)


def is_chargeable(line: api.PricedLine) -> bool:
    """Say whether both amounts are ones that Money can say."""
    return max(line.amount.minor, line.list_amount.minor) <= CHARGED_MAX


def price_faults(prices: Sequence[api.PriceEntry], verdicts: Sequence[Verdict]) -> Iterator[dict[str, str]]:
    """Yield what is wrong with prices, each with its path."""
    seen: dict[tuple[object, ...], int] = {}
    for place, (price, verdict) in enumerate(zip(prices, verdicts, strict=True)):
        first = seen.setdefault(key_of(price), place)
        for field, reason in (*_own_faults(price), *_double(place, first), *_vetoes(verdict)):
            yield {"path": f"$.prices[{place}]{field}", "sku": price.sku, "reason": reason}


def key_of(price: api.PriceEntry) -> tuple[object, ...]:
    """Return what two live prices never share."""
    return (price.price_list, price.sku, price.currency, price.location, price.min_quantity, price.valid_from)


def _unit_price(
    line: api.ListedLine, is_sale_granted: bool | Pass, replaced: api.UnitPrice | Pass
) -> tuple[api.UnitPrice, bool]:
    """Return the price that counts, and whether it is another than the shelf's."""
    if isinstance(replaced, api.UnitPrice):
        _check_replacement(line, replaced)
        return replaced, True
    if line.sale_amount is not None and is_sale_granted is True:
        by = mark(f"price list {line.price_list}")
        return api.UnitPrice(amount=line.sale_amount, per=line.per, by=by, reason=mark("sale price")), True
    return api.UnitPrice(amount=line.amount, per=line.per, by="", reason=""), False


def _check_replacement(line: api.ListedLine, replaced: api.UnitPrice) -> None:
    if replaced.amount.minor < 0 or replaced.per < 1 or replaced.amount.currency != line.amount.currency:
        raise AnswerFailed(
            f"{replaced.by!r} set the price of SKU {line.sku!r} to {replaced.amount} per {replaced.per}",
            remedy=f"answer with an amount in {line.amount.currency} that is not below zero",
        )


def _own_faults(price: api.PriceEntry) -> Iterator[tuple[str, str]]:
    if price.valid_to is not None and price.valid_to <= price.valid_from:
        yield ".valid_to", "it ends before it begins"
    if price.sale_amount is not None and price.sale_amount > price.amount:
        yield ".sale_amount", f"its sale amount {price.sale_amount} is above its amount {price.amount}"


def _double(place: int, first: int) -> Iterator[tuple[str, str]]:
    if first != place:
        yield "", f"$.prices[{first}] has the same key"


def _vetoes(verdict: Verdict) -> Iterator[tuple[str, str]]:
    for no in verdict.vetoes:
        yield no.path or "", f"{no.by} says: {no.reason}"
