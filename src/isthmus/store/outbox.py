"""Events out of the database: each at least once to each consumer, in commit order per subject, none skipped.

    isthmus.outbox   written in the call's transaction, numbered in the order of writing
       │ collect     one mover at a time moves what is committed
    isthmus.event    one dense order for all readers, kept for a while
       │ consume → acknowledge
    isthmus.consumer how far each reader is, and who holds it

A position is given when a row is seen to be committed, never before. So a transaction that commits late gets a
late position, and a cursor that has passed a position has missed nothing below it. Numbers given at the time of
writing cannot do this: a reader that has seen 6 would skip 5 when it commits after; and a reader that waits for
the oldest transaction to end would turn around two events of one subject when the younger transaction was the
first to hold its row. Here two events of one subject keep the order of their transactions' commits whenever the
second could have seen the first, as it does where it locks or reads the subject's row.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from isthmus.kernel import encode, errors, ports

from .database import Database

BATCH_MAX: Final = 500
COLLECT_MAX: Final = 5_000  # rows moved in one transaction: some 50 ms, for which other movers wait
LEASE_S: Final = 60  # longer than any batch should take; a dead reader's twin waits for so long

COLUMNS: Final = "position, id, type, version, subject, front_end, box, time, trace, data"
_READ: Final = f"""
    select {COLUMNS} from isthmus.event where position > $1 order by position limit $2"""
_CONSUME: Final = f"""
    with held as (
        update isthmus.consumer set leased_by = $2, leased_until = now() + make_interval(secs => {LEASE_S})
        where name = $1 and (leased_by = $2 or leased_until < now())
            and exists (select from isthmus.event where event.position > consumer.position)
        returning position
    ), passing as materialized (
        select {", ".join(f"e.{column}" for column in COLUMNS.split(", "))}
        from held cross join lateral (
            select * from isthmus.event where event.position > held.position order by event.position limit $3) e
    )
    select {", ".join(f"p.{column}" for column in COLUMNS.split(", "))},
           held.position as after, (select max(position) from passing) as through
    from held left join passing p on $4::text[] is null or p.type = any ($4)
    order by p.position"""
_ACKNOWLEDGE: Final = """
    update isthmus.consumer set position = $4, failures = 0, last_error = '', moved_at = now()
    where name = $1 and leased_by = $2 and position = $3"""


class Event(ports.EventRow):
    """An event that is committed, with its place in the one order of all events."""

    position: int

    def cloud_event(self, **more: str) -> bytes:
        """Return it as JSON in the structured mode of CloudEvents 1.0. more: attributes of our own."""
        return encode(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": f"/front-ends/{self.front_end}",
                "type": self.type,
                "subject": self.subject,
                "time": self.time,
                "datacontenttype": "application/json",
                "dataschema": f"/schemas/{self.type}/{self.version}",
                "frontend": self.front_end,
                "box": self.box,
                "trace": self.trace,
                "position": str(self.position),
                **more,
                "data": msgspec.Raw(self.data),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events for one consumer, to be acknowledged when they have had their effect.

    `through` may lie beyond the last event: events of types that were not asked for are passed as well.
    """

    consumer: str
    after: int
    through: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerState:
    """How far a consumer is: `behind` events are collected and not acknowledged."""

    consumer: str
    position: int
    behind: int
    failures: int
    last_error: str
    moved_at: datetime


class Outbox:
    """The events of a database, for readers with a name and a durable cursor.

    Two outboxes, in one process or two, never hold the same consumer at once; a third party takes it over when
    the holder has been silent for `LEASE_S` seconds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._holder = uuid.uuid4().hex
        self._collecting = asyncio.Lock()  # the movers of one process queue here, not on connections

    async def subscribe(self, consumer: str, *, is_from_start: bool = True) -> None:
        """Make a consumer known; its first event is the oldest that is kept, or the next.

        Does nothing to a consumer that is known.
        """
        async with self._database.platform() as session:
            await session.execute(
                """insert into isthmus.consumer (name, position)
                   select $1, case when $2 then 0 else coalesce((select max(position) from isthmus.event), 0) end
                   on conflict do nothing""",
                consumer,
                is_from_start,
            )

    async def forget(self, consumer: str) -> None:
        """Drop a consumer, so that events are no longer kept for it."""
        async with self._database.platform() as session:
            await session.execute("delete from isthmus.consumer where name = $1", consumer)

    async def move_to(self, consumer: str, position: int) -> None:
        """Set a consumer's cursor: 0 replays all that is kept, an event's position skips up to it and with it."""
        async with self._database.platform() as session:
            tag = await session.execute(
                "update isthmus.consumer set position = $2, failures = 0, last_error = '' where name = $1",
                consumer,
                position,
            )
        if tag == "UPDATE 0":
            raise _unknown(consumer)

    async def collect(self) -> int:
        """Move committed events into their order; return how many. Readers call it themselves."""
        async with self._collecting, self._database.platform() as session:
            return await session.fetch_value("select isthmus.collect($1)", COLLECT_MAX)

    async def consume(
        self, consumer: str, batch_max: int = BATCH_MAX, *, types: Sequence[str] | None = None
    ) -> Batch | None:
        """Return the next events of a consumer, and hold it against others until they are acknowledged.

        The same batch comes again until then. Returns None where there is nothing new, or where another
        process holds the consumer. Raises NotFound for a consumer that is not subscribed.
        """
        await self.collect()
        async with self._database.platform() as session:
            rows = await session.fetch(_CONSUME, consumer, self._holder, batch_max, types)
            if not rows:
                await self._check_known(session, consumer)
                return None
        events = tuple(event_of(row) for row in rows if row["position"] is not None)
        return Batch(consumer=consumer, after=rows[0]["after"], through=rows[0]["through"], events=events)

    async def acknowledge(self, batch: Batch, session: ports.Session | None = None) -> None:
        """Move the cursor past a batch, in the transaction of `session` where the effects are in one.

        Raises Conflict where somebody else has taken the consumer over: roll the effects back, they are theirs.
        """
        cursor = (batch.consumer, self._holder, batch.after, batch.through)
        if session is not None:
            tag = await session.execute(_ACKNOWLEDGE, *cursor)
        else:
            async with self._database.platform() as own:
                tag = await own.execute(_ACKNOWLEDGE, *cursor)
        if tag != "UPDATE 1":
            raise errors.Conflict(
                f"consumer {batch.consumer!r} is no longer at {batch.after} in these hands",
                remedy="undo what the batch did and consume again",
            )

    async def release(self) -> None:
        """Hold no consumer any more: whoever asks next for the events of one is given them at once."""
        async with self._database.platform() as session:
            await session.execute(
                "update isthmus.consumer set leased_until = now() - interval '1 second' where leased_by = $1",
                self._holder,
            )

    async def fail(self, batch: Batch, error: Exception) -> None:
        """Note on the consumer why a batch had no effect; it comes again."""
        async with self._database.platform() as session:
            await session.execute(
                "update isthmus.consumer set failures = failures + 1, last_error = left($2, 2000) where name = $1",
                batch.consumer,
                repr(error),
            )

    async def read(self, after: int, batch_max: int = BATCH_MAX) -> tuple[Event, ...]:
        """Return what follows a position, for a reader that keeps its own; hold nothing.

        Such a reader subscribes and calls `move_to` too, so that events are kept until it has them.
        """
        await self.collect()
        async with self._database.platform() as session:
            return tuple(event_of(row) for row in await session.fetch(_READ, after, batch_max))

    async def newest(self) -> int:
        """Return the position of the newest event that is kept; 0 where there is none."""
        await self.collect()
        async with self._database.platform() as session:
            return await session.fetch_value("select coalesce(max(position), 0) from isthmus.event")

    async def states(self) -> tuple[ConsumerState, ...]:
        """Return how far each consumer is."""
        async with self._database.platform() as session:
            rows = await session.fetch(
                """select name, c.position, failures, last_error, moved_at,
                          (select count(*) from isthmus.event e where e.position > c.position) as behind
                   from isthmus.consumer c order by name"""
            )
        return tuple(
            ConsumerState(
                consumer=row["name"],
                position=row["position"],
                behind=row["behind"],
                failures=row["failures"],
                last_error=row["last_error"],
                moved_at=row["moved_at"],
            )
            for row in rows
        )

    async def _check_known(self, session: ports.Session, consumer: str) -> None:
        if not await session.fetch_value("select count(*) from isthmus.consumer where name = $1", consumer):
            raise _unknown(consumer)


def _unknown(consumer: str) -> errors.NotFound:
    return errors.NotFound(f"no consumer {consumer!r} is subscribed", remedy="subscribe it first")


def event_of(row: ports.Row) -> Event:
    """Return the event of a row of `COLUMNS`."""
    values: Any = row  # read by place: this runs for every event
    return Event(
        position=values[0],
        id=values[1],
        type=values[2],
        version=values[3],
        subject=values[4],
        front_end=values[5],
        box=values[6],
        time=values[7],
        trace=values[8],
        data=values[9],
    )
