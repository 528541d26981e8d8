"""Quality rules, read from the model; what they found is kept, so that a change shows.

Keys and references are proved apart (`proof.py`), and rows are checked against their contract when they land; these
rules see what only all rows together show, or what a contract grew to say after rows had landed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec

from isthmus.data.model.columns import quoted, table_name
from isthmus.kernel import Value, encode
from isthmus.markings import Atomic, Count, Distinct, Stock

from ..errors import SHOWN_MAX
from ..lake.reader import Reader
from ..model.model import Entity, Field, Model
from ..query import freshness

SKEW_MAX: Final = timedelta(minutes=5)  # what clocks of one company may differ by
SHRINK_MAX: Final = 0.5  # a table that lost more of its rows since the last look needs a person

RuleKind = Literal["values", "range", "not-empty", "clock", "freshness", "volume"]


class Rule(Value):
    """What must hold of a field of an entity, or of all its rows; `sentence` says it to people."""

    entity: str
    field: str
    owner: str
    kind: RuleKind
    sentence: str
    sql: str
    fresh_hours: float = 0


class Finding(Value):
    """What a rule found on one snapshot: `count` rows that break it, values of some of them."""

    rule: str
    owner: str
    snapshot: str
    at: datetime
    holds: bool
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = f", such as {', '.join(self.examples)}" if self.examples else ""
        return f"{self.rule} ({self.owner}): broken by {self.count}{shown}"


class History:
    """What was found, newest last, as one line of JSON each."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def keep(self, findings: Iterable[Finding]) -> None:
        self._place.parent.mkdir(parents=True, exist_ok=True)
        with self._place.open("ab") as file:
            file.write(b"".join(encode(finding) + b"\n" for finding in findings))

    def all(self) -> list[Finding]:
        if not self._place.is_file():
            return []
        return [msgspec.json.decode(line, type=Finding) for line in self._place.read_bytes().splitlines()]

    def last_count(self, rule: str) -> int | None:
        """Return what a volume rule counted last."""
        counts = [found.count for found in self.all() if found.rule == rule]
        return counts[-1] if counts else None


def rules(model: Model) -> list[Rule]:
    """Return the rules that a model implies."""
    found = [rule for entity in model.entities.values() for rule in _rules(entity)]
    for metric in model.metrics.values():  # a metric that is made of others is held to its limit in its answers
        if metric.fresh_hours and isinstance(metric, Atomic | Count | Distinct | Stock):
            field = metric.measure if isinstance(metric, Atomic | Stock) else getattr(metric, "field", "")
            entity = model.entity(metric.of) if isinstance(metric, Count) else model.split(field.rpartition(">")[2])[0]
            found += _freshness(entity, metric.fresh_hours)
    return found


def stale(model: Model, reader: Reader, now: datetime) -> list[str]:
    """Return a sentence for each freshness rule that is broken."""
    found = [rule for rule in rules(model) if rule.kind == "freshness"]
    return [str(one) for one in examine(found, reader, now) if not one.holds]


def examine(found: Sequence[Rule], reader: Reader, now: datetime, history: History | None = None) -> list[Finding]:
    """Return what each rule finds on a snapshot; with a history it is kept, and volumes are compared with it."""
    findings = [_examined(rule, reader, now, history) for rule in found]
    if history is not None:
        history.keep(findings)
    return findings


def _rules(entity: Entity) -> Iterator[Rule]:
    for field in entity.fields.values():
        for kind, sentence, condition in _conditions(field):
            example = "'a personal value'" if field.pii else f"cast({quoted(field.name)} as varchar)"  # it is kept
            sql = (
                f"select {example} as example, count(*) over () as broken_count "
                f"from {table_name(entity.table)} where {condition} limit {SHOWN_MAX}"
            )
            yield Rule(entity=entity.name, field=field.name, owner=entity.owner, kind=kind, sentence=sentence, sql=sql)
    yield from _freshness(entity, entity.fresh_hours)
    sql = f"select count(*) as broken_count from {table_name(entity.table)}"
    sentence = f"{entity.name} does not lose more than half of its rows at once"
    yield Rule(entity=entity.name, field="", owner=entity.owner, kind="volume", sentence=sentence, sql=sql)


def _freshness(entity: Entity, hours: float) -> Iterator[Rule]:
    owner, _, time = entity.time.rpartition(".")
    if not hours or owner != entity.name:
        return
    sql = f"select cast(max({quoted(time)}) as timestamptz) as newest from {table_name(entity.table)}"
    sentence = f"the newest row is at most {hours:g} h old"
    yield Rule(
        entity=entity.name, field=time, owner=entity.owner, kind="freshness", sentence=sentence, sql=sql,
        fresh_hours=hours,
    )  # fmt: skip


def _conditions(field: Field) -> Iterator[tuple[RuleKind, str, str]]:
    """Yield what breaks a field's rules: kind, sentence, condition of the broken rows."""
    name = quoted(field.name)
    if not field.is_nullable:
        yield "not-empty", f"{field.name} is never empty", f"{name} is null"
    if field.values:
        listed = ", ".join("'" + value.replace("'", "''") + "'" for value in field.values)
        yield "values", f"{field.name} is one of {', '.join(field.values)}", f"{name} not in ({listed})"
    if field.least is not None:
        yield "range", f"{field.name} is at least {field.least}", f"{name} < {field.least}"
    if field.greatest is not None:
        yield "range", f"{field.name} is at most {field.greatest}", f"{name} > {field.greatest}"
    if field.time is not None and not field.time.is_planned and field.kind == "timestamp":
        yield "clock", f"{field.name} is not ahead of the clock", f"{name} > cast($1 as timestamptz)"


def _examined(rule: Rule, reader: Reader, now: datetime, history: History | None) -> Finding:
    rows = reader.rows(rule.sql, [now + SKEW_MAX] if rule.kind == "clock" else [])
    if rule.kind == "freshness":
        said = freshness.stale({rule.entity: rule.fresh_hours}, {rule.entity: rows[0]["newest"]}, reader.arrived, now)
        rows = [{"example": sentence, "broken_count": 1} for sentence in said]
    count = int(rows[0]["broken_count"]) if rows else 0
    holds = not rows
    if rule.kind == "volume":
        before = history.last_count(rule.sentence) if history else None
        holds = before is None or count >= before * SHRINK_MAX
    return Finding(
        rule=rule.sentence if rule.kind == "volume" else f"{rule.entity}: {rule.sentence}",
        owner=rule.owner,
        snapshot=reader.snapshot,
        at=now,
        holds=holds,
        count=count,
        examples=tuple(str(row["example"]) for row in rows if "example" in row),
    )
