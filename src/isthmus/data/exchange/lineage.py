"""Where each column of an answer comes from, as an OpenLineage run event: projections, filters, joins and groupings.

It is read from the plan that the SQL is written from, so nothing has to be guessed back out of SQL.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from ..model.ask import leaves
from ..model.expression import Consented, Measured, Rowwise, Within, cells
from ..model.model import Model
from ..model.paths import Path, join_path
from ..query.money import currency_field
from ..query.plan import FactScan, Plan

PRODUCER: Final = "urn:isthmus:data"
NAMESPACE: Final = "isthmus"
_SPEC: Final = "https://openlineage.io/spec"


@dataclass(frozen=True, slots=True)
class Source:
    """A column that an output depends on: by its value (direct), or by which rows there are (indirect)."""

    entity: str
    field: str
    is_direct: bool
    how: str


def sources(model: Model, plan: Plan) -> tuple[dict[str, tuple[Source, ...]], tuple[Source, ...]]:
    """Return the sources of each column, and those that decide which rows there are in all of them."""
    columns: dict[str, dict[Source, None]] = {}
    for at, by in enumerate(plan.by):
        found = [leg.dimensions[at] for leg in plan.legs]
        how = "TRANSFORMATION" if by.grain else "IDENTITY"
        columns[by.asked] = {Source(one.entity.name, one.field.name, True, how): None for one in found}
    for name, expression in plan.metrics.items():
        columns[name] = dict.fromkeys(one for cell in cells(expression) for one in _cell(model, plan, cell))
    shared = dict.fromkeys(one for leg in plan.legs for one in _leg(model, plan, leg))
    return {name: tuple(found) for name, found in columns.items()}, tuple(shared)


def lineage(model: Model, plan: Plan, now: datetime, *, run: uuid.UUID | None = None) -> dict[str, Any]:
    """Return an OpenLineage event for one answer; it can be sent to Marquez, DataHub or OpenMetadata as it is."""
    columns, shared = sources(model, plan)
    entities = dict.fromkeys(one.entity for found in (*columns.values(), shared) for one in found)
    facet = {
        "_producer": PRODUCER,
        "_schemaURL": f"{_SPEC}/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
        "fields": {name: {"inputFields": [_input(model, one) for one in found]} for name, found in columns.items()},
        "dataset": [_input(model, one) for one in shared],
    }
    return {
        "eventType": "COMPLETE",
        "eventTime": now.isoformat(),
        "producer": PRODUCER,
        "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(run or uuid.uuid4())},
        "job": {"namespace": NAMESPACE, "name": "+".join(plan.metrics)},
        "inputs": [{"namespace": NAMESPACE, "name": model.entity(name).table} for name in entities],
        "outputs": [
            {"namespace": NAMESPACE, "name": "answer:" + "+".join(plan.metrics), "facets": {"columnLineage": facet}}
        ],
    }


def _cell(model: Model, plan: Plan, cell: Measured) -> Iterator[Source]:
    if cell.field:
        found = join_path(model, cell.root, cell.field, "lineage")
        yield Source(found.entity.name, found.field.name, True, "AGGREGATION")
    else:
        for part in model.entity(cell.root).key:
            yield Source(cell.root, part, True, "AGGREGATION")
    if plan.ask.currency and (currency := currency_field(model, cell)):
        yield replace(_reached(model, cell.root, currency, "TRANSFORMATION"), is_direct=True)
        yield _reached(model, cell.root, cell.time, "JOIN")  # the day of the rate
    yield from _filters(model, cell.root, cell.time, [one for one in cell.filters if not isinstance(one, Rowwise)])
    is_by_time = cell.window or cell.shift or cell.series or cell.goal
    if is_by_time or any(isinstance(one, Within) for one in cell.filters):
        yield _reached(model, cell.root, cell.time, "WINDOW")
    for one in (one for one in cell.filters if isinstance(one, Consented)):
        for part in model.entity(one.entity).consents:
            yield Source(one.entity, part, False, "FILTER")
    if cell.goal is not None:
        yield _reached(model, cell.root, cell.goal.own, "JOIN")
        yield _reached(model, cell.goal.entity, cell.goal.other, "JOIN")
        yield _reached(model, cell.goal.entity, cell.goal.time, "FILTER")
        if cell.goal.apart:
            yield _reached(model, cell.goal.entity, cell.goal.apart, "FILTER")


def _leg(model: Model, plan: Plan, leg: FactScan) -> Iterator[Source]:
    for dimension in leg.dimensions:
        yield Source(dimension.entity.name, dimension.field.name, False, "GROUP_BY")
        yield from _joins(model, dimension.path)
    yield from _filters(model, leg.root, leg.time.name if leg.time else "", plan.ask.where)


def _filters(model: Model, root: str, time: str, filters: Iterable[Any]) -> Iterator[Source]:
    for leaf in (leaf for one in filters for leaf in leaves(one)):
        name = time if leaf.field == "time" else leaf.field
        found = join_path(model, root, name if "." in name else f"{root}.{name}", "lineage")
        yield Source(found.entity.name, found.field.name, False, "FILTER")
        yield from _joins(model, found.path)


def _joins(model: Model, path: Path) -> Iterator[Source]:
    for step in path:
        for own, there in step.reference.pairs:
            yield Source(step.reference.source, own, False, "JOIN")
            yield Source(step.reference.target, there, False, "JOIN")


def _reached(model: Model, root: str, name: str, how: str) -> Source:
    found = join_path(model, root, name, "lineage")
    return Source(found.entity.name, found.field.name, False, how)


def _input(model: Model, one: Source) -> dict[str, Any]:
    return {
        "namespace": NAMESPACE,
        "name": model.entity(one.entity).table,
        "field": one.field,
        "transformations": [{"type": "DIRECT" if one.is_direct else "INDIRECT", "subtype": one.how, "masking": False}],
    }
