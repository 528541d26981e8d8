"""What each front end's calls used of processor and database, from counted calls and the share that was metered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from isthmus.governance.counters import CallCount
from isthmus.governance.traffic import BY_HOUR, Tallies
from isthmus.store import Database

PEAK_MINUTES: Final = 60  # of a month: one evening hour of a sale, which is what machines are bought for

_METERED: Final = """
    select front_end, capability, count(*)::bigint as calls, avg(cpu_us)::float as cpu_us, avg(db_us)::float as db_us,
        avg(rows)::float as rows, avg(events)::float as events, avg(took_us)::float as took_us,
        sum(pg_column_size(story))::bigint as recorded
    from runtime.recorded_call where cpu_us is not null group by 1, 2"""
_PEAK: Final = """
    with busy as (
        select minute, sum(took_us)::float as whole from governance.load where minute > $1
        group by minute order by whole desc limit $2)
    select front_end, sum(took_us / whole) / (select count(*) from busy) as share
    from governance.load join busy using (minute) group by front_end"""
_PROCESSES: Final = """
    select coalesce(sum(ran_us), 0)::float as ran_us, coalesce(sum(cpu_us), 0)::float as cpu_us,
        (select avg(cpu_us::float / ran_us) from (
            select cpu_us, ran_us from governance.process_time where minute > $1 and ran_us > 0
            order by cpu_us::float / ran_us desc limit $2) busy) as peak
    from governance.process_time where minute > $1"""
_REPLAYED: Final = "select front_end, sum(cpu_us)::float as cpu_us from runtime.replayed where at > $1 group by 1"
_NOTE: Final = """
    insert into governance.process_time (minute, ran_us, cpu_us) values (date_trunc('minute', $1::timestamptz), $2, $3)
    on conflict (minute) do update set ran_us = process_time.ran_us + excluded.ran_us,
        cpu_us = process_time.cpu_us + excluded.cpu_us"""
_FORGET: Final = "delete from governance.process_time where minute < $1"
_FORGET_REPLAYED: Final = "delete from runtime.replayed where at < $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What calls of one front end to one capability used; times in microseconds.

    metered: how many of them said so; the others are taken to be like these, or like others' where it is 0. recorded:
    bytes that these are kept in.
    """

    calls: int
    took_us: int
    cpu_us: float
    db_us: float
    rows: float
    events: float
    metered: int
    recorded: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What all server processes had and used of processor time; peak: the share used in the busiest minutes."""

    ran_us: float = 0.0
    cpu_us: float = 0.0
    peak: float = 0.0


class ProcessTime:
    """Notes what this process ran and used of a processor since it last did."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock
        self._ran, self._worked = time.monotonic_ns(), time.process_time_ns()

    async def note(self) -> None:
        """Add what was used since the last time."""
        ran, worked = time.monotonic_ns(), time.process_time_ns()
        async with self._database.platform() as session:
            await session.execute(_NOTE, self._clock(), (ran - self._ran) // 1_000, (worked - self._worked) // 1_000)
        self._ran, self._worked = ran, worked

    async def prune(self) -> None:
        """Forget what is no part of a month any more."""
        async with self._database.platform() as session:
            await session.execute(_FORGET, self._clock() - BY_HOUR)
            await session.execute(_FORGET_REPLAYED, self._clock() - BY_HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mean:
    calls: int
    cpu_us: float
    db_us: float
    rows: float
    events: float
    took_us: float
    recorded: float = 0


async def uses(database: Database, tallies: Tallies) -> dict[tuple[str, str], Use]:
    """Return what the counted calls used, by (front end, capability)."""
    async with database.platform() as session:
        rows = await session.fetch(_METERED)
    known = {
        (row["front_end"], row["capability"]): _Mean(**{name: row[name] or 0 for name in _Mean.__slots__})
        for row in rows
    }
    by_capability: dict[str, list[_Mean]] = {}
    for (_, capability), mean in known.items():
        by_capability.setdefault(capability, []).append(mean)
    whole = _together(list(known.values()))
    return {
        key: _use(tally, known.get(key) or _together(by_capability.get(key[1], [])), whole, known.get(key))
        for key, tally in tallies.items()
    }


def _use(tally: CallCount, mean: _Mean | None, whole: _Mean | None, own: _Mean | None) -> Use:
    """Return what calls used: by their own mean, by others' of the capability, or by the time that they took."""
    calls, metered = tally.calls, own.calls if own else 0
    if mean is None:  # none of the capability: as all calls divide their time; its whole time where nothing is known
        took, base = float(tally.took_us), whole.took_us if whole and whole.took_us else 0.0
        cpu, db = (whole.cpu_us / base, whole.db_us / base) if whole and base else (1.0, 1.0)
        return Use(
            calls=calls, took_us=tally.took_us, cpu_us=took * cpu, db_us=took * db, rows=0.0, events=0.0, metered=0
        )
    return Use(
        calls=calls,
        took_us=tally.took_us,
        cpu_us=calls * mean.cpu_us,
        db_us=calls * mean.db_us,
        rows=calls * mean.rows,
        events=calls * mean.events,
        metered=metered,
        recorded=own.recorded if own else 0,
    )


def _together(means: list[_Mean]) -> _Mean | None:
    """Return the mean over all metered calls of several, or None where there are none."""
    calls = sum(one.calls for one in means)
    if not calls:
        return None
    names = ("cpu_us", "db_us", "rows", "events", "took_us")
    sums = {name: sum(one.calls * getattr(one, name) for one in means) / calls for name in names}
    return _Mean(calls=calls, **sums)


async def peak(database: Database, now: datetime) -> dict[str, float]:
    """Return each front end's share of the load in the busiest minutes of the month, which come to 1."""
    async with database.platform() as session:
        rows = await session.fetch(_PEAK, now - BY_HOUR, PEAK_MINUTES)
    return {row["front_end"]: row["share"] for row in rows}


async def capacity(database: Database, now: datetime) -> Capacity:
    """Return what server processes of the month had and used."""
    async with database.platform() as session:
        row = await session.fetch_row(_PROCESSES, now - BY_HOUR, PEAK_MINUTES)
    if row is None:
        return Capacity()
    return Capacity(ran_us=row["ran_us"], cpu_us=row["cpu_us"], peak=row["peak"] or 0.0)


async def replayed(database: Database, now: datetime) -> Mapping[str, float]:
    """Return the processor time of replays of the month by front end, in microseconds."""
    async with database.platform() as session:
        return {row["front_end"]: row["cpu_us"] for row in await session.fetch(_REPLAYED, now - BY_HOUR)}
