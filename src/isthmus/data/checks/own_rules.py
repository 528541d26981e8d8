"""Quality rules that packs and front ends declare themselves: rows of an entity for which a condition does not hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from isthmus.kernel import errors
from isthmus.markings import Count, Filter, Not, Rule, Where

from ..answers.metrics import Metrics
from ..errors import SHOWN_MAX
from ..model.ask import Ask
from ..model.brought import Owned
from ..privacy.policy import owner
from .quality import Finding

BROKEN: Final = "broken rows"  # the metric that a rule is counted by


def own_findings(metrics: Metrics, rules: Sequence[Owned[Rule]], now: datetime) -> list[Finding]:
    """Return what each of these rules finds in the newest state; one that cannot be asked is broken."""
    return [_finding(metrics, rule, now) for rule in rules]


def _finding(metrics: Metrics, rule: Owned[Rule], now: datetime) -> Finding:
    count, examples, reason = 0, tuple[str, ...](), ""
    try:
        count, examples = _broken(metrics, rule.value, _own_rows(rule))
    except errors.IsthmusError as wrong:
        reason = f": {wrong.message}"
    said = f"{rule.front_end or rule.value.entity}: {rule.value.name}{reason}"
    return Finding(
        rule=said,
        owner=rule.owner,
        snapshot=metrics.reader().snapshot,
        at=now,
        holds=not count and not reason,
        count=count,
        examples=examples,
    )


def _own_rows(rule: Owned[Rule]) -> Sequence[Filter]:
    return (Where("front_end", "=", rule.front_end),) if rule.front_end else ()


def _broken(metrics: Metrics, rule: Rule, rows: Sequence[Filter]) -> tuple[int, tuple[str, ...]]:
    """Return how many rows break a rule, and the keys of some of them."""
    seen = metrics.seen_by(owner())
    entity = seen.entity(rule.entity)
    counted = Count(name=BROKEN, of=rule.entity, where=Not(rule.holds))
    model = dataclasses.replace(seen, metrics={**seen.metrics, BROKEN: counted})
    counting = metrics.over(model)
    keys = tuple(f"{rule.entity}.{part}" for part in entity.key)
    found = counting.ask(
        Ask(metrics=(BROKEN,), by=keys, where=tuple(rows), accept=("duplicates",), limit=SHOWN_MAX),
        owner(),
        is_kept=False,
    )
    whole = Ask(metrics=(BROKEN,), where=tuple(rows), accept=("duplicates",))
    total = counting.ask(whole, owner(), is_kept=False).rows[0][BROKEN]
    return int(total), tuple("/".join(str(row[key]) for key in keys) for row in found.rows if row[BROKEN])
