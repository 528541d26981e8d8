"""Traffic of several server processes, kept by hour and shown as one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.governance.counters import Counters
from isthmus.governance.traffic import Traffic, together
from isthmus.kernel import Outcome, errors
from isthmus.store import Database

WAITS = "select count(*) > 0 from pg_locks where relation = 'console.traffic'::regclass and not granted"
NOON = datetime(2030, 5, 1, 12, 30, tzinfo=UTC)


def outcome(box: str, took_ms: int, error: str = "", client: str = "shop") -> Outcome:
    return Outcome(capability="shop.buy", box=box, client=client, took_ns=took_ms * 1_000_000, error=error)


async def test_what_several_processes_count_is_one_sum(database: Database) -> None:
    for _ in range(2):
        figures = Counters(clock=lambda: NOON)
        traffic = Traffic(database, figures, clock=lambda: NOON)
        for took_ms in (1, 3, 30):
            figures.see(outcome("north?channel=app", took_ms))
        figures.see(outcome("north.outlet", 1, error="shop.sold-out"))
        figures.see(outcome("south", 2))
        await traffic.keep()
        await traffic.keep()  # nothing new: nothing is added
    seen = await traffic.of()
    assert {key: tally.calls for key, tally in seen.items()} == {("north", "shop.buy"): 8, ("south", "shop.buy"): 2}
    north = seen["north", "shop.buy"]
    assert (north.took_us, dict(north.errors), north.percentile_us(0.99)) == (70_000, {"shop.sold-out": 2}, 50_000)
    assert together(seen).calls == 10
    assert list(await traffic.of(front_end="south")) == [("south", "shop.buy")]
    assert await traffic.of(capability="shop.sell") == {}


async def test_what_is_counted_while_whoever_keeps_it_is_cancelled_is_kept_by_the_next(database: Database) -> None:
    figures = Counters(clock=lambda: NOON)
    traffic = Traffic(database, figures, clock=lambda: NOON)
    figures.see(outcome("north", 1, error="shop.sold-out"))
    async with database.platform_transaction() as session:  # the table is another's while it is kept
        await session.execute("lock table console.traffic in access exclusive mode")
        keeping = asyncio.create_task(traffic.keep())
        async with database.platform() as other:
            while not await other.fetch_value(WAITS):
                assert not keeping.done()
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
    await traffic.keep()
    assert [one.calls for one in (await traffic.of()).values()] == [1]
    assert [one.error for one in await traffic.refused()] == ["shop.sold-out"]


async def test_refused_calls_are_shown_the_latest_first(database: Database) -> None:
    times = iter(NOON + timedelta(minutes=minute) for minute in range(20))
    figures = Counters(clock=lambda: next(times))
    traffic = Traffic(database, figures, clock=lambda: NOON)
    for at in range(12):
        figures.see(outcome("north", at, error=f"shop.no-{at}"))
    await traffic.keep()
    latest = await traffic.refused(front_end="north")
    assert [one.error for one in latest] == [f"shop.no-{at}" for at in range(11, 1, -1)]
    assert (latest[0].box, latest[0].client, latest[0].took_us) == ("north", "shop", 11_000)
    assert await traffic.refused(front_end="south") == []


async def test_yesterday_is_not_today_and_last_month_is_forgotten(database: Database) -> None:
    now = NOON
    figures = Counters()
    traffic = Traffic(database, figures, clock=lambda: now)
    figures.see(outcome("north", 1))
    await traffic.keep()
    now = NOON + timedelta(days=2)
    assert await traffic.of() == {}
    now = NOON + timedelta(days=110)
    await traffic.prune()
    now = NOON
    assert await traffic.of() == {}


async def test_hours_of_last_month_become_days_and_no_call_is_lost(database: Database) -> None:
    now = NOON
    figures = Counters()
    traffic = Traffic(database, figures, clock=lambda: now)
    for hour in (0, 1, 2, 30):
        now = NOON.replace(hour=0) + timedelta(hours=hour)
        figures.see(outcome("north", 1))
        figures.see(outcome("north", 30, error="shop.sold-out"))
        await traffic.keep()
    now = NOON + timedelta(days=40)
    before = await traffic.of(over=timedelta(days=90))
    await traffic.prune()
    await traffic.prune()
    assert await traffic.of(over=timedelta(days=90)) == before
    async with database.platform() as session:
        rows = await session.fetch("select hour, calls, errors::text as errors from console.traffic order by hour")
    assert [(row["hour"].day, row["hour"].hour, row["calls"], row["errors"]) for row in rows] == [
        (1, 0, 6, '{"shop.sold-out": 3}'), (2, 0, 2, '{"shop.sold-out": 1}'),
    ]  # fmt: skip


async def test_the_consoles_own_calls_are_no_traffic() -> None:
    figures = Counters(unseen=["console"])
    figures.see(outcome("north", 1, client="console"))
    assert figures.take() == ({}, [])


async def test_what_cannot_be_kept_is_counted_again_later(database: Database) -> None:
    class Down:
        def platform_transaction(self) -> object:
            raise errors.Unavailable("the database does not answer", remedy="wait")

    figures = Counters(clock=lambda: NOON)
    figures.see(outcome("north", 1, error="shop.sold-out"))
    await Traffic(Down(), figures, clock=lambda: NOON).keep()  # type: ignore[arg-type]
    figures.see(outcome("north", 1))
    traffic = Traffic(database, figures, clock=lambda: NOON)
    await traffic.keep()
    assert (await traffic.of())["north", "shop.buy"].calls == 2
    assert len(await traffic.refused()) == 1
