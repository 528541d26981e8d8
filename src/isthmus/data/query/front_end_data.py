"""What is wrong with the segments, rules and questions that a front end brings: said before it goes live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from isthmus.kernel import FrontEnd, Pack, errors
from isthmus.markings import Count, Not, Question, Rule, Segment, Where

from ..model import brought
from ..model.ask import Ask, zone
from ..model.attributes import with_own
from ..model.model import Model
from . import front_end_metrics
from .plan import plan
from .scope import Parameters, Scope, conjunction

_ANY_TIME = datetime(2020, 1, 1, tzinfo=UTC)
_BROKEN = "broken rows"


def problems_of(packs: Iterable[Pack], front_end: FrontEnd) -> Iterator[str]:
    """Yield what of it nothing reads, and what could not be asked; the latter once its metrics are sound."""
    yield from brought.problems_of(front_end)
    packs = tuple(packs)
    if not front_end.brings or front_end_metrics.problems_of(packs, front_end):
        return
    model = with_own(front_end_metrics.model_of(packs), {front_end.code: front_end})
    for one in front_end.brings:
        if isinstance(one, Segment | Rule | Question):
            try:
                _check(model, one)
            except errors.IsthmusError as wrong:
                name = one.code if isinstance(one, Segment) else one.name
                yield f"front end {front_end.code!r} brings the {type(one).__name__.lower()} {name!r}: {wrong}"


def _check(model: Model, one: Segment | Rule | Question) -> None:
    """Raise why it cannot be asked."""
    match one:
        case Question():
            ask = brought.asked(one)
        case Segment():
            own = Where(one.front_end, "is not null")
            ask = Ask(metrics=(one.metric,), by=(one.front_end, one.member), where=(*one.where, own))
        case Rule():
            model.entity(one.entity)
            counted = Count(name=_BROKEN, of=one.entity, where=Not(one.holds))
            model = replace(model, metrics={**model.metrics, _BROKEN: counted})
            ask = Ask(metrics=(_BROKEN,), where=(Where("front_end", "is not null"),))
    planned = plan(model, ask, _ANY_TIME)
    for leg in planned.legs:
        shared = Parameters(planned.model, zone(ask), {}, has=front_end_metrics.any_row)
        scope = Scope(shared, leg.root, "r", leg.time, leg.shift)
        conjunction(scope, ask.where, "a filter")
        for cell in leg.cells:
            conjunction(scope, cell.filters, "a metric")
