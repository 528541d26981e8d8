"""Let a plain function wait without holding up the event loop.

A pure point is asked with a plain call, deep inside an implementation. Where its answer comes from another process,
the call would have to wait, and nothing else would run. So a call of an isolated front end runs in a greenlet of its
own: `wait` leaves it, the task waits as any task does, and comes back with the result. (SQLAlchemy does the same, the
other way round.) Decision 0011 has the reasons.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Coroutine, Generator
from contextvars import ContextVar
from types import CoroutineType
from typing import Any, TypeVar, cast

from greenlet import getcurrent, greenlet

from isthmus.kernel import Platform
from isthmus.kernel.host import Answered, Call

from .breaker import FrontEndAway
from .manifest import IsolatedFrontEnd

T = TypeVar("T")

CALLS_MAX = (
    8  # of one isolated front end under way at once: while they wait, each may hold a connection to the database
)


class DeadlineUsed:
    """How much of its one deadline a call has used up while it waited for its front end."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0


spent_now: ContextVar[DeadlineUsed | None] = ContextVar("isthmus_spent", default=None)


class _Waiting(greenlet):
    """Runs one coroutine, whose plain functions may leave it with what they wait for."""


class IsolatingPlatform(Platform):
    """A platform some of whose front ends answer in other processes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turns: dict[str, asyncio.Semaphore] = {}

    def run(self, call: Call) -> CoroutineType[Any, Any, Answered]:
        front_end = call.plan.line.front_end
        if not isinstance(front_end, IsolatedFrontEnd) or can_wait():
            return super().run(call)
        return self._run_in_turn(call, self._turns.setdefault(front_end.code, asyncio.Semaphore(CALLS_MAX)))

    async def _run_in_turn(self, call: Call, turns: asyncio.Semaphore) -> Answered:
        try:
            async with asyncio.timeout(call.limit_ms / 1000):
                await turns.acquire()
        except TimeoutError:
            raise FrontEndAway(
                f"{CALLS_MAX} other calls of {call.plan.front_end!r} were under way for {call.limit_ms} ms",
                remedy="make its answers faster: they hold its own calls up, and nobody else's",
            ) from None
        token = spent_now.set(DeadlineUsed())
        try:
            return await waitable(super().run(call))
        finally:
            spent_now.reset(token)
            turns.release()


def can_wait() -> bool:
    """True inside `waitable`: there, `wait` leaves the event loop free."""
    return isinstance(getcurrent(), _Waiting)


def wait(awaitable: Awaitable[T]) -> T:
    """Wait for something from a plain function. Only where `can_wait`."""
    waiting = cast(_Waiting, getcurrent())
    steps = awaitable.__await__()
    step, sent = steps.send, None
    while True:
        try:
            waited_for = step(cast(Any, sent))
        except StopIteration as done:
            return done.value
        try:
            step, sent = steps.send, cast(greenlet, waiting.parent).switch(waited_for)
        except BaseException as thrown:
            step, sent = cast(Any, steps).throw, thrown


@types.coroutine
def waitable(coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Run a coroutine so that the plain functions that it calls can `wait`."""
    waiting = _Waiting(_drive)
    waiting.gr_context = getcurrent().gr_context  # one context for the task, inside and outside
    waited_for = waiting.switch(coroutine)
    while not waiting.dead:
        try:
            sent = yield waited_for
        except BaseException as thrown:
            waited_for = waiting.throw(thrown)
        else:
            waited_for = waiting.switch(sent)
    return cast(T, waited_for)


def _drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    outside = cast(greenlet, getcurrent().parent)
    step, sent = coroutine.send, None
    while True:
        try:
            waited_for = step(cast(Any, sent))
        except StopIteration as done:
            return done.value
        try:
            step, sent = coroutine.send, outside.switch(waited_for)
        except BaseException as thrown:
            step, sent = cast(Any, coroutine).throw, thrown
