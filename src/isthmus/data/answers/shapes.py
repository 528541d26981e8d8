"""What answers are made of: their columns in Arrow, rows that are counted without a metric, moments."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from isthmus.kernel import errors
from isthmus.markings import Count

from ..arrow import pa
from ..model.ask import ROWS, Ask
from ..model.model import Model
from ..query.values import BIGINT, DIGITS_MAX

Rows = list[dict[str, Any]]


def counting_rows(model: Model, ask: Ask) -> Model:
    """Return the model with a metric that counts the rows of what a question without metrics lists the values of."""
    name = ask.by[0].partition(":")[0].rpartition(">")[2] if ask.by else ""
    if "." not in name:
        raise errors.BadAsk(
            "a question without metrics lists the values of a field, and none is named by its entity",
            remedy="name one in `by` together with its entity, as in entity.field",
            path="$.by",
        )
    counted = Count(name=ROWS, of=model.split(name)[0].name, doc="How many rows have each value.")
    return dataclasses.replace(model, metrics={**model.metrics, ROWS: counted})


def schema(numbers: Sequence[str], rows: Rows, columns: Sequence[str]) -> Any:
    """Return Arrow types; a column without any value has a type too, so that readers need no special case."""
    fields: list[Any] = []
    for name in columns:
        values = [row[name] for row in rows]
        is_long = any(isinstance(value, int) and value not in BIGINT for value in values)
        kind = pa.decimal128(DIGITS_MAX, 0) if is_long else pa.array(values).type
        if pa.types.is_null(kind):
            kind = pa.float64() if name in numbers else pa.string()
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def moment(found: object) -> datetime | None:
    if isinstance(found, datetime):
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.combine(found, time(), UTC) if isinstance(found, date) else None
