"""What one server process takes: time until its first answer, memory at rest, and memory while it sells.

Cold start is from the command `isthmus serve` to the first answer over HTTP, with the database up and migrated. Memory
is the process's unique set (what would be free if it ended). Beside both stands the least that a server takes: an empty
application on the same server library, with connections to the same database.

It sells baskets of 5 to 16 clients for `SELLS_S`; the second half of that time must not add to what the first half
took. The lake lands meanwhile, as it does. `ISTHMUS_BENCH_MINUTES=10` sells for ten minutes.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import psutil

from bench import _shop as shop
from bench.orders import CLIENTS, GOODS, UNITS, _buyers, _over_http

SELLS_S = 60 * float(os.environ.get("ISTHMUS_BENCH_MINUTES", "0.75"))
LOOKS = 40  # at the memory, over the whole time
LOOKS_APART = 20  # at a landing, for each of those
GROWTH_MAX = 1.05  # of the second half's median over the first half's last quarter: what an allocator keeps is no leak
START_MAX_S = 1.5
EMPTY = """
import asyncpg, sys, uvicorn

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        async with asyncpg.create_pool(sys.argv[1], min_size=2):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

uvicorn.run(app, port=int(sys.argv[2]), loop="uvloop", http="httptools", log_level="error")
"""

Row = dict[str, Any]


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("process") as url:
        key = await shop.stocked(url, GOODS, UNITS)
        starts = [await _started_s(url) for _ in range(rounds)]
        started, worked = (statistics.median(column) for column in zip(*starts, strict=True))
        least_s, least_mb = map(min, zip(*[await _of_nothing(url) for _ in range(rounds)], strict=True))
        async with shop.serving(url) as server:
            at_rest = _memory_mb(server.process)
            async with _buyers(server, key) as buyers:
                await _over_http(buyers)[0]()
            after_one = _memory_mb(server.process)
            sold, seen, landing = await _sell(server, key)
    before, after = seen[LOOKS // 4 : LOOKS // 2], seen[-LOOKS // 4 :]
    growth = statistics.median(after) / statistics.median(before)
    return [
        {
            "name": "cold start to the first answer, database up",
            "value": started,
            "unit": "s",
            "against": f"the limit of {START_MAX_S} s",
            "ratio": started / START_MAX_S,
            "aim": "<= 1.5 s",
            "met": started <= START_MAX_S,
        },
        {
            "name": "processor time of that start",
            "value": worked,
            "unit": "s",
            "against": f"an empty application on uvicorn, with asyncpg: {least_s:.2f} s",
            "ratio": worked / least_s,
            "aim": "reported: what a machine with nothing else to do would take",
            "met": None,
        },
        {
            "name": "memory of a server process at rest",
            "value": at_rest,
            "unit": "MB",
            "against": "",
            "ratio": None,
            "aim": "reported",
            "met": None,
        },
        {
            "name": "memory of a server process after its first order",
            "value": after_one,
            "unit": "MB",
            "against": f"an empty application on uvicorn, with asyncpg: {least_mb:.0f} MB",
            "ratio": after_one / least_mb,
            "aim": "reported",
            "met": None,
        },
        {
            "name": f"memory after {sold:,} orders in {SELLS_S / 60:g} minutes",
            "value": seen[-1],
            "unit": "MB",
            "against": f"at rest: {at_rest:.0f} MB",
            "ratio": seen[-1] / at_rest,
            "aim": "reported",
            "met": None,
        },
        {
            "name": "memory in the last quarter of that time",
            "value": statistics.median(after),
            "unit": "MB",
            "against": f"in the second quarter: {statistics.median(before):.0f} MB",
            "ratio": growth,
            "aim": "no growth (<= 1.05 x)",
            "met": growth <= GROWTH_MAX,
        },
        {
            "name": "memory of a landing at its largest, in a process of its own",
            "value": landing,
            "unit": "MB",
            "against": f"the server then: {max(seen):.0f} MB at most",
            "ratio": landing / max(seen),
            "aim": "reported: it is gone when the landing ends",
            "met": None,
        },
    ]


async def _started_s(url: str) -> tuple[float, float]:
    """Return the time until the first answer, and the processor's time in it."""
    async with shop.serving(url) as server:
        used = server.process.cpu_times()
        return server.started_s, used.user + used.system


async def _of_nothing(url: str) -> tuple[float, float]:
    """Return the processor time and the memory of a server that does nothing, at its first answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    started = subprocess.Popen([sys.executable, "-c", EMPTY, url, str(port)])  # noqa: ASYNC220 - at once
    try:
        while not await shop.answers(port):
            if started.poll() is not None:
                raise RuntimeError("the empty application did not start")
            await asyncio.sleep(0.005)
        process = psutil.Process(started.pid)
        used = process.cpu_times()
        return used.user + used.system, _memory_mb(process)
    finally:
        started.terminate()
        started.wait()


def _memory_mb(process: psutil.Process) -> float:
    return process.memory_full_info().uss / 2**20


async def _sell(server: shop.Server, key: str) -> tuple[int, list[float], float]:
    """Return how many orders were placed, the memory at equal distances of time, and that of the largest landing."""
    ends = time.perf_counter() + SELLS_S
    sold, landing = 0, 0.0
    seen: list[float] = []
    async with _buyers(server, key) as buyers:

        async def client(at: int) -> None:
            nonlocal sold
            buy = _over_http(buyers)[at]
            while time.perf_counter() < ends:
                await buy()
                sold += 1

        selling = asyncio.gather(*map(client, range(CLIENTS)))
        for at in range(LOOKS * LOOKS_APART):
            await asyncio.sleep(SELLS_S / LOOKS / LOOKS_APART)
            with suppress(psutil.NoSuchProcess):  # it may end while it is looked at
                landing = max([landing, *map(_memory_mb, server.process.children())])
            if at % LOOKS_APART == LOOKS_APART - 1:
                seen.append(_memory_mb(server.process))
        await selling
    return sold, seen, landing
