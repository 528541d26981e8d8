"""What a metric may be grouped by, as one asker sees it."""

from __future__ import annotations

from isthmus.kernel import errors

from ..model.ask import Ask
from ..model.model import Model
from ..model.paths import ways_up
from ..privacy.policy import Policy, is_open
from .metrics import Metrics


def dimensions(model: Model, roots: frozenset[str]) -> list[str]:
    """Return the dimensions that every row of these entities has at most one value of."""
    return [
        f"{entity.name}.{field.name}"
        for entity in model.entities.values()
        if all(root == entity.name or len(ways_up(model, root, entity.name)) == 1 for root in roots)
        for field in entity.fields.values()
        if field.is_dimension and not field.is_key and field.time is None
    ]


def groupings(metrics: Metrics, name: str, policy: Policy) -> list[str]:
    """Return the dimensions that a metric may be grouped by as somebody sees it, each row at most once."""
    model = metrics.seen_by(policy, [name])
    for ask in (Ask(metrics=(name,)), Ask(metrics=(name,), by=("time:month",))):
        try:
            roots = frozenset(leg.root for leg in metrics.plan(ask, policy).legs)
        except errors.BadAsk:  # it has a meaning only by time
            continue
        opened = (found for found in dimensions(model, roots) if is_open(model.split(found)[0].name, policy))
        return list(opened)
    return []
