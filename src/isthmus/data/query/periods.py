"""Bounds on time of metrics that look back: they read rows before the asker's first period, and do not show it."""

from __future__ import annotations

from isthmus.markings import Filter, Where

from ..errors import NeedsTime
from ..model.ask import Ask, leaves
from ..model.model import Model
from ..model.paths import reach
from .plan import Leg
from .scope import Parameters, Scope, conjunction


def row_filters(model: Model, ask: Ask, leg: Leg) -> list[Filter]:
    """Return the asker's filters on rows. A running metric looks back beyond the asker's first period."""
    if leg.window is None and not (leg.series is not None and leg.series.is_carried):
        return list(ask.where)
    return [one for one in ask.where if not _is_from(model, leg, one)]


def shown(shared: Parameters, ask: Ask, leg: Leg) -> list[str]:
    """Return which periods `s.t` are shown: those from the asker's first on."""
    scope = Scope(shared, leg.root, "r", leg.time)
    conditions: list[str] = []
    for one in ask.where:
        if leg.time is None or not isinstance(one, Where) or not _is_from(shared.model, leg, one):
            continue
        compared = conjunction(scope, [one], "a filter")[0]
        value = compared[compared.index("cast(") : -1]
        local = f"({value} at time zone '{shared.zone.key}')" if leg.time.field.kind == "timestamp" else value
        conditions.append(f"s.t {one.op} cast({local} as date)")
    return conditions


def _is_from(model: Model, leg: Leg, one: Filter) -> bool:
    on_time = [leaf for leaf in leaves(one) if _is_time(model, leg, leaf)]
    if on_time and not isinstance(one, Where):
        raise NeedsTime(
            "a metric that runs over time cannot be filtered by time inside `any` or `not`",
            remedy="write each bound on time as a filter of its own",
        )
    return bool(on_time) and isinstance(one, Where) and one.op in (">", ">=")


def _is_time(model: Model, leg: Leg, leaf: Where) -> bool:
    if leg.time is None:
        return False
    return leaf.field == "time" or reach(model, leg.root, leaf.field, "a filter").name == leg.time.name
