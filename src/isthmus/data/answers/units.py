"""What the numbers of an answer count, for people to read: amounts in whole units of their currency, not in cents."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from isthmus.kernel import errors
from isthmus.values import decimals

from ..model.ask import Ask
from ..model.expression import cells
from ..privacy.policy import Policy
from ..query.money import currency_field
from ..query.plan import Plan
from .metrics import Answer, Metrics

MINOR: Final = "minor"  # the unit of an amount whose currency is not known to be one

Units = Mapping[str, tuple[str, int]]  # by metric: what it counts, and how many decimals of it


def units_of(metrics: Metrics, answer: Answer, policy: Policy) -> dict[str, tuple[str, int]]:
    """Return the unit of each metric and its decimals; amounts are in the one currency that they have."""
    ask = answer.receipt.ask
    plan = metrics.plan(ask, policy)
    found = {name: (plan.model.unit(name), 0) for name in plan.metrics}
    for name in [name for name, (unit, _) in found.items() if unit == MINOR]:
        code = ask.currency or _one_code(metrics, plan, policy, name)
        if code:
            found[name] = (code, decimals(code))
    others = {unit for unit in found.values() if unit[1]}
    nothing = {name for name, unit in found.items() if unit[0] == MINOR and not any(row[name] for row in answer.rows)}
    return found | dict.fromkeys(nothing, others.pop()) if len(others) == 1 else found  # zero of the same money


def codes_in(metrics: Metrics, answer: Answer, policy: Policy) -> dict[str, str]:
    """Return the column that says in which currency each amount is, where the answer is grouped by it."""
    plan = metrics.plan(answer.receipt.ask, policy)
    columns = [by.asked for by in plan.by]
    names = {name: _currency_fields(plan, name) for name in plan.metrics}
    return {
        name: column
        for name, fields in names.items()
        for column in columns
        if column in fields | {field.rpartition(".")[2] for field in fields}
    }


def amount(row: Mapping[str, Any], name: str, units: Units, codes: Mapping[str, str]) -> tuple[Any, str]:
    """Return a number of a row as people write it, and its currency where it is money of a known one."""
    value, (unit, places) = row[name], units.get(name, ("", 0))
    if unit == MINOR and row.get(codes.get(name, "")):
        unit = str(row[codes[name]])
        places = decimals(unit)
    if value is None or unit == MINOR or not _is_code(unit):
        return value, unit if _is_code(unit) else ""
    exact = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    return exact.scaleb(-places).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP), unit


def _is_code(unit: str) -> bool:
    return len(unit) == 3 and unit.isupper() and unit.isascii()


def _currency_fields(plan: Plan, name: str) -> set[str]:
    return {currency_field(plan.model, cell) for cell in cells(plan.metrics[name])} - {""}


def _one_code(metrics: Metrics, plan: Plan, policy: Policy, name: str) -> str:
    """Return the currency that all amounts of a metric are in, as the asker may see; empty for several or none."""
    fields = _currency_fields(plan, name)
    if not fields:
        return ""
    times = tuple(by.asked for by in plan.by if by.field == "time")  # some run over time
    try:
        rows = metrics.ask(
            Ask(metrics=(name,), by=(min(fields), *times), where=plan.ask.where, as_of=plan.ask.as_of),
            policy,
            is_kept=False,
        ).rows
    except errors.IsthmusError:
        return ""
    codes = {str(row[min(fields)] or "") for row in rows if row[name]}
    return codes.pop() if len(codes) == 1 else ""
