"""What something takes: by the clock, and by the processors of this process and of PostgreSQL.

Other work on the machine lengthens the first and hardly the second.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg
import psutil


@dataclass(frozen=True, slots=True)
class Spent:
    """What something took: seconds, and seconds of processors, which other work on the machine does not lengthen."""

    seconds: float
    own: float
    database: float


@dataclass(slots=True)
class Clock:
    """Measures what something takes, by the backends of its database."""

    url: str
    began: float = 0.0
    own: float = 0.0
    database: dict[int, float] = field(default_factory=dict[int, float])

    @classmethod
    async def started(cls, url: str) -> Clock:
        return cls(url, time.perf_counter(), time.process_time(), await _backends(url))

    async def stopped(self) -> Spent:
        seconds, own = time.perf_counter() - self.began, time.process_time() - self.own
        now = await _backends(self.url)
        return Spent(seconds, own, sum(took - self.database.get(pid, 0.0) for pid, took in now.items()))


async def _backends(url: str) -> dict[int, float]:
    """Return how long processors worked for each connection of a database, and for what it does by itself."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    await connection.close()
    found: dict[int, float] = {}
    for row in rows:
        with suppress(psutil.Error):  # it has ended meanwhile
            times = psutil.Process(row["pid"]).cpu_times()
            found[row["pid"]] = times.user + times.system
    return found
