"""Traffic as all server processes saw it, kept by hour, later by day: what the map is drawn from, also after a restart.

Each process counts in memory and adds what it has counted every few seconds, so a call pays nothing for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from isthmus.governance.counters import BOUNDS_US, CallCount, Counters, Refused
from isthmus.kernel import errors
from isthmus.screens import GapKey, Gaps
from isthmus.store import Database

SHOWN: Final = timedelta(hours=24)
KEPT: Final = timedelta(days=100)  # a quarter, and the ladder's two windows with the time before them
BY_HOUR: Final = timedelta(days=30)  # older hours are one day; costs, reports of use and service levels ask for no more
REFUSED_KEPT: Final = timedelta(days=2)  # single calls: long enough to look into what happened over night
RECENT_MAX: Final = 10

log = logging.getLogger("isthmus.console")

_SUM: Final = """
        calls = {table}.calls + excluded.calls,
        took_us = {table}.took_us + excluded.took_us,
        by_bound = (
            select array_agg(was + more order by place)
            from unnest({table}.by_bound, excluded.by_bound) with ordinality as both_of (was, more, place)),
        errors = (
            select coalesce(jsonb_object_agg(slug, calls), '{{}}') from (
                select key as slug, sum(value::bigint) as calls from (
                    select * from jsonb_each_text({table}.errors)
                    union all select * from jsonb_each_text(excluded.errors)) told
                group by key) summed)"""
_ADD: Final = f"""
    with given as (
        select * from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
            as given (front_end, capability, calls, took_us, by_bound, errors)
        order by front_end, capability
    ), added as (
        insert into console.total (front_end, capability, calls, took_us, by_bound, errors)
        select front_end, capability, calls, took_us, by_bound::bigint[], errors::jsonb from given
        on conflict (front_end, capability) do update set {_SUM.format(table="total")}
    ), loaded as (
        insert into governance.load (minute, front_end, took_us)
        select date_trunc('minute', $1::timestamptz), front_end, sum(took_us) from given group by front_end
        on conflict (minute, front_end) do update set took_us = load.took_us + excluded.took_us
    )
    insert into console.traffic (hour, front_end, capability, calls, took_us, by_bound, errors)
    select date_trunc('hour', $1::timestamptz, 'UTC'), front_end, capability, calls, took_us,
        by_bound::bigint[], errors::jsonb
    from given
    on conflict (hour, front_end, capability) do update set {_SUM.format(table="traffic")}"""
_TOTALS: Final = "select front_end, capability, calls, took_us, by_bound, errors from console.total"
_ADD_REFUSED: Final = """
    insert into console.refused (at, front_end, capability, box, client, error, took_us)
    select * from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])"""
_SUMMED: Final = ", ".join(f"sum(by_bound[{at}])::bigint" for at in range(1, len(BOUNDS_US) + 2))
_OF: Final = f"""
    select front_end, capability, sum(calls)::bigint as calls, sum(took_us)::bigint as took_us,
        array[{_SUMMED}] as by_bound
    from console.traffic
    where hour > $1 and ($2::text is null or front_end = $2) and ($3::text is null or capability = $3)
      and ($4::timestamptz is null or hour < $4)
    group by front_end, capability order by front_end, capability"""
_ERRORS_OF: Final = """
    select front_end, capability, slug, sum(times::bigint)::bigint as times
    from console.traffic, jsonb_each_text(errors) as told (slug, times)
    where hour > $1 and ($2::text is null or front_end = $2) and ($3::text is null or capability = $3)
      and ($4::timestamptz is null or hour < $4)
    group by front_end, capability, slug"""
_REFUSED_OF: Final = """
    select at, front_end, capability, box, client, error, took_us from console.refused
    where ($1::text is null or front_end = $1) and ($2::text is null or capability = $2)
    order by at desc limit $3"""
_ADD_GAPS: Final = """
    insert into console.gap (hour, front_end, capability, part, slug, times)
    select date_trunc('hour', $1::timestamptz, 'UTC'), *
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
    order by 2, 3, 4, 5
    on conflict (hour, front_end, capability, part, slug) do update set times = gap.times + excluded.times"""
_GAPS_OF: Final = """
    select front_end, capability, part, slug, sum(times)::bigint as times from console.gap
    where hour > $1 group by front_end, capability, part, slug order by times desc, part, slug"""
_FORGET_GAPS: Final = "delete from console.gap where hour < $1"
_FORGET: Final = "delete from console.traffic where hour < $1"
_FORGET_LOAD: Final = "delete from governance.load where minute < $1"
_FOLD: Final = f"""
    with old as (
        delete from console.traffic
        where hour < date_trunc('day', $1::timestamptz, 'UTC') and hour <> date_trunc('day', hour, 'UTC')
        returning date_trunc('day', hour, 'UTC') as day, *),
    refused as (
        select day, front_end, capability, jsonb_object_agg(slug, times) as errors from (
            select day, front_end, capability, slug, sum(times::bigint) as times
            from old, jsonb_each_text(errors) as told (slug, times) group by 1, 2, 3, 4) summed
        group by 1, 2, 3)
    insert into console.traffic (hour, front_end, capability, calls, took_us, by_bound, errors)
    select day, front_end, capability, sum(calls), sum(took_us), array[{_SUMMED}],
        coalesce((select errors from refused r
            where (r.day, r.front_end, r.capability) = (old.day, old.front_end, old.capability)), '{{}}')
    from old group by day, front_end, capability
    on conflict (hour, front_end, capability) do update set {_SUM.format(table="traffic")}"""
_FORGET_REFUSED: Final = "delete from console.refused where at < $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCall:
    """A call that was refused or failed."""

    at: datetime
    front_end: str
    capability: str
    box: str
    client: str
    error: str
    took_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How often a part of a screen did not come, and why."""

    part: str
    slug: str
    times: int


Tallies = Mapping[tuple[str, str], CallCount]


class Traffic:
    """Keeps what this process counts, and shows what all have counted over the last day."""

    def __init__(
        self,
        database: Database,
        figures: Counters,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        gaps: Gaps | None = None,
    ) -> None:
        self._database = database
        self._figures = figures
        self._gaps = gaps or Gaps()
        self._clock = clock

    async def keep(self) -> None:
        """Add what was counted since the last time. Where that fails it is counted again, and logged."""
        counted, refused = self._figures.take()
        if not counted:
            return
        gaps = self._gaps.take()
        try:
            async with self._database.platform_transaction() as session:
                await session.execute(
                    _ADD,
                    self._clock(),
                    [front_end for front_end, _ in counted],
                    [capability for _, capability in counted],
                    [tally.calls for tally in counted.values()],
                    [tally.took_us for tally in counted.values()],
                    ["{" + ",".join(map(str, tally.by_bound)) + "}" for tally in counted.values()],
                    [msgspec.json.encode(dict(tally.errors)).decode() for tally in counted.values()],
                )
                calls = [one.outcome for one in refused]
                await session.execute(
                    _ADD_REFUSED,
                    [one.at for one in refused],
                    [one.front_end for one in refused],
                    [call.capability for call in calls],
                    [call.box for call in calls],
                    [call.client for call in calls],
                    [call.error for call in calls],
                    [call.took_ns // 1_000 for call in calls],
                )
                if gaps:
                    columns = [list(column) for column in zip(*gaps, strict=True)]
                    await session.execute(_ADD_GAPS, self._clock(), *columns, list(gaps.values()))
        except asyncio.CancelledError:
            self._put_back(counted, refused, gaps)
            raise
        except errors.IsthmusError as error:
            self._put_back(counted, refused, gaps)
            log.warning("traffic was not kept and will be tried again: %s", error)

    def _put_back(self, counted: Tallies, refused: list[Refused], gaps: Mapping[GapKey, int]) -> None:
        self._figures.put_back(counted, refused)
        self._gaps.put_back(gaps)

    async def prune(self) -> None:
        """Forget what is older than is kept, and make a day of hours that nobody asks for any more."""
        async with self._database.platform() as session:
            await session.execute(_FORGET, self._clock() - KEPT)
            await session.execute(_FORGET_LOAD, self._clock() - BY_HOUR)
            await session.execute(_FOLD, self._clock() - BY_HOUR)
            await session.execute(_FORGET_GAPS, self._clock() - KEPT)
            await session.execute(_FORGET_REFUSED, self._clock() - REFUSED_KEPT)

    async def of(
        self,
        *,
        front_end: str | None = None,
        capability: str | None = None,
        over: timedelta = SHOWN,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Tallies:
        """Return the tallies of the last day, or as long, by (front end, capability), of those named or all.

        since, until: of the hours that begin after one and before the other instead.
        """
        asked = (since or self._clock() - over, front_end, capability, until)
        async with self._database.platform() as session:
            rows = await session.fetch(_OF, *asked)
            refusals = await session.fetch(_ERRORS_OF, *asked)
        found = {
            (row["front_end"], row["capability"]): CallCount(
                calls=row["calls"], took_us=row["took_us"], by_bound=list(row["by_bound"])
            )
            for row in rows
        }
        for row in refusals:
            found[row["front_end"], row["capability"]].errors[row["slug"]] = row["times"]
        return found

    async def gaps(self, over: timedelta = SHOWN) -> Mapping[tuple[str, str], list[Gap]]:
        """Return what screens of the last day were without, by (front end, screen), the most frequent first."""
        async with self._database.platform() as session:
            rows = await session.fetch(_GAPS_OF, self._clock() - over)
        found: dict[tuple[str, str], list[Gap]] = {}
        for row in rows:
            gap = Gap(part=row["part"], slug=row["slug"], times=row["times"])
            found.setdefault((row["front_end"], row["capability"]), []).append(gap)
        return found

    async def totals(self) -> Tallies:
        """Return the tallies since the beginning, by (front end, capability): they only grow."""
        async with self._database.platform() as session:
            rows = await session.fetch(_TOTALS)
        return {
            (row["front_end"], row["capability"]): CallCount(
                calls=row["calls"],
                took_us=row["took_us"],
                by_bound=list(row["by_bound"]),
                errors=Counter(msgspec.json.decode(row["errors"], type=dict[str, int])),
            )
            for row in rows
        }

    async def refused(
        self, *, front_end: str | None = None, capability: str | None = None, limit: int = RECENT_MAX
    ) -> list[RefusedCall]:
        """Return the calls that were refused last."""
        async with self._database.platform() as session:
            rows = await session.fetch(_REFUSED_OF, front_end, capability, limit)
        return [RefusedCall(**{name: row[name] for name in RefusedCall.__slots__}) for row in rows]


def together(tallies: Tallies) -> CallCount:
    """Return several tallies as one."""
    whole = CallCount()
    for tally in tallies.values():
        whole.add(tally)
    return whole
