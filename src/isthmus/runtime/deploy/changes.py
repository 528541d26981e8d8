"""Which answers one version of a front end has and another has not, or has otherwise: found without running any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from isthmus.data.model.model import shorn
from isthmus.kernel.host import CompiledFrontEnd, code_hash, event_kind, json_schema
from isthmus.markings import Metric

NOWHERE: Final = ("", "")  # the hash and the place of an answer that a version has not


@dataclass(frozen=True, slots=True)
class Change:
    """An answer that a version adds, removes or changes, and the place where it stands."""

    point: str
    answer: str
    what: str
    where: str


def compared(old: CompiledFrontEnd | None, new: CompiledFrontEnd) -> list[Change]:
    """Return the answers that one line has and the other has not, or has otherwise; nothing else can differ."""
    before, after = _written(old) if old else {}, _written(new)
    changes: list[Change] = []
    for key in sorted(before.keys() | after.keys()):
        (was, stood), (will, stands) = before.get(key, NOWHERE), after.get(key, NOWHERE)
        if was == will:  # a line written above moves an answer, and changes none
            continue
        what = "new" if not was else "gone" if not will else "changed"
        changes.append(Change(key[0], key[1], what, stands or stood))
    return changes


def attributes_compared(old: CompiledFrontEnd, new: CompiledFrontEnd) -> list[str]:
    """Say which attributes a version adds, drops or shapes otherwise, one sentence for each."""
    before, after = _fields(old), _fields(new)
    return _sentences(
        "attribute", before, after, "what was written stays as it is", "what was written before may not fit it"
    )


def metrics_compared(old: CompiledFrontEnd, new: CompiledFrontEnd) -> list[str]:
    """Say which metrics of its own a version adds, drops or defines otherwise, one sentence for each."""
    before, after = (
        {one.name: shorn(one) for one in cast(tuple[Metric, ...], line.front_end.metrics)} for line in (old, new)
    )
    return _sentences("metric", before, after, "", "it says another number under its name, of the past too")


def events_compared(old: CompiledFrontEnd, new: CompiledFrontEnd) -> list[str]:
    """Say which events of its own a version adds, drops or shapes otherwise, one sentence for each."""
    before, after = (
        {event_kind(one).name: json_schema((one,), "{name}")[1] for one in line.front_end.events} for line in (old, new)
    )
    gone = "what was emitted and has not landed goes to quarantine"
    return _sentences("event", before, after, gone, "what was emitted before may not fit it")


def _sentences(
    kind: str, before: Mapping[str, object], after: Mapping[str, object], gone: str, changed: str
) -> list[str]:
    """Say what is new, gone or changed, and what that means for what there is already."""
    return [
        *(f"new: {kind} {name}" for name in sorted(after.keys() - before.keys())),
        *(f"gone: {kind} {name}" + (f"; {gone}" if gone else "") for name in sorted(before.keys() - after.keys())),
        *(
            f"changed: {kind} {name}; {changed}: a new name is safer"
            for name in sorted(before.keys() & after.keys())
            if before[name] != after[name]
        ),
    ]


def _fields(line: CompiledFrontEnd) -> dict[str, Any]:
    """Return the schema of each attribute, by entity and name."""
    found: dict[str, Any] = {}
    for entity, declared in line.front_end.attributes.items():
        (schema,), components = json_schema((declared,), "{name}")
        shape = components.get(str(schema.get("$ref")), schema)
        needed = shape.get("required", [])
        found |= {f"{entity}.{name}": (one, name in needed) for name, one in shape.get("properties", {}).items()}
    return found


def _written(line: CompiledFrontEnd) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return the hash and the place of each answer, by point, name and condition."""
    return {
        (point.name, answer.label, repr(sorted((name, sorted(values)) for name, values in answer.when.items()))): (
            code_hash(answer.function) + (code_hash(answer.applies) if answer.applies else ""),
            "/".join(answer.source.split("/")[-2:]),
        )
        for node in line.nodes
        for point, found in node.candidates.items()
        for answer in found.answers
    }
