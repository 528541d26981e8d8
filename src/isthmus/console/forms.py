"""A contract as a form: one field for each name of an ask, and the ask read back from what was typed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from isthmus.kernel import Capability, errors
from isthmus.kernel.contract import json_schema

Json = dict[str, Any]
FieldKind = Literal["text", "number", "choice", "yes-no", "json"]

_HINTS: Final = {"uuid": "an id of 36 characters", "date-time": "2026-01-15T12:00:00Z", "date": "2026-01-15"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One name of an ask, as a form shows it."""

    name: str
    kind: FieldKind
    type: str
    meaning: str
    is_required: bool
    choices: tuple[str, ...] = ()
    hint: str = ""


def fields_of(capability: Capability[Any, Any]) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Return the fields of a capability's ask and of its answer."""
    (ask, answer), components = json_schema((capability.ask, capability.answer), "#/{name}")
    return _fields(ask, components), _fields(answer, components)


def read(fields: tuple[Field, ...], typed: Mapping[str, str]) -> Json:
    """Return the ask that was typed in; what was left empty is left out. Raises BadAsk with the path."""
    return {one.name: _value(one, typed[one.name]) for one in fields if typed.get(one.name, "").strip()}


def _fields(schema: Json, components: Mapping[str, Json]) -> tuple[Field, ...]:
    target = _resolved(schema, components)
    required = set(target.get("required", ()))
    return tuple(_field(name, one, name in required, components) for name, one in target.get("properties", {}).items())


def _field(name: str, schema: Json, is_required: bool, components: Mapping[str, Json]) -> Field:
    bare = _bare(schema, components)
    kind, choices, hint = _kind(bare, components)
    return Field(
        name=name,
        kind=kind,
        type=type_name(schema),
        meaning=str(schema.get("description") or bare.get("description", "")),
        is_required=is_required,
        choices=choices,
        hint=hint,
    )


def _kind(schema: Json, components: Mapping[str, Json]) -> tuple[FieldKind, tuple[str, ...], str]:
    if choices := schema.get("enum"):
        return "choice", tuple(map(str, choices)), ""
    match schema.get("type"):
        case "integer" | "number":
            return "number", (), ""
        case "boolean":
            return "yes-no", ("true", "false"), ""
        case "string":
            return "text", (), _HINTS.get(str(schema.get("format", "")), "")
        case _:
            return "json", (), msgspec.json.encode(_sample(schema, components)).decode()


def _sample(schema: Json, components: Mapping[str, Json], depth: int = 0) -> Any:
    """Return the shape of a value, to be filled in: required names only, two levels deep."""
    bare = _bare(schema, components)
    if bare.get("type") == "array":
        return [_sample(bare.get("items", {}), components, depth)]
    if bare.get("type") == "object":
        names = bare.get("properties", {})
        wanted = bare.get("required", ()) if depth < 2 else ()
        return {name: _sample(names[name], components, depth + 1) for name in wanted}
    if bare.get("enum"):
        return bare["enum"][0]
    return {"integer": 1, "number": 1, "boolean": True}.get(str(bare.get("type")), "")


def _value(field: Field, text: str) -> Any:
    if field.kind in ("text", "choice"):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise errors.BadAsk(
            f"{field.name} is not JSON: {error}", remedy=f"write it like {field.hint or '1'}", path=f"$.{field.name}"
        ) from None


def type_name(schema: Json) -> str:
    """Say a schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix("#/")
    if "anyOf" in schema:
        return " or ".join(type_name(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {type_name(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "any"))


def _bare(schema: Json, components: Mapping[str, Json]) -> Json:
    """Return the schema behind references and behind an `or null`."""
    found = _resolved(schema, components)
    choices = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
    return _bare(choices[0], components) if choices else found


def _resolved(schema: Json, components: Mapping[str, Json]) -> Json:
    return components[schema["$ref"].removeprefix("#/")] if "$ref" in schema else schema
