"""How fast events and rows land in the lake, from an embedded PostgreSQL.

python bench/data_landing.py [events] [rows]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from isthmus.data.lake import Lake
from isthmus.data.landing import Lander
from isthmus.data.model import build
from isthmus.kernel import Value, event, ports
from isthmus.markings import Dimension, Key, Measure, Time, entity
from isthmus.store import Database, Outbox, embedded, migrate

BATCH = 1_000


@entity("bench.sale", table="bench.sale")
class Sale(Value):
    """A row to land."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Dimension()]
    total_minor: Annotated[int, Measure()]
    placed_at: Annotated[datetime, Time()]


@event("bench.sold", version="1.0", subject="sku")
class Sold(Value):
    """An event to land."""

    sku: str
    quantity: int


async def main(events: int, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start(Path(folder) / "postgres")
        try:
            await migrate(server.url, [])
            async with await Database.open(server.url) as database:
                await fill(database, events, rows)
                lake = Lake(Path(folder) / "lake", build([(Sale, "bench")], []), {"bench.sold": Sold})
                lander = Lander(lake, server.url, Outbox(database))
                await measure("first landing", lander, events + rows)
                async with database.platform() as session:
                    await session.execute("update bench.sale set total_minor = total_minor + 1 where id % 100 = 0")
                await measure("after 1 % of rows changed", lander, rows // 100)
                await measure("nothing new", lander, 0)
        finally:
            server.stop()


async def fill(database: Database, events: int, rows: int) -> None:
    async with database.platform() as session:
        await session.execute("create schema bench")
        await session.execute(
            "create table bench.sale (id bigint primary key, front_end text, total_minor bigint, placed_at timestamptz)"
        )
        await session.execute(
            f"insert into bench.sale select i, 'north', i % 1000, now() from generate_series(1, {rows}) i"
        )
    for start in range(0, events, BATCH):
        writing = await database.write("north", None)
        await writing.commit([sold(number) for number in range(start, min(start + BATCH, events))], None)


def sold(number: int) -> ports.EventRow:
    return ports.EventRow(
        id=f"e{number}",
        type="bench.sold",
        version="1.0",
        subject=f"sku-{number % 100}",
        front_end="north",
        box="north",
        time=datetime.now(UTC),
        trace="",
        data=b'{"sku":"sku-1","quantity":%d}' % number,
    )


async def measure(name: str, lander: Lander, count: int) -> None:
    started = time.perf_counter()
    landing = await lander.land()
    seconds = time.perf_counter() - started
    print(f"{name:28}{seconds:7.2f} s  {count / seconds:10,.0f} rows and events/s  alerts: {len(landing.alerts)}")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(arguments + [100_000, 500_000][len(arguments) :])))
