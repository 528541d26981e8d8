"""Declare a capability or an event; both inert until a Registry reads them."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Generic, TypeVar, get_type_hints

from ..contract import Value
from ..errors import IsthmusError

A = TypeVar("A")
R = TypeVar("R")
E = TypeVar("E", bound=type)

DEADLINE_MS = 5_000  # longer than any local capability needs, shorter than people wait


class Effect(enum.Enum):
    """What a capability does to the world, which decides how the pipeline runs it."""

    READ = "read"  # changes nothing; no transaction
    WRITE = "write"  # one transaction with its events and its idempotency record
    SAGA = "steps"  # several transactions and outside calls in order, each exactly once in effect

    __hash__ = object.__hash__  # of the name it is a function in Python, which every call would run


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecated:
    """Since when a capability or an event is to be left, on which day it goes, and what to use instead."""

    since: date
    sunset: date
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capability(Generic[A, R]):
    """A typed, versioned operation: one ask in, one answer or one declared error out."""

    name: str
    version: str
    effect: Effect
    ask: type[A]
    answer: type[R]
    raises: tuple[type[IsthmusError], ...]
    deadline_ms: int
    is_internal: bool  # only flows call it: no front end may, whatever it uses
    doc: str
    source: str
    deprecated: Deprecated | None = None
    uses: tuple[Capability[Any, Any], ...] = ()  # a flow's parts; empty for a pack's own capability

    @property
    def pack(self) -> str:
        return self.name.partition(".")[0]


def capability(
    name: str,
    *,
    version: str,
    effect: Effect,
    raises: Sequence[type[IsthmusError]] = (),
    deadline_ms: int = DEADLINE_MS,
    is_internal: bool = False,
    deprecated: Deprecated | None = None,
) -> Callable[[Callable[[A], R]], Capability[A, R]]:
    """Declare a capability; the decorated function gives the types and the documentation, its body is `...`.

    is_internal: only flows may call it, such as "mark as paid", which would be a lie from anyone else. deprecated:
    every answer over HTTP says so, and until when it is there; the next version is a capability beside it.
    """

    def declare(function: Callable[[A], R]) -> Capability[A, R]:
        hints = get_type_hints(function, include_extras=True)
        answer = hints.pop("return")
        (ask,) = hints.values()
        return Capability(
            name=name,
            version=version,
            effect=effect,
            ask=ask,
            answer=answer,
            raises=tuple(raises),
            deadline_ms=deadline_ms,
            is_internal=is_internal,
            doc=inspect.getdoc(function) or "",
            source=source_of(function),
            deprecated=deprecated,
        )

    return declare


def flow(
    name: str,
    *,
    version: str,
    effect: Effect,
    uses: Sequence[Capability[Any, Any]],
    raises: Sequence[type[IsthmusError]] = (),
    deadline_ms: int = DEADLINE_MS,
    is_internal: bool = False,
) -> Callable[[Callable[[A], R]], Capability[A, R]]:
    """Declare a flow: a capability made of others. It may call only those, and raises what they raise too.

    An internal flow whose ask is an event reacts to it: it runs in each transaction that emits one, after what that
    does and before it commits, and its refusal undoes all of it. (Not where calls are answered together.)
    """
    errors = dict.fromkeys([*raises, *(error for part in uses for error in part.raises)])
    declare: Callable[[Callable[[A], R]], Capability[A, R]] = capability(
        name, version=version, effect=effect, raises=[*errors], deadline_ms=deadline_ms, is_internal=is_internal
    )
    return lambda function: replace(declare(function), uses=tuple(uses))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """What the outbox needs to know of an event type."""

    name: str
    version: str
    subject: str  # the field that names what the event is about
    deprecated: Deprecated | None = None


def event(name: str, *, version: str, subject: str, deprecated: Deprecated | None = None) -> Callable[[E], E]:
    """Declare a Value as an event; events with the same `subject` arrive in the order of their commits.

    deprecated: every event that leaves the platform says until when it is sent, and so does the API document.
    """

    def declare(cls: E) -> E:
        if subject not in getattr(cls, "__struct_fields__", ()):
            raise TypeError(f"{cls.__name__} has no field {subject!r} to be the subject of {name!r}")
        cls.__isthmus_event__ = EventKind(name=name, version=version, subject=subject, deprecated=deprecated)
        return cls

    return declare


def event_kind(value: Value | type[Value]) -> EventKind:
    """Return what an event type was declared as; TypeError where it was not."""
    if (kind := getattr(value, "__isthmus_event__", None)) is None:
        raise TypeError(f"{value!r} is not declared with @event")
    return kind


def source_of(function: Callable[..., object]) -> str:
    """Return `file:line` of a function, for messages that a person follows."""
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"
