"""A watchdog for answers in this process: a loop past its budget is stopped, a wrong type is refused.

It guards against mistakes, not against malice: what runs here can do anything that the platform can. A call to C code
that does not come back (a regular expression gone wild, `sum(range(10**12))`) is stopped only once it returns.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import replace
from threading import get_ident
from types import coroutine
from typing import Any

from isthmus.kernel import FrontEnd, errors
from isthmus.kernel.extension import Answer

from .isolate_manifest import own_answers
from .isolate_wire import wire_of

TICKS = 4  # looks within one budget: a loop is stopped after one to one and a quarter budgets

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)


class BudgetPassed(BaseException):
    """Raised inside an answer that ran too long; no Exception, so that `except Exception` does not keep it running."""


class TooSlow(errors.AnswerFailed):
    """An answer ran past its budget and was stopped."""

    slug = "runtime.too-slow"


class Watchdog:
    """One thread that looks a few times a budget whether the same answer is still running.

    `running` has, for each thread, the call that it is in; the value is the call's own tuple of arguments, which no
    other call shares. Who takes an entry out, decides: the call, which has then ended in time, or the watchdog.
    """

    def __init__(self, budget_ms: int) -> None:
        self.budget_ms = budget_ms
        self.running: dict[int, object] = {}
        self._overdue: set[int] = set()
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[object, int]] = {}
        threading.Thread(target=self._watch, name=f"watchdog of {budget_ms} ms", daemon=True).start()

    def settled(self, ident: int) -> bool:
        """Return whether the watchdog stopped this thread's call, and take back what is still on its way to it."""
        while True:
            try:
                with self._lock:
                    was_stopped = ident in self._overdue
                    _raise_in(ident, ctypes.py_object())
                    self._overdue.discard(ident)
                    self.running.pop(ident, None)
                return was_stopped
            except BudgetPassed:
                continue  # it came just now

    def too_slow(self, who: str) -> TooSlow:
        return TooSlow(
            f"{who} ran longer than its budget of {self.budget_ms} ms and was stopped",
            remedy="look for a loop without an end; a larger budget_ms is set in isthmus.toml",
        )

    def _watch(self) -> None:
        seen: dict[int, tuple[object, int]] = {}
        while True:
            time.sleep(self.budget_ms / 1000 / TICKS)
            now = self.running.copy()
            seen = {ident: (call, self._ticks(seen, ident, call)) for ident, call in now.items()}
            for ident, (call, ticks) in seen.items():
                if ticks >= TICKS:  # counted in looks, so that a process that was put to sleep stops nobody
                    self._take(ident, call)
            with self._lock:
                for ident in self._overdue:  # again and again: a bare `except:` may have eaten the last one
                    _raise_in(ident, ctypes.py_object(BudgetPassed))

    def _ticks(self, seen: Mapping[int, tuple[object, int]], ident: int, call: object) -> int:
        before, ticks = seen.get(ident, (None, 0))
        return ticks + 1 if before is call else 0

    def _take(self, ident: int, call: object) -> None:
        with self._lock:
            taken = self.running.pop(ident, None)
            if taken is call:
                self._overdue.add(ident)
            elif taken is not None:  # another call had begun meanwhile
                self.running[ident] = taken


@functools.cache  # one thread for each budget in use
def watchdog(budget_ms: int) -> Watchdog:
    return Watchdog(budget_ms)


def guarded(front_end: FrontEnd, budget_ms: int) -> FrontEnd:
    """Return the front end with each of its own answers under a watchdog; products are the platform's own code."""
    made = {answer: _guarded(front_end.code, answer, watchdog(budget_ms)) for answer in own_answers(front_end)}
    by_declaration = {answer.declaration: guard for answer, guard in made.items()}

    def rebuilt(part: FrontEnd) -> FrontEnd:
        return replace(
            part,
            answers=tuple(made[answer] for answer in part.answers),
            order={
                point: tuple(by_declaration.get(one.declaration, one) for one in order)
                for point, order in part.order.items()
            },
            children=tuple(rebuilt(child) for child in part.children),
        )

    return rebuilt(front_end)


def _guarded(owner: str, answer: Answer, dog: Watchdog) -> Answer:
    who = f"{owner}.{answer.name} ({answer.source})"
    make = _guard_steps if inspect.iscoroutinefunction(answer.function) else _guard
    return replace(answer, function=make(answer.function, answer, who, dog))


def _guard(
    function: Callable[..., Any], answer: Answer, who: str, dog: Watchdog, *, is_checked: bool = True
) -> Callable[..., Any]:
    running = dog.running
    names = answer.point.parameters
    wire = wire_of(answer.point)
    plain, check = wire.plain, wire.checked

    @functools.wraps(function)
    def guard(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            args = (*args, *(kwargs[name] for name in names[len(args) :]))
        ident = get_ident()
        try:
            running[ident] = args
            try:
                value = function(*args)
            except Exception as error:
                if dog.settled(ident):
                    raise dog.too_slow(who) from error
                if isinstance(error, errors.IsthmusError):
                    raise
                raise errors.AnswerFailed(
                    f"{who} raised {error!r}", remedy="mend the answer, or roll the front end back"
                ) from error
            if running.pop(ident, None) is None and dog.settled(ident):
                raise dog.too_slow(who)
        except BudgetPassed:
            dog.settled(ident)
            raise dog.too_slow(who) from None
        return value if type(value) is plain or not is_checked else check(value, who)

    return guard


def _guard_steps(function: Callable[..., Any], answer: Answer, who: str, dog: Watchdog) -> Callable[..., Any]:
    """Guard what an async answer does between two waits; how long it waits is bounded by the point's deadline."""

    def step(advance: Callable[[Any], Any], sent: Any) -> tuple[bool, Any]:
        try:
            return False, advance(sent)
        except StopIteration as done:
            return True, done.value

    guarded_step = _guard(step, answer, who, dog, is_checked=False)
    check = wire_of(answer.point).checked

    @coroutine
    def steps(running: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        is_done, value = guarded_step(running.send, None)
        while not is_done:
            try:
                sent = yield value
            except BaseException as thrown:
                is_done, value = guarded_step(running.throw, thrown)
            else:
                is_done, value = guarded_step(running.send, sent)
        return value

    @functools.wraps(function)
    async def guard(*args: Any, **kwargs: Any) -> Any:
        return check(await steps(function(*args, **kwargs)), who)

    return guard
