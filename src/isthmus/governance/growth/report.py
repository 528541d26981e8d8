"""What was read of all lines last, kept beside the lake for the console."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import Policy
from isthmus.kernel import Value, decode, encode, errors
from isthmus.manifest import Growing, brought

from .asked import QUARTER, QUARTER_WEEKS, WEEK, Asking
from .combinations import Innovation, innovation
from .drivers import Drivers, drivers
from .launches import Begun, Lead, counted, lead
from .lines import LEAD_DAYS, Line, growing, lines
from .movements import Movement, movements
from .portfolio import Portfolio, portfolio


class Report(Value):
    """All lines as they were read at a time, of which snapshot, and what was made of them for who decides on money."""

    at: datetime
    snapshot: str
    lines: tuple[Line, ...]
    drivers: tuple[Drivers, ...] = ()
    movements: tuple[Movement, ...] = ()
    lead: Lead = Lead(days=LEAD_DAYS)
    portfolio: Portfolio | None = None
    innovation: Innovation | None = None


def measure(
    data: DataPlatform,
    policy: Policy,
    *,
    begun: Mapping[str, Begun] = {},
    lead_days: int | None = None,
    like: str = "",
    step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Read every line that packs say grows, what drives them, who moved, and what follows for the portfolio.

    begun: when lines were begun and by whom they are made. lead_days: how long something new takes to its first
    revenue, where it is not to be measured. like: the line that a venture is assumed to grow as.
    Raises the errors of the data platform, and BadAsk where that line was not seen to begin.
    """
    said = brought(data.packs, Growing)
    known = data.model.metrics
    main = next((one for one in said if one.chain and {*one.named} <= known.keys()), None)
    taken = _lead(data, policy, main, begun, lead_days)
    found = lines(data.metrics, policy, growing(data), lead_days=taken.days, step=step)
    report = Report(at=datetime.now(UTC), snapshot=data.metrics.reader().snapshot, lines=tuple(found), lead=taken)
    return _with_people(data, policy, main, report, begun, like, step) if main else report


def _lead(
    data: DataPlatform, policy: Policy, main: Growing | None, begun: Mapping[str, Begun], lead_days: int | None
) -> Lead:
    if lead_days is not None or main is None:
        return Lead(days=LEAD_DAYS if lead_days is None else lead_days)
    ventures = [name for one in brought(data.packs, Growing) if one.is_venture for name in one.metrics[:1]]
    names = [name for name in (main.chain[-1], *ventures) if name in data.model.metrics]
    return lead(data.metrics, policy, names, {code: one.on for code, one in begun.items()})


def _with_people(
    data: DataPlatform,
    policy: Policy,
    main: Growing,
    report: Report,
    begun: Mapping[str, Begun],
    like: str,
    step: Callable[[str], None],
) -> Report:
    metric = main.chain[-1]
    until = _until(report.lines, metric)
    if until is None:
        return report
    step("what drives it, who moved")
    asking = Asking(data.metrics, policy)
    moved = movements(asking, main.chain, until, main.movements) if main.movements else ()
    taken = counted(report.lead, report.lines, metric)
    return report.replace(
        drivers=(
            *drivers(Asking(data.metrics, policy, ""), main.chain, until, main.movements),
            *drivers(asking, main.chain, until, main.movements),
        ),
        movements=moved,
        lead=taken,
        portfolio=portfolio(report.lines, metric, moved, begun, taken, like, _buyers(data, asking, until)),
        innovation=innovation(data.metrics, policy, metric, main.combined, report.lines),
    )


def _buyers(data: DataPlatform, asking: Asking, until: date) -> dict[str, int]:
    """Return how many people bought in the last quarter at lines that movements do not tell of, such as ventures."""
    names = [one.buyers for one in brought(data.packs, Growing) if one.buyers in data.model.metrics]
    found = [asking.numbers((name,), until - QUARTER, until) for name in names]
    return {code: round(one.of(code)[0]) for one in found for code in one.by_line}


def _until(found: Sequence[Line], metric: str) -> date | None:
    """Return the day after the last whole week; None where less than two quarters are seen."""
    group = next((one for one in found if one.metric == metric and not one.code), None)
    if group is None or len(group.values) < 2 * QUARTER_WEEKS:
        return None
    return group.first + len(group.values) * WEEK


def keep(data: DataPlatform, report: Report) -> None:
    """Keep a report for the next one who looks."""
    file = _file(data)
    new = file.with_suffix(f".{os.getpid()}")
    new.write_bytes(encode(report))
    new.replace(file)


def last(data: DataPlatform) -> Report | None:
    """Return what was read last; None before the first time, and after a version that wrote it otherwise."""
    with suppress(FileNotFoundError, errors.BadAsk):
        return decode(_file(data).read_bytes(), Report)
    return None


def _file(data: DataPlatform) -> Path:
    return data.lake.folder.parent / "growth.json"
