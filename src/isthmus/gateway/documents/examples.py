"""Examples made from a JSON Schema: what the API documents show and what can be pasted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

DEPTH_MAX: Final = 8  # of a schema that refers to itself

_FORMATS: Final = {
    "date-time": "2026-01-15T12:00:00Z",
    "date": "2026-01-15",
    "time": "12:00:00Z",
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "duration": "PT1H",
    "decimal": "1.5",
}
# Tried in turn where a pattern says what a text must look like.
_TEXTS: Final = (
    "EUR",
    "DE",
    "sku-1",
    "abc",
    "A1",
    "1",
    "a@example.org",
    "+49301234567",
    "2026-01-15",
    "10115",
    "abc.def",
)


def example(schema: Json, components: Mapping[str, Json], name: str = "", depth: int = 0) -> Any:
    """Return a small value that fits: what is required, and the first of what may be chosen."""
    schema = _resolved(schema, components)
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        useful = [choice for choice in choices if choice.get("type") != "null"]
        return example(useful[0] if useful else choices[0], components, name, depth)
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, components, depth)
    if kind == "array":
        return _array(schema, components, name, depth)
    if kind in ("integer", "number"):
        return _number(schema)
    plain: dict[str, Any] = {"boolean": True, "null": None}
    return _text(schema, name) if kind == "string" else plain.get(str(kind), dict[str, Any]())


def _resolved(schema: Json, components: Mapping[str, Json]) -> Json:
    if "$ref" in schema:
        return _resolved(components[schema["$ref"].rpartition("/")[2]], components)
    if "allOf" not in schema:
        return schema
    merged: Json = {}
    for part in schema["allOf"]:
        found = _resolved(part, components)
        merged = {**merged, **found, "properties": {**merged.get("properties", {}), **found.get("properties", {})}}
    return merged


def _object(schema: Json, components: Mapping[str, Json], depth: int) -> Json:
    required = schema.get("required", ()) if depth <= DEPTH_MAX else ()
    properties = schema.get("properties", {})
    return {name: example(properties[name], components, name, depth + 1) for name in required if name in properties}


def _array(schema: Json, components: Mapping[str, Json], name: str, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [example(item, components, name, depth + 1) for item in schema["prefixItems"]]
    items = schema.get("items")
    if not items or depth > DEPTH_MAX or schema.get("maxItems") == 0:
        return []
    return [example(items, components, name.removesuffix("s"), depth + 1)] * max(1, schema.get("minItems", 1))


def _number(schema: Json) -> int | float:
    """Return the smallest fitting number from 1 on, or the nearest below where there is none."""
    low = max(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1), schema.get("multipleOf", 1))
    number = min(low, schema.get("maximum", low))
    return number if number < schema.get("exclusiveMaximum", number + 1) else schema.get("minimum", number - 1)


def _text(schema: Json, name: str) -> str:
    if found := _FORMATS.get(schema.get("format", "")):
        return found
    stem = (name or "text").replace("_", "-").removesuffix("-id")
    pattern = schema.get("pattern", "")
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 1 << 20)
    for text in (f"{stem}-1", *_TEXTS, stem.ljust(shortest, "x")[:longest]):
        if shortest <= len(text) <= longest and re.search(pattern, text):
            return text
    return "x" * shortest
