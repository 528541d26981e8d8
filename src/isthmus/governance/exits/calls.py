"""Calls that a pack answered, whole: what it was asked, what front ends said meanwhile, and what it said then.

They go along with a pack that stands alone, and are its tests: no platform is needed to send them again.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

import msgspec

from isthmus.kernel import Capability, Effect, Pack, Platform, encode, errors
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import Raised
from isthmus.runtime.replay.capabilities import run_again
from isthmus.runtime.replay.recorded import RecordedCall
from isthmus.store import Database

from .again import Answered
from .calling import Calls
from .given import in_shadow
from .messages import NOTHING, Emitted, Forwarded, Replied
from .remote import answered_by, replaced

SHARES: Final = 10  # of the calls of one front end: a capability has one of these, where the pack has many


async def touching(database: Database, platform: Platform, pack: Pack, limit: int) -> AsyncIterator[RecordedCall]:
    """Yield recorded calls of every front end that the pack answered, or had a part in."""
    own = {one.name for one in pack.capabilities().values()}
    for code in platform.release.lines:
        count = 0
        async for call in recorded.recent(database, code, limit=limit * 20):
            if count < limit and (call.capability in own or any(part.capability in own for part in call.parts)):
                count += 1
                yield call


async def asked_of(database: Database, platform: Platform, pack: Pack, limit: int) -> AsyncIterator[RecordedCall]:
    """Yield what the pack was asked in recorded calls of every front end, also by flows, each as a call of its own.

    One capability has its share of them at most, so that rare ones are among them.
    """
    own = {one.name: one for one in pack.capabilities().values()}
    most = max(1, limit // SHARES, limit // len(own))
    for code in platform.release.lines:
        counts: Counter[str] = Counter()
        async for call in recorded.recent(database, code, limit=limit * 20):
            for one in _own(own, call):
                if counts[one.capability] < most and counts.total() < limit:
                    counts[one.capability] += 1
                    yield one


def _own(own: Mapping[str, Capability[Any, Any]], call: RecordedCall) -> Iterator[RecordedCall]:
    """Yield the call, where it is of the pack's own; else the parts of it that are. What goes in steps is its parts."""
    if call.capability in own and own[call.capability].effect is not Effect.SAGA:
        yield call
        return  # what it asked of its own pack is in it
    for place, part in enumerate(call.parts):
        if part.capability in own and not part.error and own[part.capability].effect is not Effect.SAGA:
            yield call.replace(
                call_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{call.call_id}/{place}")),
                capability=part.capability, version=own[part.capability].version, ask=part.ask, answer=part.answer,
                error="", asked=(), parts=(), events=(),
            )  # fmt: skip


class Again:
    """Runs recorded calls of a pack again, as it runs here and as it would alone; what they write is undone."""

    def __init__(self, database: Database, platform: Platform, pack: Pack) -> None:
        resources = in_shadow(pack, platform.resources)
        calls = Calls(pack, database, resources)
        self._database = database
        self._sent: list[Forwarded] = []
        self._is_broken = False

        async def heard(capability: Capability[Any, Any], call: Forwarded) -> Replied:
            self._sent.append(call)
            try:
                return await calls.reply(capability.name, call)
            except errors.Fault:  # which is no answer, such as a key that is not there
                self._is_broken = True
                raise

        alone = replaced(platform.release, answered_by(pack, heard, "here, alone", is_undone=True))
        self._here, self._alone = (Platform(one, database, resources=resources) for one in (platform.release, alone))

    async def answered(self, call: RecordedCall) -> Answered | None:
        """Return what the pack says to a call, and all that front ends are asked for where it runs alone.

        None of one that cannot be run again: it goes in steps, is of another version than today's, or fails.
        """
        try:
            said, trace = await run_again(self._database, self._here, call)
        except errors.Refusal:
            return None
        self._sent.clear()
        self._is_broken = False
        await run_again(self._database, self._alone, call)
        if self._is_broken:
            return None
        refused = str(said) if isinstance(said, Raised) else ""
        events = tuple(Emitted(name=name, data=msgspec.Raw(encode(event))) for name, event in trace.events)
        return Answered(
            capability=trace.capability,
            call=self._sent[-1],
            answer=NOTHING if refused else msgspec.Raw(encode(said)),
            refused=refused,
            events=() if refused else events,
        )
