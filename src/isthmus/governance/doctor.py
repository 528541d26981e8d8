"""The doctor: every condition that the packs promise, checked over the whole database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from isthmus.kernel import Pack, ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one condition stands: how many rows break it, and the first of them."""

    name: str
    sentence: str
    broken: int
    rows: tuple[dict[str, Any], ...]

    @property
    def holds(self) -> bool:
        return self.broken == 0


async def examine(session: ports.Session, packs: Iterable[Pack], rows_max: int) -> list[Finding]:
    """Check every condition of every pack and return how each stands, by name.

    The session must see all front ends. Each condition is one statement, so on a busy platform each is
    true of one moment.
    """
    findings: list[Finding] = []
    for condition in sorted((one for pack in packs for one in pack.conditions), key=lambda one: one.name):
        breaking = await session.fetch(condition.sql)
        shown = tuple({name: row[name] for name in row.keys()} for row in breaking[:rows_max])  # noqa: SIM118
        findings.append(Finding(name=condition.name, sentence=condition.sentence, broken=len(breaking), rows=shown))
    return findings
