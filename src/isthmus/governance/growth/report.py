"""What was read of all lines last, kept beside the lake for the console."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import Policy
from isthmus.kernel import Value, decode, encode, errors
from isthmus.manifest import Growing, brought

from .lines import LEAD_DAYS, QUARTER_WEEKS, WEEK, Drivers, Line, drivers, growing, lines


class Report(Value):
    """All lines as they were read at a time, of which snapshot, and why the group's last quarter is another."""

    at: datetime
    snapshot: str
    lines: tuple[Line, ...]
    drivers: tuple[Drivers, ...] = ()


def measure(
    data: DataPlatform, policy: Policy, *, lead_days: int = LEAD_DAYS, step: Callable[[str], None] = lambda _: None
) -> Report:
    """Read every line that packs say grows, and what drives the group's. Raises the errors of the data platform."""
    found = lines(data.metrics, policy, growing(data), lead_days=lead_days, step=step)
    return Report(
        at=datetime.now(UTC),
        snapshot=data.metrics.reader().snapshot,
        lines=tuple(found),
        drivers=tuple(_drivers(data, policy, found)),
    )


def _drivers(data: DataPlatform, policy: Policy, found: list[Line]) -> list[Drivers]:
    chains = [one.chain for one in brought(data.packs, Growing) if one.chain]
    whole = [one for one in found if len(one.values) >= 2 * QUARTER_WEEKS]  # both quarters were seen
    ends = {one.metric: one.first + len(one.values) * WEEK for one in whole}
    said = [drivers(data.metrics, policy, chain, ends[chain[-1]]) for chain in chains if chain[-1] in ends]
    return [one for one in said if one]


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
