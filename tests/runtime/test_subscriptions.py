"""What front ends do on their own: tables, subscriptions, flows that survive a killed process, dead letters."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isthmus.kernel import FrontEnd, Platform, errors
from isthmus.runtime.events import dead_letters
from isthmus.runtime.events.durable import DurableCalls
from isthmus.runtime.events.subscriptions import called
from isthmus.store import Database, migrate_own
from tests import shipped

from . import own_line
from .own_line import BROKEN, HANGING, KILL_AT, NORTH, SOUTH, Note, becomes, delivering, notes, of, packed

_WAITS = """
    insert into runtime.delivery (front_end, capability, event_id, event_type, subject, ask)
    values ('north', 'north.remember', $1, 'north.packed', 'p1', '{}')"""


@pytest.fixture
async def platform(database: Database) -> Platform:
    return await own_line.platform_of(database)


@pytest.fixture(autouse=True)
def _all_is_well() -> Iterator[None]:
    yield
    BROKEN.clear()
    HANGING.clear()


async def test_a_front_end_is_told_of_its_own_events_and_of_no_other_front_ends(
    platform: Platform, database: Database
) -> None:
    async with delivering(platform, database):
        await packed(platform, "p1")
        await packed(platform, "p2", SOUTH)
        await becomes(lambda: seen(platform, "p1"), ["packed", "pick", "send", "wrap"])
        await becomes(lambda: seen(platform, "p2", SOUTH), ["packed", "pick", "send", "wrap"])
    assert await notes(platform, "p2") == []
    assert await notes(platform, "p1", SOUTH) == []


async def test_what_fails_is_tried_again_and_has_its_effect_once(platform: Platform, database: Database) -> None:
    BROKEN.add("p1")
    async with delivering(platform, database):
        await packed(platform, "p1")
        await becomes(lambda: last_error(database), "p1 cannot be written down; fix it")
        BROKEN.clear()
        await becomes(lambda: seen(platform, "p1"), ["packed", "pick", "send", "wrap"])
        await becomes(lambda: waiting(database), 0)
    assert await seen(platform, "p1") == ["packed", "pick", "send", "wrap"]


async def test_what_cannot_be_written_down_at_once_is_written_down_later_and_not_called_again(
    platform: Platform, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    refused: list[str] = []
    call, session = platform.call_wire, database.platform

    async def counted(name: str, *args: Any, **more: Any) -> Any:
        calls.append(name)
        return await call(name, *args, **more)

    def away() -> Any:
        if not calls or len(refused) == 2:
            return session()
        refused.append("away")
        raise errors.Unavailable("the database is away", remedy="wait")

    monkeypatch.setattr(platform, "call_wire", counted)
    monkeypatch.setattr(database, "platform", away)
    async with delivering(platform, database):
        await packed(platform, "p1")
        await becomes(lambda: seen(platform, "p1"), ["packed", "pick", "send", "wrap"])
        await becomes(lambda: waiting(database), 0)
    assert len(refused) == 2
    assert sorted(calls) == ["north.remember", "north.send-off"]


@pytest.mark.parametrize("is_taken_over", [False, True])
async def test_the_next_of_a_subject_is_taken_with_the_end_of_the_one_before_and_not_of_one_that_was_taken_over(
    platform: Platform, database: Database, is_taken_over: bool
) -> None:
    async with database.platform() as session:
        for number in (1, 2):
            await session.execute(_WAITS, f"event-{number}")
    calls = DurableCalls(platform, database)
    (first,) = await calls._exchange()  # pyright: ignore[reportPrivateUsage]
    calls._running[first["id"]] = (first["front_end"], first["capability"])  # pyright: ignore[reportPrivateUsage]
    calls._ended.append((first, None))  # pyright: ignore[reportPrivateUsage]
    if is_taken_over:  # its lease was over, and another process calls it now
        async with database.platform() as session:
            await session.execute(
                "update runtime.delivery set held_by = 'another', held_until = now() + interval '1 hour' where id = $1",
                first["id"],
            )
    taken = await calls._exchange()  # pyright: ignore[reportPrivateUsage]
    assert [row["event_id"] for row in taken] == ([] if is_taken_over else ["event-2"])
    assert await waiting(database) == (2 if is_taken_over else 1)


async def test_a_subscriber_that_fails_or_hangs_holds_up_no_other(platform: Platform, database: Database) -> None:
    BROKEN.add("bad")
    HANGING.update(f"slow{number}" for number in range(8))
    async with delivering(platform, database):
        await packed(platform, "bad")
        for number in range(8):
            await packed(platform, f"slow{number}")
        await packed(platform, "good", SOUTH)
        await becomes(lambda: seen(platform, "good", SOUTH), ["packed", "pick", "send", "wrap"])
        await becomes(lambda: seen(platform, "slow7"), ["pick", "send", "wrap"])  # its other subscription


async def test_what_failed_too_often_is_a_dead_letter_that_can_be_read_and_sent_again(
    platform: Platform, database: Database
) -> None:
    BROKEN.add("p1")
    async with delivering(platform, database):
        await packed(platform, "p1")
        await becomes(lambda: dead(database), 1)
        async with database.platform() as session:
            (letter,) = await dead_letters.listed(session, "north")
            assert (letter.capability, letter.subject, letter.attempts) == ("north.remember", "p1", 3)
            assert letter.last_error == "p1 cannot be written down; fix it"
            assert letter.ask == '{"subject":"p1"}'
            assert await dead_letters.listed(session, "south") == []
            with pytest.raises(dead_letters.NoSuchDeadLetter, match="no dead letter 4711"):
                await dead_letters.send_again(session, number=4711)
            BROKEN.clear()
            assert await dead_letters.send_again(session, number=letter.id) == 1
        await becomes(lambda: seen(platform, "p1"), ["packed", "pick", "send", "wrap"])
        await becomes(lambda: waiting(database), 0)


async def test_old_dead_letters_go_and_what_nobody_calls_any_more_becomes_one(
    platform: Platform, database: Database
) -> None:
    put = """insert into runtime.delivery (front_end, capability, event_id, event_type, subject, ask, state, due_at)
             values ('north', $1, $2, 'north.packed', $2, '{"subject": "p"}', $3, now() - $4 * interval '1 day')"""
    rows = [("remember", "late", "waiting", 8), ("gone", "left", "waiting", 8), ("gone", "fresh", "waiting", 6)]
    rows += [("remember", "old", "dead", 31), ("remember", "young", "dead", 29)]
    async with database.platform() as session:
        for name, event, state, days in rows:
            await session.execute(put, f"north.{name}", event, state, days)
    assert await dead_letters.prune(database, called(platform.release)) == (1, 1)
    async with database.platform() as session:
        letters = {letter.event_id: letter.last_error for letter in await dead_letters.listed(session)}
    assert letters == {"left": dead_letters.NOBODY, "young": ""}
    assert await waiting(database) == 4


async def test_a_flow_that_fails_undoes_its_steps_last_first_before_it_is_tried_again(
    platform: Platform, database: Database
) -> None:
    BROKEN.update({"send p1", "p1"})
    async with delivering(platform, database):
        await packed(platform, "p1")
        await becomes(lambda: dead(database), 2)
    assert await notes(platform, "p1") == ["pick", "wrap", "unwrap", "unpick"] * 3


@pytest.mark.parametrize("step", ["pick", "wrap", "send"])
async def test_a_flow_goes_on_where_its_killed_process_stopped(
    platform: Platform, database: Database, step: str
) -> None:
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.runtime.own_line", database.url, env={**os.environ, KILL_AT: step}
    )
    await becomes(lambda: is_subscribed(database), True)
    await packed(platform, "p1")
    assert await asyncio.wait_for(killed.wait(), 60) == -signal.SIGKILL
    done = ["pick", "wrap", "send"]
    assert [what for what in await notes(platform, "p1") if what != "packed"] == done[: done.index(step)]
    async with delivering(platform, database):
        await becomes(lambda: seen(platform, "p1"), ["packed", "pick", "send", "wrap"])
        await becomes(lambda: waiting(database), 0)
    assert [what for what in await notes(platform, "p1") if what != "packed"] == done


@pytest.mark.parametrize(
    "sql",
    [
        "select * from fe_south.note",
        "insert into fe_south.note values ('x', 'y')",
        'select * from "order".orders',
        "delete from isthmus.outbox",
        "select * from runtime.delivery",
        "create table isthmus.mine (a int)",
    ],
)
async def test_a_front_ends_own_statements_touch_nothing_but_its_own_tables(platform: Platform, sql: str) -> None:
    with pytest.raises(errors.IsthmusError, match="permission denied"):
        await platform.call(of(platform, "north.look"), Note(subject="x", what=sql), NORTH)
    await platform.call(of(platform, "north.write"), Note(subject="x", what="y"), NORTH)
    assert await notes(platform, "x") == ["y"]


async def test_a_front_ends_migration_can_change_nothing_of_the_platforms(database: Database, tmp_path: Path) -> None:
    (tmp_path / "0001_bad.sql").write_text('alter table "order".orders add column mine text')
    with pytest.raises(errors.Fault, match="must be owner|permission denied"):
        await migrate_own(database.url, "north", tmp_path)
    (tmp_path / "0001_bad.sql").write_text("reset role; drop table isthmus.event")
    with pytest.raises(errors.Fault, match="changes the role"):
        await migrate_own(database.url, "north", tmp_path)


async def test_a_front_end_without_tables_is_told_how_to_make_them(database: Database) -> None:
    platform = Platform(shipped.build([own_line.line("bare")]), database)
    with pytest.raises(errors.Fault, match="'bare' has no tables of its own.*migrations/0001_create.sql"):
        await platform.call(of(platform, "bare.write"), Note(subject="x"), own_line.Caller(front_end="bare"))


def test_a_subscription_that_cannot_work_is_refused_with_what_to_write() -> None:
    right = own_line.line("north")
    (Packed,) = right.events
    wrong = FrontEnd(
        code="north", name="n", owner="n",
        subscriptions={Note: right.capabilities[:1], Packed: right.capabilities[3:4]},
    )  # fmt: skip
    with pytest.raises(errors.BuildProblems) as seen:
        shipped.build([wrong])
    said = str(seen.value)
    assert "subscribes to Note, which is not declared with @event" in said
    assert "'north.notes', which is not its own" in said
    assert "which asks with Note; make its ask Packed" in said
    assert "which has no effect" in said
    assert "subscribes to 'north.packed', which it does not declare; add events=(Packed,)" in said


async def seen(platform: Platform, subject: str, caller: own_line.Caller = NORTH) -> list[str]:
    return sorted(await notes(platform, subject, caller))


async def waiting(database: Database) -> int:
    return await one(database, "select count(*)::int from runtime.delivery")


async def dead(database: Database) -> int:
    return await one(database, "select count(*)::int from runtime.delivery where state = 'dead'")


async def last_error(database: Database) -> str:
    return await one(database, "select coalesce(max(last_error), '') from runtime.delivery")


async def is_subscribed(database: Database) -> bool:
    return await one(database, "select exists (select from isthmus.consumer where name = 'subscriptions')")


async def one(database: Database, sql: str):
    async with database.platform() as session:
        return await session.fetch_value(sql)
