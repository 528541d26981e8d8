"""64 buyers want the same SKU: reservations a second against the usual guarded update, and that nothing is oversold.

The peer: `update … set stock = stock - 1 where stock >= 1`, each a transaction of its own, by 64 tasks on as many
connections as the platform has; it writes no reservation, no history and no event. The platform: `inventory.reserve`
in process, one reference each, with all its rows and events. Both on one PostgreSQL, synchronous commit on, in turns.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from bench import _shop as shop
from isthmus.packs.inventory import api as inventory
from isthmus.store.database import CONNECTIONS_MAX
from isthmus.values import LineAsk

CLIENTS = 64
SKU = "hot"
UNITS = 50_000_000
SCARCE = 500  # units in the round that sells out
TURN_S = 1.0

Row = dict[str, Any]
Buy = Callable[[], Awaitable[object]]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("hot") as url:
        await shop.stocked(url, [SKU], UNITS)
        async with shop.running(url) as running, asyncpg.create_pool(url, max_size=CONNECTIONS_MAX) as pool:
            await pool.execute("create table usual (sku text primary key, stock bigint not null)")
            await pool.execute("insert into usual values ($1, $2)", SKU, UNITS)
            ours, theirs = _reserving(running.platform, SKU), _updating(pool)
            await _turn(ours)
            await shop.analyse(url)
            found = [(*await _turn(ours), *await _turn(theirs)) for _ in range(rounds * 2)]
            oversold = await _sold_out(running)
    rate, p99, usual, usual_p99 = (statistics.median(column) for column in zip(*found, strict=True))
    ratio = statistics.median(one / other for one, _, other, _ in found)
    slower = statistics.median(one / other for _, one, _, other in found)
    return [
        {
            "name": f"hot SKU, {CLIENTS} clients",
            "value": rate,
            "unit": "reservations/s",
            "against": f"guarded update in its own transaction: {usual:,.0f}/s",
            "ratio": ratio,
            "aim": ">= 5 x",
            "met": ratio >= 5,
        },
        {
            "name": f"hot SKU, {CLIENTS} clients, p99",
            "value": p99,
            "unit": "ms",
            "against": f"guarded update in its own transaction: {usual_p99:,.1f} ms",
            "ratio": slower,
            "aim": "<= 1 x",
            "met": slower <= 1,
        },
        {
            "name": f"hot SKU, {CLIENTS} clients, {SCARCE} units: sold beyond them",
            "value": oversold,
            "unit": "units",
            "against": "nothing",
            "ratio": None,
            "aim": "0",
            "met": oversold == 0,
        },
    ]


_numbers = itertools.count()


def _reserving(platform: Any, sku: str) -> Buy:
    lines = (LineAsk(sku=sku, quantity=1),)

    async def reserve() -> None:
        ask = inventory.Reserve(reference=f"order-{next(_numbers)}", lines=lines)
        await platform.call(inventory.reserve, ask, shop.CALLER)

    return reserve


def _updating(pool: asyncpg.Pool) -> Buy:
    async def update() -> None:
        sql = "update usual set stock = stock - $2 where sku = $1 and stock >= $2"
        if await pool.execute(sql, SKU, 1) != "UPDATE 1":
            raise RuntimeError("sold out")

    return update


async def _turn(buy: Buy) -> tuple[float, float]:
    """Return how many a second, and the 99th percentile in ms."""
    took: list[float] = []
    began = time.perf_counter()

    async def client() -> None:
        while (at := time.perf_counter()) - began < TURN_S:
            await buy()
            took.append(time.perf_counter() - at)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return len(took) / (time.perf_counter() - began), 1000 * statistics.quantiles(took, n=100)[98]


async def _sold_out(running: Any) -> int:
    """Let 64 clients buy until nothing is left; return how many more were sold than there were."""
    receipt = inventory.Receipt(sku="scarce", quantity=SCARCE, location="main")
    receive = inventory.Receive(reference="scarce", lines=(receipt,))
    await running.platform.call(inventory.receive, receive, shop.CALLER)
    buy, sold = _reserving(running.platform, "scarce"), 0

    async def client() -> None:
        nonlocal sold
        while True:
            try:
                await buy()
            except inventory.StockShort:
                return
            sold += 1

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return sold - SCARCE
