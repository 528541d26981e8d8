"""Truths that hold on any data, generated from the model: what breaks one is a fault of the compiler, or of the data.

groups add up to the total · a filter and its complement add up · days add up to months ·
leaving a dimension out is summing over it · a metric beside another is the metric alone
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isclose
from typing import Any, Final

from isthmus.data.answers.groupings import dimensions
from isthmus.kernel import errors
from isthmus.markings import Not, Scalar, Where

from ..answers.metrics import Metrics
from ..model.ask import METRICS_MAX, Ask
from ..model.expression import Expression, Measured, Total, cells
from ..privacy.policy import Policy

VALUES_MAX: Final = 3  # values of a dimension that filters are tried with


@dataclass(frozen=True, slots=True)
class Broken:
    """A truth that does not hold: both sides, and the asks that gave them."""

    truth: str
    metric: str
    asks: tuple[Ask, ...]
    one: float
    other: float

    def __str__(self) -> str:
        return f"{self.metric}: {self.truth}: {self.one} is not {self.other}; asked {self.asks}"


def broken(
    metrics: Metrics,
    policy: Policy,
    names: Sequence[str] = (),
    *,
    is_forced: bool = False,
    began: Callable[[int, int, str], None] = lambda at, count, name: None,
) -> list[Broken]:
    """Return every truth that does not hold for the metrics named, or for all; empty is the good case.

    With `is_forced` answers that rely on broken keys are taken as they come, to see what they would say. `began` is
    told before each metric: the how many-th it is, of how many, and its name.
    """
    found: list[Broken] = []
    named = list(names or metrics.seen_by(policy).metrics)
    additive: list[_Asker] = []
    for at, name in enumerate(named):
        began(at, len(named), name)
        asker = _Asker(metrics, policy, name, is_forced)
        roots = asker.additive_roots()
        if roots:
            additive.append(asker)
            found += [
                one for one in asker.checks(dimensions(metrics.seen_by(policy, [name]), roots)) if one is not None
            ]
    return found + list(_beside(metrics, policy, additive))


def _beside(metrics: Metrics, policy: Policy, askers: Sequence[_Asker]) -> Iterator[Broken]:
    """Yield the metrics that are another number when all that have a total are asked for at once.

    Asking each beside each takes as many questions as there are pairs, which was half the time of a check.
    """
    others = [name for name in metrics.model.metrics if _has_total(metrics, policy, name)]
    for asker in askers:
        own = asker.metric
        if own not in others and not _has_total(metrics, policy, own):
            continue
        chunks = [others[at : at + METRICS_MAX - 1] for at in range(0, len(others), METRICS_MAX - 1)]
        for chunk in chunks:
            together = Ask(metrics=tuple(dict.fromkeys((*sorted(chunk), own))))
            with suppress(errors.BadAsk):  # one of them means something else to others, so they cannot be together
                one = asker.compared("beside others it is the same", Ask(metrics=(own,)), together)
                if one is not None:
                    yield one


def _has_total(metrics: Metrics, policy: Policy, name: str) -> bool:
    try:
        metrics.ask(Ask(metrics=(name,)), policy, is_kept=False)
    except errors.IsthmusError:  # it has a meaning only by time, or what it counts is broken
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Asker:
    metrics: Metrics
    policy: Policy
    metric: str
    is_forced: bool

    def additive_roots(self) -> frozenset[str]:
        """Return the entities that the metric counts, or none where it does not add up by nature."""
        roots: set[str] = set()
        for by in ((), ("time:month",)):
            try:
                expression = self.metrics.plan(Ask(metrics=(self.metric,), by=by)).metrics[self.metric]
            except errors.BadAsk:  # it has a meaning only by time, or no time at all
                if not by:
                    return frozenset()
                continue
            if not _is_additive(expression):
                return frozenset()
            roots |= {cell.root for cell in cells(expression)}
        return frozenset(roots)

    def checks(self, names: Sequence[str]) -> Iterator[Broken | None]:
        total = Ask(metrics=(self.metric,))
        whole = self._sum(total)
        for name in names:
            by = Ask(metrics=(self.metric,), by=(name,))
            groups = self._rows(by)
            yield self._same("groups add up to the total", (total, by), whole, self._added(groups))
            for value in _values(groups, name):
                where = Where(name, "=", value) if value is not None else Where(name, "is null")
                inside = Ask(metrics=(self.metric,), where=(where,))
                outside = Ask(metrics=(self.metric,), where=(Not(where),))
                both = self._sum(inside) + self._sum(outside)
                yield self._same("a filter and its complement add up", (total, inside, outside), whole, both)
        for one, other in itertools.pairwise(names):
            both_by, one_by = Ask(metrics=(self.metric,), by=(one, other)), Ask(metrics=(self.metric,), by=(one,))
            yield from self._regrouped("leaving a dimension out is summing over it", both_by, one_by, _same_value)
        yield from self._times()

    def _times(self) -> Iterator[Broken | None]:
        days, months = (Ask(metrics=(self.metric,), by=(f"time:{grain}",)) for grain in ("day", "month"))
        try:
            yield from self._regrouped("days add up to months", days, months, _month)
        except errors.BadAsk:  # it has no time
            return

    def compared(self, truth: str, one: Ask, other: Ask) -> Broken | None:
        """Return the broken truth where the metric is not the same number in both questions."""
        return self._same(truth, (one, other), self._sum(one), self._sum(other))

    def _regrouped(self, truth: str, fine: Ask, coarse: Ask, turn: Any) -> Iterator[Broken | None]:
        sums: dict[object, float] = {}
        for row in self._rows(fine):
            group = turn(row[fine.by[0]])
            sums[group] = sums.get(group, 0) + float(row[self.metric] or 0)
        for row in self._rows(coarse):
            yield self._same(truth, (fine, coarse), float(row[self.metric] or 0), sums.pop(row[coarse.by[0]], 0.0))
        for rest in sums.values():
            yield self._same(truth, (fine, coarse), 0.0, rest)

    def _sum(self, ask: Ask) -> float:
        return self._added(self._rows(ask))

    def _added(self, rows: Sequence[dict[str, Any]]) -> float:
        return float(sum(row[self.metric] or 0 for row in rows))

    def _rows(self, ask: Ask) -> list[dict[str, Any]]:
        if self.is_forced:
            ask = ask.replace(accept=("duplicates",))
        return self.metrics.ask(ask, self.policy, is_kept=False).rows

    def _same(self, truth: str, asks: tuple[Ask, ...], one: float, other: float) -> Broken | None:
        if isclose(one, other, rel_tol=1e-9, abs_tol=1e-9):
            return None
        return Broken(truth, self.metric, asks, one, other)


def _is_additive(expression: Expression) -> bool:
    match expression:
        case Measured():
            is_running = expression.window or expression.series or expression.shift
            return expression.agg in ("sum", "count") and not is_running
        case Total(plus=plus, minus=minus):
            return all(_is_additive(part) for part in (*plus, *minus))
        case _:
            return False


def _values(groups: Sequence[dict[str, Any]], name: str) -> list[Scalar | None]:
    plain = (bool, int, float, str, type(None))
    return [row[name] if isinstance(row[name], plain) else str(row[name]) for row in groups[:VALUES_MAX]]


def _same_value(value: object) -> object:
    return value


def _month(value: Any) -> object:
    return None if value is None else value.replace(day=1)
