"""The model in the words of Apache Ossie (formerly OSI), so that other semantic layers and BI tools can read it.

Ossie's metrics are one SQL expression each. What runs over time (cumulative, period over period, conversion, stock)
has none: such metrics stand in an extension in our own words, not in an expression that would say something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from isthmus.kernel import encode, errors
from isthmus.markings import AllOf, AnyMetric, AnyOf, Filter, Has, Not, Where

from ..model.ask import Ask
from ..model.expression import Consented, Expression, Measured, Quotient, Rowwise, Scaled, Within, cells
from ..model.model import Entity, Field, FieldKind, Model
from ..model.paths import join_path
from ..query.plan import plan
from .contracts import plain_name, yaml

VERSION: Final = "0.2.0.dev0"
VENDOR: Final = "ISTHMUS"
_TYPES: Final[Mapping[FieldKind, str]] = {
    "text": "String", "integer": "Integer", "number": "Float", "decimal": "Decimal", "boolean": "Boolean",
    "date": "Date", "timestamp": "DateTimeTz", "uuid": "String", "json": "Opaque",
}  # fmt: skip


def ossie(model: Model, name: str) -> str:
    """Return the model as Ossie YAML; the same model gives the same text."""
    return "\n".join(yaml(document(model, name), 0)) + "\n"


def document(model: Model, name: str) -> dict[str, Any]:
    """Return the model as an Ossie document."""
    expressed = {metric.name: _metric(model, metric) for metric in model.metrics.values()}
    rest = [metric for metric in model.metrics.values() if expressed[metric.name] is None]
    found: dict[str, Any] = {
        "name": plain_name(name),
        "datasets": [_dataset(entity) for entity in model.entities.values()],
        "relationships": [
            {
                "name": plain_name(f"{reference.source}.{reference.name}"),
                "from": plain_name(reference.source),
                "to": plain_name(reference.target),
                "from_columns": [own for own, _ in reference.pairs],
                "to_columns": [there for _, there in reference.pairs],
            }
            for entity in model.entities.values()
            for reference in entity.references
        ],
        "metrics": [metric for metric in expressed.values() if metric is not None],
    }
    if rest:
        found["custom_extensions"] = [{"vendor_name": VENDOR, "data": encode({"metrics": rest}).decode()}]
    return {"version": VERSION, "semantic_model": [found]}


def _dataset(entity: Entity) -> dict[str, Any]:
    return {
        "name": plain_name(entity.name),
        "source": entity.table,
        "primary_key": list(entity.key),
        "description": entity.doc,
        "fields": [_field(field) for field in entity.fields.values()],
    }


def _field(field: Field) -> dict[str, Any]:
    found: dict[str, Any] = {"name": field.name, "expression": _ansi(field.name), "datatype": _TYPES[field.kind]}
    if field.is_dimension:
        found["dimension"] = {"is_time": field.time is not None}
    return found | ({"description": field.doc} if field.doc else {})


def _metric(model: Model, metric: AnyMetric) -> dict[str, Any] | None:
    """Return a metric as one expression, or None where it has a meaning only by time."""
    now = datetime.now(UTC)
    expressions: list[Expression] = []
    for by in ((), ("time:month",)):
        try:
            expressions.append(plan(model, Ask(metrics=(metric.name,), by=by), now).metrics[metric.name])
        except errors.BadAsk:
            if not by:
                return None
    if not all(_is_plain(cell) for expression in expressions for cell in cells(expression)):
        return None
    return {
        "name": plain_name(metric.name),
        "expression": _ansi(_sql(model, expressions[0])),
        "description": metric.doc,
    }


def _is_plain(cell: Measured) -> bool:
    runs = cell.window or cell.shift or cell.series or cell.goal or cell.agg == "percentile"
    return not runs and not any(isinstance(one, Within | Consented) for one in cell.filters)


def _sql(model: Model, expression: Expression) -> str:
    if isinstance(expression, Measured):
        return _cell(model, expression)
    if isinstance(expression, Quotient):
        return f"{_sql(model, expression.over)} / NULLIF({_sql(model, expression.under)}, 0)"
    if isinstance(expression, Scaled):
        return f"({_sql(model, expression.of)} * {expression.times} + {expression.plus})"
    plus = " + ".join(_sql(model, part) for part in expression.plus)
    return f"({plus}{''.join(f' - {_sql(model, part)}' for part in expression.minus)})"


def _cell(model: Model, cell: Measured) -> str:
    counted = cell.field or f"{cell.root}.{model.entity(cell.root).key[-1]}"
    column = _column(model, cell.root, counted)
    conditions = [_condition(model, cell.root, one) for one in cell.filters if not isinstance(one, Rowwise)]
    if conditions:
        column = f"CASE WHEN {' AND '.join(conditions)} THEN {column} END"
    if cell.agg == "distinct":
        return f"COUNT(DISTINCT {column})"
    return f"{cell.agg.upper()}({column})"


def _condition(model: Model, root: str, one: Filter) -> str:
    match one:
        case Has():
            raise errors.BadAsk(
                f"a condition on {one.metric} of each {one.of} cannot be written there",
                remedy="leave the metric out of what is exchanged",
            )
        case Not(of=inner):
            return f"(({_condition(model, root, inner)}) IS NOT TRUE)"
        case AllOf(parts=parts):
            return "(" + " AND ".join(_condition(model, root, part) for part in parts) + ")"
        case AnyOf(parts=parts):
            return "(" + " OR ".join(_condition(model, root, part) for part in parts) + ")"
        case Where(field=field, op=op, value=value):
            column = _column(model, root, field if "." in field else f"{root}.{field}")
            if op in ("is null", "is not null"):
                return f"{column} {op.upper()}"
            if isinstance(value, tuple):
                return f"{column} {op.upper()} ({', '.join(map(_literal, value))})"
            return f"{column} {'<>' if op == '!=' else op} {_literal(value)}"


def _column(model: Model, root: str, field: str) -> str:
    found = join_path(model, root, field, "an Ossie metric")
    return f"{plain_name(found.entity.name)}.{found.field.name}"


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def _ansi(sql: str) -> dict[str, Any]:
    return {"dialects": [{"dialect": "ANSI_SQL", "expression": sql}]}
