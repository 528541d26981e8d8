"""How fast events and rows land in the lake, from an embedded PostgreSQL.

    python bench/data_landing.py [events] [rows]

`python -m bench data_landing` has a limit beside each: the same rows through COPY into one Parquet file, and nothing
else done. What landing does beyond it: contracts checked, changes found, history kept, both sides reconciled.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import asyncpg
import duckdb

from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Lander
from isthmus.data.model.model import build
from isthmus.kernel import Value, event, ports
from isthmus.markings import Dimension, Key, Measure, Time, entity
from isthmus.store import Database, Outbox, embedded, migrate

BATCH = 1_000
ROWS, EVENTS = 200_000, 50_000
ROUNDS_MAX = 3  # each needs an empty lake; three are enough for a ratio this far from its aim
BARE_MAX = 5.0  # of the bare copy's time


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


def rows(rounds: int) -> list[dict[str, object]]:
    """Return landings against the bare copy of the same rows, each into an empty lake."""
    return asyncio.run(_rows(min(rounds, ROUNDS_MAX)))


async def _rows(rounds: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name, events, rows, table in (("rows", 0, ROWS, "bench.sale"), ("events", EVENTS, 0, "isthmus.event")):
        with tempfile.TemporaryDirectory() as folder:
            server = embedded.start(Path(folder) / "postgres")
            try:
                await migrate(server.url, [])
                async with await Database.open(server.url) as database:
                    await fill(database, events, rows)
                    landing, bare = await _against(database, server.url, Path(folder), table, rounds)
            finally:
                server.stop()
        count = events + rows
        found.append({
            "name": f"landing: {count:,} {name} into an empty lake", "value": round(count / landing), "unit": "1/s",
            "against": f"COPY to Parquet, {count / bare:,.0f}/s", "ratio": landing / bare,
            "aim": f"at most {BARE_MAX}", "met": landing <= bare * BARE_MAX,
        })  # fmt: skip
    return found


async def _against(database: Database, url: str, folder: Path, table: str, rounds: int) -> tuple[float, float]:
    """Return the median seconds of landing and of the bare copy, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        lake = Lake(folder / f"lake-{number}", build([(Sale, "bench")], []), {"bench.sold": Sold})
        started = time.perf_counter()
        await Lander(lake, url, Outbox(database)).land()
        times[0].append(time.perf_counter() - started)
        started = time.perf_counter()
        await _copied(url, table, folder / f"{number}.csv")
        times[1].append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


async def _copied(url: str, table: str, place: Path) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.copy_from_query(f"select * from {table}", output=str(place), format="csv", header=True)
    finally:
        await connection.close()
    with duckdb.connect() as duck:
        duck.execute(
            f"copy (select * from read_csv('{place}')) to '{place}.parquet' (format parquet, compression zstd)"
        )


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
