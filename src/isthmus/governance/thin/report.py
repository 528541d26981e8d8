"""What `isthmus thin` says: the index with its weakest term first, and what to do, the platform's own leaks first."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from inspect import unwrap
from pathlib import Path
from typing import Final

from isthmus.kernel import Platform, Value, decode, encode
from isthmus.kernel.host import Release
from isthmus.language import mark
from isthmus.store import Database

from . import observe
from .age import Age
from .findings import Finding, answers_of, weigh
from .history import Past
from .index import Index, Term, index_of

KEPT_MAX: Final = 400  # reports that are listed: a year of one a day

_KEEP: Final = "insert into governance.thinness (at, value, report) values ($1, $2, $3)"
_LAST: Final = "select report from governance.thinness order by at desc limit 1"
_OVER_TIME: Final = "select at, value from governance.thinness where value is not null order by at desc limit $1"


class Report(Value):
    """How thin the platform is, from which calls that was found, and what to do.

    uncalled: packs from elsewhere of which nobody called anything.
    """

    at: datetime
    index: Index
    findings: tuple[Finding, ...]
    calls: Mapping[str, int]  # run again, by front end
    not_run: Mapping[str, int]
    decisions: Mapping[str, int]  # of the platform that calls came by, by pack
    uncalled: tuple[str, ...] = ()


async def measure(
    database: Database,
    platform: Platform,
    past: Past,
    now: datetime,
    *,
    counted: Mapping[tuple[str, str], int] | None = None,
    limit: int = observe.CALLS,
    step: Callable[[str], None] = lambda _: None,
    root: Path | None = None,
    age: Age | None = None,
    more: Iterable[Finding] = (),
    group: str = "",
) -> Report:
    """Run recorded calls again, observed, and judge them together with what git says of the past.

    root: below which lies what who reads this can change; all of it where it is not said. age: tells what is too young
    to be judged by these calls. more: what was found otherwise. group: who owns what front ends share, and is none.
    """
    observed = await observe.observe(database, platform, counted=counted, limit=limit, step=step)
    over = timedelta.max if age is None else now - age.begun
    judging = replace(platform.release, lines={k: one for k, one in platform.release.lines.items() if k != group})
    weighed = weigh(observed, judging, date(now.year, now.month, now.day), over)
    terms = {term.name: term for term in (*weighed.terms, *past.terms)}
    elsewhere = frozenset[str]() if root is None else _elsewhere(platform.release, root)
    judged = [one for one in weighed.findings if age is None or not _is_young(one, age, platform.release)]
    findings = [_from(one) if one.pack in elsewhere else one for one in (*judged, *more)]
    findings.sort(key=lambda one: (one.is_elsewhere, one.verdict != "lift", one.where))
    return Report(
        at=now,
        index=index_of(terms),
        findings=tuple(findings),
        calls=dict(sorted(observed.calls.items())),
        not_run=dict(sorted(observed.not_run.items())),
        decisions=weighed.decisions,
        uncalled=tuple(_uncalled(findings, platform.release)),
    )


def pack_folders(release: Release) -> dict[str, Path]:
    """Return the folders of the packs of a release, by name."""
    apis = {pack.name: pack.api.__name__ for pack in release.packs.values()}
    return {name: _folder(api) for name, api in apis.items() if api in sys.modules}  # others are made at start


def _folder(api: str) -> Path:
    """Return the folder of a pack, of whose package `api` is a file or a folder."""
    package = importlib.import_module(api.rpartition(".api")[0] or api)
    return Path(package.__file__ or ".").parent


def _from(finding: Finding) -> Finding:
    """Return a finding in a pack that came with a release: nobody here can do what is to be done about it."""
    return finding.replace(is_elsewhere=True, next=mark("it came with a release, and is not changed here"))


def _is_young(finding: Finding, age: Age, release: Release) -> bool:
    """Tell whether what was found was not there yet when calls began to be kept."""
    if finding.kind == "answer":
        answers = (one for line in release.lines.values() for one in answers_of(line))
        function = next((unwrap(one.function) for one in answers if one.label == finding.name), None)
        return function is not None and age.is_young(Path(function.__code__.co_filename), f"def {function.__name__}(")
    if finding.kind not in ("capability", "point"):
        return False
    said = f'"{finding.name}"'
    files = [one for one in observe.files_of(release.packs[finding.pack]) if said in one.read_text()]
    return any(files) and all(age.is_young(one, said) for one in files)


def _elsewhere(release: Release, root: Path) -> frozenset[str]:
    folders = pack_folders(release)  # the platform makes some packs at start, which lie nowhere
    return frozenset(
        name for name in release.packs if name not in folders or not _is_ours(folders[name].resolve(), root)
    )


def _is_ours(folder: Path, root: Path) -> bool:
    """Tell whether a folder is below the root, and no installed package in an environment there."""
    return folder.is_relative_to(root.resolve()) and "site-packages" not in folder.parts


def _uncalled(findings: Iterable[Finding], release: Release) -> Iterator[str]:
    """Yield packs from elsewhere of whose capabilities each is a finding that nobody calls."""
    unused = {one.where for one in findings if one.is_elsewhere and one.verdict == "delete"}
    offered: dict[str, set[str]] = {}
    for name, one in release.offered.items():
        if not one.capability.is_internal and not one.capability.deprecated:
            offered.setdefault(one.capability.pack, set()).add(name)
    yield from (pack for pack, names in sorted(offered.items()) if names <= unused)


def elsewhere_text(report: Report, *, is_all: bool) -> Iterator[str]:
    """Return what was found in packs that came from elsewhere: what can be done about it here."""
    count = sum(one.is_elsewhere for one in report.findings)
    if not count:
        return
    yield f"elsewhere: {count} findings in packs that came with a release, and are not changed here"
    if report.uncalled:
        names = ", ".join(f'"{name}"' for name in report.uncalled)
        yield f"  nobody calls these; `[platform] leave_out = [{names}]` does without"
    if not is_all:
        yield "  --all shows each"


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
