"""Statements with their arguments in them, so that several go in one round trip.

asyncpg sends one statement at a time, or a text of many without arguments. So a statement is prepared under a name,
once on each connection, and called by it: `execute w3 ('…', '…')`. PostgreSQL reads each argument as its place's type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import repeat
from typing import Any, Final
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as OfAsyncpg

from .connecting import Connection

_ARRAY: Final = "[]"
# Read as Python writes them, without a quote in them.
_PLAIN: Final = frozenset({int, bool, float, UUID, OfAsyncpg, date, datetime})
_TEXTS: Final = repeat("text")

Prepared = tuple[str, list[str], Any]  # a statement's name on its connection, the types of its places, itself


async def prepared(connection: Connection, sql: str) -> Prepared:
    """Return a statement as a connection knows it, prepared where it does not know it yet."""
    # None is given twice: who is cancelled here leaves one behind that only the server knows.
    name = f"w{next(connection.names)}"
    statement = await connection.prepare(sql, name=name)
    found = connection.named[sql] = name, [one.name for one in statement.get_parameters()], statement
    return found  # the statement is kept, since PostgreSQL forgets it with it


def execute(name: str, values: Sequence[Any], types: Iterable[str] = _TEXTS) -> str:
    """Return the call of a statement that is prepared by a name. types: of its places, where one is an array or bytes.

    Values are written as SQL does; the connection's standard_conforming_strings makes the quote the only special sign.
    Most need no function, and are written right here: a paid order has 200, and a call each was a tenth of all its
    calls.
    """
    written: list[str] = []
    for value, type_ in zip(values, types, strict=False):
        if type(value) is str:
            written.append("'" + value.replace("'", "''") + "'")
        elif value is None:
            written.append("null")
        elif type(value) in _PLAIN:
            written.append(f"'{value}'")
        elif type(value) is bytes and type_ != "bytea":  # JSON
            written.append("'" + value.decode().replace("'", "''") + "'")
        else:
            text: str = value if isinstance(value, str) else _text(value, type_)
            written.append("'" + text.replace("'", "''") + "'")
    return f"execute {name} ({', '.join(written)})" if written else f"execute {name}"


def hexed(value: bytes) -> str:
    """Return bytes as PostgreSQL reads them: what is given as bytes is taken for JSON."""
    return f"\\x{value.hex()}"


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
