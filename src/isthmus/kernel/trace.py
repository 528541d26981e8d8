"""The trace of one call: every point asked, who said what, and which rule made the result."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .declare.extension import ExtensionPoint
from .errors import IsthmusError

R = TypeVar("R")


@dataclass(slots=True)
class AnswerRecord:
    """One candidate's word; `value` is the error where it raised."""

    by: str
    source: str
    value: object
    raised: bool = False
    took_ns: int = 0


@dataclass(slots=True)
class Asked:
    """One question put to the front end; the arguments are those of the point, in its order."""

    point: str
    rule: str
    arguments: tuple[object, ...]
    said: list[AnswerRecord]
    result: object = None


@dataclass(slots=True)
class Part:
    """One capability called inside the call; `began_us` counts from 1970."""

    capability: str
    ask: object
    answer: object = None
    error: str = ""
    took_us: int = 0
    began_us: int = 0


@dataclass(slots=True)
class Trace:
    """What happened in one call, kept only where someone asked for it or the call was sampled."""

    call_id: str
    capability: str
    version: str
    front_end: str
    box: str
    fingerprint: str
    ask: object
    now: str
    answer: object = None
    error: str = ""
    took_us: int = 0
    asked: list[Asked] = field(default_factory=list[Asked])
    parts: list[Part] = field(default_factory=list[Part])
    events: list[tuple[str, object]] = field(default_factory=list[tuple[str, object]])  # name and data
    used: object = None  # what the recorder noted of it

    def length(self) -> tuple[int, int, int]:
        return len(self.asked), len(self.parts), len(self.events)

    def cut(self, length: tuple[int, int, int]) -> None:
        """Leave out what came after it had a length."""
        del self.asked[length[0] :], self.parts[length[1] :], self.events[length[2] :]


# Plans are shared by all calls, so what a traced answer says finds its trace by the task that runs it.
trace_now: ContextVar[Trace | None] = ContextVar("isthmus_story", default=None)
_said_now: ContextVar[list[AnswerRecord] | None] = ContextVar("isthmus_said", default=None)


def tracing(by: str, source: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an answer so that what it says is written down; compiled into traced plans only."""

    @contextmanager
    def written() -> Generator[AnswerRecord]:
        said = AnswerRecord(by, source, None)
        began = time.perf_counter_ns()
        try:
            yield said
        except Exception as error:
            said.value, said.raised = error, True
            raise
        finally:
            said.took_ns = time.perf_counter_ns() - began
            if (heard := _said_now.get()) is not None:
                heard.append(said)

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with written() as said:
            said.value = function(*args, **kwargs)
        return said.value

    @functools.wraps(function)
    async def traced_later(*args: Any, **kwargs: Any) -> Any:
        with written() as said:
            said.value = await function(*args, **kwargs)
        return said.value

    return traced_later if inspect.iscoroutinefunction(function) else traced


def asking(point: ExtensionPoint[..., Any], compiled: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a compiled point so that the question and its result join the trace of the call."""

    @contextmanager
    def written(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Generator[Asked]:
        in_order = (*args, *(kwargs[name] for name in point.parameters[len(args) :]))
        asked = Asked(point.name, point.combine.name, in_order, [])
        if trace := trace_now.get():
            trace.asked.append(asked)
        token = _said_now.set(asked.said)
        try:
            yield asked
        finally:
            _said_now.reset(token)

    def ask(*args: Any, **kwargs: Any) -> Any:
        with written(args, kwargs) as asked:
            asked.result = compiled(*args, **kwargs)
        return asked.result

    async def ask_later(*args: Any, **kwargs: Any) -> Any:
        with written(args, kwargs) as asked:
            asked.result = await compiled(*args, **kwargs)
        return asked.result

    return ask_later if point.is_async else ask


async def tracing_part(trace: Trace, capability: str, ask: object, answering: Awaitable[R]) -> R:
    """Await a capability called inside the call, and write down how it went."""
    part = Part(capability, ask, began_us=time.time_ns() // 1_000)
    trace.parts.append(part)
    began = time.perf_counter_ns()
    try:
        part.answer = answer = await answering
    except Exception as error:
        part.error = f"{error.slug}: {error}" if isinstance(error, IsthmusError) else repr(error)
        raise
    finally:
        part.took_us = (time.perf_counter_ns() - began) // 1_000
    return answer
