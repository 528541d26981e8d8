"""The feed: a reader outside skips nothing, and sees its own and what it was granted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.kernel import errors, ports
from isthmus.store import Database, Feed, know_streams, prune_events, sharing
from isthmus.store import feed as feeds
from isthmus.store.feed import CursorAhead, CursorExpired, GroupHeld, NoSuchGroup, TooManyGroups

from .test_outbox import HeldOpen, event

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def at(front_end: str, name: str, type: str = "shelf.item-put") -> ports.EventRow:
    return event(name, 2).replace(front_end=front_end, type=type)


async def emit(database: Database, *events: ports.EventRow) -> None:
    for one in events:
        writing = await database.write(one.front_end, None)
        await writing.commit([one], None)


async def seen(database: Database, front_end: str, after: int = 0, types: Sequence[str] | None = None) -> list[str]:
    return [one.subject for one in (await Feed(database).read(front_end, after, types, 100)).events]


async def grant(database: Database, owner: str, type: str, to: str) -> sharing.Grant:
    async with database.platform_transaction() as session:
        draft = sharing.Draft(kind=feeds.STREAM, name=type, to=to, can="read")
        return await sharing.give(session, owner, uuid4(), draft, datetime.now(UTC), "test")


async def test_an_event_that_commits_late_comes_after_the_cursor(database: Database) -> None:
    feed = Feed(database)
    late = HeldOpen(database, [event("late", 1)])
    task = asyncio.create_task(late.run())
    await late.has_written.wait()
    await emit(database, event("other", 1))
    first = await feed.read("north", 0, None, 100)
    assert [one.subject for one in first.events] == ["other"]
    late.release.set()
    await task
    assert await seen(database, "north", first.through) == ["late"]


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count_max=st.sampled_from([1, 3, 50]))
async def test_whatever_commits_meanwhile_a_reader_sees_each_event_once(
    database: Database, seed: int, count_max: int
) -> None:
    randomness = random.Random(seed)
    feed = Feed(database)
    committed: list[str] = []
    cursor = await feed.newest()

    async def write(number: int) -> None:
        name, front_end = f"{seed}/{number}", randomness.choice(["north", "south"])
        writing = await database.write(front_end, None)
        await writing.fetch_value("select pg_current_xact_id()")
        await asyncio.sleep(randomness.random() / 50)
        if randomness.random() < 0.8:
            await writing.commit([at(front_end, name)], None)
            if front_end == "north":
                committed.append(name)
        await writing.close()

    writers = asyncio.gather(*(write(number) for number in range(30)))
    found: list[str] = []
    is_last = False
    while True:
        is_last = writers.done()
        reading = await feed.read("north", cursor, None, count_max)
        cursor = reading.through
        found += [one.subject for one in reading.events]
        await asyncio.sleep(0.001)
        if is_last and not reading.has_more:
            break
    await writers
    assert sorted(found) == sorted(committed)


async def test_a_front_end_sees_its_own_and_what_it_was_granted_as_long_as_it_stands(database: Database) -> None:
    await know_streams(database, [("south", feeds.ALL), ("south", "shelf.item-put")])
    await emit(database, at("north", "own"), at("south", "theirs"), at("south", "kept", "shelf.item-taken"))
    assert await seen(database, "north") == ["own"]
    given = await grant(database, "south", "shelf.item-put", "north")
    assert await seen(database, "north") == ["own", "theirs"]
    assert await seen(database, "west") == []
    async with database.platform() as session:
        await sharing.withdraw(session, "south", given.grant_id, datetime.now(UTC), "test", "no more")
    assert await seen(database, "north") == ["own"]
    await grant(database, "south", feeds.ALL, "north")
    assert await seen(database, "north") == ["own", "theirs", "kept"]
    with pytest.raises(sharing.NothingToShare):
        await grant(database, "north", "shelf.item-put", "south")  # nobody has noted that north has such events


async def test_types_are_named_or_all_of_a_pack(database: Database) -> None:
    await emit(
        database, at("north", "put"), at("north", "taken", "shelf.item-taken"), at("north", "more", "tea.brewed")
    )
    assert await seen(database, "north", 0, ["shelf.item-put"]) == ["put"]
    assert await seen(database, "north", 0, ["shelf.*"]) == ["put", "taken"]
    assert await seen(database, "north", 0, ["shelf.item-taken", "tea.brewed"]) == ["taken", "more"]


async def test_what_is_of_others_is_passed_and_not_looked_at_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(database)
    await emit(database, *(at("south", str(number)) for number in range(9)), at("north", "own"))
    monkeypatch.setattr(feeds, "_READ", feeds._READ.replace("limit 5000", "limit 4"))
    monkeypatch.setattr(feeds, "LOOKED_AT_MAX", 4)
    passed = await feed.read("north", 0, None, 100)
    assert (passed.events, passed.has_more) == ((), True)
    positions = [passed.through]
    while passed.has_more:
        passed = await feed.read("north", passed.through, None, 100)
        positions.append(passed.through)
    assert [one.subject for one in passed.events] == ["own"]
    assert [b - a for a, b in pairwise(positions)] == [4, 2]


async def test_a_cursor_below_what_was_deleted_is_told_what_it_has_missed(database: Database) -> None:
    feed = Feed(database)
    await emit(database, at("north", "gone"), at("north", "kept"))
    first = await feed.read("north", 0, None, 1)
    async with database.platform() as session:
        await session.execute(
            "update isthmus.event set collected_at = now() - interval '8 days' where subject = 'gone'"
        )
    assert await prune_events(database) == 1
    with pytest.raises(CursorExpired) as refused:
        await feed.read("north", 0, None, 100)
    assert refused.value.facts["oldest"] == str(first.through) == str(await feed.oldest())
    assert await seen(database, "north", first.through) == ["kept"]
    assert await prune_events(database, timedelta(0)) == 1
    assert (await feed.read("north", await feed.newest(), None, 100)).events == ()  # also where nothing is left
    with pytest.raises(CursorAhead):
        await feed.read("north", await feed.newest() + 1, None, 100)


async def test_a_group_goes_on_where_it_committed_whoever_reads(database: Database) -> None:
    feed = Feed(database)
    await emit(database, at("north", "a"), at("north", "b"))
    start = await feed.hold("north", "books", "one")
    first = await feed.read("north", start, None, 1)
    await feed.commit("north", "books", "one", first.through)
    with pytest.raises(GroupHeld):
        await feed.hold("north", "books", "two")
    with pytest.raises(GroupHeld):
        await feed.commit("north", "books", "two", first.through)
    async with database.platform() as session:  # the reader dies, and its time runs out
        await session.execute("update isthmus.event_group set held_until = now()")
    assert await seen(database, "north", await feed.hold("north", "books", "two")) == ["b"]
    with pytest.raises(GroupHeld):
        await feed.commit("north", "books", "one", first.through + 1)
    await feed.leave("north", "books", "two")
    assert await feed.hold("north", "books", "three") == first.through
    assert await feed.hold("south", "books", "one") == 0  # a group of the same name is another's
    (state,) = await feed.groups("north")
    assert (state.position, state.behind, state.held_by) == (first.through, 1, "three")


async def test_groups_are_forgotten_and_not_too_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed(database)
    monkeypatch.setattr(feeds, "GROUPS_MAX", 1)
    await feed.hold("north", "one", "r")
    with pytest.raises(TooManyGroups):
        await feed.hold("north", "two", "r")
    with pytest.raises(CursorAhead):
        await feed.commit("north", "one", "r", 99)
    await feed.forget("north", "one")
    for wrong in (feed.forget("north", "one"), feed.commit("north", "one", "r", 0)):
        with pytest.raises(NoSuchGroup):
            await wrong


async def test_no_call_can_read_or_write_groups_and_streams(database: Database) -> None:
    await Feed(database).hold("north", "books", "one")
    session = database.read("north")
    with pytest.raises((errors.Fault, errors.IsthmusError)):
        await session.fetch("select * from isthmus.event_group")
    await session.close()
