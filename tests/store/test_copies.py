"""Databases of tests serve again where everything that a test did to one is undone; otherwise they do not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.conftest import name_of
from tests.databases import AtFirst, Copies

WHICH = "select oid from pg_database where datname = current_database()"


@pytest.fixture
async def copies(server_url: str, admin: asyncpg.Pool) -> AsyncIterator[Copies]:
    if int(await admin.fetchval("show server_version_num")) < 150_000:
        pytest.skip("before PostgreSQL 15 no database serves again")
    made = Copies(server_url, admin)
    yield made
    await made.close()


@pytest.fixture
async def filled(empty_url: str) -> str:
    """Give the name of a database to copy: tables that refer to each other, rows, a trigger and sequences."""
    connection = await asyncpg.connect(empty_url)
    await connection.execute("""
        create table kind (id int generated always as identity primary key, name text, twice text generated always as
            (name || name) stored);
        insert into kind (name) values ('tea'), ('jam');
        create table item (id serial primary key, kind int references kind);
        create table other (id int);
        create function refused() returns trigger language plpgsql as $$ begin raise 'it stays'; end $$;
        create trigger stays before truncate on item execute function refused();
        create sequence number start 7;
    """)
    await connection.close()
    return name_of(empty_url)


@asynccontextmanager
async def connected(copies: Copies, name: str) -> AsyncIterator[asyncpg.Connection]:
    async with copies.one(name) as url:
        connection = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()


async def test_a_database_that_serves_again_is_as_it_was_at_first(copies: Copies, filled: str) -> None:
    async with connected(copies, filled) as first:
        which, at_first = await first.fetchval(WHICH), await AtFirst.of(first)
        await first.execute("""
            insert into kind (name) values ('rice'); update kind set name = 'mate' where id = 1;
            insert into item (kind) select id from kind;
            insert into other values (1); select nextval('number'), nextval('number')""")
    async with connected(copies, filled) as second:
        assert await second.fetchval(WHICH) == which, "it is not made anew"
        assert await AtFirst.of(second) == at_first
        assert await second.fetch("select * from item union all select id, null from other") == []
        assert await second.fetchval("select nextval('number')") == 7
        assert await second.fetchval("insert into kind (name) values ('oil') returning id") == 3
        assert await second.fetchval("select twice from kind where id = 1") == "teatea"
    async with connected(copies, filled) as third:
        assert await third.fetchval(WHICH) == which
        assert await AtFirst.of(third) == at_first, "what was put back is not taken for what a test did"


@pytest.mark.parametrize(
    "change",
    [
        "create table more (id int)",
        "alter table kind add column more int",
        "drop table item",
        "truncate other",
        "create or replace function refused() returns trigger language plpgsql as $$ begin return null; end $$",
        "alter table item disable trigger stays",
        "grant select on kind to public",
        "comment on table kind is 'more'",
        "create view more as select 1",
    ],
)
async def test_a_database_serves_only_once_where_more_than_rows_has_changed(
    copies: Copies, filled: str, change: str
) -> None:
    async with connected(copies, filled) as first:
        which, at_first = await first.fetchval(WHICH), await AtFirst.of(first)
        await first.execute(f"{change}; insert into kind (name) values ('rice')")
    async with connected(copies, filled) as second:
        assert await second.fetchval(WHICH) != which
        assert await AtFirst.of(second) == at_first


async def test_what_a_test_before_left_connected_reaches_no_later_one(copies: Copies, filled: str) -> None:
    async with copies.one(filled) as url:
        left = await asyncpg.connect(url)
        await left.execute("insert into other values (1)")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await left.execute("insert into other values (2)")
    async with connected(copies, filled) as second:
        assert await second.fetchval("select count(*) from other") == 0
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await asyncpg.connect(url)


async def test_what_migrations_have_filled_is_put_back(copies: Copies, template: str) -> None:
    async with connected(copies, template) as first:
        at_first = await AtFirst.of(first)
        assert len(at_first.rows) > 1, "which were applied, and what they have filled"
        await first.execute("set session_replication_role = replica")
        for name in at_first.rows:
            await first.execute(f"delete from {name}")
    async with connected(copies, template) as second:
        assert await AtFirst.of(second) == at_first
