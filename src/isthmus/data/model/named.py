"""What a metric names: fields, other metrics, and with them the packs that it cannot do without."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import cast

from isthmus.markings import AnyMetric, Count, Cumulative, Derived, Filter, PeriodOverPeriod, Scaled

from .ask import leaves


def answerable(metrics: Iterable[AnyMetric], packs: Container[str]) -> list[AnyMetric]:
    """Return the metrics without those that are made of something of a pack that is not here, and those upon them."""
    kept, gone = list(metrics), set[str]()
    while True:
        lost = [one for one in kept if any(name in gone or pack_of(name) not in packs for name in _named_by(one))]
        if not lost:
            return kept
        gone |= {one.name for one in lost}
        kept = [one for one in kept if one not in lost]


def _named_by(metric: AnyMetric) -> list[str]:
    counted = [metric.of] if isinstance(metric, Count) else []
    return [*(name for name in fields_of(metric) if "." in name), *parts_of(metric), *counted]


def pack_of(name: str) -> str:
    """Return the pack of an entity, a metric or a field."""
    return name.partition(".")[0]


def fields_of(metric: AnyMetric) -> list[str]:
    """Return the fields that a metric names itself, by full name."""
    named = [str(getattr(metric, name, "")) for name in ("measure", "field", "time")]
    where = cast(Filter | None, getattr(metric, "where", None))
    named += [leaf.field for leaf in leaves(where) if "." in leaf.field] if where is not None else []
    return [field.rpartition(">")[2] for field in named if field]


def parts_of(metric: AnyMetric) -> list[str]:
    """Return the metrics that a metric is made of, by name."""
    parts = [*getattr(metric, "plus", ()), *getattr(metric, "minus", ())]
    parts += [getattr(metric, name) for name in ("numerator", "denominator", "start", "goal") if hasattr(metric, name)]
    is_made_of_one = isinstance(metric, Derived | Cumulative | PeriodOverPeriod | Scaled)
    return [*parts, metric.of] if is_made_of_one else parts
