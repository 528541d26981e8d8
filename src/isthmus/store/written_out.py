"""Statements with their arguments in them, so that several go in one round trip.

asyncpg sends one statement at a time, or a text of many without arguments. So a statement is prepared under a name,
once on each connection, and called by it: `execute w3 ('…', '…')`. PostgreSQL reads each argument as its place's type.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from .connecting import Connection

_ARRAY: Final = "[]"
_PLAIN: Final = frozenset({int, bool, UUID, datetime})  # read as Python writes them, without a quote in them


async def called(connection: Connection, sql: str, args: Sequence[object]) -> str:
    """Return the call of a statement, which is prepared where this connection does not know it yet."""
    known: dict[str, tuple[Any, str, list[str]]] = connection.named
    found = known.get(sql)
    if found is None:
        # None is given twice: who is cancelled here leaves one behind that only the server knows.
        name = f"w{next(connection.names)}"
        statement = await connection.prepare(sql, name=name)
        found = known[sql] = statement, name, [one.name for one in statement.get_parameters()]
    _, name, types = found  # the statement is kept, since PostgreSQL forgets it with it
    return f"execute {name} ({', '.join(map(literal, args, types))})" if args else f"execute {name}"


def execute(prepared: str, *values: object) -> str:
    """Return the call of a prepared statement, with values in it that are no arrays."""
    return f"execute {prepared} ({', '.join([literal(value) for value in values])})"


def hexed(value: bytes) -> str:
    """Return bytes as PostgreSQL reads them: what is given as bytes is taken for JSON."""
    return f"\\x{value.hex()}"


def literal(value: object, type_: str = "text") -> str:
    """Write a value as SQL does; the connection's standard_conforming_strings makes the quote the only special sign."""
    if value is None:
        return "null"
    if type(value) in _PLAIN:
        return f"'{value}'"
    text = value if type(value) is str else _plain(value, type_)  # most of them: a paid order has 160
    return "'" + text.replace("'", "''") + "'"


def _plain(value: object, type_: str) -> str:
    if isinstance(value, bytes):
        return hexed(value) if type_ == "bytea" else value.decode()
    if type_.endswith(_ARRAY) and isinstance(value, (list, tuple)):
        each, of = cast("Sequence[object]", value), type_.removesuffix(_ARRAY)
        return "{" + ",".join([_element(one, of) for one in each]) + "}"
    return str(value)  # numbers, ids, times and truth values are read as Python writes them


def _element(value: object, type_: str) -> str:
    if value is None:
        return "null"
    text = value if type(value) is str else _plain(value, type_)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
