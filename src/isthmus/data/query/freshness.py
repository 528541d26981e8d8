"""How old an answer may be: entities and metrics say it, answers and quality are held to it.

What counts is when a row that was not known before last came into the lake, against the clock: not the landing, since a
till that went silent lands nothing, punctually; and not the row's own time, since last year's sales, brought in today,
are old and not late. How old they are is in the receipt all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ..model.expression import cells
from ..model.model import Model
from .plan import Plan


def limits(model: Model, plan: Plan) -> dict[str, float]:
    """Return after how many hours each entity of a plan is too old: what its metrics say, or else the entity."""
    found: dict[str, float] = {}
    for name, expression in plan.metrics.items():
        own = model.metrics[name].fresh_hours
        for root in {cell.root for cell in cells(expression)}:
            hours = own or model.entities[root].fresh_hours
            if hours:
                found[root] = min(hours, found.get(root, hours))
    return found


def stale(
    limits: Mapping[str, float],
    newest: Mapping[str, datetime | None],
    arrived: Mapping[str, datetime] | None,
    now: datetime,
) -> tuple[str, ...]:
    """Return a sentence for each entity whose newest row is older than its limit.

    A row is as old as it has been here; where that was not kept (`arrived` is None, or older than the row's landing),
    as its own time says. Of a lake, what never had a row has not begun, and is not late.
    """
    found: list[str] = []
    for entity, hours in sorted(limits.items()):
        came = (arrived or {}).get(entity)
        moment = came or newest[entity]
        if moment is None:
            if arrived is None:
                found.append(f"{entity} has no row with a time, and its newest may be {hours:g} h old")
        elif (now - moment).total_seconds() > hours * 3600:
            age = (now - moment).total_seconds() / 3600
            said = f"came {age:.1f} h ago" if came else f"is {age:.1f} h old"
            found.append(f"the newest row of {entity} {said}, and may be {hours:g} h")
    return tuple(found)
