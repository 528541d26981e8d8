"""Statements with their arguments in them, so that several go in one round trip.

asyncpg sends one statement at a time, or a text of many without arguments. So a statement is prepared under a name,
once on each connection, and called by it: `execute w3 ('…', '…')`. PostgreSQL reads each argument as its place's type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any, Final
from uuid import UUID

from .connecting import Connection

_ARRAY: Final = "[]"
_PLAIN: Final = frozenset({int, bool, UUID, datetime})  # read as Python writes them, without a quote in them

Prepared = tuple[Any, str, list[str]]  # a statement, its name on its connection, and the types of its places


async def prepared(connection: Connection, sql: str) -> Prepared:
    """Return a statement as a connection knows it, prepared where it does not know it yet."""
    # None is given twice: who is cancelled here leaves one behind that only the server knows.
    name = f"w{next(connection.names)}"
    statement = await connection.prepare(sql, name=name)
    found = connection.named[sql] = statement, name, [one.name for one in statement.get_parameters()]
    return found  # the statement is kept, since PostgreSQL forgets it with it


def called(found: Prepared, args: Sequence[object]) -> str:
    """Return the call of a statement that `prepared` has returned."""
    _, name, types = found
    return f"execute {name} ({_listed(args, types)})" if args else f"execute {name}"


def execute(prepared: str, *values: object) -> str:
    """Return the call of a prepared statement, with values in it that are no arrays."""
    return f"execute {prepared} ({_listed(values, repeat('text'))})"


def hexed(value: bytes) -> str:
    """Return bytes as PostgreSQL reads them: what is given as bytes is taken for JSON."""
    return f"\\x{value.hex()}"


def _listed(values: Sequence[Any], types: Iterable[str]) -> str:
    """Write values as SQL does; the connection's standard_conforming_strings makes the quote the only special sign.

    Most are texts or need no quote, and are written right here: a paid order has 200, and a call each was a tenth of
    all its calls.
    """
    written: list[str] = []
    for value, type_ in zip(values, types, strict=False):
        if type(value) is str:
            written.append("'" + value.replace("'", "''") + "'")
        elif value is None:
            written.append("null")
        elif type(value) in _PLAIN:
            written.append(f"'{value}'")
        else:
            written.append("'" + _text(value, type_).replace("'", "''") + "'")
    return ", ".join(written)


def _text(value: Any, type_: str) -> str:
    """Return what PostgreSQL reads a value from, as a text."""
    if isinstance(value, bytes):
        return hexed(value) if type_ == "bytea" else value.decode()
    if type_.endswith(_ARRAY) and type(value) in (list, tuple):
        return _array(value, type_.removesuffix(_ARRAY))
    return str(value)  # numbers, ids, times and truth values are read as Python writes them


def _array(values: Sequence[Any], of: str) -> str:
    written: list[str] = []
    for value in values:
        if value is None:
            written.append("null")
        elif type(value) in _PLAIN:
            written.append(f'"{value}"')
        else:
            text: str = value if type(value) is str else _text(value, of)
            written.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ",".join(written) + "}"
