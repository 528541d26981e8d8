"""What is wrong with the metrics that a front end declares: all of it at once, before the front end goes live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from isthmus.kernel import FrontEnd, Pack, errors
from isthmus.markings import AnyMetric, Has, Metric

from ..errors import NeedsTime
from ..model.ask import GRAINS, Ask, zone
from ..model.attributes import with_own
from ..model.expression import cells
from ..model.marks import malformed
from ..model.model import Model, metric_problems, read_packs
from .plan import Plan, plan
from .scope import Parameters, Scope, conjunction, reaching

_ANY_TIME = datetime(2020, 1, 1, tzinfo=UTC)  # periods end somewhere; whether they fit does not depend on it


def problems_of(packs: Iterable[Pack], front_end: FrontEnd) -> list[str]:
    """Return what is wrong with a front end's own metrics, each with the metric and what to write instead."""
    return list(_problems(model_of(tuple(packs)), front_end)) if front_end.metrics else []


@lru_cache(maxsize=8)
def model_of(packs: tuple[Pack, ...]) -> Model:
    """Return the model of packs; the same ones are read once."""
    return read_packs(packs)


def _problems(model: Model, front_end: FrontEnd) -> Iterator[str]:
    code = front_end.code
    sound: list[AnyMetric] = []
    for metric in front_end.metrics:
        where = f"front end {code!r} has the metric {getattr(metric, 'name', metric)!r}"
        if not isinstance(metric, Metric):
            yield f"{where}, which is none; write one of `isthmus.markings`, such as Ratio(name='{code}.…', …)"
        elif not metric.name.startswith(f"{code}."):
            yield f"{where}; call it {code + '.' + metric.name.rpartition('.')[2]!r}: the other names are the packs'"
        elif metric.name in {one.name for one in sound}:
            yield f"{where} twice; give one of them another name"
        elif wrong := malformed(metric):
            yield f"{where}: {wrong}"
        else:
            sound.append(cast(AnyMetric, metric))
    seen = with_own(model, {code: replace(front_end, metrics=())})
    seen = replace(
        seen,
        metrics={**seen.metrics, **{metric.name: metric for metric in sound}},
        scopes={metric.name: code for metric in sound},
    )
    for metric in sound:
        unknown = list(metric_problems(seen, metric))
        for problem in unknown or _unanswered(seen, metric):
            yield f"front end {code!r} has the metric {metric.name!r}: {problem}"


def _unanswered(model: Model, metric: AnyMetric) -> Iterator[str]:
    """Yield why a metric could not be answered, or not for one front end."""
    try:
        planned = _planned(model, metric)
        _write_conditions(planned)
    except (errors.IsthmusError, RecursionError) as wrong:
        yield "it is made of itself" if isinstance(wrong, RecursionError) else f"{wrong}"
        return
    roots = {cell.root for one in planned.metrics.values() for cell in cells(one)}
    for root in sorted(roots):
        if "front_end" not in model.entity(root).fields:
            yield f"it counts {root}, whose rows are everybody's; build it on what has a front_end"


def _planned(model: Model, metric: AnyMetric) -> Plan:
    """Return how it is answered: in total, or by the first grain that it has an answer for."""
    try:
        return plan(model, Ask(metrics=(metric.name,)), _ANY_TIME)
    except NeedsTime as first:
        for grain in GRAINS:
            try:
                return plan(model, Ask(metrics=(metric.name,), by=(f"time:{grain}",)), _ANY_TIME)
            except NeedsTime:
                continue
        raise first


def any_row(_scope: Scope, _condition: Has) -> str:
    """Return SQL in the place of a condition on a metric, which is looked at when it is planned."""
    return "true"


def _write_conditions(planned: Plan) -> None:
    """Raise what is wrong with the filters of a plan: a field that is none, a value that it cannot have."""
    for leg in planned.legs:
        scope = Scope(Parameters(planned.model, zone(planned.ask), {}, has=any_row), leg.root, "r", leg.time, leg.shift)
        for cell in leg.cells:
            if "front_end" in planned.model.entity(leg.root).fields:
                conjunction(scope, cell.filters, "a metric")
                reaching(scope, cell.goal)
