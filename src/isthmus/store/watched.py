"""Statements of a call, for who watches it: each as its text without values, and how long it took.

Watching is of what runs in a block, in its own tasks too, and costs the calls beside it nothing but a look.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

TEXT_MAX: Final = 2_000

T = TypeVar("T")

_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")  # the connection's standard_conforming_strings makes this all of it
_CALLED: Final = re.compile(r"\bexecute (w\d+)")
_SPACE: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Statement:
    """What was sent to the database in one go. began_us: of the clock, in microseconds since 1970."""

    text: str
    began_us: int
    took_us: int
    has_failed: bool


WATCHING: Final[ContextVar[list[Statement] | None]] = ContextVar("watching", default=None)


@contextmanager
def watched() -> Generator[list[Statement]]:
    """Give a list that has the statements of what runs in the block, each once its connection has said so."""
    found: list[Statement] = []
    token = WATCHING.set(found)
    try:
        yield found
    finally:
        WATCHING.reset(token)


def watcher(found: list[Statement], named: dict[str, Any]) -> Any:
    """Return what a connection calls after each statement. named: its prepared statements, by their text."""

    def note(record: Any) -> None:
        took_us = round(record.elapsed * 1_000_000)
        texts = {name: text for text, (name, _, _) in named.items()} if "execute w" in record.query else {}
        text = _LITERAL.sub("?", record.query)
        text = _CALLED.sub(lambda call: texts.get(call[1], call[0]), text)
        began_us = time.time_ns() // 1_000 - took_us
        plain = _SPACE.sub(" ", text).strip()[:TEXT_MAX]
        found.append(Statement(plain, began_us, took_us, has_failed=record.exception is not None))

    return note


@dataclass(slots=True)
class Meter:
    """What a call used: processor time of its own steps, time that it waited for the database, statements and rows."""

    cpu_ns: int = 0
    db_ns: int = 0
    statements: int = 0
    rows: int = 0


METER: Final[ContextVar[Meter | None]] = ContextVar("meter", default=None)


async def noted(statement: Awaitable[T]) -> T:
    """Run a statement, and add what it took to the meter of its call; a call without one does not come here."""
    meter = cast(Meter, METER.get())
    began = time.perf_counter_ns()
    try:
        result = await statement
        meter.rows += _rows_of(result)
        return result
    finally:
        meter.db_ns += time.perf_counter_ns() - began
        meter.statements += 1


def _rows_of(result: object) -> int:
    """Return how many rows came back or were written, as the tag of a command says it."""
    if isinstance(result, list):
        return len(cast("Sequence[object]", result))
    if isinstance(result, str):
        last = result.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0
    return int(result is not None)
