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
from types import coroutine
from typing import Any, Final

from isthmus.kernel import FrontEnd, errors
from isthmus.kernel.host import Answer

from .manifest import own_answers
from .wire import wire_of

Check = Callable[[Any, str], Any]

TICKS = 4  # looks within one budget: a loop is stopped after one to one and a quarter budgets

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)


class BudgetPassed(BaseException):
    """Raised inside an answer that ran too long; no Exception, so that `except Exception` does not keep it running."""


class TooSlow(errors.AnswerFailed):
    """An answer ran past its budget and was stopped."""

    slug = "runtime.too-slow"


class _Calmed(BaseException):
    """What a thread raises in itself, so that nothing seems to be on its way to it any more."""


def _calm(ident: int) -> None:
    """Let this thread, which `ident` is, run as fast as before.

    To take an exception back leaves the mark that one is on its way: from then on each call and each turn of a loop
    would look for it, and with a trace function CPython 3.11 looks for ever. Only one that arrives takes the mark away.
    """
    try:
        _raise_in(ident, ctypes.py_object(_Calmed))
        while True:
            pass
    except _Calmed:
        return


class Watchdog:
    """One thread that looks a few times a budget whether the same answer is still running.

    `running` has, for each thread, the call that it is in, as an object that no other call shares. Who takes an entry
    out, decides: the call, which has then ended in time, or the watchdog. A call that meets the exception is `noticed`
    before anything else can interrupt it, and from then on gets no other one: it would come when its guard has ended.
    """

    def __init__(self, budget_ms: int) -> None:
        self.budget_ms = budget_ms
        self.running: dict[int, object] = {}
        self.noticed: set[int] = set()
        self._overdue: set[int] = set()
        self._lock = threading.Lock()
        self._makers: dict[tuple[str, ...], Callable[..., Any]] = {}
        threading.Thread(target=self._watch, name=f"watchdog of {budget_ms} ms", daemon=True).start()

    def make(
        self, function: Callable[..., Any], parameters: tuple[str, ...], who: str, plain: object, check: Check
    ) -> Callable[..., Any]:
        """Return the function under guard; a value whose type is not `plain` is given to `check`."""
        if parameters not in self._makers:
            made: dict[str, Any] = {}
            exec(_GUARD.replace("PARAMETERS", ", ".join(parameters)), dict(_NAMES), made)
            self._makers[parameters] = made["maker"]
        return self._makers[parameters](self, function, who, plain, check)

    def settled(self, ident: int) -> bool:
        """Return whether the watchdog stopped this thread's call, and take back what is still on its way to it."""
        while True:
            try:
                with self._lock:
                    was_stopped = ident in self._overdue
                    _raise_in(ident, ctypes.py_object())
                    self._overdue.discard(ident)
                    self.noticed.discard(ident)
                    self.running.pop(ident, None)
                _calm(ident)
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
                for ident in (
                    self._overdue - self.noticed
                ):  # again and again: a bare `except:` may have eaten the last one
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


# Written out for each list of parameters: `*args` and `**kwargs` cost as much as all the rest of it.
_GUARD: Final = """
def maker(_dog, _function, _who, _plain, _check):
    def guard(PARAMETERS):
        _ident, _running = _get_ident(), _dog.running
        try:
            _running[_ident] = []
            try:
                _value = _function(PARAMETERS)
            except Exception as _error:
                if _dog.settled(_ident):
                    raise _dog.too_slow(_who) from _error
                if isinstance(_error, _errors.IsthmusError):
                    raise
                raise _errors.AnswerFailed(
                    f"{_who} raised {_error!r}", remedy="fix the answer, or roll the front end back"
                ) from _error
            try:
                del _running[_ident]
            except KeyError:
                if _dog.settled(_ident):
                    raise _dog.too_slow(_who) from None
        except _BudgetPassed:
            try:
                _dog.noticed.add(_ident)
                _dog.settled(_ident)
            except _BudgetPassed:  # one that was on its way already
                _dog.settled(_ident)
            raise _dog.too_slow(_who) from None
        return _value if _type(_value) is _plain else _check(_value, _who)
    return guard
"""
_NAMES: Final[dict[str, Any]] = {
    "_get_ident": threading.get_ident,
    "_errors": errors,
    "_BudgetPassed": BudgetPassed,
    "_type": type,
}


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


class _Who(str):
    """The name of an answer in messages. A fingerprint has nothing of it: where a file lies is not what it does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at 0x0>"


def _guarded(owner: str, answer: Answer, dog: Watchdog) -> Answer:
    who = _Who(f"{owner}.{answer.name} ({answer.source})")
    make = _guard_steps if inspect.iscoroutinefunction(answer.function) else _guard
    return replace(answer, function=make(answer.function, answer, who, dog))


def _guard(function: Callable[..., Any], answer: Answer, who: str, dog: Watchdog) -> Callable[..., Any]:
    wire = wire_of(answer.point)
    guard = dog.make(function, tuple(answer.point.parameters), who, wire.plain, wire.checked)
    return functools.wraps(function)(guard)


def _guard_steps(function: Callable[..., Any], answer: Answer, who: str, dog: Watchdog) -> Callable[..., Any]:
    """Guard what an async answer does between two waits; how long it waits is bounded by the point's deadline."""

    def step(advance: Callable[[Any], Any], sent: Any) -> tuple[bool, Any]:
        try:
            return False, advance(sent)
        except StopIteration as done:
            return True, done.value

    guarded_step = dog.make(step, ("advance", "sent"), who, tuple, lambda value, _: value)
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
