"""Stop the reading for a question that nobody waits for any more: what is read now, and what would be read next.

A question is answered in a thread, which no one can end from outside; its reads can be. What it works out between two
reads is bounded (`privacy/algebra`), and ends by itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TypeVar

from isthmus.kernel import errors
from isthmus.later import later

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = later("duckdb")

ANSWER_LIMIT_S: Final = 120.0  # a year of orders by everything takes seconds; who needs longer has SQL on the lake
AGAIN_S: Final = 0.05

T = TypeVar("T")


class QuestionStopped(errors.Unavailable):
    """The question was given up: it took too long, or nobody waits for its answer."""

    slug = "data.question-stopped"


class Stop:
    """The reads of one question, to be ended together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: set[duckdb.DuckDBPyConnection] = set()
        self._is_set = False

    def set(self) -> None:
        """End what is read, and let nothing be read after it."""
        with self._lock:
            self._is_set = True
            for one in self._reading:
                one.interrupt()

    @contextmanager
    def over(self, connection: duckdb.DuckDBPyConnection) -> Generator[None]:
        """Have a connection's reads in a block be ended with the others. Raises QuestionStopped where they were."""
        with self._lock:
            if self._is_set:
                raise _stopped()
            self._reading.add(connection)
        try:
            yield
        except duckdb.InterruptException:
            raise _stopped() from None
        finally:
            with self._lock:
                self._reading.discard(connection)


_now: ContextVar[Stop | None] = ContextVar("stop", default=None)


@contextmanager
def stoppable(connection: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Have what is read in a block end with the question that it is read for, where there is one."""
    stop = _now.get()
    if stop is None:
        yield
        return
    with stop.over(connection):
        yield


async def while_wanted(work: Callable[[], T], gone: Callable[[], Awaitable[object]]) -> T:
    """Do work in a thread and return what comes of it; end its reads where whoever asked is gone, or it takes too long.

    gone: returns when nobody waits any more. Raises QuestionStopped then, and after ANSWER_LIMIT_S.
    """
    stop = Stop()
    token = _now.set(stop)
    try:
        working = asyncio.ensure_future(asyncio.to_thread(work))
    finally:
        _now.reset(token)
    working.add_done_callback(_retrieved)
    leaving = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, leaving}, timeout=ANSWER_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        while not working.done():  # a read that was just about to begin is met by the next try
            stop.set()
            await asyncio.wait({working}, timeout=AGAIN_S)
        return working.result()
    finally:
        stop.set()  # also where this is cancelled
        leaving.cancel()


def _retrieved(done: asyncio.Future[T]) -> None:
    """Look at what came of work that nobody waits for, so that nothing is logged about it."""
    if not done.cancelled():
        done.exception()


def _stopped() -> QuestionStopped:
    return QuestionStopped(
        f"the question was given up: it took over {ANSWER_LIMIT_S:g} s, or nobody waits for its answer any more",
        remedy="narrow it by filters, or group it by less",
    )
