"""The model as text that people review, and what a change of it does to the numbers before it is merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from isthmus.kernel import errors
from isthmus.markings import AnyMetric, Measure, Time
from isthmus.outside import decode_file

from ..answers.metrics import Metrics
from ..model.ask import Ask
from ..model.model import Entity, Field, Model, Reference
from ..privacy.policy import Policy
from ..query.sql import statement

FORM: Final = 1  # of the file; a reader of another form asks for a new lock


class StaleLock(errors.Conflict):
    """The lock file is not what the packs declare."""

    slug = "data.stale-lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A metric whose number a change of the model can move: by period where it has a meaning only so.

    `old` and `new` are its rows on the same snapshot, or why there are none.
    """

    metric: str
    kind: str
    old: object
    new: object

    @property
    def is_moved(self) -> bool:
        return self.old != self.new


def written(model: Model) -> str:
    """Return the model as text; the same model gives the same text."""
    content = {
        "form": FORM,
        "version": model.version,
        "entities": {name: _entity(entity) for name, entity in model.entities.items()},
        "metrics": dict(model.metrics),
    }
    plain = msgspec.to_builtins(content, order="deterministic")
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode() + "\n"


def read(place: Path) -> Model:
    """Return the model that a file was written from, without the classes.

    Raises BadAsk where it is no JSON, as where a merge left its marks, and StaleLock for another form.
    """
    content = decode_file(place, dict[str, Any])
    if content.get("form") != FORM:
        raise StaleLock(f"the lock has form {content.get('form')}, not {FORM}", remedy="run `isthmus data lock`")
    entities = {name: _read_entity(found) for name, found in content["entities"].items()}
    metrics = {name: msgspec.convert(found, AnyMetric) for name, found in content["metrics"].items()}
    return Model(entities=entities, metrics=metrics, version=content["version"])


def check(model: Model, place: Path) -> None:
    """Raise StaleLock where the file is missing or says something else than the packs declare."""
    if not place.is_file():
        raise StaleLock(f"{place} is not there", remedy="run `isthmus data lock` and review what it writes")
    text = place.read_text()
    if text == written(model):
        return
    old = read(place)
    changed = [
        name for name in sorted({*old.metrics, *model.metrics}) if old.metrics.get(name) != model.metrics.get(name)
    ]
    changed += [
        name
        for name in sorted({*old.entities, *model.entities})
        if _shape(old.entities.get(name)) != _shape(model.entities.get(name))
    ]
    shown = ", ".join(changed) or "documentation or owners"
    raise StaleLock(
        f"{place.name} is not what the packs declare; changed: {shown}",
        remedy="run `isthmus data diff` to see what that moves, then `isthmus data lock`",
    )


def differences(old: Metrics, new: Metrics, policy: Policy, now: datetime) -> list[Difference]:
    """Return each metric that computes something else under the new model, with both values on the same snapshot."""
    found: list[Difference] = []
    known, now_known = (side.seen_by(policy).metrics for side in (old, new))
    for name in sorted({*known, *now_known}):
        before, after = (_statement(side, name, policy, now) for side in (old, new))
        if before == after:
            continue
        kind = "added" if name not in known else "removed" if name not in now_known else "changed"
        values = [_value(side, name, policy, now) for side in (old, new)]
        found.append(Difference(metric=name, kind=kind, old=values[0], new=values[1]))
    return found


def _statement(metrics: Metrics, name: str, policy: Policy, now: datetime) -> object:
    """Return what would be computed, as far as it can differ: SQL and its values."""
    if name not in metrics.seen_by(policy).metrics:
        return None
    try:
        planned = metrics.plan(_ask(metrics, name, policy, now), policy)
        written = statement(planned.model, planned)
    except errors.IsthmusError as wrong:
        return str(wrong)
    return written.sql, written.parameters


def _value(metrics: Metrics, name: str, policy: Policy, now: datetime) -> object:
    if name not in metrics.seen_by(policy).metrics:
        return None
    ask = _ask(metrics, name, policy, now)
    try:
        rows = metrics.ask(ask, policy, is_kept=False).rows
    except errors.IsthmusError as wrong:
        return wrong.message
    if not ask.by:
        return rows[0][name]
    return {str(row[ask.by[0]]): row[name] for row in rows}


def _ask(metrics: Metrics, name: str, policy: Policy, now: datetime) -> Ask:
    """Return the question for a metric's total, or by month where it has no total."""
    total = Ask(metrics=(name,), as_of=now)
    try:
        metrics.plan(total, policy)
    except errors.BadAsk:
        return Ask(metrics=(name,), by=("time:month",), as_of=now)
    except errors.IsthmusError:
        return total
    return total


def _entity(entity: Entity) -> dict[str, object]:
    return {
        "table": entity.table,
        "owner": entity.owner,
        "doc": entity.doc,
        "key": entity.key,
        "time": entity.time,
        "fresh_hours": entity.fresh_hours,
        "references": [asdict(reference) for reference in entity.references],
        "fields": {name: _field(field) for name, field in entity.fields.items()},
        "name": entity.name,
    }


def _field(field: Field) -> dict[str, object]:
    said = {name: value for name, value in _fields(field).items() if value not in (None, False, (), "")}
    return {name: msgspec.to_builtins(value) for name, value in said.items() if name != "name"}


def _fields(field: Field) -> dict[str, Any]:
    return {one.name: getattr(field, one.name) for one in fields(Field) if one.init}  # the rest follows from these


def _read_entity(found: Mapping[str, Any]) -> Entity:
    return Entity(
        name=found["name"],
        table=found["table"],
        owner=found["owner"],
        doc=found["doc"],
        key=tuple(found["key"]),
        time=found["time"],
        fresh_hours=found.get("fresh_hours", 0),
        references=tuple(msgspec.convert(one, Reference) for one in found["references"]),
        fields={name: _read_field(name, one) for name, one in found["fields"].items()},
    )


def _read_field(name: str, found: Mapping[str, Any]) -> Field:
    plain = {key: value for key, value in found.items() if key not in ("measure", "time", "values", "is_nullable")}
    return Field(
        name=name,
        is_nullable=bool(found.get("is_nullable")),
        values=tuple(found.get("values", ())),
        measure=msgspec.convert(found["measure"], Measure) if "measure" in found else None,
        time=msgspec.convert(found["time"], Time) if "time" in found else None,
        **plain,
    )


def _shape(entity: Entity | None) -> object:
    return entity and {name: value for name, value in _entity(entity).items() if name not in ("doc", "owner")}
