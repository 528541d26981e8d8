"""Order numbers without a queue: each process leases a block and hands numbers out from memory."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import defaultdict, deque

from isthmus.store import Database

BLOCK = 100  # one short transaction for so many orders; what a stopped process leaves over is at most this

_LEASE = """
with counted as (
    insert into "order".number_counter (front_end, last) values ($1, $2)
    on conflict (front_end) do update set last = number_counter.last + $2
    returning last
)
insert into "order".number_lease (front_end, first, last, holder)
select $1, last - $2 + 1, last, $3 from counted returning first, last
"""


class Numbers:
    """Hands out the numbers of each front end; a number is given once, whatever becomes of its order."""

    def __init__(self, database: Database, *, block: int = BLOCK) -> None:
        self._database = database
        self._block = block
        self._holder = f"{socket.gethostname()}/{os.getpid()}"
        self._free: dict[str, deque[int]] = defaultdict(deque)
        self._leasing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, front_end: str, count: int) -> list[int]:
        """Return so many numbers, in rising order."""
        free = self._free[front_end]
        if len(free) < count:
            async with self._leasing[front_end]:
                while len(free) < count:
                    free.extend(await self._lease(front_end))
        return [free.popleft() for _ in range(count)]

    async def _lease(self, front_end: str) -> range:
        async with self._database.platform() as session:
            row = await session.fetch_row(_LEASE, front_end, self._block, self._holder)
        assert row is not None  # the statement returns what it inserted
        return range(row["first"], row["last"] + 1)
