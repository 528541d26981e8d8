"""Flows in steps (sagas): several transactions with calls to the outside between them, each exactly once in effect.

A saga has a log: place 1 is its first step, place 2 the next, `1/2` the second step of a flow that is the first. What a
step answers is written into the log in the step's own transaction, so each place is decided once, by the first run that
commits there, and any later run is given that answer again. A run that was killed is gone on with where it stopped: by
whoever sends the same key, or by any process once its time is over (`go_on`). Only what lies outside between two steps
may be asked twice, which is why that takes keys too. The last step can write the flow's answer along (`ends`).

When a run fails and there is something to undo, it first marks its next place as given up, with the list of what is to
be undone, so that no other run can go on behind its back; then it undoes, last first. A later run that meets the mark
sees to it that all is undone, and begins anew at places of its own. What a step was refused with, where the flow goes
on without it, is written with the next step, and refused again at that place.
"""

from __future__ import annotations

import uuid
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any

from msgspec import Raw

from ..compile.plan import BoundCapability
from ..contract import decode, encode
from ..deadline import within
from ..declare.capability import Effect
from ..errors import AlreadyAnswered, BadAsk, Fault, IsthmusError, Refusal, Unavailable
from ..ports import Claim, Saga, Stepping, Superseded
from .call import Answered, Call, Ends

OWN_KEY = "call/"  # before the id of a call that came without a key
RUNS_MAX = 100  # of one flow, each given up before the next: it costs a look at every earlier one
LEFT_AFTER_S = 30  # beyond a flow's deadline: who has not gone on by then is dead
_MARK = b'{"given up":'  # no answer has a field of this name
_REFUSED = b'{"went on without":'  # nor of this

_Undo = list[tuple[BoundCapability, Any]]


class _MetMark(BaseException):
    """This way was given up by another run; no implementation catches it by accident."""

    def __init__(self, undo: _Undo) -> None:
        super().__init__("given up")
        self.undo = undo


class _Elsewhere(BaseException):
    """The saga is not where this run thought: it begins again with what the log says, or there is an answer."""

    def __init__(self, answer: bytes | None) -> None:
        super().__init__("elsewhere")
        self.answer = answer


class Log:
    """What a saga has decided so far, place by place, as this run knows it."""

    def __init__(self, call: Call, claim: Claim | None) -> None:
        self.is_kept = claim is not None  # under a key, whose answer is kept
        self.version = 0
        self.entries: dict[str, Raw] = {}
        self.pending: dict[str, bytes] = {}  # written with the next step
        self.ended: bytes | None = None
        self.is_known = claim is None and not call.is_taken_over
        self.call, self.events = call, list[Any]()  # of the flow, as far as this run has made its steps
        self._store, self._front_end = call.platform.store, call.plan.front_end
        held = claim or Claim(key=f"{OWN_KEY}{call.id}", capability=call.offered.capability.name, ask_hash="")
        ask, caller, after_s = encode(call.ask), encode(call.caller), call.limit_ms / 1000 + LEFT_AFTER_S
        self._saga = Saga(claim=held, is_kept=self.is_kept, ask=ask, caller=caller, left_after_s=after_s)

    async def look(self) -> None:
        """Learn where the saga is, if that is not known. Raises _Elsewhere where it has begun."""
        if not self.is_known:
            found = await self._store.saga(self._front_end, self._saga.claim)
            self.is_known = True
            if found is not None:
                self.catch_up(found)

    def open(self) -> Stepping:
        """Return the session of the next step; its first statement raises Superseded where the saga has moved on."""
        return self._store.step(self._front_end, self._saga, self.version)

    def catch_up(self, moved: Superseded) -> None:
        """Take over what others have decided. Raises _Elsewhere where this run has to begin again with it."""
        was_fresh, self.is_known = self.version == 0, True
        self.version, self.entries = moved.version, decode(moved.log, dict[str, Raw]) if moved.log else {}
        if was_fresh or moved.answer is not None:
            raise _Elsewhere(moved.answer)

    async def write(self, session: Stepping, events: Any, entries: dict[str, bytes]) -> None:
        """Commit a step that decides places."""
        written = {**self.pending, **entries}
        await session.commit_step(events, encode({place: Raw(one) for place, one in written.items()}))
        self.version, self.pending, self.is_known = self.version + 1, {}, True
        self.events += events
        self.entries |= {place: Raw(one) for place, one in written.items()}

    async def end(self, answer: Any) -> None:
        """Write the saga's answer, and forget the saga. Raises AlreadyAnswered where another run was first."""
        ended = encode(answer)
        while self.ended is None and (self.is_kept or self.version or self.call.platform.journal):
            session = self.open()
            try:
                await self.call.keep_entries(session, [(self.call, answer, self.events)])
                await session.end_saga([], ended if self.is_kept else None)
                self.ended = ended
            except Superseded as moved:
                with suppress(_Elsewhere):
                    self.catch_up(moved)
                if moved.answer is not None:
                    raise AlreadyAnswered(moved.answer) from None
            finally:
                await session.close()

    async def leave(self) -> None:
        """Let nobody go on with it by themselves: its caller knows how it ended. The same key still can."""
        if not self.version:
            return
        session = self.open()
        try:
            with suppress(Superseded, IsthmusError):  # then it is gone on with, and ends in the same way
                await session.leave_saga()
        finally:
            await session.close()


class Step:
    """One step on its way: opens the saga's transaction, and commits its answer with what it did."""

    __slots__ = ("_ends", "_log", "_place", "of")

    def __init__(self, log: Log, place: str, ends: Ends | None) -> None:
        self._log, self._place, self._ends, self.of = log, place, ends, log.call

    def open(self) -> Stepping:
        return self._log.open()

    async def commit(self, session: Stepping, events: Any, answer: Any) -> None:
        """Commit: as the flow's last step where it says so, and otherwise as one of its steps."""
        last = self._ends(answer) if self._ends else None
        if last is None:
            await self._log.write(session, events, {self._place: encode(answer)})
        else:
            ended = encode(last)
            await self._log.call.keep_entries(session, [(self._log.call, last, [*self._log.events, *events])])
            await session.end_saga(events, ended if self._log.is_kept else None)
            self._log.ended = ended


class SagaLog:
    """The way of one flow through the log: its steps, and what is to be undone if it fails."""

    __slots__ = ("done", "is_again", "is_first", "log", "prefix", "reads", "refused", "undo")

    def __init__(self, log: Log, prefix: str, *, is_first: bool, is_again: bool = False) -> None:
        self.log = log
        self.prefix = prefix
        self.is_first = is_first  # the flow that was called, and not a part of it
        self.is_again = is_again  # an earlier run came as far as this: what lies outside may have been asked
        self.done = 0
        self.reads = 0
        self.refused: IsthmusError | None = None  # what the last step ended with, where it failed
        self.undo: _Undo = []

    async def step(self, call: Call, offered: BoundCapability, ask: Any, ends: Ends | None = None) -> Any:
        """Run one step, in a transaction of its own, or return what an earlier run was answered at this place."""
        effect = offered.capability.effect
        if effect is Effect.READ:
            await self.log.look()
            self.reads += 1
            return (await _running(_inner(call, offered, ask, f"{self.done}.{self.reads}")))[0]
        if (refused := self.refused) is not None:  # the flow goes on without it
            kept = [refused.slug, refused.message, refused.remedy, refused.path, refused.facts]
            self.log.pending[f"{self.prefix}{self.done + 1}"] = encode({"went on without": kept})
            self.done, self.refused = self.done + 1, None
        place = f"{self.prefix}{self.done + 1}"
        try:
            if (found := self.log.entries.get(place)) is not None:
                answer, self.is_again = self._known(call, offered, place, found), True
            elif effect is Effect.SAGA:
                answer = await self._nested(call, offered, ask, place)
            else:
                answer = await self._decided(call, offered, ask, place, ends if self.is_first else None)
        except IsthmusError as error:
            self.refused = error
            raise
        self.done += 1
        self.check_abandoned(call)
        return answer

    def check_abandoned(self, call: Call) -> None:
        """Stop here, before anything is asked outside, where an earlier run has given up at the next place."""
        if (found := self.log.entries.get(f"{self.prefix}{self.done + 1}")) is not None:
            self.is_again = True
            self._check_mark(call, found)

    async def abandon(self, call: Call) -> bool:
        """Undo what was done, unless another run has gone on from here; say whether there was anything."""
        if not self.undo:
            return False
        place = f"{self.prefix}{self.done + 1}"
        mark = encode({"given up": [(offered.capability.name, ask) for offered, ask in self.undo]})
        while (found := self.log.entries.get(place)) is None:
            session = self.log.open()
            try:
                await self.log.write(session, [], {place: mark})
            except Superseded as moved:
                with suppress(_Elsewhere):
                    self.log.catch_up(moved)
                if moved.answer is not None:
                    raise self._gone_on(call) from None
            finally:
                await session.close()
        if not bytes(found).startswith(_MARK):
            raise self._gone_on(call)
        await self.undone(call, self.undo)
        return True

    async def undone(self, call: Call, undo: _Undo) -> None:
        """See to it that all of a list is undone, last first. Raises Fault where some cannot be."""
        left: list[str] = []
        for number in range(len(undo), 0, -1):
            offered, ask = undo[number - 1]
            saga = SagaLog(self.log, f"{self.prefix}undo/{number}/", is_first=False, is_again=self.is_again)
            try:
                await saga.step(call, offered, ask)
            except Exception as error:  # the others are to be undone all the same
                left.append(f"{offered.capability.name!r} failed with {error!r}")
        if left:
            raise Fault(
                f"{call.offered.capability.name!r} is not wholly undone: {'; '.join(left)}",
                remedy="send it again with the same Idempotency-Key: what is undone already is not undone twice",
            )

    async def _nested(self, call: Call, offered: BoundCapability, ask: Any, place: str) -> Any:
        """Run a flow as a step of this one. Its answer goes into the log with the step that comes next."""
        inner = _inner(call, offered, ask, place)
        inner.saga = SagaLog(self.log, f"{place}/", is_first=False, is_again=self.is_again)
        answer, _ = await _running(inner)
        self.is_again = inner.saga.is_again
        self.log.pending[place] = encode(answer)
        return answer

    async def _decided(self, call: Call, offered: BoundCapability, ask: Any, place: str, ends: Ends | None) -> Any:
        """Run a step, unless another run does it first: then return what that was answered."""
        while (found := self.log.entries.get(place)) is None:
            inner = _inner(call, offered, ask, place)
            inner.step = Step(self.log, place, ends)
            try:
                answer, _ = await _running(inner)
            except Superseded as moved:
                self.log.catch_up(moved)
            else:
                self.is_again = False
                return answer
        self.is_again = True
        return self._known(call, offered, place, found)

    def _known(self, call: Call, offered: BoundCapability, place: str, found: Raw) -> Any:
        self._check_mark(call, found)
        if bytes(found).startswith(_REFUSED):
            raise _refused_again(
                *decode(bytes(found), dict[str, tuple[str, str, str, str | None, dict[str, Any]]]).popitem()[1]
            )
        try:
            return decode(bytes(found), offered.capability.answer)
        except BadAsk as wrong:
            fact = f"{call.offered.capability.name!r} took another way at step {place} than in its first run: {wrong}"
            raise Fault(fact, remedy="let a flow's way follow from its ask and its steps' answers only") from None

    def _check_mark(self, call: Call, found: Raw) -> None:
        if bytes(found).startswith(_MARK):
            named = decode(bytes(found), dict[str, list[tuple[str, Raw]]])["given up"]
            parts = [(call.plan.line.find(name), ask) for name, ask in named]
            raise _MetMark([(part, decode(bytes(ask), part.capability.ask)) for part, ask in parts])

    def _gone_on(self, call: Call) -> Unavailable:
        fact = f"another run of {call.offered.capability.name!r} with this key has gone on"
        return Unavailable(fact, remedy="send it again with the same Idempotency-Key")


async def run_saga(call: Call) -> Answered:
    """Run a flow from its start, or go on with what an earlier run of it left."""
    if isinstance(call.saga, SagaLog):  # it is a step of another flow, and keeps its log
        return await _run(call, call.saga), None
    if call.claim is not None:  # an id that follows from the key, so that any run of it has the same
        call.given_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{call.plan.front_end}/{call.claim.key}"))
    log, asked_id, asked_at = Log(call, call.claim), call.id, call.now
    for _ in range(RUNS_MAX):
        call.given_id, call.now = asked_id, asked_at
        try:
            if call.is_taken_over and not log.is_known:
                await log.look()
                raise AlreadyAnswered(b"")  # it has ended meanwhile
            if call.claim is not None and not call.offered.capability.uses:
                await log.look()  # it may have no step, whose first statement would find the answer
            answer = await _run(call, SagaLog(log, "", is_first=True, is_again=log.version > 0))
            break
        except _Elsewhere as elsewhere:
            if elsewhere.answer is not None:
                raise AlreadyAnswered(elsewhere.answer) from None
    else:
        raise Unavailable("this flow is being gone on with elsewhere", remedy="send it again with the same key")
    if log.ended is None:
        await log.end(answer)
    return answer, log.ended


async def _run(call: Call, first: SagaLog) -> Any:
    """Run a flow, and once more after each time that it was given up, at places of its own."""
    asked_id, asked_at, log = call.id, call.now, first.log
    for number in range(RUNS_MAX):
        saga = call.saga = _way(first, number)
        call.given_id, call.ids, call.generator = (f"{asked_id}/{number}" if number else asked_id), 0, None
        if saga.is_first:
            call.now = _begun_at(saga, asked_at)
        try:
            saga.check_abandoned(call)
            return await within(call.limit_ms / 1000, call.answering())
        except _Elsewhere:
            raise
        except _MetMark as met:
            await saga.undone(call, max(saga.undo, met.undo, key=len))
            if saga.is_first and call.is_taken_over:
                await log.leave()
                raise AlreadyAnswered(b"") from None  # its caller knows that it failed
        except BaseException as error:
            was_undone = await saga.abandon(call)
            if saga.is_first and (was_undone or isinstance(error, (Refusal, call.offered.capability.raises))):
                await log.leave()
            raise
    raise Fault(f"{RUNS_MAX} runs of this key were given up", remedy="send the ask with a new Idempotency-Key")


def _refused_again(slug: str, message: str, remedy: str, path: str | None, facts: dict[str, Any]) -> IsthmusError:
    """Make an error again from what was written of it; of a class that is gone, as its kind is."""
    kinds: list[type[IsthmusError]] = [IsthmusError]
    for kind in kinds:  # grows: those below follow
        kinds += kind.__subclasses__()
    kind = next((one for one in kinds if one.slug == slug), Refusal)
    error = kind.__new__(kind)
    IsthmusError.__init__(error, message, remedy=remedy, path=path, **facts)
    return error


def _way(first: SagaLog, number: int) -> SagaLog:
    prefix = f"{first.prefix}again-{number}/" if number else first.prefix
    return SagaLog(first.log, prefix, is_first=first.is_first, is_again=first.is_again and not number)


def _begun_at(saga: SagaLog, now: datetime) -> datetime:
    """Return the time of the first run on this way, so that times, ids and randomness come out as they did then."""
    place = f"{saga.prefix}begin"
    if (began := saga.log.entries.get(place)) is not None:
        return decode(bytes(began), datetime)
    saga.log.pending[place] = encode(now)
    return now


def _inner(call: Call, offered: BoundCapability, ask: Any, place: str) -> Call:
    """Return the call of a capability at a place, with an id that follows from it."""
    inner = Call(call.platform, offered, call.plan, ask, call.caller, call.now, None, f"{call.id}/{place}", call.trace)
    inner.is_taken_over = call.is_taken_over
    return inner


def _running(call: Call) -> Coroutine[Any, Any, Answered]:
    """Return the run of a step, written into the trace of its flow where that has one."""
    return call.platform.run(call) if call.trace is None else _traced(call)


async def _traced(call: Call) -> Answered:
    return await call.traced(call.offered.capability.name, call.ask, _answer(call)), None


async def _answer(call: Call) -> Any:
    return (await call.platform.run(call))[0]
