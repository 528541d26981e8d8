"""A contract as a form: one field for each name of an ask, and the ask read back from what was typed in.

An object in an ask is a group of fields (`address.city`), a list of objects has a row for each (`lines.0.sku`), one of
texts a line for each. What lies deeper is typed in as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from isthmus.kernel import Capability, errors
from isthmus.kernel.host import json_schema
from isthmus.language import mark

Json = dict[str, Any]
FieldKind = Literal["text", "number", "choice", "yes-no", "json", "lines", "group", "rows"]
ROWS_MAX: Final = 200  # in one form: more is sent by a program

_HINTS: Final = {"uuid": mark("an id of 36 characters"), "date-time": "2026-01-15T12:00:00Z", "date": "2026-01-15"}


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
    parts: tuple[Field, ...] = ()  # of a group, or of each row


def fields_of(capability: Capability[Any, Any]) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Return the fields of a capability's ask and of its answer."""
    (ask, answer), components = json_schema((capability.ask, capability.answer), "#/{name}")
    return _fields(ask, components), _fields(answer, components)


def read(fields: tuple[Field, ...], typed: Mapping[str, str]) -> Json:
    """Return the ask that was typed in; what was left empty is left out. Raises BadAsk with the path."""
    return dict(_read(fields, typed))


def rows_of(field: Field, typed: Mapping[str, str]) -> list[int]:
    """Return which rows of a list a form shows: those that something was typed into, and an empty one after them."""
    found = sorted(_numbers(field, typed))
    return [*found, found[-1] + 1 if found else 0]


def _read(fields: tuple[Field, ...], typed: Mapping[str, str], place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each field that something was typed into, by name and value."""
    for one in fields:
        path = f"{place}{one.name}"
        if one.kind == "group" and (part := dict(_read(one.parts, typed, f"{path}."))):
            yield one.name, part
        elif one.kind == "rows" and (numbers := sorted(_numbers(one, typed, place))):
            yield one.name, [dict(_read(one.parts, typed, f"{path}.{number}.")) for number in numbers]
        elif typed.get(path, "").strip():
            yield one.name, _value(one, typed[path], path)


def _numbers(field: Field, typed: Mapping[str, str], place: str = "") -> set[int]:
    """Return the rows of a list that something was typed into."""
    row = re.compile(re.escape(f"{place}{field.name}.") + r"([0-9]{1,4})\..+")
    found = {int(match[1]) for name, text in typed.items() if text.strip() and (match := row.fullmatch(name))}
    if len(found) > ROWS_MAX:
        raise errors.BadAsk(
            f"{len(found)} rows of {field.name}", remedy=f"type in {ROWS_MAX} at most, or call it over HTTP"
        )
    return found


def _fields(schema: Json, components: Mapping[str, Json], depth: int = 0) -> tuple[Field, ...]:
    target = _resolved(schema, components)
    required = set(target.get("required", ()))
    names = target.get("properties", {})
    return tuple(_field(name, one, name in required, components, depth) for name, one in names.items())


def _field(name: str, schema: Json, is_required: bool, components: Mapping[str, Json], depth: int) -> Field:
    bare = _bare(schema, components)
    kind, choices, hint = _kind(bare, components)
    parts: tuple[Field, ...] = ()
    if kind == "json" and depth == 0:
        kind, parts = _shape(bare, components)
    return Field(
        name=name,
        kind=kind,
        type=type_name(schema),
        meaning=str(schema.get("description") or bare.get("description", "")),
        is_required=is_required,
        choices=choices,
        hint=hint,
        parts=parts,
    )


def _shape(schema: Json, components: Mapping[str, Json]) -> tuple[FieldKind, tuple[Field, ...]]:
    """Return how a value that is no plain one is typed in: as a group, in rows, in lines, or as JSON."""
    if schema.get("type") == "array":
        item = _bare(schema.get("items", {}), components)
        if item.get("type") == "object" and item.get("properties"):
            return "rows", _fields(item, components, 1)
        return ("lines" if item.get("type") == "string" else "json"), ()
    if schema.get("properties"):
        return "group", _fields(schema, components, 1)
    return "json", ()


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


def _value(field: Field, text: str, place: str) -> Any:
    if field.kind in ("text", "choice"):
        return text
    if field.kind == "lines" and not text.lstrip().startswith("["):
        return [line.strip() for line in text.splitlines() if line.strip()]
    return _json(field, text, place)


def _json(field: Field, text: str, place: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        path = re.sub(r"\.(\d+)(?=\.)", r"[\1]", f"$.{place}")
        raise errors.BadAsk(
            f"{field.name} is not JSON: {error}", remedy=f"write it like {field.hint or '1'}", path=path
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
        return mark(f"list of {type_name(schema.get('items', {}))}")
    return str(schema.get("format") or schema.get("type", "any"))


def _bare(schema: Json, components: Mapping[str, Json]) -> Json:
    """Return the schema behind references and behind an `or null`."""
    found = _resolved(schema, components)
    choices = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
    return _bare(choices[0], components) if choices else found


def _resolved(schema: Json, components: Mapping[str, Json]) -> Json:
    return components[schema["$ref"].removeprefix("#/")] if "$ref" in schema else schema
