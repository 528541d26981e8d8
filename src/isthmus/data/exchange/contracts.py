"""Data contracts as ODCS 3.1 (Open Data Contract Standard), written from the model: nothing is declared twice.

A transaction can't emit an event that breaks its contract: `Context.emit` reads it as its type, and the call fails
where it does not fit. What lands is checked against the same type; the contract is that type in the standard's words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from isthmus.data.model.columns import SQL_TYPES

from ..model.model import Entity, Field, FieldKind, Model

STANDARD: Final = "v3.1.0"
_LOGICAL: Final[Mapping[FieldKind, str]] = {
    "text": "string", "integer": "integer", "number": "number", "decimal": "number", "boolean": "boolean",
    "date": "date", "timestamp": "timestamp", "uuid": "string", "json": "object",
}  # fmt: skip


def contract(model: Model, entity: Entity) -> str:
    """Return an entity's data contract as YAML; the same model gives the same text."""
    return "\n".join(yaml(content(model, entity), 0)) + "\n"


def content(model: Model, entity: Entity) -> dict[str, Any]:
    """Return an entity's data contract, valid by the standard's JSON schema."""
    return {
        "version": model.version,
        "apiVersion": STANDARD,
        "kind": "DataContract",
        "id": f"isthmus:{entity.name}",
        "name": entity.name,
        "status": "active",
        "domain": entity.name.partition(".")[0],
        "description": {"purpose": entity.doc or f"Rows of {entity.name}."},
        "team": {"name": entity.owner or "nobody"},
        **_service_levels(entity),
        "schema": [
            {
                "name": plain_name(entity.name),
                "physicalName": entity.table,
                "physicalType": "table",
                "logicalType": "object",
                "properties": [_property(model, entity, field) for field in entity.fields.values()],
            }
        ],
    }


def _service_levels(entity: Entity) -> dict[str, Any]:
    owner, _, time = entity.time.rpartition(".")
    if not entity.fresh_hours or owner != entity.name:
        return {}
    element = f"{plain_name(entity.name)}.{plain_name(time)}"
    return {"slaProperties": [{"property": "freshness", "value": entity.fresh_hours, "unit": "h", "element": element}]}


def _property(model: Model, entity: Entity, field: Field) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": plain_name(field.name),
        "physicalName": field.name,
        "logicalType": _LOGICAL[field.kind],
        "physicalType": SQL_TYPES[field.kind],
        "required": not field.is_nullable,
    }
    if field.doc:
        found["description"] = field.doc
    if field.is_key:
        found |= {"primaryKey": True, "primaryKeyPosition": entity.key.index(field.name) + 1}
    if field.pii:
        found["classification"] = f"personal:{field.pii}"
    if options := _options(field):
        found["logicalTypeOptions"] = options
    targets = [ref for ref in entity.references if ref.name == field.name]
    if targets:
        key = dict(targets[0].pairs)[field.name]
        found["relationships"] = [{"type": "foreignKey", "to": f"{plain_name(targets[0].target)}.{plain_name(key)}"}]
    if field.values:
        arguments = {"validValues": list(field.values)}
        found["quality"] = [{"type": "library", "metric": "invalidValues", "arguments": arguments, "mustBe": 0}]
    return found


def _options(field: Field) -> dict[str, Any]:
    if field.kind == "uuid":
        return {"format": "uuid"}
    if field.kind == "text":
        return {"pattern": field.pattern} if field.pattern else {}
    if field.kind in ("integer", "number", "decimal"):
        limits = {"minimum": field.least, "maximum": field.greatest}
        return {name: limit for name, limit in limits.items() if limit is not None}
    return {}


def plain_name(name: str) -> str:
    """Return a name as the standard lets one be: no dots, since these join table and column there."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def yaml(value: Mapping[str, Any] | Sequence[Any], depth: int) -> Iterator[str]:
    """Yield the lines of nested maps and lists; scalars as JSON, which YAML reads the same."""
    indent = "  " * depth
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping | list):
                yield f"{indent}{key}:"
                yield from yaml(cast("Mapping[str, Any] | list[Any]", inner), depth + 1)
            else:
                yield f"{indent}{key}: {json.dumps(inner, ensure_ascii=False)}"
        return
    for inner in value:
        if isinstance(inner, Mapping):
            first, *rest = yaml(cast("Mapping[str, Any]", inner), depth + 1)
            yield f"{indent}- {first.strip()}"
            yield from rest
        else:
            yield f"{indent}- {json.dumps(inner, ensure_ascii=False)}"
