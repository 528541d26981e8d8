"""Sessions: who sees what, what is undone, and what an error says."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.kernel import errors, ports
from isthmus.store import ConstraintBroken, Database, migrate
from isthmus.store.versions import for_server

ALL = "select front_end, stock from shelf.item order by front_end"
TAKE = "update shelf.item set stock = stock - 1"


async def test_a_statement_that_forgets_the_front_end_sees_its_own_rows_only(shelf: Database) -> None:
    for front_end in ("north", "south", "north"):
        session = shelf.read(front_end)
        assert [row["front_end"] for row in await session.fetch(ALL)] == [front_end]
        await session.close()


async def test_a_write_that_forgets_the_front_end_changes_its_own_rows_only(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    assert await writing.execute(TAKE) == "UPDATE 1"
    await writing.commit([], None)
    async with shelf.platform() as session:
        assert [tuple(row) for row in await session.fetch(ALL)] == [("north", 9), ("south", 10)]


async def test_a_row_of_another_front_end_cannot_be_written(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    with pytest.raises(errors.Fault, match="row of another front end"):
        await writing.execute("insert into shelf.item (front_end, sku, stock) values ('south', 'salt', 1)")
    await writing.close()


async def test_a_table_that_no_migration_opened_says_which_line_is_missing(shelf: Database) -> None:
    session = shelf.read("north")
    with pytest.raises(errors.Fault, match=r"isthmus\.guard"):
        await session.fetch("select * from shelf.forgotten")
    await session.close()


async def test_a_shared_table_is_seen_and_written_by_all(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    await writing.execute("insert into shelf.place (name) values ('cellar')")
    await writing.commit([], None)
    session = shelf.read("south")
    assert await session.fetch_value("select name from shelf.place") == "cellar"
    await session.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["north", "south", "east"]),
            st.sampled_from(["read", "commit", "roll back", "break", "cancel", "savepoint"]),
        ),
        min_size=2,
        max_size=20,
    )
)
async def test_a_pooled_connection_never_carries_a_front_end_over(
    database_url: str, calls: list[tuple[str, str]]
) -> None:
    async with await Database.open(database_url, connections_max=1) as database:
        for front_end, way in calls:
            seen = await _front_end_in(database, front_end, way)
            assert seen == front_end


async def _front_end_in(database: Database, front_end: str, way: str) -> str:
    """Use the one connection in some way, and return the front end that the server had it set to."""
    ask = "select current_setting('isthmus.front_end', true)"
    session = database.read(front_end) if way == "read" else await database.write(front_end, None)
    try:
        seen = await session.fetch_value(ask)
        if way == "commit":
            await session.commit([], None)  # pyright: ignore[reportAttributeAccessIssue]
        if way == "break":
            with pytest.raises(errors.Fault):
                await session.execute("select 1 / 0")
        if way == "savepoint":
            with pytest.raises(errors.Fault):
                async with session.savepoint():
                    await session.execute("select 1 / 0")
            assert await session.fetch_value(ask) == seen
        if way == "cancel":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await session.execute("select pg_sleep(5)")
    finally:
        await session.close()
    return seen


@pytest.mark.parametrize("code", ["", "a'; drop table x; --", "a b", "ü", "a\\", "*", "x" * 101])
async def test_a_text_that_is_no_code_never_reaches_the_server(database: Database, code: str) -> None:
    with pytest.raises(errors.Fault, match="no code of a front end"):
        database.read(code)
    with pytest.raises(errors.Fault, match="no code of a front end"):
        await database.write(code, None)


@pytest.mark.parametrize(
    "sql",
    [
        "set role postgres",
        " RESET ALL",
        "select set_config('isthmus.front_end', 'south', false)",
        "commit",
        "begin",
        "select pg_advisory_lock(1)",
        "create temp table t (x int)",
        "listen word",
    ],
)
async def test_a_statement_that_would_outlive_the_call_is_refused(database: Database, sql: str) -> None:
    session = database.read("north")
    with pytest.raises(errors.Fault, match="outlive the call"):
        await session.execute(sql)
    await session.close()


async def test_a_reading_session_takes_no_connection_before_its_first_statement(database_url: str) -> None:
    async with await Database.open(database_url, connections_max=1, take_limit_s=0.1) as database:
        idle = [database.read("north") for _ in range(3)]
        assert await idle[2].fetch_value("select 1") == 1
        for session in idle:
            await session.close()


async def test_a_reading_session_cannot_write(shelf: Database) -> None:
    session = shelf.read("north")
    with pytest.raises(errors.Fault, match=r"Effect\.WRITE"):
        await session.execute(TAKE)
    await session.close()


async def test_a_read_again_on_the_same_connection_is_one_round_trip(
    shelf: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = shelf.read("north")
    await session.fetch(ALL)
    await session.close()
    sent: list[str] = []
    real = asyncpg.Connection.execute

    async def spy(self: asyncpg.Connection, sql: str, *args: object, **kwargs: object) -> str:
        sent.append(sql)
        return await real(self, sql, *args, **kwargs)

    monkeypatch.setattr(asyncpg.Connection, "execute", spy)
    session = shelf.read("north")
    await session.fetch(ALL)
    await session.close()
    assert sent == []
    writing = await shelf.write("north", None)
    await writing.fetch(ALL)
    await writing.commit([], None)
    assert [statement.partition(";")[0] for statement in sent] == ["begin read write", "commit"]


async def test_statements_of_two_tasks_on_one_session_wait_for_each_other(shelf: Database) -> None:
    session = shelf.read("north")
    assert await asyncio.gather(*(session.fetch_value("select $1::int", n) for n in range(10))) == list(range(10))
    await session.close()


async def test_what_is_not_committed_is_undone(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    await writing.execute(TAKE)
    await writing.close()
    session = shelf.read("north")
    assert await session.fetch_value("select stock from shelf.item") == 10
    await session.close()


async def test_a_savepoint_undoes_its_block_and_the_rest_goes_on(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    await writing.execute(TAKE)

    async def take_too_much() -> None:
        async with writing.savepoint():
            await writing.execute("update shelf.item set stock = stock - 5")
            async with writing.savepoint():
                await writing.execute("update shelf.item set stock = stock - 100")

    with pytest.raises(ConstraintBroken):
        await take_too_much()
    await writing.commit([], None)
    session = shelf.read("north")
    assert await session.fetch_value("select stock from shelf.item") == 9
    await session.close()


async def test_a_broken_constraint_names_itself(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    with pytest.raises(ConstraintBroken) as broken:
        await writing.execute("update shelf.item set stock = -1")
    assert broken.value.constraint == "stock_is_never_negative"
    assert broken.value.table == "shelf.item"
    await writing.close()


async def test_a_call_that_swallows_a_failed_statement_cannot_commit(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    await writing.execute(TAKE)
    with pytest.raises(errors.Fault):
        await writing.execute("select 1 / 0")
    with pytest.raises(errors.Fault, match="nothing was written"):
        await writing.commit([], None)
    await writing.close()
    session = shelf.read("north")
    assert await session.fetch_value("select stock from shelf.item") == 10
    await session.close()


async def test_a_call_waits_for_a_connection_only_so_long(database_url: str) -> None:
    async with await Database.open(database_url, connections_max=1, take_limit_s=0.1) as database:
        holding = await database.write("north", None)
        with pytest.raises(errors.Unavailable, match=r"all 1 connections .* busy for 0\.1 s"):
            await database.write("south", None)
        await holding.close()
        await (await database.write("south", None)).close()


async def test_a_killed_connection_undoes_its_transaction_and_the_next_call_works(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    await writing.execute(TAKE)
    pid = await writing.fetch_value("select pg_backend_pid()")
    async with shelf.platform() as session:
        await session.execute("select pg_terminate_backend($1)", pid)
    with pytest.raises(errors.Unavailable):
        await writing.commit([], None)
    await writing.close()
    session = shelf.read("north")
    assert await session.fetch_value("select stock from shelf.item") == 10
    await session.close()


async def test_a_deadlock_may_be_sent_again(shelf: Database) -> None:
    async with shelf.platform() as session:
        await session.execute("insert into shelf.item (front_end, sku, stock) values ('north', 'salt', 10)")
    one, two = await shelf.write("north", None), await shelf.write("north", None)
    take = "update shelf.item set stock = stock - 1 where sku = $1"
    await one.execute(take, "tea")
    await two.execute(take, "salt")
    ended = await asyncio.gather(one.execute(take, "salt"), two.execute(take, "tea"), return_exceptions=True)
    refused = [error for error in ended if isinstance(error, Exception)]
    assert [type(error) for error in refused] == [errors.Undone]
    assert "same Idempotency-Key" in str(refused[0])
    await asyncio.gather(one.close(), two.close())


async def test_json_goes_in_and_out_as_bytes(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    await writing.execute("update shelf.item set facts = $1", b'{"roast": "dark"}')
    assert await writing.fetch_value("select facts from shelf.item") == b'{"roast": "dark"}'
    assert await writing.fetch_value("select $1::json[]", [b"1", b"[]"]) == [b"1", b"[]"]
    await writing.close()


async def test_the_platform_sees_all_front_ends_and_its_transaction_is_whole(shelf: Database) -> None:
    async def take_too_much() -> None:
        async with shelf.platform_transaction() as session:
            await session.execute(TAKE)
            await session.execute("update shelf.item set stock = -1 where front_end = 'south'")

    with pytest.raises(ConstraintBroken):
        await take_too_much()
    async with shelf.platform_transaction() as session:
        assert await session.execute(TAKE) == "UPDATE 2"
    async with shelf.platform() as session:
        assert [row["stock"] for row in await session.fetch(ALL)] == [9, 9]


async def test_a_database_that_is_not_migrated_says_so(empty_url: str) -> None:
    with pytest.raises(errors.Fault, match="not migrated; run its migrations first"):
        await Database.open(empty_url)


async def test_a_database_that_is_away_says_so() -> None:
    with pytest.raises(errors.Unavailable, match="does not answer"):
        await Database.open("postgresql://postgres@/isthmus?host=/nowhere")


BUYER = """
import asyncio, sys
from isthmus.store import Database

async def main():
    database = await Database.open(sys.argv[1])
    writing = await database.write("north", None)
    await writing.execute("update shelf.item set stock = stock - 1")
    print("taken", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_killed_process_undoes_its_transaction_and_holds_nothing(shelf: Database) -> None:
    buyer = await asyncio.create_subprocess_exec(sys.executable, "-c", BUYER, shelf.url, stdout=asyncio.subprocess.PIPE)
    assert buyer.stdout is not None
    assert await buyer.stdout.readline() == b"taken\n"
    buyer.kill()
    await buyer.wait()
    writing = await shelf.write("north", None)
    async with asyncio.timeout(5):
        assert await writing.fetch_value("update shelf.item set stock = stock - 1 returning stock") == 9
    await writing.commit([], None)


@asynccontextmanager
async def ordinary_owner(server_url: str) -> AsyncGenerator[tuple[asyncpg.Connection, str, str]]:
    """Give an administrator's connection, the name of an owner with no rights beyond a database, and its address."""
    owner, name = f"owner_{uuid.uuid4().hex}", f"isthmus_test_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(server_url)
    await admin.execute(f"create role {owner} login password 'secret'")
    await admin.execute(f"create database {name} owner {owner}")
    parts = urlsplit(server_url)
    place = f"{owner}:secret@{parts.netloc.rpartition('@')[2]}"
    try:
        yield admin, owner, urlunsplit((parts.scheme, place, f"/{name}", parts.query, ""))
    finally:
        await admin.execute(f"drop database {name} with (force)")
        await admin.execute(f"drop role {owner}")
        await admin.close()


def _grant(admin: asyncpg.Connection, owner: str, role: str = "isthmus_app") -> str:
    """Return what an administrator has to say, in the words of his server."""
    return for_server(f"grant {role} to {owner} with set true", admin.get_server_version().major)


async def test_an_owner_who_may_not_act_for_calls_is_told_what_to_ask_for(server_url: str, database_url: str) -> None:
    async with ordinary_owner(server_url) as (admin, owner, url):
        with pytest.raises(errors.Fault, match=_grant(admin, owner)):
            await migrate(url)
        await admin.execute(_grant(admin, owner))
        with pytest.raises(errors.Fault, match=_grant(admin, owner, "isthmus_part_write")):
            await migrate(url)


async def test_an_owner_who_is_no_superuser_serves_under_the_same_wall(server_url: str, database_url: str) -> None:
    async with ordinary_owner(server_url) as (admin, owner, url):
        for role in ("isthmus_app", "isthmus_part", "isthmus_part_write"):
            await admin.execute(_grant(admin, owner, role))
        await migrate(url)
        async with await Database.open(url) as database:
            writing = await database.write("north", ports.Claim(key="k", capability="a.b", ask_hash="a1"))
            await writing.commit([], b"{}")
            counts = "select count(*) from isthmus.idempotency"
            south = database.read("south")
            assert await south.fetch_value(counts) == 0
            await south.close()
            async with database.platform() as platform:
                assert await platform.fetch_value(counts) == 1


async def test_who_is_cancelled_while_a_statement_is_prepared_leaves_a_connection_that_others_can_use(
    database_url: str,
) -> None:
    async with await Database.open(database_url, connections_max=1) as database:
        for number in range(60):
            await _left_while_preparing(database, number)
        async with database.platform_transaction() as session:
            for number in range(60):
                await session.later(f"select {number} + $1::int", number)
            assert await session.fetch_value("select 1") == 1


async def _left_while_preparing(database: Database, number: int) -> None:
    async def write() -> None:
        async with database.platform_transaction() as session:
            await session.later(f"select {number} + $1::int", number)
            await session.execute("select 1")

    task = asyncio.create_task(write())
    for _ in range(number):  # each goes a little further before it is given up
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
