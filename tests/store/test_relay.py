"""The relay: told soon, told again after a failure, one voice among several processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import asyncpg
import pytest

from isthmus.kernel import errors, ports
from isthmus.store import Consumer, Database, Event, Outbox, Relay, relay
from isthmus.store.database import ANNOUNCE_EVERY_S, EVENTS_CHANNEL
from tests.waiting import until


def event(number: int) -> ports.EventRow:
    return ports.EventRow(
        id=str(number),
        type="shelf.item-taken",
        version="1.0",
        subject="tea",
        front_end="north",
        box="north",
        time=datetime.now(UTC),
        trace="trace",
        data=b"{}",
    )


async def emit(database: Database, *numbers: int) -> None:
    writing = await database.write("north", None)
    await writing.commit([event(number) for number in numbers], None)


class Heard:
    """A consumer that remembers what it was told."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._more = asyncio.Event()

    async def deliver(self, events: Sequence[Event]) -> None:
        self.ids += [event.id for event in events]
        self._more.set()

    async def has(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.ids) < count:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def running(database: Database, *consumers: Consumer) -> AsyncGenerator[None]:
    task = asyncio.create_task(Relay(database, consumers).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_event_arrives_by_word_and_not_by_looking(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "POLL_S", 1_000_000)  # by looking, it would not come within a test's patience
    heard = Heard()
    async with running(database, Consumer(name="reader", deliver=heard.deliver)):
        await emit(database, 1)
        await heard.has(1)
        await emit(database, 2)
        await heard.has(2)
    assert heard.ids == ["1", "2"]


async def test_what_is_committed_while_a_batch_is_delivered_arrives_by_word_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL_S", 1_000_000)
    heard = Heard()

    async def deliver(events: Sequence[Event]) -> None:
        if not heard.ids:
            await emit(database, 2)  # committed after the batch was read
        await heard.deliver(events)

    async with running(database, Consumer(name="reader", deliver=deliver)):
        await emit(database, 1)
        await heard.has(2)
    assert heard.ids == ["1", "2"]


async def test_more_than_a_batch_holds_arrives_without_another_word(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL_S", 1_000_000)
    monkeypatch.setattr(database, "_announce_events", lambda: None)
    await emit(database, *range(1, 8))
    heard = Heard()
    async with running(database, Consumer(name="reader", deliver=heard.deliver, batch_max=3)):
        await heard.has(7)
    assert heard.ids == [str(number) for number in range(1, 8)]


async def test_commits_that_follow_each_other_are_told_of_together(database: Database) -> None:
    listening = await asyncpg.connect(database.url)
    heard: list[str] = []

    def hear(*word: object) -> None:
        heard.append(str(word[-1]))

    await listening.add_listener(EVENTS_CHANNEL, hear)
    began = time.perf_counter()
    for number in range(40):
        await emit(database, number)
        await asyncio.sleep(0.01)

    async def has_heard() -> bool:
        return bool(heard)

    await until(has_heard, "that a listener is told")
    took = time.perf_counter() - began
    await listening.close()
    assert len(heard) <= took / ANNOUNCE_EVERY_S + 1  # and not one for each commit


async def test_an_event_arrives_where_its_word_is_lost(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "POLL_S", 0.05)
    monkeypatch.setattr(database, "_announce_events", lambda: None)
    heard = Heard()
    async with running(database, Consumer(name="reader", deliver=heard.deliver)):
        await emit(database, 1)
        await heard.has(1)


async def test_a_failing_consumer_is_told_again_and_holds_up_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RETRY_FIRST_S", 0.01)
    good, late = Heard(), Heard()
    repaired, tried_again = asyncio.Event(), asyncio.Event()
    tries = 0

    async def deliver(events: Sequence[Event]) -> None:
        nonlocal tries
        tries += 1
        if tries > 1:
            tried_again.set()
            await repaired.wait()
            await late.deliver(events)
            return
        raise ConnectionError("partner is away")

    outbox = Outbox(database)
    async with running(database, Consumer(name="good", deliver=good.deliver), Consumer(name="late", deliver=deliver)):
        await emit(database, 1, 2)
        await good.has(2)
        await tried_again.wait()
        state = next(state for state in await outbox.states() if state.consumer == "late")
        assert (state.failures, state.last_error) == (1, "ConnectionError('partner is away')")
        repaired.set()
        await late.has(2)
    assert good.ids == late.ids == ["1", "2"]


async def test_two_relays_tell_each_consumer_once(database: Database) -> None:
    heard = Heard()
    consumer = Consumer(name="reader", deliver=heard.deliver, batch_max=3)
    async with running(database, consumer), running(database, consumer):
        for number in range(30):
            await emit(database, number)
        await heard.has(30)
        outbox = Outbox(database)

        async def is_acknowledged() -> bool:  # what was delivered and not acknowledged would come again
            return all(state.behind == 0 for state in await outbox.states())

        await until(is_acknowledged, "that all is acknowledged")
    assert heard.ids == [str(number) for number in range(30)]


async def test_a_relay_that_ends_leaves_its_consumers_to_the_next_at_once(database: Database) -> None:
    first, second = Heard(), Heard()
    async with running(database, Consumer(name="reader", deliver=first.deliver)):
        await emit(database, 1)
        await first.has(1)
    await emit(database, 2)
    async with running(database, Consumer(name="reader", deliver=second.deliver)):
        await second.has(1)
    assert second.ids[-1:] == ["2"]


async def test_a_relay_outlives_its_connections(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(relay, "POLL_S", 0.05)
    heard = Heard()
    async with running(database, Consumer(name="reader", deliver=heard.deliver)):
        await emit(database, 1)
        await heard.has(1)
        async with database.platform() as session:
            await session.execute(
                """select pg_terminate_backend(pid) from pg_stat_activity
                   where datname = current_database() and pid <> pg_backend_pid()"""
            )
        for _ in range(20):  # until the pool has met the last of its dead connections
            with suppress(errors.Unavailable):
                await emit(database, 2)
                break

        async def has_second() -> bool:
            return "2" in heard.ids

        await until(has_second, "that the second event is heard")
    # A connection that dies between a delivery and its mark has that event delivered again: at least once is promised.
    assert list(dict.fromkeys(heard.ids)) == ["1", "2"]
