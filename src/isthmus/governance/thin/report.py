"""What `isthmus thin` says: the index with its weakest term first, and what to do, the platform's own leaks first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Final

from isthmus.kernel import Platform, Value, decode, encode
from isthmus.store import Database

from . import observe
from .findings import Finding, weigh
from .history import Past
from .index import Index, Term, index_of

KEPT_MAX: Final = 400  # reports that are listed: a year of one a day

_KEEP: Final = "insert into governance.thinness (at, value, report) values ($1, $2, $3)"
_LAST: Final = "select report from governance.thinness order by at desc limit 1"
_OVER_TIME: Final = "select at, value from governance.thinness where value is not null order by at desc limit $1"


class Report(Value):
    """How thin the platform is, from which calls that was found, and what to do."""

    at: datetime
    index: Index
    findings: tuple[Finding, ...]
    calls: Mapping[str, int]  # run again, by front end
    not_run: Mapping[str, int]
    decisions: Mapping[str, int]  # of the platform that calls came by, by pack


async def measure(
    database: Database,
    platform: Platform,
    past: Past,
    now: datetime,
    *,
    counted: Mapping[tuple[str, str], int] | None = None,
    limit: int = observe.CALLS,
    step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Run recorded calls again, observed, and judge them together with what git says of the past."""
    observed = await observe.observe(database, platform, counted=counted, limit=limit, step=step)
    weighed = weigh(observed, platform.release, date(now.year, now.month, now.day))
    terms = {term.name: term for term in (*weighed.terms, *past.terms)}
    ordered = sorted(weighed.findings, key=lambda one: (one.verdict != "lift", one.where))
    return Report(
        at=now,
        index=index_of(terms),
        findings=tuple(ordered),
        calls=dict(sorted(observed.calls.items())),
        not_run=dict(sorted(observed.not_run.items())),
        decisions=weighed.decisions,
    )


async def keep(database: Database, report: Report) -> None:
    """Keep a report, for the page and for how it goes over time."""
    async with database.platform() as session:
        await session.execute(_KEEP, report.at, report.index.value, encode(report).decode())


async def last(database: Database) -> Report | None:
    """Return the report that was kept last, or None."""
    async with database.platform() as session:
        kept = await session.fetch_value(_LAST)
    return None if kept is None else decode(kept.encode(), Report)


async def over_time(database: Database) -> list[tuple[datetime, float]]:
    """Return the index of each report that was kept, the latest first."""
    async with database.platform() as session:
        return [(row["at"], row["value"]) for row in await session.fetch(_OVER_TIME, KEPT_MAX)]


def term_text(term: Term) -> str:
    """Return a term in a sentence."""
    return f"{term.name}: {'not known' if term.value is None else f'{term.value:.2f}'} — {term.evidence}"


def text(report: Report) -> Iterator[str]:
    """Return a report in lines."""
    index = report.index
    shown = "not known" if index.value is None else f"{index.value:.1f} of 100, {index.grade}"
    yield f"thinness {shown}" + (f"; weakest: {index.weakest}" if index.weakest else "")
    yield from (f"  {term_text(term)}" for term in index.terms)
    for code, calls in report.calls.items():
        left = report.not_run.get(code, 0)
        yield f"  {code}: {calls:,} recorded calls run again" + (f", {left:,} not (in steps)" if left else "")
