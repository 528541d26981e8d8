"""Durable delivery: retry each enqueued event until its subscriber succeeds, across process crashes.

Each call goes through the pipeline under a key that follows from its event, so it is exactly once in effect: a
transaction that committed answers again, and a flow in steps goes on where a killed run stopped. A flow that fails
has undone its steps, last first, before it is tried again. Who calls holds the row by a lease, and renews it; a
process that was killed loses it, and any other takes over. Calls of one subject keep the order of their events. Each
subscription has slots of its own, so one that fails or hangs holds up no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import uuid4

from isthmus.kernel import Caller, Platform, errors, ports
from isthmus.store import Database, Relay

from . import timers
from .subscriptions import called, consumer

LEASE_S: Final = 10.0  # a killed process's work waits for so long
RETRY_FIRST_S: Final = 1.0
RETRY_LAST_S: Final = 600.0
ATTEMPTS_MAX: Final = 10  # some twenty minutes: what a deploy or a person on call may take to fix it
SLOTS: Final = 2  # calls of one subscription at once in one process
POLL_S: Final = 1.0
CLIENT: Final = "subscription"

# What went well is gone, and the first of each subject that is due is taken, in one statement; a later one of the same
# subject waits for it, in whatever state of retry. A statement does not see what it has deleted itself as gone.
_TAKE: Final = """
    with done as (
        delete from runtime.delivery where id = any($6::bigint[]) and held_by = $1 returning id
    ), due as (
        select taken.id
        from unnest($2::text[], $3::text[], $4::int[]) as free (front_end, capability, slots)
        cross join lateral (
            select id from runtime.delivery d
            where d.front_end = free.front_end and d.capability = free.capability and d.state = 'waiting'
              and d.due_at <= now() and d.held_until < now() and d.id not in (select id from done)
              and not exists (
                  select from runtime.delivery earlier
                  where earlier.front_end = d.front_end and earlier.capability = d.capability
                    and earlier.subject = d.subject and earlier.state = 'waiting' and earlier.id < d.id
                    and earlier.id not in (select id from done))
            order by d.id limit free.slots for update skip locked) taken
    )
    update runtime.delivery d set held_by = $1, held_until = now() + make_interval(secs => $5), attempts = attempts + 1
    from due where d.id = due.id and d.held_until < now()
    returning d.id, d.front_end, d.capability, d.event_id, d.event_type, d.ask, d.attempts"""
_RENEW: Final = """
    update runtime.delivery set held_until = now() + make_interval(secs => $2) where held_by = $1 and id = any($3)"""
_FAILED: Final = """
    update runtime.delivery
    set state = case when $4 then 'dead' else 'waiting' end, due_at = now() + make_interval(secs => $3),
        held_by = '', held_until = '-infinity', last_error = left($5, 2000)
    where id = $1 and held_by = $2"""

Ended = tuple[ports.Row, Exception | None]  # a delivery that was called, and what it failed with

log = logging.getLogger("isthmus.runtime")


class DurableCalls:
    """Tells front ends of events and makes the calls; any number of processes may run one on the same database."""

    def __init__(
        self,
        platform: Platform,
        database: Database,
        *,
        lease_s: float = LEASE_S,
        retry_first_s: float = RETRY_FIRST_S,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        self._platform = platform
        self._database = database
        self._lease_s = lease_s
        self._retry_first_s = retry_first_s
        self._attempts_max = attempts_max
        self._holder = uuid4().hex
        self._running: dict[int, tuple[str, str]] = {}  # what is called now, by row
        self._ended: list[Ended] = []  # and what was, until it is written down
        self._tasks: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()  # one transaction at a time changes what is held: two never wait in a ring
        self._bell = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled. Outlives a database that is away for a while."""
        relay = Relay(self._database, [consumer(self._platform, self._database, self._bell.set)])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(relay.run())
            tasks.create_task(self._renew())
            tasks.create_task(self._take())

    async def _take(self) -> None:
        try:
            while True:
                self._bell.clear()
                try:
                    rows = await self._exchange()
                except errors.IsthmusError as error:
                    log.warning("deliveries cannot be written down or taken, again in %.0f s: %s", POLL_S, error)
                    rows = ()
                for row in rows:
                    self._running[row["id"]] = (row["front_end"], row["capability"])
                    task = asyncio.create_task(self._deliver(row))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._bell.wait()
        finally:
            for task in self._tasks:
                task.cancel()

    async def _exchange(self) -> Sequence[ports.Row]:
        """Write down what came of calls and take the next ones, in one transaction; mostly in one statement."""
        ended = tuple(self._ended)
        written = {row["id"] for row, _ in ended}
        taken = Counter(key for row_id, key in self._running.items() if row_id not in written)
        free = [
            (code, name, SLOTS - taken[code, name])
            for code, name in called(self._platform.release)
            if taken[code, name] < SLOTS
        ]
        rows: Sequence[ports.Row] = ()
        if ended or free:
            done = [row["id"] for row, error in ended if error is None]
            columns = [list(column) for column in zip(*free, strict=True)] or [[], [], []]
            has_more = any(error is not None or _is_job(row) for row, error in ended)
            opened = self._database.platform_transaction() if has_more else self._database.platform()
            async with self._changing, opened as session:
                if has_more:
                    await self._write_down(session, ended)
                rows = tuple(await session.fetch(_TAKE, self._holder, *columns, self._lease_s, done))
        del self._ended[: len(ended)]
        for row_id in written:
            del self._running[row_id]
        return rows

    async def _write_down(self, session: ports.Session, ended: Sequence[Ended]) -> None:
        """Write down what failed, and what jobs came to."""
        for row, error in ended:
            if error is not None:
                await self._failed(session, row, error)
        runs = {_job(row): error for row, error in ended if _is_job(row)}
        for front_end, job in sorted(runs):  # in one order, so that no two servers wait for each other
            await timers.note_run(session, front_end, job, runs[front_end, job])

    async def _deliver(self, row: ports.Row) -> None:
        self._ended.append((row, await self._called(row)))
        self._bell.set()

    async def _called(self, row: ports.Row) -> Exception | None:
        caller = Caller(front_end=row["front_end"], client=CLIENT, is_event_triggered=True, via="event")
        key = f"{CLIENT}/{row['event_id']}/{row['capability']}"
        try:
            await self._platform.call_wire(row["capability"], row["ask"], caller, key=key)
        except Exception as error:
            return error
        return None

    async def _failed(self, session: ports.Session, row: ports.Row, error: Exception) -> None:
        attempts: int = row["attempts"]
        is_dead = attempts >= self._attempts_max or isinstance(error, errors.BadAsk)  # what does not fit never will
        pause_s = min(self._retry_first_s * 2 ** (attempts - 1), RETRY_LAST_S)
        log.log(
            logging.ERROR if is_dead else logging.WARNING,
            "%s of %s failed (%d): %s", row["capability"], row["event_id"], attempts, error,
        )  # fmt: skip
        reason = str(error) if isinstance(error, errors.IsthmusError) else repr(error)
        await session.execute(_FAILED, row["id"], self._holder, pause_s, is_dead, reason)

    async def _renew(self) -> None:
        """Keep what is called here from being taken over."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            if self._running:
                with suppress(errors.IsthmusError):
                    async with self._changing, self._database.platform() as session:
                        await session.execute(_RENEW, self._holder, self._lease_s, list(self._running))


def _is_job(row: ports.Row) -> bool:
    event_id: str = row["event_id"]
    return event_id.startswith(timers.PREFIX)


def _job(row: ports.Row) -> tuple[str, str]:
    return row["front_end"], row["event_type"]
