"""Group commit: calls of one capability that want the same row are answered in one transaction.

A row that everybody wants is locked from a transaction's first statement until its commit has reached the disk, so
transactions of one call each would wait for each other, one commit after the other. Here they wait in the process
instead: while one group is running, the next one gathers. Each call is decided on its own, in the order in which they
came, and is answered after the commit: what an answered call promises is what it was.

    call ─▶ waiting ─▶ group: one session, decide(asks) ─▶ commit with all events ─▶ each its answer
                         └─ what cannot be decided together, and a group that fails before its commit:
                            each call alone, in a transaction of its own

A call does not join where it has an idempotency key, a shorter deadline or a trace to write; nor inside a flow, which
has a transaction of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from .. import errors, ports
from ..deadline import DeadlinePassed, within
from ..declare.context import Context
from .call import Answered, Call, CallContext
from .pipeline import write_alone

A = TypeVar("A")
R = TypeVar("R")

GROUP_MAX: Final = 64  # calls in one transaction: more lengthens the wait of the first, and shortens no other's


class NotBatchable(Exception):
    """What `decide` gives for a call that needs a transaction of its own."""


NOT_BATCHABLE: Final = NotBatchable()

Asked = tuple[A, Context]
Decide = Callable[[Sequence[Asked[A]], ports.Session], Coroutine[Any, Any, Sequence[R | errors.Refusal | NotBatchable]]]


@dataclass(slots=True)
class Queue:
    """The calls that wait for one key, and the task that is running on those before them."""

    waiting: list[tuple[Call, asyncio.Future[object]]] = field(default_factory=list)
    work: asyncio.Task[None] | None = None


class GroupCommit(Generic[A, R]):
    """Answers calls of one capability together; pass it as `implements(..., together=...)`.

    by: what an ask wants that others want too; None where it goes alone. decide: answers asks on one session, each
    with its answer, the refusal that it gets, or ALONE. It must write for those that it answers and for no other,
    and `ctx.emit` is as ever.
    """

    def __init__(self, by: Callable[[A], Hashable | None], decide: Decide[A, R]) -> None:
        self._by = by
        self._decide = decide

    def __call__(self, call: Call) -> Coroutine[Any, Any, Answered] | None:
        """Take a call up, or give None where it goes alone."""
        if call.claim or call.step or call.trace is not None or call.asked_ms is not None or call.parts:
            return None
        key = self._by(call.ask)
        return None if key is None else self._joined(call, (call.plan.front_end, key))

    async def _joined(self, call: Call, key: Hashable) -> Answered:
        queues: dict[Hashable, Queue] = call.platform.waiting.setdefault(self, {})
        queue = queues.get(key) or queues.setdefault(key, Queue())
        answered = asyncio.get_running_loop().create_future()
        queue.waiting.append((call, answered))
        if queue.work is None:
            queue.work = asyncio.create_task(self._work(queues, key))
        outcome = await answered
        if outcome is NOT_BATCHABLE:
            call.begin_again(spent_ms=0)
            return await write_alone(call)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome, None

    async def _work(self, queues: dict[Hashable, Queue], key: Hashable) -> None:
        """Answer group after group until nobody waits; then the key is forgotten."""
        queue = queues[key]
        try:
            while queue.waiting:
                group = [(call, answered) for call, answered in queue.waiting[:GROUP_MAX] if not answered.done()]
                del queue.waiting[:GROUP_MAX]
                for outcome, (_, answered) in zip(
                    await self._outcomes([call for call, _ in group]), group, strict=True
                ):
                    if not answered.done():  # its asker may have gone; what was written stays, as with any commit
                        answered.set_result(outcome)
                await asyncio.sleep(0)  # who was answered and asks again comes into the next group, not after it
        finally:
            del queues[key]
            for _, answered in queue.waiting:
                answered.cancel()

    async def _outcomes(self, calls: Sequence[Call]) -> Sequence[object]:
        """Return what came of each call: its answer, an error, or ALONE. Never raises an error of a call's own."""
        if not calls:
            return ()
        store, front_end = calls[0].platform.store, calls[0].plan.front_end
        try:
            session = await store.write(front_end, None, "")
        except Exception as error:
            return [error] * len(calls)
        try:
            return await self._decided(calls, session)
        finally:
            await session.close()

    async def _decided(self, calls: Sequence[Call], session: ports.Writing) -> Sequence[object]:
        asked = [(call.ask, _context(call, session)) for call in calls]
        try:
            outcomes = await within(calls[0].limit_ms / 1000, self._decide(asked, session))
        except errors.Undone:
            return [NOT_BATCHABLE] * len(calls)
        except (DeadlinePassed, errors.Unavailable) as error:
            return [error] * len(calls)  # alone they would only wait as long again
        except Exception:
            return [NOT_BATCHABLE] * len(calls)  # nothing was written; whose fault it is shows where each goes alone
        pairs = zip(calls, outcomes, strict=True)
        kept = [(call, answer) for call, answer in pairs if not isinstance(answer, Exception)]
        try:
            if kept:  # who was answered has written; a refusal and who goes alone have not
                await calls[0].keep_entries(session, [(call, answer, call.events) for call, answer in kept])
                await session.commit([event for call, _ in kept for event in call.events], None)
        except Exception as error:
            return [error] * len(calls)  # nobody knows whether it was written: each has to ask again
        return outcomes


def _context(call: Call, session: ports.Session) -> CallContext:
    call.session = session
    return CallContext(call, call.plan, call.offered.capability)
