"""Traced calls: why a call was answered as it was, kept for a while for the front end that asked.

They are in the database, so any server process can show what another one traced. Personal data, as the contracts mark
it, is masked before a trace is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any, Final
from uuid import UUID

import msgspec

from isthmus.kernel import errors
from isthmus.kernel.host import Trace
from isthmus.personal import Own, masked
from isthmus.runtime.replay.latest import Wanted
from isthmus.store import Database

from ..auth import Principal
from ..wire.to_json import plain

KEPT: Final = 200  # traced calls of each front end: enough to look at, too few to be an archive

log = logging.getLogger("isthmus.gateway")

_KEEP: Final = """
    insert into gateway.story (call_id, front_end, capability, story) values ($1, $2, $3, $4)
    on conflict (call_id) do nothing"""
_FORGET: Final = """
    with old as (
        select call_id from gateway.story where front_end = $1 order by told_at desc offset $2
        for update skip locked
    )
    delete from gateway.story using old where story.call_id = old.call_id"""
_FIND: Final = "select capability, story from gateway.story where call_id = $1 and front_end = $2"
_OPEN: Final = "select story from gateway.story where call_id = $1"
_LATEST: Final = """
    select call_id, front_end, capability, told_at, story ->> 'error' as error, (story ->> 'took_us')::bigint as took_us
    from gateway.story
    where ($1 = '' or front_end = $1) and ($2 = '' or capability = $2)
      and ($3 = '' or ($3 = 'answered') = (story ->> 'error' = '')
           and $3 in ('answered', 'refused', split_part(story ->> 'error', ':', 1)))
      and ($4::timestamptz is null or told_at >= $4) and ($5::timestamptz is null or told_at < $5)
      and ($6::uuid is null or call_id < $6)
    order by call_id desc limit $7"""


class NoSuchTrace(errors.NotFound):
    """No trace of this call is kept."""

    slug = "gateway.no-such-story"

    def __init__(self, call_id: str) -> None:
        super().__init__(
            f"no trace of call {call_id!r} is kept",
            remedy=f"send the call with `Isthmus-Explain: true`; the last {KEPT} are kept, and those that failed",
            path=f"/v1/calls/{call_id}",
        )


class TraceStore:
    """Keeps and finds traced calls. own: what a front end declares as its own attributes, by entity."""

    def __init__(
        self, database: Database, *, kept: int = KEPT, own: Callable[[str], Own] = lambda front_end: {}
    ) -> None:
        self._database = database
        self._kept = kept
        self._own = own

    async def keep(self, trace: Trace) -> None:
        """Write a trace down. The call is over by now: where this fails, that is logged and nothing else."""
        encoded = msgspec.json.encode(plain(_without_persons(trace, self._own(trace.front_end))))
        try:
            async with self._database.platform_transaction() as session:
                await session.execute(_KEEP, UUID(trace.call_id), trace.front_end, trace.capability, encoded)
                await session.execute(_FORGET, trace.front_end, self._kept)
        except errors.IsthmusError as error:
            log.warning("the trace of call %s is lost: %s", trace.call_id, error)

    async def open(self, call_id: str) -> bytes:
        """Return any front end's trace as JSON, for those who run the platform. Raises NoSuchTrace."""
        wanted = _uuid(call_id)
        async with self._database.platform() as session:
            row = await session.fetch_row(_OPEN, wanted)
        if row is None:
            raise NoSuchTrace(call_id)
        return row["story"]

    async def latest(self, wanted: Wanted, cursor: str, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Return the latest traces that are wanted, in short, and the cursor of the next page."""
        after = _uuid(cursor) if cursor else None
        async with self._database.platform() as session:
            rows = await session.fetch(_LATEST, *astuple(wanted), after, limit + 1)
        found = [dict(row) for row in rows[:limit]]
        return found, str(found[-1]["call_id"]) if len(rows) > limit else None

    async def find(self, call_id: str, client: Principal) -> bytes:
        """Return a trace as JSON. Raises NoSuchTrace, also for another front end's or out of the client's scopes."""
        wanted = _uuid(call_id)
        async with self._database.platform() as session:
            row = await session.fetch_row(_FIND, wanted, client.front_end)
        if row is None or not client.may(row["capability"]):
            raise NoSuchTrace(call_id)
        return row["story"]


def _without_persons(trace: Trace, own: Own) -> Trace:
    asked = [
        replace(
            one,
            arguments=masked(one.arguments, own),
            result=masked(one.result, own),
            said=[replace(said, value=masked(said.value, own)) for said in one.said],
        )
        for one in trace.asked
    ]
    parts = [replace(one, ask=masked(one.ask, own), answer=masked(one.answer, own)) for one in trace.parts]
    events = [(name, masked(event, own)) for name, event in trace.events]
    ask, answer = masked(trace.ask, own), masked(trace.answer, own)
    return replace(trace, ask=ask, answer=answer, asked=asked, parts=parts, events=events)


def _uuid(call_id: str) -> UUID:
    try:
        return UUID(call_id)
    except ValueError:
        raise NoSuchTrace(call_id) from None
