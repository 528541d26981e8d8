"""Calls that a pack answered, whole: what it was asked, what front ends said meanwhile, and what it said then.

They go along with a pack that stands alone, and are its tests: no platform is needed to send them again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

import msgspec

from isthmus.kernel import Caller, Effect, Pack, Platform, encode, errors
from isthmus.kernel.host import Trace
from isthmus.runtime.isolation.wire import wire_of
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import Raised
from isthmus.runtime.replay.capabilities import CLIENT, run_again
from isthmus.runtime.replay.recorded import RecordedCall
from isthmus.store import Database

from .again import Answered
from .messages import NOTHING, Emitted, Forwarded, Known, written


async def touching(database: Database, platform: Platform, pack: Pack, limit: int) -> AsyncIterator[RecordedCall]:
    """Yield recorded calls of every front end that the pack answered, or had a part in."""
    own = {one.name for one in pack.capabilities().values()}
    for code in platform.release.lines:
        count = 0
        async for call in recorded.recent(database, code, limit=limit * 20):
            if count < limit and (call.capability in own or any(part.capability in own for part in call.parts)):
                count += 1
                yield call


async def answered(database: Database, platform: Platform, pack: Pack, call: RecordedCall) -> list[Answered]:
    """Run a recorded call again and return what the pack was asked in it and said; what it wrote is undone."""
    try:
        said, trace = await run_again(database, platform, call)
    except errors.Refusal:  # in steps, or of another version than today's
        return []
    return list(_answered(platform, pack, trace, said, call.now))


def _answered(platform: Platform, pack: Pack, trace: Trace, said: Any, now: datetime) -> Iterator[Answered]:
    own = {one.name: one for one in pack.capabilities().values()}
    line = platform.release.line(trace.front_end)
    plan = line.plan_of_box(trace.box)
    known = tuple(_known(pack, trace))
    asked = tuple(sorted(one.name for one in pack.extension_points().values() if plan.find(one)))
    call = Forwarded(
        ask=msgspec.Raw(b"{}"),
        front_end=trace.front_end,
        box=plan.box,
        caller=Caller(front_end=trace.front_end, client=CLIENT, is_event_triggered=True),
        call_id=trace.call_id,
        now=now,
        settings=dict(plan.settings),
        fingerprint=plan.fingerprint,
        asked=asked,
        known=known,
        is_undone=True,
    )
    if trace.capability in own:
        refused = str(said) if isinstance(said, Raised) else ""
        answer = NOTHING if refused else msgspec.Raw(encode(said))
        events = tuple(Emitted(name=name, data=msgspec.Raw(encode(event))) for name, event in trace.events)
        asks = call.replace(ask=msgspec.Raw(encode(trace.ask)))
        kept = () if refused else events
        yield Answered(capability=trace.capability, call=asks, answer=answer, refused=refused, events=kept)
    for part in trace.parts:
        if part.capability in own and own[part.capability].effect is Effect.READ and not part.error:
            yield Answered(
                capability=part.capability,
                call=call.replace(ask=msgspec.Raw(encode(part.ask))),
                answer=msgspec.Raw(encode(part.answer)),
            )


def _known(pack: Pack, trace: Trace) -> Iterator[Known]:
    points = {one.name: one for one in pack.extension_points().values()}
    for one in trace.asked:
        if (point := points.get(one.point)) is not None:
            said = written(wire_of(point).worded(one.result))
            yield Known(question=one.point, arguments=msgspec.Raw(written(one.arguments)), answer=msgspec.Raw(said))
