"""Flows in steps: several transactions with calls to the outside between them, each exactly once in effect.

A run with a key leaves a trail: place 1 is its first step, place 2 the next. Each place is decided once, by the
first run that commits there, and any later run with the key is given that answer again. So a run that was killed
goes on where it stopped; only a call to the outside between two steps may be made twice, which is why those take
keys too. When a run fails and there is something to undo, it first marks its next place as given up, with the list
of what is to be undone, so that no other run can go on behind its back; then it undoes, last first. A later run
that meets the mark sees to it that all is undone, and begins on a new trail.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from msgspec import Raw

from ..compile.release import BoundCapability
from ..contract import decode, encode
from ..deadline import within
from ..declare.capability import Effect
from ..errors import AlreadyAnswered, BadAsk, Fault, Unavailable
from ..ports import Claim
from ..trace import tracing_part
from .call import Call

_MARK = b"!"  # no JSON begins with it
RUNS_MAX = 100  # trails of one key: each costs a look at every earlier one

_Undo = list[tuple[BoundCapability, Any]]


class _MetMark(BaseException):
    """This trail was given up by another run; no implementation catches it by accident."""

    def __init__(self, marked: bytes) -> None:
        super().__init__("given up")
        self.marked = marked


class SagaLog:
    """The steps of one run."""

    __slots__ = ("done", "is_kept", "reads", "undo")

    def __init__(self, is_kept: bool) -> None:
        self.is_kept = is_kept  # without a key nobody can come back for it
        self.done = 0
        self.reads = 0
        self.undo: _Undo = []

    async def step(self, call: Call, offered: BoundCapability, ask: Any) -> Any:
        """Run one step, in a transaction of its own, or return what an earlier run was answered at this place."""
        if offered.capability.effect is Effect.READ:
            self.reads += 1
            return (await _at(call, f"{self.done}.{self.reads}", offered, ask, is_kept=False))[0]
        answer, is_again = await _at(call, str(self.done + 1), offered, ask, is_kept=self.is_kept)
        self.done += 1
        if is_again:
            await self.check_abandoned(call)
        return answer

    async def check_abandoned(self, call: Call) -> None:
        """Stop here, before anything is called outside, where an earlier run has given up at the next place."""
        try:
            await (await call.platform.store.write(call.plan.front_end, _claim(call, str(self.done + 1)))).close()
        except AlreadyAnswered as already:
            if already.answer.startswith(_MARK):
                raise _MetMark(already.answer) from None

    async def abandon(self, call: Call) -> None:
        """Undo what was done, unless another run of this key has gone on from here."""
        if not self.undo:
            return
        if self.is_kept:
            mark = _MARK + encode([(offered.capability.name, ask) for offered, ask in self.undo])
            decided, _ = await _decided(call, _claim(call, str(self.done + 1)), mark)
            if not decided.startswith(_MARK):
                raise Unavailable(
                    f"another run of {call.offered.capability.name!r} with this key has gone on",
                    remedy="send it again with the same Idempotency-Key",
                )
        await _undo(call, self.undo, self.is_kept)


async def run_saga(call: Call) -> tuple[Any, bytes | None]:
    """Run a flow from its start, or go on with what an earlier run of the same key left."""
    if call.claim is None:
        call.trail = SagaLog(is_kept=False)
        return await _run(call, call.trail), None
    await (await call.platform.store.write(call.plan.front_end, call.claim)).close()  # raises where it is answered
    run_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{call.plan.front_end}/{call.claim.key}")
    for _ in range(RUNS_MAX):
        began, is_again = await _decided(call, _claim(call, "begin", str(run_id)), encode(call.now))
        # The id and time of the first run, so that ids and chance come out as they did then.
        call.given_id, call.now, call.ids, call.drawn = str(run_id), decode(began, datetime), 0, None
        trail = call.trail = SagaLog(is_kept=True)
        try:
            if is_again:
                await trail.check_abandoned(call)
            answer = await _run(call, trail)
        except _MetMark as met:
            await _undo(call, max(trail.undo, _read(call, met.marked), key=len), is_kept=True)
            run_id = uuid.uuid5(run_id, "again")
            continue
        mine = encode(answer)
        first, _ = await _decided(call, call.claim, mine)
        if first != mine:
            raise AlreadyAnswered(first)
        return answer, mine
    raise Fault(f"{RUNS_MAX} runs of this key were given up", remedy="send the ask with a new Idempotency-Key")


async def _run(call: Call, trail: SagaLog) -> Any:
    try:
        return await within(call.limit_ms / 1000, call.answering())
    except _MetMark:
        raise
    except BaseException:
        await trail.abandon(call)
        raise


async def _undo(call: Call, undo: _Undo, is_kept: bool) -> None:
    left: list[str] = []
    for number in range(len(undo), 0, -1):
        offered, ask = undo[number - 1]
        try:
            await _at(call, f"undo/{number}", offered, ask, is_kept=is_kept)
        except Exception as error:  # the others are to be undone all the same
            left.append(f"{offered.capability.name!r} failed with {error!r}")
    if left:
        raise Fault(
            f"{call.offered.capability.name!r} is not wholly undone: {'; '.join(left)}",
            remedy="send it again with the same Idempotency-Key: what is undone already is not undone twice",
        )


def _read(call: Call, marked: bytes) -> _Undo:
    named = decode(marked.removeprefix(_MARK), list[tuple[str, Raw]])
    found = [(call.plan.line.find(name), ask) for name, ask in named]
    return [(offered, decode(bytes(ask), offered.capability.ask)) for offered, ask in found]


async def _at(call: Call, place: str, offered: BoundCapability, ask: Any, *, is_kept: bool) -> tuple[Any, bool]:
    """Run a capability at a place of the trail, with an id and a key that follow from it.

    Returns its answer, and whether an earlier run had it already.
    """
    capability = offered.capability
    claim = _claim(call, place) if is_kept else None
    inner = Call(call.platform, offered, call.plan, ask, call.caller, call.now, claim, f"{call.id}/{place}", call.story)
    answering = _answer(inner)
    try:
        answer = await (answering if call.story is None else tracing_part(call.story, capability.name, ask, answering))
    except AlreadyAnswered as already:
        if already.answer.startswith(_MARK):
            raise _MetMark(already.answer) from None
        try:
            return decode(already.answer, capability.answer), True
        except BadAsk as wrong:
            raise Fault(
                f"{call.offered.capability.name!r} took another way at step {place} than in its first run: {wrong}",
                remedy="let a flow's way follow from its ask and its steps' answers only",
            ) from None
    return answer, False


async def _answer(call: Call) -> Any:
    return (await call.platform.run(call))[0]


def _claim(call: Call, place: str, run_id: str = "") -> Claim:
    return Claim(key=f"{run_id or call.id}/{place}", capability=call.offered.capability.name, ask_hash="step")


async def _decided(call: Call, claim: Claim, answer: bytes) -> tuple[bytes, bool]:
    """Return what stands under a key, this answer unless there is an earlier one, and whether there was."""
    try:
        writing = await call.platform.store.write(call.plan.front_end, claim)
    except AlreadyAnswered as already:
        return already.answer, True
    try:
        await writing.commit([], answer)
    finally:
        await writing.close()
    return answer, False
