"""Order numbers without a queue: each process leases a block and hands numbers out from memory.

A lease lasts a day. After that its process hands none of its numbers out any more, and whoever leases next closes
it: what no order has is written into it as unused. So a number that is missing is in a lease that is open, or
written down; the number of an order that was rolled back is one of those.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Annotated

from isthmus.kernel import Meta, Value
from isthmus.manifest import Place
from isthmus.store import Database

BLOCK = 100  # one short transaction for so many orders; what a stopped process leaves over is at most this
LASTS_S = 86_400  # a quiet shop skips one block a day for each process, and no more
GRACE_S = 3_600  # before a lease is closed: far longer than a call lasts that took a number in its last second
UNUSED_FROM = 2**53  # further than order numbers ever come


class NumberSettings(Value):
    """`[settings.order]`. number_block: how many order numbers a process leases at once."""

    number_block: Annotated[int, Meta(ge=1, le=10_000)] = BLOCK


def made(place: Place) -> Numbers:
    """Return the numbers of one process."""
    return Numbers(place.database, block=place.settings.number_block)


_CLOSE = """
update "order".number_lease lease set closed_at = now(), unused = coalesce((
    select range_agg(int8range(number, number + 1)) from generate_series(lease.first, lease.last) as number
    where not exists (select from "order".orders where orders.front_end = $1 and orders.number = number.number)), '{}')
where front_end = $1 and first in (
    select first from "order".number_lease
    where front_end = $1 and closed_at is null and leased_at < now() - make_interval(secs => $2)
    order by first for update skip locked)
"""
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

    def __init__(
        self,
        database: Database,
        *,
        block: int = BLOCK,
        lasts_s: float = LASTS_S,
        grace_s: float = GRACE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._block = block
        self._lasts_s = lasts_s
        self._grace_s = grace_s
        self._clock = clock
        self._holder = f"{socket.gethostname()}/{os.getpid()}"
        self._free: dict[str, deque[tuple[int, float]]] = defaultdict(deque)  # each with the end of its lease
        self._leasing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, front_end: str, count: int) -> list[int]:
        """Return so many numbers, in rising order."""
        if len(self._fresh(front_end)) < count:
            async with self._leasing[front_end]:
                while len(self._fresh(front_end)) < count:
                    await self._lease(front_end)
        free = self._free[front_end]
        return [free.popleft()[0] for _ in range(count)]

    def _fresh(self, front_end: str) -> deque[tuple[int, float]]:
        """Return the numbers left, without those whose lease is over."""
        free, now = self._free[front_end], self._clock()
        while free and free[0][1] <= now:
            free.popleft()
        return free

    async def _lease(self, front_end: str) -> None:
        until = self._clock() + self._lasts_s  # from before the lease was written: never later than its row says
        async with self._database.platform() as session:
            await session.execute(_CLOSE, front_end, self._lasts_s + self._grace_s)
            row = await session.fetch_row(_LEASE, front_end, self._block, self._holder)
        assert row is not None  # the statement returns what it inserted
        self._free[front_end].extend((number, until) for number in range(row["first"], row["last"] + 1))


class UnusedNumbers:
    """Numbers for orders that are rolled back in the end: nobody else is given them, and no block is leased."""

    async def take(self, _front_end: str, count: int) -> list[int]:
        return list(range(UNUSED_FROM, UNUSED_FROM + count))
