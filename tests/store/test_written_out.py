"""Values that are written into the call of a statement: PostgreSQL reads them as they were meant."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import asyncpg
import pytest
from asyncpg.pgproto.pgproto import UUID as OfAsyncpg

from isthmus.store.written_out import execute

ID = uuid.UUID("0197c2a4-5a3e-7000-8000-00000000000a")


class Kind(enum.StrEnum):
    OPEN = "it's open"


@pytest.mark.parametrize(
    ("type_", "value", "read"),
    [
        ("text", 'it\'s \\ "so"', 'it\'s \\ "so"'),
        ("text", None, None),
        ("text", Kind.OPEN, "it's open"),
        ("int8", -(2**62), -(2**62)),
        ("bool", False, False),
        ("float8", 0.1, 0.1),
        ("float8", float("inf"), float("inf")),
        ("numeric", Decimal("1.50"), Decimal("1.50")),
        ("uuid", ID, ID),
        ("uuid", OfAsyncpg(str(ID)), ID),
        ("date", date(2026, 2, 28), date(2026, 2, 28)),
        ("timestamptz", datetime(2026, 2, 28, 12, tzinfo=UTC), datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("json", b'{"said":"it\'s"}', '{"said":"it\'s"}'),
        ("bytea", b"\0'\\x", b"\0'\\x"),
        (
            "text[]",
            ['"', "\\", "it's", "null", "", None, Kind.OPEN],
            ['"', "\\", "it's", "null", "", None, "it's open"],
        ),
        ("int8[]", [1, None], [1, None]),
        ("uuid[]", [ID, OfAsyncpg(str(ID))], [ID, ID]),
        ("text[]", (), []),
    ],
)
async def test_a_value_that_is_written_out_is_read_as_it_was_meant(
    database_url: str, type_: str, value: object, read: object
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"prepare told ({type_}) as select $1")
        assert await connection.fetchval(execute("told", [value], [type_])) == read
    finally:
        await connection.close()


async def test_a_statement_without_values_is_called_without_brackets(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("prepare told as select 1")
        assert await connection.fetchval(execute("told", ())) == 1
    finally:
        await connection.close()
