"""What leaves of the rows that a statement found: no amounts of two currencies in one, the groups asked for, in order.

It comes after what few people stand behind is hidden, so that neither a bound on a number nor its rank shows it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from isthmus.kernel import errors
from isthmus.markings import Operator, Where

from ..errors import MixedCurrencies
from ..query.plan import Plan

_COMPARED: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def kept(rows: list[dict[str, Any]], having: Iterable[Where]) -> list[dict[str, Any]]:
    """Return the rows that pass every condition on a metric. An empty or hidden number passes `is null` alone."""
    for one in having:
        passes = _passing(one)
        rows = [row for row in rows if passes(row[one.field])]
    return rows


def check_currencies(planned: Plan, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise MixedCurrencies where a number adds up amounts in several currencies, or in one and in none."""
    for name, pairs in planned.currencies.items():
        for row in rows:
            codes = {row[f"{end} currency {at} of {name}"] for at in range(len(pairs)) for end in ("least", "greatest")}
            codes.discard(None)
            if len(codes) > 1:
                field = pairs[0][0].field
                shown = ", ".join(sorted(codes - {""})) + (" and without a currency" if "" in codes else "")
                remedy = f"group by {field}, or filter by one currency"
                if "" not in codes:
                    remedy += f", or have them converted: --in {min(codes)} (over HTTP `currency`), by the lake's rates"
                raise MixedCurrencies(f"metric {name!r} would add up amounts in {shown}", remedy=remedy)


def ordered(rows: list[dict[str, Any]], order: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Sort as SQL would have, with hidden and empty values last, so that a hidden number's rank does not show."""
    rest = [name for name in columns if name not in {one.lstrip("-") for one in order}]
    for one in reversed([*order, *rest]):
        name = one.lstrip("-")
        known = sorted((row for row in rows if row[name] is not None), key=lambda row: row[name], reverse=one[0] == "-")
        rows = known + [row for row in rows if row[name] is None]
    return rows


def _passing(one: Where) -> Callable[[Any], bool]:
    if one.op == "is null":
        return lambda value: value is None
    if one.op == "is not null":
        return lambda value: value is not None
    if one.op not in _COMPARED or isinstance(one.value, tuple):
        raise errors.BadAsk(
            f"{one.field} {one.op} is no condition on a metric", remedy=f"use one of {', '.join(_COMPARED)}",
            path="$.having",
        )  # fmt: skip
    compare, bound = _COMPARED[one.op], _number(one)
    return lambda value: value is not None and compare(Decimal(str(value)), bound)


def _number(one: Where) -> Decimal:
    try:
        found = Decimal(str(one.value))
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise errors.BadAsk(f"{one.value!r} is no number", remedy="compare a metric with a number", path="$.having")
    return found
