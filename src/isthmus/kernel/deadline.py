"""A deadline that costs nothing where nothing is waited for."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")

_ENDED = (asyncio.CancelledError, StopIteration)


class DeadlinePassed(Exception):
    """The time was over before the coroutine ended; its own TimeoutError is never taken for this."""


@types.coroutine
def within(limit_s: float, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Run a coroutine; cut it and raise DeadlinePassed when the time is over.

    Only what waits can be cut, so the timer (3 µs with asyncio.timeout) is set at the first wait: a call that never
    waits runs here to its end. From then on this is what asyncio.timeout does, cancelling and taking it back.
    """
    try:
        waited_for = coroutine.send(None)
    except StopIteration as done:
        return done.value
    cut = _Cut(limit_s)
    try:
        while True:
            try:
                sent = yield waited_for
            except BaseException as thrown:
                waited_for = coroutine.throw(thrown)
            else:
                waited_for = coroutine.send(sent)
    except BaseException as ended:
        if cut.is_due and cut.task.uncancel() <= cut.cancelled_before and isinstance(ended, _ENDED):
            raise DeadlinePassed from None  # also where it swallowed the cut: its answer came too late
        if isinstance(ended, StopIteration):
            return ended.value
        raise
    finally:
        cut.timer.cancel()


class _Cut:
    """The timer of one deadline; cuts the task that made it."""

    __slots__ = ("cancelled_before", "is_due", "task", "timer")

    def __init__(self, limit_s: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task to cut")
        self.task, self.cancelled_before, self.is_due = task, task.cancelling(), False
        self.timer = asyncio.get_running_loop().call_later(limit_s, self._cut)

    def _cut(self) -> None:
        self.is_due = True
        self.task.cancel()
