"""The story of one call: every point asked, who said what, and which rule made the result."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from .extension import Answer, ExtensionPoint


@dataclass(slots=True)
class Said:
    """One candidate's word; `value` is the error where it raised."""

    by: str
    source: str
    value: object
    raised: bool = False


@dataclass(slots=True)
class Asked:
    """One question put to the front end."""

    point: str
    rule: str
    arguments: tuple[object, ...]
    said: list[Said]
    result: object = None


@dataclass(slots=True)
class Part:
    """One capability called inside the call."""

    capability: str
    ask: object
    answer: object = None
    error: str = ""
    took_us: int = 0


@dataclass(slots=True)
class Story:
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
    events: list[object] = field(default_factory=list[object])


story_now: ContextVar[Story | None] = ContextVar("isthmus_story", default=None)
_said_now: ContextVar[list[Said] | None] = ContextVar("isthmus_said", default=None)


def telling(answer: Answer) -> Callable[..., Any]:
    """Wrap an answer so that what it says is written down; compiled into traced plans only."""
    return _telling(answer.label, answer.source, answer.function)


def telling_default(point: ExtensionPoint[..., Any]) -> Callable[..., Any]:
    return _telling("default", point.source, point.default)


def _telling(by: str, source: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def note(value: object, raised: bool = False) -> None:
        said = _said_now.get()
        if said is not None:
            said.append(Said(by, source, value, raised))

    @functools.wraps(function)
    def tell(*args: Any, **kwargs: Any) -> Any:
        try:
            value = function(*args, **kwargs)
        except Exception as error:
            note(error, raised=True)
            raise
        note(value)
        return value

    @functools.wraps(function)
    async def tell_later(*args: Any, **kwargs: Any) -> Any:
        try:
            value = await function(*args, **kwargs)
        except Exception as error:
            note(error, raised=True)
            raise
        note(value)
        return value

    return tell_later if inspect.iscoroutinefunction(function) else tell


def asking(point: ExtensionPoint[..., Any], compiled: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a compiled point so that the question and its result join the story of the call."""

    def begin(args: tuple[Any, ...]) -> Asked:
        asked = Asked(point.name, point.combine.name, args, [])
        if story := story_now.get():
            story.asked.append(asked)
        return asked

    def ask(*args: Any, **kwargs: Any) -> Any:
        asked = begin((*args, *kwargs.values()))
        token = _said_now.set(asked.said)
        try:
            asked.result = compiled(*args, **kwargs)
        finally:
            _said_now.reset(token)
        return asked.result

    async def ask_later(*args: Any, **kwargs: Any) -> Any:
        asked = begin((*args, *kwargs.values()))
        token = _said_now.set(asked.said)
        try:
            asked.result = await compiled(*args, **kwargs)
        finally:
            _said_now.reset(token)
        return asked.result

    return ask_later if point.is_async else ask
