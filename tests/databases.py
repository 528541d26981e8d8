"""Databases for tests: copies of a template, which serve again where what a test did to one can be undone for certain.

A copy is 1,500 files; nearly every test writes a few rows into a few tables. PostgreSQL counts the rows that were
written to each table, to those of its catalogue too. So a database that comes back has the tables emptied that were
written to, what they held at first put back, and its sequences set back. Where the catalogue was written to, a test
has made, changed or emptied something: that database is dropped. One that serves again has a new name, so what a test
before has left running no longer reaches it.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.waiting import until

TURNS_MAX: Final = 50  # emptying a table writes to the catalogue, which only grows
COUNTS_SINCE: Final = 15  # the major version of PostgreSQL from which its counts are exact once who wrote has gone

ENDED = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1"
FILLED = """
    select oid::regclass::text as name, relnamespace::regnamespace::text as schema, relname as table, array(
        select attname::text from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum
    ) as columns
    from pg_class where relkind = 'r' and oid >= 16384 and pg_relation_size(oid) > 0"""
SEQUENCES = "select seqrelid::regclass::text as name, pg_sequence_last_value(seqrelid) as last from pg_sequence"
SET_BACK = """
    select setval(seqrelid, coalesce($2::bigint, seqstart), $2::bigint is not null) from pg_sequence
    where seqrelid = $1::text::regclass"""
REFERRING = """
    select confrelid::regclass::text as name, conrelid::regclass::text as by from pg_constraint where contype = 'f'"""
WRITTEN = """
    select oid::regclass::text as name, oid < 16384 as is_catalogue from pg_class
    where relkind in ('r', 'm', 'p') and not relisshared and relnamespace <> 'pg_toast'::regnamespace
    and relname not in ('pg_statistic', 'pg_statistic_ext_data')  -- the server's own notes on what to expect
    and pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid) > 0"""


def with_database(url: str, name: str) -> str:
    """Return a server's address with another database in it."""
    scheme, place, _, query, _ = urlsplit(url)
    return urlunsplit((scheme, place, f"/{name}", query, ""))


@dataclass(frozen=True, slots=True)
class Rows:
    """What a table holds, as `copy` writes it."""

    schema: str
    table: str
    columns: Sequence[str]
    written: bytes

    @classmethod
    async def of(cls, connection: asyncpg.Connection, schema: str, table: str, columns: Sequence[str]) -> Self:
        into = io.BytesIO()
        await connection.copy_from_table(table, schema_name=schema, columns=columns, output=into, format="binary")
        return cls(schema, table, columns, into.getvalue())

    async def put(self, connection: asyncpg.Connection) -> None:
        rows, columns = io.BytesIO(self.written), self.columns
        await connection.copy_to_table(
            self.table, schema_name=self.schema, columns=columns, source=rows, format="binary"
        )


@dataclass(frozen=True, slots=True)
class AtFirst:
    """What a copy holds before anybody has written to it. rows: by table, in the form of a `copy`."""

    rows: Mapping[str, Rows]
    sequences: Mapping[str, int | None]
    referring: Mapping[str, Sequence[str]]

    @classmethod
    async def of(cls, connection: asyncpg.Connection) -> Self:
        rows = {
            one["name"]: await Rows.of(connection, one["schema"], one["table"], one["columns"])
            for one in await connection.fetch(FILLED)
        }
        referring: dict[str, list[str]] = {}
        for one in await connection.fetch(REFERRING):
            referring.setdefault(one["name"], []).append(one["by"])
        sequences = {one["name"]: one["last"] for one in await connection.fetch(SEQUENCES)}
        return cls(rows, sequences, referring)

    def with_referring(self, tables: Iterable[str]) -> list[str]:
        """Return tables with those that refer to them, which are emptied only together."""
        found, left = set[str](), list(tables)
        while left:
            if (one := left.pop()) not in found:
                found.add(one)
                left += self.referring.get(one, ())
        return sorted(found)


@dataclass(slots=True)
class Copy:
    """A database that one test has at a time."""

    name: str
    turns: int = 1


@dataclass(slots=True)
class Copies:
    """What makes databases and takes them back. Used by one process."""

    server_url: str
    admin: asyncpg.Pool
    _idle: dict[str, list[Copy]] = field(default_factory=dict[str, list[Copy]])
    _at_first: dict[str, AtFirst] = field(default_factory=dict[str, AtFirst])

    @asynccontextmanager
    async def one(self, template: str) -> AsyncGenerator[str]:
        """Give the address of a copy of a database, which nobody may be connected to where one is made."""
        copy = await self._taken(template)
        try:
            yield with_database(self.server_url, copy.name)
        finally:
            await self._given_back(copy, template)

    async def close(self) -> None:
        for copy in [one for idle in self._idle.values() for one in idle]:
            await self._drop(copy)
        self._idle.clear()

    async def _taken(self, template: str) -> Copy:
        if idle := self._idle.get(template):
            return idle.pop()
        copy = Copy(_name())
        async with self.admin.acquire() as connection:
            major = connection.get_server_version().major
            fast = " strategy file_copy" if major >= 15 else ""
            await connection.execute(f"create database {copy.name} template {template}{fast}")
        if major >= COUNTS_SINCE and template not in self._at_first:
            async with self._inside(copy) as inside:
                self._at_first[template] = await AtFirst.of(inside)
        return copy

    async def _given_back(self, copy: Copy, template: str) -> None:
        at_first = self._at_first.get(template)
        serves_again = at_first is not None and copy.turns < TURNS_MAX and await self._renamed(copy)
        if serves_again:
            async with self._inside(copy) as inside:
                serves_again = await _undone(inside, at_first)
        if serves_again:
            copy.turns += 1
            self._idle.setdefault(template, []).append(copy)
        else:
            await self._drop(copy)

    async def _renamed(self, copy: Copy) -> bool:
        """End who is still connected, and give a new name; False where somebody connects anew all the time."""
        name = _name()
        if await self.admin.fetch(ENDED, copy.name):
            await until(lambda: self._is_left(copy), "that nobody is connected to a test's database")
        try:
            await self.admin.execute(f"alter database {copy.name} rename to {name}")
        except asyncpg.ObjectInUseError:
            return False
        copy.name = name
        return True

    async def _is_left(self, copy: Copy) -> bool:
        return not await self.admin.fetch(ENDED, copy.name)

    async def _drop(self, copy: Copy) -> None:
        await self.admin.execute(f"drop database if exists {copy.name} with (force)")

    @asynccontextmanager
    async def _inside(self, copy: Copy) -> AsyncGenerator[asyncpg.Connection]:
        connection = await asyncpg.connect(with_database(self.server_url, copy.name))
        try:
            yield connection
        finally:
            await connection.close()


async def _undone(connection: asyncpg.Connection, at_first: AtFirst) -> bool:
    """Bring a database to what it was at first; False where more than rows was written, and nothing is undone then."""
    written = await connection.fetch(WRITTEN)
    if any(one["is_catalogue"] for one in written):
        return False
    tables = at_first.with_referring(one["name"] for one in written)
    sequences = {one["name"]: one["last"] for one in await connection.fetch(SEQUENCES)}
    async with connection.transaction():
        if tables:
            await connection.execute("set local session_replication_role = replica")  # no trigger, no key is checked
            await connection.execute(f"truncate {', '.join(tables)}")
            for table in tables:
                if (rows := at_first.rows.get(table)) is not None:
                    await rows.put(connection)
        for name, last in at_first.sequences.items():
            if sequences[name] != last:
                await connection.fetch(SET_BACK, name, last)
    await connection.execute("select pg_stat_force_next_flush()")  # so that this is not counted as a test's
    await connection.execute("select pg_stat_reset()")
    return True


def _name() -> str:
    return f"isthmus_test_{uuid.uuid4().hex}"
