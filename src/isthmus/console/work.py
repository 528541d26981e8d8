"""Long work beside the pages: a form begins it, the page says that it is running, and may be left meanwhile."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from starlette.requests import Request

from isthmus.kernel import Value, decode, encode, errors

FAILED: Final = errors.Fault("it failed", remedy="look into the server's log")
CUT_OFF: Final = errors.Unavailable("it was cut off: its server has ended", remedy="begin it again")
log = logging.getLogger("isthmus.console")


class Known(Value):
    """What is written down of work: of the last time, or of the one running."""

    began_at: datetime
    ended_at: datetime | None = None
    refused: str = ""
    remedy: str = ""
    before_s: int | None = None  # how long the time before took

    @property
    def took_s(self) -> int:
        """How long it took, or has taken by now."""
        return round(((self.ended_at or datetime.now(UTC)) - self.began_at).total_seconds())


class Work:
    """One kind of work, once at a time in all processes of this machine that share a folder.

    Whoever does it holds a lock on `NAME.lock`, which the system lets go of with the process; what is known of it
    lies in `NAME.json`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._lock = folder / f"{name}.lock"
        self._file = folder / f"{name}.json"
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Callable[[], Awaitable[object]]) -> None:
        """Begin it, unless it is running already."""
        lock = self._held()
        if lock is None:
            return
        before = self._read()
        known = Known(began_at=datetime.now(UTC), before_s=before.took_s if before and before.ended_at else None)
        self._write(known)
        task = asyncio.create_task(self._run(work, known, lock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ended(self) -> None:
        """Wait until what this process has begun is over."""
        await asyncio.gather(*self._tasks)

    def known(self) -> Known | None:
        """Return what is known of the last time; without `ended_at` it is running now."""
        known = self._read()
        if known is None or known.ended_at is not None:
            return known
        lock = self._held()
        if lock is None:
            return known
        lock.close()
        known = self._read()  # it may have ended just now
        return known if known is None or known.ended_at is not None else _ended(known, CUT_OFF)

    async def _run(self, work: Callable[[], Awaitable[object]], known: Known, lock: IO[bytes]) -> None:
        refused: errors.IsthmusError | None = None
        with lock:
            try:
                await work()
            except errors.IsthmusError as error:
                refused = error
            except Exception as error:
                log.error("work of the console failed: %s", self.name, exc_info=error)
                refused = FAILED
            self._write(_ended(known, refused))

    def _held(self) -> IO[bytes] | None:
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        lock = self._lock.open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    def _read(self) -> Known | None:
        with suppress(FileNotFoundError, errors.BadAsk):  # what another version wrote says nothing
            return decode(self._file.read_bytes(), Known)
        return None

    def _write(self, known: Known) -> None:
        new = self._file.with_suffix(f".{os.getpid()}")
        new.write_bytes(encode(known))
        new.replace(self._file)


def shown(request: Request, works: Iterable[Work]) -> dict[str, Any]:
    """Return what a page says of its work: all that is running, and how that ended which its address names."""
    known = {work.name: known for work in works if (known := work.known())}
    asked = request.query_params.get("work", "")
    return {
        "at_work": {name: one for name, one in known.items() if one.ended_at is None},
        "ended": {name: one for name, one in known.items() if one.ended_at is not None and name == asked},
    }


def _ended(known: Known, refused: errors.IsthmusError | None) -> Known:
    return Known(
        began_at=known.began_at,
        ended_at=datetime.now(UTC),
        refused=refused.message if refused else "",
        remedy=refused.remedy if refused else "",
        before_s=known.before_s,
    )
