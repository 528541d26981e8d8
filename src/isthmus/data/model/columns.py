"""How entities and their fields are called and typed in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

FieldKind = Literal["text", "integer", "number", "decimal", "boolean", "date", "timestamp", "uuid", "json"]

SQL_TYPES: Final[Mapping[FieldKind, str]] = {
    "text": "varchar",
    "integer": "bigint",
    "number": "double",
    "decimal": "decimal(38, 6)",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
    "uuid": "uuid",
    "json": "varchar",
}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def table_name(table: str) -> str:
    """Return `order.orders` as SQL reads it: what stands before the first dot is the schema."""
    schema, dot, name = table.partition(".")
    return f"{quoted(schema)}.{quoted(name)}" if dot else quoted(schema)


def history_of(table: str) -> str:
    """Return the name under which the lake shows from when to when the rows of a table were so."""
    schema, dot, name = table.partition(".")
    return f"{schema}.{name}_history" if dot else f"{schema}_history"
