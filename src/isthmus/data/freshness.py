"""How old an answer may be: entities and metrics say it, answers and quality are held to it.

What counts is the newest row's own time against the clock. That the lake lands is not enough: a till that went silent
lands nothing, punctually.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from .expression import cells
from .model import Model
from .plan import Plan


def limits(model: Model, plan: Plan) -> dict[str, float]:
    """Return after how many hours each entity of a plan is too old: what its metrics say, or else the entity."""
    found: dict[str, float] = {}
    for name, expression in plan.metrics.items():
        own = model.metric(name).fresh_hours
        for root in {cell.root for cell in cells(expression)}:
            hours = own or model.entity(root).fresh_hours
            if hours:
                found[root] = min(hours, found.get(root, hours))
    return found


def stale(limits: Mapping[str, float], newest: Mapping[str, datetime | None], now: datetime) -> tuple[str, ...]:
    """Return a sentence for each entity that is older than its limit; one without any row is."""
    found: list[str] = []
    for entity, hours in sorted(limits.items()):
        moment = newest[entity]
        if moment is None:
            found.append(f"{entity} has no row with a time, and its newest may be {hours:g} h old")
        elif (now - moment).total_seconds() > hours * 3600:
            age = (now - moment).total_seconds() / 3600
            found.append(f"the newest row of {entity} is {age:.1f} h old, and may be {hours:g} h")
    return tuple(found)
