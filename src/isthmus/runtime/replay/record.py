"""Keep the traces of a share of the calls, so that a change can be tried on them before it goes live.

Choosing costs one random number a call. What is chosen waits in memory and is written by a background task in
batches. A full buffer drops the newest and counts them: recording never slows a call down. Personal data, as the
contracts mark it, is masked before anything is written.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

from isthmus.kernel import errors
from isthmus.kernel.host import Trace
from isthmus.store import METER, Database, Meter

from .recorded import TRACE_MAX, Own, Points, RecordedCall, recorded, write

SHARE: Final = 0.01  # enough to see a difference in a hundred of ten thousand calls, and little enough to cost nothing
BUFFER_MAX: Final = 10_000  # traces; some ten MB
BATCH_MAX: Final = 500
# Of a capability of a front end. A share of what everybody wants at once, ten thousand times a second, would push all
# else out of what is kept within minutes, and each recorded call goes alone where others go together.
MOST_PER_S: Final = 10
FLUSH_EVERY_S: Final = 1.0
KEPT_PER_FRONT_END: Final = 50_000  # replayed in a second
KEPT_MB: Final = 256  # of each front end, as they lie compressed in the table
KEPT_DAYS: Final = 30  # a month has every kind of day; older calls were answered by versions that are long gone

R = TypeVar("R")

log = logging.getLogger("isthmus.runtime")

_PRUNE: Final = """
    with ranked as (
        select front_end, call_id, recorded_at, row_number() over newest as place,
               sum(pg_column_size(story)) over newest as bytes
        from runtime.recorded_call window newest as (partition by front_end order by recorded_at desc, call_id desc)
    )
    delete from runtime.recorded_call old using ranked
    where old.front_end = ranked.front_end and old.call_id = ranked.call_id
      and (ranked.place > $1 or ranked.bytes > $2 or ranked.recorded_at < now() - $3::interval)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is recorded, and how long it stays.

    share: of all calls, from 0 to 1. most_per_s: of a capability of a front end in a second, where that share is what
    counts; 0 is no bound. shares: where it differs, by front end (`north`), capability (`pricing.price-lines`) or both
    (`north/pricing.price-lines`); the narrowest counts, and is not bounded.
    """

    share: float = SHARE
    most_per_s: int = MOST_PER_S
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    kept: int = KEPT_PER_FRONT_END
    kept_mb: int = KEPT_MB
    kept_days: int = KEPT_DAYS

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Recording:
        """Read the section `[record]` of the settings. Raises BadAsk."""
        found = cls(**said)
        for name, share in (("share", found.share), *found.shares.items()):
            if not isinstance(share, (int, float)) or not 0 <= share <= 1:
                raise errors.BadAsk(f"[record] {name} = {share!r}", remedy="a share is a number from 0 to 1")
        if not isinstance(found.most_per_s, int) or found.most_per_s < 0:
            raise errors.BadAsk(f"[record] most_per_s = {found.most_per_s!r}", remedy="write a whole number, or 0")
        return found


@dataclass(slots=True)
class _Chosen:
    """How much of one capability of a front end is recorded: a share, and no more than `most` in a second."""

    share: float
    most: int  # 0: no bound
    second: int = 0
    count: int = 0

    def has_room(self, second: int) -> bool:
        """Say whether one more may be recorded in this second, and count it."""
        if second != self.second:
            self.second, self.count = second, 0
        self.count += 1
        return not self.most or self.count <= self.most


@dataclass(slots=True)
class Figures:
    """What the recorder has done since it started."""

    kept: int = 0
    dropped: int = 0


class Recorder:
    """Chooses calls, and writes their traces to the database in the background.

    points: those of the release, whose arguments may be marked as personal data. own: what a front end declares as
    attributes, by its code.
    """

    def __init__(
        self,
        database: Database,
        points: Points,
        recording: Recording | None = None,
        *,
        own: Callable[[str], Own] = lambda _: {},
        randomness: Callable[[], float] = random.random,
    ) -> None:
        self.figures = Figures()
        self.recording = recording or Recording()
        self._database = database
        self._points = points
        self._own = own
        self._randomness = randomness
        self._buffer: list[Trace] = []
        self._known: dict[tuple[str, str], _Chosen] = {}
        self._shadowed: dict[str, float] = {}
        self._writing = asyncio.Lock()

    def wants(self, capability: str, front_end: str) -> bool:
        """Decide whether this call is one of the share."""
        chosen = self._known.get((capability, front_end))
        if chosen is None:
            chosen = self._known[capability, front_end] = self._chosen(capability, front_end)
        return self._randomness() < chosen.share and chosen.has_room(int(time.monotonic()))

    def metered(self, trace: Trace, running: Coroutine[Any, Any, R]) -> Awaitable[R]:
        """Run a call, and note in its trace what it used: processor, database, statements and rows."""
        trace.used = meter = Meter()
        return _metered(meter, running)

    def shadow(self, shares: Mapping[str, float]) -> None:
        """Record at least this share of these front ends' calls, for the versions in their shadow."""
        if shares != self._shadowed:
            self._shadowed = dict(shares)
            self._known.clear()

    def keep(self, trace: Trace) -> None:
        """Take a trace; it is in the database within about a second."""
        if len(self._buffer) >= BUFFER_MAX:
            self.figures.dropped += 1
        else:
            self._buffer.append(trace)

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what is buffered now. Where the database refuses it, that is logged and it is lost.

        What is being written stays in the buffer until it is: whoever is cancelled meanwhile leaves it to the next.
        """
        async with self._writing:
            while batch := self._buffer[:BATCH_MAX]:
                calls: list[RecordedCall] = []
                for trace in batch:
                    calls += self._recorded(trace)
                    await asyncio.sleep(0)  # calls come first: one trace at a time
                await self._write(calls)
                del self._buffer[: len(batch)]

    async def prune(self) -> None:
        """Delete what is too old, and of each front end what is too much."""
        kept = self.recording
        async with self._database.platform() as session:
            await session.execute(_PRUNE, kept.kept, kept.kept_mb * 1_000_000, timedelta(days=kept.kept_days))

    def _chosen(self, capability: str, front_end: str) -> _Chosen:
        shares, usual = self.recording.shares, self.recording.share
        names = (f"{front_end}/{capability}", capability, front_end)
        said = next((shares[name] for name in names if name in shares), None)
        wanted = max(usual if said is None else said, self._shadowed.get(front_end, 0.0))
        is_asked_for = said is not None or front_end in self._shadowed or usual == 1
        return _Chosen(wanted, 0 if is_asked_for else self.recording.most_per_s)

    def _recorded(self, trace: Trace) -> list[RecordedCall]:
        try:
            call = recorded(trace, self._points, self._own(trace.front_end))
        except Exception as error:  # a value that has no JSON: the next trace may have
            log.warning("call %s of %s cannot be recorded: %r", trace.call_id, trace.capability, error)
            self.figures.dropped += 1
            return []
        if _size(call) > TRACE_MAX:
            self.figures.dropped += 1
            return []
        return [call]

    async def _write(self, calls: list[RecordedCall]) -> None:
        if not calls:
            return
        try:
            await write(self._database, calls)
            self.figures.kept += len(calls)
        except errors.IsthmusError as error:
            log.warning("%d recorded calls are lost: %s", len(calls), error)
            self.figures.dropped += len(calls)


@types.coroutine
def _metered(meter: Meter, running: Coroutine[Any, Any, R]) -> Generator[Any, Any, R]:
    """Run a coroutine and count the time of its own steps: what others do while it waits is theirs."""
    token = METER.set(meter)
    step: Callable[[], Any] = partial(running.send, None)
    try:
        while True:
            began = time.thread_time_ns()
            try:
                waited_for = step()
            except StopIteration as done:
                return done.value
            finally:
                meter.cpu_ns += time.thread_time_ns() - began
            try:
                sent = yield waited_for
                step = partial(running.send, sent)
            except BaseException as thrown:
                step = partial(running.throw, thrown)
    finally:
        METER.reset(token)


def _size(call: RecordedCall) -> int:
    """Return about how many bytes a call takes: what it asked, and what was said."""
    asked = sum(len(bytes(one.arguments)) + len(bytes(one.result)) for one in call.asked)
    parts = sum(len(bytes(one.ask)) + len(bytes(one.answer)) for one in call.parts)
    return asked + parts + len(bytes(call.ask)) + len(bytes(call.answer))
