"""Connections are kept between calls, as long as they are good, and never from somebody who waits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from isthmus.kernel import errors
from isthmus.store.connecting import TenantConnection
from isthmus.store.connections import Connections
from tests.waiting import until

MAX = 2


@pytest.fixture
async def pool(empty_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await asyncpg.create_pool(empty_url, min_size=1, max_size=MAX, connection_class=TenantConnection)
    yield opened
    opened.terminate()


def kept(pool: asyncpg.Pool, *, unused_limit_s: float = 60) -> Connections:
    return Connections(pool, take_limit_s=0.3, unused_limit_s=unused_limit_s)


async def backend(connection: asyncpg.Connection) -> int:
    return await connection.fetchval("select pg_backend_pid()")  # pyright: ignore[reportReturnType]


async def test_the_connection_given_back_last_is_taken_next(pool: asyncpg.Pool) -> None:
    connections = kept(pool)
    first, second = await connections.take(), await connections.take()
    wanted = await backend(first)
    await connections.give(second)
    await connections.give(first)
    assert await backend(await connections.take()) == wanted


async def test_one_that_broke_while_nobody_used_it_is_replaced(pool: asyncpg.Pool, empty_url: str) -> None:
    connections = kept(pool)
    connection = await connections.take()
    broken = await backend(connection)
    await connections.give(connection)
    admin = await asyncpg.connect(empty_url)
    await admin.execute("select pg_terminate_backend($1)", broken)
    await admin.close()

    async def is_gone() -> bool:
        return connection.is_closed()

    await until(is_gone, "that the connection is lost")
    taken = await connections.take()
    assert await backend(taken) != broken
    await connections.give(taken)


async def test_one_that_the_database_ended_a_moment_ago_is_not_handed_out(pool: asyncpg.Pool, empty_url: str) -> None:
    connections = kept(pool)
    connection = await connections.take()
    ended = await backend(connection)
    await connections.give(connection)
    ends = f"import asyncio, asyncpg\nasync def end():\n    admin = await asyncpg.connect({empty_url!r})\n"
    ends += f"    await admin.execute('select pg_terminate_backend({ended}, 10000)')\nasyncio.run(end())"
    subprocess.run([sys.executable, "-c", ends], check=True)  # noqa: ASYNC221 - nothing is heard meanwhile
    assert not connection.is_closed(), "nobody has read what the database said"
    taken = await connections.take()
    assert await backend(taken) != ended
    await connections.give(taken)


async def test_who_waits_has_the_next_one_given_back(pool: asyncpg.Pool) -> None:
    connections = kept(pool)
    held = [await connections.take() for _ in range(MAX)]
    waiting = asyncio.create_task(connections.take())
    await asyncio.sleep(0)  # it stands in the queue now
    await connections.give(held[0])
    assert await backend(await waiting) > 0


async def test_where_none_is_given_back_in_time_the_asker_hears_so(pool: asyncpg.Pool) -> None:
    connections = kept(pool)
    for _ in range(MAX):
        await connections.take()
    with pytest.raises(errors.Unavailable, match="all 2 connections"):
        await connections.take()


async def test_an_open_transaction_is_rolled_back_before_anybody_else_has_the_connection(pool: asyncpg.Pool) -> None:
    connections = kept(pool)
    connection = await connections.take()
    await connection.execute("begin; create table half (done boolean)")
    await connections.give(connection)
    assert await (await connections.take()).fetchval("select to_regclass('half')") is None


async def test_one_that_nobody_needed_for_long_goes_back_to_the_pool(pool: asyncpg.Pool) -> None:
    connections = kept(pool, unused_limit_s=0)
    first, second = await connections.take(), await connections.take()
    await connections.give(first)
    await connections.give(second)
    assert pool.get_idle_size() == 1
