"""Who gives up while a statement runs leaves nothing behind: the next one on that connection begins anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from isthmus.kernel import errors, ports
from isthmus.store import Database
from tests.waiting import until

CLAIM = ports.Claim(key="k-1", capability="shelf.take", ask_hash="h")
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


@pytest.fixture
async def one(shelf: Database) -> AsyncIterator[Database]:
    """Give a database that has one connection for calls, on which everybody comes after everybody else."""
    async with await Database.open(shelf.url, connections_max=1, take_limit_s=2) as database:
        yield database


async def begin_with_key(database: Database) -> None:
    await database.write("north", CLAIM)


async def begin_step(database: Database) -> None:
    saga = ports.Saga(claim=CLAIM, is_kept=True, ask=b"{}", caller=b"{}", left_after_s=60)
    step = database.step("north", saga, 0)
    try:
        await step.fetch_value("select 1")
    finally:
        await step.close()


@pytest.mark.parametrize("begin", [begin_with_key, begin_step], ids=["a write under a key", "a step of a flow"])
@pytest.mark.parametrize("another", ["north", "south"])
async def test_who_gives_up_while_waiting_for_a_key_hands_on_no_transaction(
    shelf: Database, one: Database, begin: Callable[[Database], Awaitable[None]], another: str
) -> None:
    first = await shelf.write("north", CLAIM)
    waiting = asyncio.create_task(begin(one))  # type: ignore[arg-type]
    async with shelf.platform() as session:

        async def waits() -> bool:
            return await session.fetch_value(WAITING) == 1

        await until(waits)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await taken_from(one, another)
    await first.close()
    await taken_from(one, another)


@pytest.mark.parametrize("begin", [begin_with_key, begin_step], ids=["a write under a key", "a step of a flow"])
async def test_a_connection_that_ends_while_a_transaction_begins_is_unavailable_and_another_takes_its_place(
    shelf: Database, one: Database, begin: Callable[[Database], Awaitable[None]]
) -> None:
    first = await shelf.write("north", CLAIM)
    waiting = asyncio.create_task(begin(one))  # type: ignore[arg-type]
    async with shelf.platform() as session:

        async def ended() -> bool:
            return await session.fetch_value(WAITING.replace("count(*)", "bool_or(pg_terminate_backend(pid))"))

        await until(ended)
    with pytest.raises(errors.Unavailable):
        await waiting
    await taken_from(one, "north")
    await first.close()


async def test_a_deadline_that_passes_at_the_first_statement_spoils_no_call_after_it(
    shelf: Database, one: Database
) -> None:
    first = await shelf.write("north", CLAIM)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await one.write("north", CLAIM)
    reading = one.read("north")
    assert await reading.fetch_value("select stock from shelf.item") == 10
    assert not await reading.fetch_value("select pg_current_xact_id_if_assigned() is not null")
    await reading.close()
    await taken_from(one, "north")
    await first.close()


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_who_gives_up_more_than_once_gives_the_connection_back_all_the_same(one: Database, times: int) -> None:
    writing = await one.write("north", None)

    async def sleep() -> None:
        try:
            await writing.execute("select pg_sleep(60)")
        finally:
            await writing.close()

    sleeping = asyncio.create_task(sleep())
    await asyncio.sleep(0.05)
    for _ in range(times):
        sleeping.cancel()
        await asyncio.sleep(0)
    with suppress(asyncio.CancelledError):
        await sleeping
    await taken_from(one, "north")


async def taken_from(database: Database, front_end: str) -> None:
    """Take one from the shelf in a transaction, and see that it is committed as that of this front end."""
    writing = await database.write(front_end, None)
    before = await writing.fetch_value("select stock from shelf.item")
    assert await writing.execute("update shelf.item set stock = stock - 1") == "UPDATE 1"
    await writing.commit([], None)
    reading = database.read(front_end)
    try:
        assert await reading.fetch_value("select stock from shelf.item") == before - 1
    finally:
        await reading.close()
