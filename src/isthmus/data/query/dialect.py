"""The same statement for other databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlglot
from sqlglot import expressions as sql

Dialect = Literal["duckdb", "postgres", "spark"]


def translated(text: str, parameters: Sequence[object], dialect: Dialect) -> tuple[str, tuple[object, ...]]:
    """Return a statement in another dialect, and what is still to be passed beside it.

    PostgreSQL takes the same numbered parameters; Spark's are written into the text as literals, quoted by
    sqlglot, since it knows no numbered ones.
    """
    if dialect == "duckdb":
        return text, tuple(parameters)
    tree = sqlglot.parse_one(text, read="duckdb")

    def replaced(node: sql.Expr) -> sql.Expr:
        if isinstance(node, sql.DataType) and node.is_type("int128"):  # neither of the others has whole numbers so long
            return sql.DataType.build("decimal(38, 0)")
        if not isinstance(node, sql.Parameter | sql.Placeholder):
            return node
        number = int(node.name)
        return sql.Var(this=f"${number}") if dialect == "postgres" else sql.convert(_plain(parameters[number - 1]))

    written = tree.transform(replaced).sql(dialect=dialect, pretty=True)
    return written, tuple(parameters) if dialect == "postgres" else ()


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
