"""Copies of what calls asked and answered, which forget a person when all packs have: within seconds, at least once.

    answers under keys, events, deliveries, timers   marked fields are masked: they are still answered and delivered
    recorded calls, traced calls                     those that name the person go
    flows under way                                  are waited for: their answer comes after them

A row is one of theirs where it names a member's id or a reference. Each copy is decoded by the contract that it was
written by; one that no contract can read any more is emptied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from isthmus.kernel import Capability, Platform, Value, decode, errors
from isthmus.kernel.host import Release, event_kind
from isthmus.personal import Own
from isthmus.store import Consumer, Database, Event

from . import timers
from .contracts import own_events, without_persons

CONSUMER: Final = "forgotten-copies"
STUCK_AFTER_S: Final = 600  # a flow that is left for longer is for a person: `isthmus doctor` names it

_NAMES: Final = "exists (select from unnest($2::text[]) as one where position(one in {}::text) > 0)"
_IN_BYTES: Final = "exists (select from unnest($2::text[]) as one where position(convert_to(one, 'UTF8') in {}) > 0)"
_UNDER_WAY: Final = f"""
    select key from isthmus.saga where front_end = $1 and ask is not null
      and left_at > now() - make_interval(secs => {STUCK_AFTER_S})
      and ({_IN_BYTES.format("ask")} or {_NAMES.format("log")}) limit 1"""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where copies are kept: how those that name a person are found, and how one is written anew."""

    find: str
    write: str


_ANSWERS: Final = Kept(
    find=f"""select digest::text as row, capability as of, answer as copy from isthmus.idempotency
             where front_end = $1 and {_IN_BYTES.format("answer")}""",
    write="update isthmus.idempotency set answer = $2 where digest = $1::text::uuid",
)
_EVENTS: Final = Kept(
    find=f"""select position::text as row, type as of, data as copy from isthmus.event
             where front_end = $1 and {_NAMES.format("data")}""",
    write="update isthmus.event set data = $2 where position = $1::text::bigint",
)
_DELIVERIES: Final = Kept(
    find=f"""select id::text as row, capability as of, ask as copy from runtime.delivery
             where front_end = $1 and {_NAMES.format("ask")}""",
    write="update runtime.delivery set ask = $2, last_error = '' where id = $1::text::bigint",
)
_TIMERS: Final = Kept(
    find=f"""select front_end || chr(31) || job || chr(31) || key as row, job as of, ask as copy
             from runtime.pending_call where front_end = $1 and ask is not null and {_NAMES.format("ask")}""",
    write="""update runtime.pending_call set ask = $2 where front_end || chr(31) || job || chr(31) || key = $1""",
)
_GONE: Final = (
    f"delete from runtime.recorded_call where front_end = $1 and {_NAMES.format('story')}",
    f"delete from gateway.story where front_end = $1 and {_NAMES.format('story')}",
    f"delete from isthmus.saga where front_end = $1 and ask is null and {_NAMES.format('log')}",
)


def consumer(platform: Platform, database: Database, event_type: type[Value]) -> Consumer:
    """Return who has copies forget whom an event names: by its `member_ids` and `references`."""

    async def deliver(events: Sequence[Event]) -> None:
        for event in events:
            gone: Any = decode(event.data, event_type)
            await _forget(platform, database, event.front_end, [*map(str, gone.member_ids), *gone.references])

    return Consumer(name=CONSUMER, deliver=deliver, types=(event_kind(event_type).name,))


async def _forget(platform: Platform, database: Database, front_end: str, names: list[str]) -> None:
    async with database.platform() as session:
        under_way = await session.fetch_value(_UNDER_WAY, front_end, names)
        if under_way is not None:
            raise errors.Unavailable(
                f"a flow under key {under_way!r} of {front_end!r} works for somebody who is forgotten",
                remedy="none needed: its copies are looked for again when it has ended",
            )
        contracts = _Contracts(platform.release, front_end)
        for kept, contract in (
            (_ANSWERS, contracts.answer),
            (_EVENTS, contracts.event),
            (_DELIVERIES, contracts.ask),
            (_TIMERS, contracts.timer),
        ):
            for row in await session.fetch(kept.find, front_end, names):
                before = bytes(row["copy"])
                after = without_persons(before, contract(row["of"]), contracts.own)
                if after != before:
                    await session.execute(kept.write, row["row"], after)
        for statement in _GONE:
            await session.execute(statement, front_end, names)


class _Contracts:
    """What copies of a front end were written by, as it is offered now; None where nobody offers it any more."""

    def __init__(self, release: Release, front_end: str) -> None:
        self._release = release
        self._line = release.lines.get(front_end)
        self._timers = {job.name: job for code, job in timers.timed(release) if code == front_end}
        self._events = {**release.events, **(own_events(self._line.front_end) if self._line else {})}
        self.own: Own = self._line.front_end.attributes if self._line else {}

    def answer(self, name: str) -> type[Any] | None:
        found = self._offered(name)
        return None if found is None else found.answer

    def ask(self, name: str) -> type[Any] | None:
        found = self._offered(name)
        return None if found is None else found.ask

    def event(self, name: str) -> type[Any] | None:
        return self._events.get(name)

    def timer(self, job: str) -> type[Any] | None:
        found = self._timers.get(job)
        return None if found is None else found.calls.ask

    def _offered(self, name: str) -> Capability[Any, Any] | None:
        offered = self._line.offered if self._line else self._release.offered
        found = offered.get(name)
        return None if found is None else found.capability
