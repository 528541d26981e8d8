"""Carry events to consumers in this process, as long as it runs.

Each consumer has a loop of its own, so that a slow or failing one holds up nobody. A batch that fails comes again,
later each time; it is never skipped, since what follows it may depend on it. `Outbox.states` shows what fails,
and `Outbox.move_to` is how a person skips it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from isthmus.kernel import errors

from .database import Database
from .listening import POLL_S, listen
from .outbox import BATCH_MAX, Batch, Event, Outbox

RETRY_FIRST_S: Final = 0.1
RETRY_LAST_S: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A subscriber of events: of these types, or of all; from the oldest kept, or from now.

    `deliver` has its effect when it returns. It may be given an event again, and knows it by its id.
    """

    name: str
    deliver: Callable[[Sequence[Event]], Awaitable[None]]
    types: tuple[str, ...] | None = None
    batch_max: int = BATCH_MAX
    is_from_start: bool = True


class Relay:
    """Deliver to consumers while `run` runs; any number of processes may run one with the same consumers."""

    def __init__(self, database: Database, consumers: Sequence[Consumer]) -> None:
        self._database = database
        self._outbox = Outbox(database)
        self._consumers = tuple(consumers)
        self._bells = {consumer.name: asyncio.Event() for consumer in consumers}

    async def run(self) -> None:
        """Deliver until cancelled, then leave the consumers to others. Outlives a database that is away for a while."""
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(listen(self._database.url, self._ring))
                for consumer in self._consumers:
                    loops.create_task(self._serve(consumer))
        finally:
            with suppress(Exception):  # without a database they are left to others when the lease is over
                await self._outbox.release()

    async def _serve(self, consumer: Consumer) -> None:
        pause = RETRY_FIRST_S
        is_subscribed = False
        while True:
            try:
                if not is_subscribed:
                    await self._outbox.subscribe(consumer.name, is_from_start=consumer.is_from_start)
                    is_subscribed = True
                bell = self._bells[consumer.name]
                bell.clear()  # before looking, so that no word is lost between looking and waiting
                has_more = await self._deliver_next(consumer)
                pause = RETRY_FIRST_S
                if not has_more:
                    await _heard(bell)
            except Exception as error:
                _log.warning("consumer %s failed, again in %.1f s: %r", consumer.name, pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LAST_S)

    async def _deliver_next(self, consumer: Consumer) -> bool:
        """Deliver a batch; return whether more may wait already. What comes meanwhile rings the bell."""
        batch = await self._outbox.consume(consumer.name, consumer.batch_max, types=consumer.types)
        if batch is None:
            return False
        if batch.events:
            await self._deliver(consumer, batch)
        await self._outbox.acknowledge(batch)
        return batch.through - batch.after >= consumer.batch_max  # positions are dense: fewer are all there were

    async def _deliver(self, consumer: Consumer, batch: Batch) -> None:
        try:
            await consumer.deliver(batch.events)
        except Exception as error:
            with suppress(errors.IsthmusError):
                await self._outbox.fail(batch, error)
            raise

    def _ring(self, *_: object) -> None:
        for bell in self._bells.values():
            bell.set()


async def _heard(bell: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(POLL_S):
            await bell.wait()
