"""Orders, decided: how lines are parted, what a state leads to, what a return is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from isthmus.values import Money, Rounding, money, rounded

from . import api

State = api.OrderState
BASKET_LINES_MAX = 1_000

LEADS_TO: Mapping[State, frozenset[State]] = {
    State.PLACED: frozenset({State.PAID, State.CANCELLED, State.EXPIRED}),
    State.PAID: frozenset({State.PART_SHIPPED, State.SHIPPED, State.CANCELLED}),
    State.PART_SHIPPED: frozenset({State.PART_SHIPPED, State.SHIPPED}),
    State.SHIPPED: frozenset({State.COMPLETED}),
    State.COMPLETED: frozenset(),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset(),
}
ENDED = frozenset({State.COMPLETED, State.CANCELLED, State.EXPIRED})

RETURN_LEADS_TO: Mapping[api.ReturnState, frozenset[api.ReturnState]] = {
    api.ReturnState.REQUESTED: frozenset({api.ReturnState.APPROVED, api.ReturnState.REJECTED}),
    api.ReturnState.APPROVED: frozenset({api.ReturnState.RECEIVED}),
    api.ReturnState.REJECTED: frozenset(),
    api.ReturnState.RECEIVED: frozenset({api.ReturnState.REFUNDED}),
    api.ReturnState.REFUNDED: frozenset(),
}


def parted(keys: Sequence[str]) -> dict[str, list[int]]:
    """Return the lines of each part, parts in the order of their first line."""
    parts: dict[str, list[int]] = {}
    for line, key in enumerate(keys):
        parts.setdefault(key, []).append(line)
    return parts


def totals(draft: api.Draft, parts: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the total of each part in minor units; the delivery fee is on the first."""
    sums = [sum(draft.lines[line].total.minor for line in lines) for lines in parts.values()]
    return [total + (draft.delivery_fee.minor if at == 0 else 0) for at, total in enumerate(sums)]


def miscounted(draft: api.Draft) -> str:
    """Say where the amounts of a draft do not add up, or nothing."""
    for at, line in enumerate(draft.lines):
        if not 0 <= line.discount.minor <= line.amount.minor:
            return f"line {at} has a discount of {line.discount} on {line.amount}"
    total = sum(line.total.minor for line in draft.lines) + draft.delivery_fee.minor
    return "" if total == draft.total.minor else f"the lines and delivery add up to {total}, not {draft.total.minor}"


def refund_of(line: api.OrderLine, quantity: int, percent: int) -> Money:
    """Return what giving back so much of a line is worth: its share of what was paid, never more than is left.

    The share is reckoned on all that has come back, so that the parts of a line add up to the whole.
    """
    share = Fraction(line.total.minor * percent, 100 * line.quantity)
    due = rounded(share * (line.returned + quantity), Rounding.HALF_UP) - rounded(share * line.returned)
    left = line.total.minor - line.refunded.minor
    return money(max(0, min(due, left)), line.total.currency)


def changed_lines(have: Sequence[api.BasketLine], wanted: Sequence[api.SetLine]) -> list[api.BasketLine]:
    """Return a basket's lines after quantities were set; 0 takes a line out."""
    lines = {line.sku: line for line in have}
    for one in wanted:
        if one.quantity == 0:
            lines.pop(one.sku, None)
        else:
            lines[one.sku] = api.BasketLine(sku=one.sku, quantity=one.quantity, shown=one.shown)
    return list(lines.values())


def merged_lines(one: Sequence[api.BasketLine], other: Sequence[api.BasketLine]) -> list[api.BasketLine]:
    """Return the lines of two baskets; quantities of the same SKU add up."""
    lines = {line.sku: line for line in one}
    for line in other:
        have = lines.get(line.sku)
        quantity = min(line.quantity + (have.quantity if have else 0), 1_000_000)
        lines[line.sku] = api.BasketLine(sku=line.sku, quantity=quantity, shown=have.shown if have else line.shown)
    return list(lines.values())
