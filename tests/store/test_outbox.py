"""Events: none skipped, none turned around, each acknowledged once."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.kernel import errors, ports
from isthmus.store import Database, Event, Outbox
from tests.waiting import until


def event(subject: str, number: int) -> ports.EventRow:
    return ports.EventRow(
        id=f"{subject}/{number}",
        type="shelf.item-taken" if number % 2 else "shelf.item-put",
        version="1.0",
        subject=subject,
        front_end="north",
        box="north",
        time=datetime(2030, 1, 1, tzinfo=UTC),
        trace="trace",
        data=b'{"number":%d}' % number,
    )


async def emit(database: Database, *events: ports.EventRow) -> None:
    writing = await database.write("north", None)
    await writing.commit(events, None)


async def drain(outbox: Outbox, consumer: str, batch_max: int = 500) -> list[Event]:
    events: list[Event] = []
    while batch := await outbox.consume(consumer, batch_max):
        events += batch.events
        await outbox.acknowledge(batch)
    return events


class HeldOpen:
    """A transaction that has written its events and not committed."""

    def __init__(self, database: Database, events: list[ports.EventRow]) -> None:
        self.database = database
        self.events = events
        self.release = asyncio.Event()
        self.has_written = asyncio.Event()

    async def run(self) -> None:
        writing = await self.database.write("north", None)
        end: Callable[[], Awaitable[None]] = writing.end

        async def wait_and_end(last: str = "") -> None:
            await writing._send(lambda connection: connection.execute(last))
            self.has_written.set()
            await self.release.wait()
            await end()

        writing.end = wait_and_end
        await writing.commit(self.events, None)


async def test_a_transaction_that_commits_late_is_not_skipped(database: Database) -> None:
    outbox = Outbox(database)
    await outbox.subscribe("reader")
    late = HeldOpen(database, [event("early", 1), event("early", 2)])
    task = asyncio.create_task(late.run())
    await late.has_written.wait()
    await emit(database, event("other", 1))
    assert [e.id for e in await drain(outbox, "reader")] == ["other/1"]
    late.release.set()
    await task
    assert [e.id for e in await drain(outbox, "reader")] == ["early/1", "early/2"]


async def test_an_old_transaction_that_touches_a_subject_last_is_delivered_last(database: Database) -> None:
    """The trap of ordering by transaction number: the older one here gets its turn on the subject second."""
    outbox = Outbox(database)
    await outbox.subscribe("reader")
    old = await database.write("north", None)
    await old.fetch_value("select pg_current_xact_id()")
    await emit(database, event("tea", 1))
    await old.commit([event("tea", 2)], None)
    assert [e.id for e in await drain(outbox, "reader")] == ["tea/1", "tea/2"]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
async def test_whatever_runs_at_once_none_is_lost_or_turned_around(database: Database, seed: int) -> None:
    randomness = random.Random(seed)
    outbox = Outbox(database)
    name = f"reader-{seed}"
    await outbox.subscribe(name, is_from_start=False)
    subjects = [f"{seed}/{n}" for n in range(3)]
    locks = {subject: asyncio.Lock() for subject in subjects}  # stands for the row that a writer holds
    written: dict[str, list[int]] = defaultdict(list)

    async def write(number: int) -> None:
        own = sorted(randomness.sample(subjects, randomness.randint(1, 2)))
        writing = await database.write("north", None)  # begins, and has its number, before it has the rows
        await writing.fetch_value("select pg_current_xact_id()")
        for subject in own:
            await locks[subject].acquire()
        await asyncio.sleep(randomness.random() / 100)
        if randomness.random() < 0.8:
            await writing.commit([event(subject, number) for subject in own], None)
            for subject in own:
                written[subject].append(number)
        for subject in own:
            locks[subject].release()
        await writing.close()

    async def read() -> list[Event]:
        events: list[Event] = []
        while not writers.done():
            events += await drain(outbox, name, 7)
            await asyncio.sleep(0)
        return events + await drain(outbox, name, 7)

    writers = asyncio.gather(*(write(number) for number in range(40)))
    events = await read()
    assert not writers.exception()
    seen: dict[str, list[int]] = defaultdict(list)
    for e in events:
        seen[e.subject].append(json.loads(e.data)["number"])
    assert seen == written
    positions = [e.position for e in events]
    assert positions == sorted(set(positions))


async def test_a_batch_comes_again_until_it_is_acknowledged(database: Database) -> None:
    outbox = Outbox(database)
    await outbox.subscribe("reader")
    await emit(database, *(event("tea", n) for n in range(5)))
    first, again = await outbox.consume("reader", 3), await outbox.consume("reader", 3)
    assert first is not None
    assert first == again
    assert [e.id for e in first.events] == ["tea/0", "tea/1", "tea/2"]
    await outbox.acknowledge(first)
    with pytest.raises(errors.Conflict):
        await outbox.acknowledge(first)
    assert [e.id for e in await drain(outbox, "reader")] == ["tea/3", "tea/4"]


async def test_an_acknowledgement_belongs_to_the_readers_own_transaction(database: Database) -> None:
    outbox = Outbox(database)
    await outbox.subscribe("reader")
    await emit(database, event("tea", 1))
    batch = await outbox.consume("reader")
    assert batch is not None

    async def acknowledge_and_fail() -> None:
        async with database.platform_transaction() as session:
            await outbox.acknowledge(batch, session)
            await session.execute("select 1 / 0")

    with pytest.raises(errors.Fault):
        await acknowledge_and_fail()
    assert await outbox.consume("reader") == batch


async def test_a_consumer_is_held_by_one_outbox_until_its_lease_ends(database: Database) -> None:
    mine, theirs = Outbox(database), Outbox(database)
    await mine.subscribe("reader")
    await emit(database, event("tea", 1))
    batch = await mine.consume("reader")
    assert batch is not None
    assert await theirs.consume("reader") is None
    async with database.platform() as session:
        await session.execute("update isthmus.consumer set leased_until = now() - interval '1 second'")
    taken_over = await theirs.consume("reader")
    assert taken_over is not None
    with pytest.raises(errors.Conflict):
        await mine.acknowledge(batch)
    await theirs.acknowledge(taken_over)


async def test_types_that_were_not_asked_for_are_passed_by(database: Database) -> None:
    outbox = Outbox(database)
    await outbox.subscribe("reader")
    await emit(database, *(event("tea", n) for n in range(6)))
    numbers: list[str] = []
    while batch := await outbox.consume("reader", 2, types=["shelf.item-taken"]):
        numbers += [e.id for e in batch.events]
        await outbox.acknowledge(batch)
    assert numbers == ["tea/1", "tea/3", "tea/5"]
    assert await outbox.consume("reader", types=["shelf.item-lost"]) is None


async def test_a_new_consumer_starts_from_what_is_kept_or_from_now(database: Database) -> None:
    outbox = Outbox(database)
    await emit(database, event("tea", 1))
    await outbox.collect()
    await outbox.subscribe("historian")
    await outbox.subscribe("alarm", is_from_start=False)
    await emit(database, event("tea", 2))
    assert [e.id for e in await drain(outbox, "historian")] == ["tea/1", "tea/2"]
    assert [e.id for e in await drain(outbox, "alarm")] == ["tea/2"]
    await outbox.move_to("historian", 0)
    assert len(await drain(outbox, "historian")) == 2


async def test_a_reader_with_a_position_of_its_own_reads_what_follows_it(database: Database) -> None:
    outbox = Outbox(database)
    await emit(database, *(event("tea", n) for n in range(3)))
    first, *_ = await outbox.read(0, 1)
    assert [e.id for e in await outbox.read(first.position)] == ["tea/1", "tea/2"]


async def test_states_say_who_is_behind_and_why(database: Database) -> None:
    outbox = Outbox(database)
    await outbox.subscribe("reader")
    await emit(database, event("tea", 1), event("tea", 2))
    batch = await outbox.consume("reader", 1)
    assert batch is not None
    await outbox.fail(batch, ValueError("no room"))
    state, *_ = await outbox.states()
    assert (state.behind, state.failures, state.last_error) == (2, 1, "ValueError('no room')")
    await outbox.acknowledge(batch)
    state, *_ = await outbox.states()
    assert (state.behind, state.failures, state.last_error) == (1, 0, "")


@pytest.mark.parametrize("count", [1, 2, 3, 40])
async def test_events_of_one_commit_come_as_they_were_emitted(database: Database, count: int) -> None:
    outbox = Outbox(database)
    await outbox.subscribe("reader")
    said = b'{"said":"it\'s; \\\\ \\" done","sum":1.50,"sum":2}'  # as it is: neither read nor written anew
    emitted = [event(f"o'brien;\\{number}", number).replace(data=said) for number in range(count)]
    await emit(database, *emitted)
    found = await drain(outbox, "reader")
    assert [one.subject for one in found] == [one.subject for one in emitted]
    assert [one.id for one in found] == [one.id for one in emitted]
    assert {one.data for one in found} == {said}
    assert {one.time for one in found} == {datetime(2030, 1, 1, tzinfo=UTC)}


async def test_an_unknown_consumer_is_refused(database: Database) -> None:
    with pytest.raises(errors.NotFound, match="subscribe it first"):
        await Outbox(database).consume("nobody")
    with pytest.raises(errors.NotFound):
        await Outbox(database).move_to("nobody", 0)


async def test_an_event_reads_as_a_cloud_event(database: Database) -> None:
    await emit(database, event("tea", 1))
    one, *_ = await Outbox(database).read(0)
    assert json.loads(one.cloud_event()) == {
        "specversion": "1.0",
        "id": "tea/1",
        "source": "/front-ends/north",
        "type": "shelf.item-taken",
        "subject": "tea",
        "time": "2030-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "/schemas/shelf.item-taken/1.0",
        "frontend": "north",
        "box": "north",
        "trace": "trace",
        "position": str(one.position),
        "data": {"number": 1},
    }


async def test_an_event_of_a_call_that_did_not_commit_does_not_exist(shelf: Database) -> None:
    writing = await shelf.write("north", None)
    with pytest.raises(errors.Fault):
        await writing.execute("select 1 / 0")
    with pytest.raises(errors.Fault):
        await writing.commit([event("tea", 1)], None)
    await writing.close()
    assert await Outbox(shelf).collect() == 0


async def test_an_event_for_another_front_end_is_refused(database: Database) -> None:
    writing = await database.write("south", None)
    with pytest.raises(errors.Fault, match="row of another front end"):
        await writing.commit([event("tea", 1)], None)
    await writing.close()


FILL = """
    insert into isthmus.outbox (id, type, version, subject, front_end, box, time, trace, data)
    select n, 'shelf.item-put', '1.0', n, 'north', 'north', now(), '', '{}' from generate_series(1, 12000) n"""


async def move_many(database: Database) -> int:
    """Write and move 12,000 events twice, and return the seq below which a mover no longer looks."""
    outbox = Outbox(database)
    async with database.platform() as session:
        for _ in range(2):
            await session.execute(FILL)
            while await outbox.collect():
                pass
        return await session.fetch_value("select floor from isthmus.collector")


async def test_a_mover_never_starts_above_a_transaction_that_still_runs(database: Database) -> None:
    late = HeldOpen(database, [event("early", 1)])
    task = asyncio.create_task(late.run())
    await late.has_written.wait()
    assert await move_many(database) == 0
    late.release.set()
    await task
    outbox = Outbox(database)
    await outbox.collect()
    async with database.platform() as session:
        assert await session.fetch_value("select count(*) from isthmus.event where id = 'early/1'") == 1
    await floor_above(database, 12_000)


async def floor_above(database: Database, seq: int) -> None:
    """Move events until movers look no lower; transactions of other databases on this server hold them back too."""

    async def look() -> bool:
        return await move_many(database) > seq

    await until(look, f"that movers look no lower than {seq}")


async def test_a_long_reader_does_not_make_movers_pass_over_all_that_was_moved(
    database: Database, database_url: str
) -> None:
    dump = await asyncpg.connect(database_url)
    await dump.execute("begin isolation level repeatable read")
    await dump.fetch("select from isthmus.event")
    await floor_above(database, 12_000)
    await dump.close()
