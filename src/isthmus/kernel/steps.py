"""Flows in steps: several transactions with calls to the outside between them, each exactly once in effect.

A run with a key leaves a trail: place 1 is its first step, place 2 the next. Each place is decided once, by the
first run that commits there, and any later run with the key is given that answer again. So a run that was killed
goes on where it stopped. When a run fails and there is something to undo, it first decides its next place as
given up, so that no other run can go on behind its back; then it undoes, last first. A later run that meets the
mark makes sure that everything is undone, and begins on a new trail.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from .capability import Effect
from .context import Call, Context
from .contract import decode, encode
from .deadline import within
from .errors import AlreadyAnswered, BadAsk, Fault, Unavailable
from .ports import Claim
from .release import Offered
from .story import telling_part

GIVEN_UP = b""  # no answer is empty
RUNS_MAX = 100  # trails of one key: each costs a look at every earlier one


class _MetMark(BaseException):
    """This trail was given up by an earlier run; no implementation catches it by accident."""


class Trail:
    """The steps of one run."""

    __slots__ = ("done", "is_kept", "reads", "undo")

    def __init__(self, is_kept: bool) -> None:
        self.is_kept = is_kept  # without a key nobody can come back for it
        self.done = 0
        self.reads = 0
        self.undo: list[tuple[Offered, Any]] = []

    async def step(self, call: Call, offered: Offered, ask: Any) -> Any:
        """Run one step, in a transaction of its own, or return what an earlier run was answered at this place."""
        if offered.capability.effect is Effect.READ:
            self.reads += 1
            return await _at(call, f"{self.done}.{self.reads}", offered, ask, None)
        place = str(self.done + 1)
        answer = await _at(call, place, offered, ask, _claim(call, place) if self.is_kept else None)
        self.done += 1
        return answer

    async def give_up(self, call: Call) -> None:
        """Undo what was done, unless another run of this key has gone on from here."""
        if not self.undo:
            return
        if self.is_kept and await _decided(call, _claim(call, str(self.done + 1)), GIVEN_UP) != GIVEN_UP:
            raise Unavailable(
                f"another run of {call.offered.capability.name!r} with this key has gone on",
                remedy="send it again with the same Idempotency-Key",
            )
        left: list[str] = []
        for number in range(len(self.undo), 0, -1):
            offered, ask = self.undo[number - 1]
            place = f"undo/{number}"
            try:
                await _at(call, place, offered, ask, _claim(call, place) if self.is_kept else None)
            except Exception as error:  # the others are to be undone all the same
                left.append(f"{offered.capability.name!r} failed with {error!r}")
        if left:
            raise Fault(
                f"{call.offered.capability.name!r} is not wholly undone: {'; '.join(left)}",
                remedy="send it again with the same Idempotency-Key: what is undone already is not undone twice",
            )


async def run_steps(call: Call) -> tuple[Any, bytes | None]:
    """Run a flow from its start, or go on with what an earlier run of the same key left."""
    if call.claim is None:
        return await _run(call), None
    await (await call.platform.store.write(call.plan.front_end, call.claim)).close()  # raises where it is answered
    run_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{call.plan.front_end}/{call.claim.key}")
    for _ in range(RUNS_MAX):
        began = await _decided(call, _claim(call, "begin", str(run_id)), encode(call.now))
        call.begin_again(str(run_id), decode(began, datetime))
        try:
            answer = await _run(call)
        except _MetMark:
            run_id = uuid.uuid5(run_id, "again")
            continue
        mine = encode(answer)
        first = await _decided(call, call.claim, mine)
        if first != mine:
            raise AlreadyAnswered(first)
        return answer, mine
    raise Fault(f"{RUNS_MAX} runs of this key were given up", remedy="send the ask with a new Idempotency-Key")


async def _run(call: Call) -> Any:
    capability = call.offered.capability
    trail = call.trail = Trail(is_kept=call.claim is not None)
    ctx = Context(call, call.plan, capability.uses)
    try:
        return await within(call.limit_ms / 1000, call.offered.implementation.function(call.ask, ctx))
    except BaseException:
        await trail.give_up(call)
        raise


async def _at(call: Call, place: str, offered: Offered, ask: Any, claim: Claim | None) -> Any:
    """Run a capability at a place of the trail, with an id and a key that follow from it."""
    capability = offered.capability
    inner = Call(
        call.platform,
        offered,
        call.plan,
        ask,
        call.caller,
        call.now,
        claim=claim,
        call_id=f"{call.id}/{place}",
        story=call.story,
    )
    running = call.platform.run(inner)
    try:
        answer, _ = await (running if call.story is None else telling_part(call.story, capability.name, ask, running))
    except AlreadyAnswered as already:
        if already.answer == GIVEN_UP:
            raise _MetMark from None
        try:
            return decode(already.answer, capability.answer)
        except BadAsk as wrong:
            raise Fault(
                f"{call.offered.capability.name!r} took another way at step {place} than in its first run: {wrong}",
                remedy="let a flow's way follow from its ask and its steps' answers only",
            ) from None
    return answer


def _claim(call: Call, place: str, run_id: str = "") -> Claim:
    return Claim(key=f"{run_id or call.id}/{place}", capability=call.offered.capability.name, ask_hash="step")


async def _decided(call: Call, claim: Claim, answer: bytes) -> bytes:
    """Return what stands under a key; this answer, unless an earlier one does."""
    try:
        writing = await call.platform.store.write(call.plan.front_end, claim)
    except AlreadyAnswered as already:
        return already.answer
    try:
        await writing.commit([], answer)
    finally:
        await writing.close()
    return answer
