"""What was observed of each pack in two windows: who calls it, how well, in which contracts, and whose logic it has.

A call counts for the pack that is called, where it is a flow for the packs that the flow says it uses, and for those
that react to what these emit.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from isthmus.governance import served
from isthmus.governance.compat import compare
from isthmus.governance.contracts import Contracts
from isthmus.governance.thin.report import Report
from isthmus.kernel import Capability, decode, errors
from isthmus.kernel.host import Release
from isthmus.store import Database

from .rungs import WINDOW, Seen, Standing, standing

SERVED_MAX: Final = 40  # contracts that are compared: each is some 100 kB of text

_CALLED: Final = """
    select front_end, capability, min(hour) as first_at, max(hour) as last_at,
        coalesce(sum(calls) filter (where hour > $1), 0)::bigint as now,
        coalesce(sum(calls) filter (where hour > $2 and hour <= $1), 0)::bigint as before
    from console.traffic group by 1, 2"""
_ERRORS: Final = """
    select capability, hour > $1 as is_now, slug, sum(times::bigint)::bigint as times
    from console.traffic, jsonb_each_text(errors) as told (slug, times) where hour > $2 group by 1, 2, 3"""
_RECORDED: Final = "select capability, count(*)::bigint as calls from runtime.recorded_call group by 1"
_SINCE: Final = "select min(hour) from console.traffic"
_THIN: Final = "select report from governance.thinness where at <= $1 order by at desc limit 1"


@dataclass(slots=True)
class _Calls:
    """Calls of one window, by pack."""

    by_front_end: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter[str]))
    standing: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set[str]))  # had begun before the window
    failed: Counter[str] = field(default_factory=Counter[str])


async def ladder(database: Database, release: Release, audited: Mapping[str, date], now: datetime) -> list[Standing]:
    """Return where each pack and set of flows stands. audited: the day of each one's last audit from outside."""
    middle, begin = now - WINDOW, now - 2 * WINDOW
    async with database.platform() as session:
        called = await session.fetch(_CALLED, middle, begin)
        errors_seen = await session.fetch(_ERRORS, middle, begin)
        recorded = {row["capability"]: row["calls"] for row in await session.fetch(_RECORDED)}
        since = await session.fetch_value(_SINCE)
        thin = [await session.fetch_value(_THIN, until) for until in (now, middle)]
    reach = reaches(release)
    failing = _failing(one.capability for one in release.offered.values())
    windows = {"now": _Calls(), "before": _Calls()}
    last = dict[str, datetime]()
    for row in called:
        for pack in reach.get(row["capability"], ()):
            last[pack] = max(last.get(pack, row["last_at"]), row["last_at"])
            for name, until in (("now", middle), ("before", begin)):
                if row[name] and row["front_end"] in release.lines:
                    windows[name].by_front_end[pack][row["front_end"]] += row[name]
                    if row["first_at"] <= until:
                        windows[name].standing[pack].add(row["front_end"])
    for row in errors_seen:
        if row["slug"] in failing:
            for pack in reach.get(row["capability"], ()):
                windows["now" if row["is_now"] else "before"].failed[pack] += row["times"]
    kept = Counter[str]()
    for name, calls in recorded.items():
        for pack in reach.get(name, ()):
            kept[pack] += calls
    breaks = await _breaks(database)
    is_counted = since is not None and since <= begin

    def seen(pack: str, name: str, until: datetime, report: Report | None) -> Seen:
        return _seen(pack, windows[name], release, kept[pack], breaks, report, audited.get(pack), until)

    reports = [decode(text.encode(), Report) if text else None for text in thin]
    return [
        standing(
            pack.name,
            pack.owner,
            seen(pack.name, "now", now, reports[0]),
            seen(pack.name, "before", middle, reports[1]) if is_counted else None,
            (now - last.get(pack.name, since or now)).days,
        )
        for pack in release.packs.values()
        if pack.capabilities()
    ]


def reaches(release: Release) -> dict[str, frozenset[str]]:
    """Return the packs that a call counts for, by capability."""
    events = {kind: name.partition(".")[0] for name, kind in release.events.items()}
    reacting: dict[str, set[str]] = defaultdict(set)
    for one in release.offered.values():
        if (emits := events.get(one.capability.ask)) is not None:
            reacting[emits] |= _reach(one.capability)
    reach = {name: _reach(one.capability) for name, one in release.offered.items()}
    return {name: packs.union(*(reacting[pack] for pack in packs)) for name, packs in reach.items()}


def _reach(one: Capability[Any, Any]) -> frozenset[str]:
    """Return the pack of a capability, and those that it uses."""
    return frozenset({one.pack}).union(*(_reach(part) for part in one.uses))


def _failing(capabilities: Iterable[Capability[Any, Any]]) -> set[str]:
    """Return the slugs of errors that are the platform's fault, and not the asker's."""
    kinds: set[type[Any]] = {errors.Trouble, errors.Fault}
    own = {kind for one in capabilities for kind in one.raises if issubclass(kind, tuple(kinds))}
    own |= {errors.Unavailable, errors.DeadlineExceeded, errors.AnswerFailed}
    return {kind.slug for kind in own | kinds}


def _seen(
    pack: str,
    calls: _Calls,
    release: Release,
    recorded: int,
    breaks: Mapping[str, datetime],
    report: Report | None,
    audited: date | None,
    until: datetime,
) -> Seen:
    mine = calls.by_front_end.get(pack, Counter[str]())
    long = calls.standing.get(pack, set[str]())
    total = sum(mine.values())
    anybody = {code for found in calls.by_front_end.values() for code in found}
    broke = breaks.get(pack)
    return Seen(
        front_ends=len(long),
        teams=len({release.lines[code].front_end.owner for code in long}),
        effective=round(total**2 / sum(one**2 for one in mine.values()), 2) if total else 0.0,
        well=1 - calls.failed[pack] / total if total else None,
        recorded=recorded,
        steady_days=(until - broke).days if broke and broke <= until else None,
        alone=None if report is None else len(list(_alone(pack, report))),
        of_all=len(long) / len(anybody) if anybody else None,
        audited_days=(until.date() - audited).days if audited and audited <= until.date() else None,
    )


def _alone(pack: str, report: Report) -> Iterator[str]:
    """Yield where a pack has logic that one front end alone takes."""
    for one in report.findings:
        if one.verdict == "lift" and f"/{pack}/" in one.where.replace(".", "/"):
            yield one.where


async def _breaks(database: Database) -> dict[str, datetime]:
    """Return when a contract of each pack was broken last; where none was, since when the pack is served."""
    kept = (await served.history(database, SERVED_MAX))[::-1]
    read = [await served.of(database, one.digest) for one in kept]
    return await asyncio.to_thread(_last_breaks, [one.first_at for one in kept], read)


def _last_breaks(times: list[datetime], read: list[Contracts]) -> dict[str, datetime]:
    found = dict[str, datetime]()
    for at, (when, now) in enumerate(zip(times, read, strict=True)):
        for name in now.capabilities:
            found.setdefault(name.partition(".")[0], when)
        for change in compare(read[at - 1], now) if at else ():
            if change.is_breaking:
                found[change.name.partition(".")[0]] = when
    return found
