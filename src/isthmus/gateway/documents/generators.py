"""Schemas in the form that generators of clients can read: one plain name a type, one type a value, nothing twice.

Generators know less of JSON Schema than validators do. What they stumble over is said in other words of the same
meaning: names with dots that end alike, `enum` without a `type`, a `default` in what is sent (it counts as required).
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

Json = dict[str, Any]

_PREFIX: Final = "#/components/schemas/"
_TYPES: Final[Mapping[type, str]] = {str: "string", bool: "boolean", int: "integer", float: "number"}


def plain_names(schemas: list[Json], components: Json) -> tuple[list[Json], Json]:
    """Return schemas and components without dots in names: `inventory.api.stock.Ship` is `InventoryShip`."""
    names = _short(components)
    titled: Json = {
        names[name]: {**schema, "title": names[name]} if "title" in schema else schema
        for name, schema in components.items()
    }
    return cast("tuple[list[Json], Json]", _renamed((schemas, titled), names))


def polish(schema: Any) -> None:
    """Take the indentation of source code out of descriptions; say what the wire can carry, and of which type."""
    for found in _objects(schema):
        if isinstance(text := found.get("description"), str):
            found["description"] = inspect.cleandoc(text)
        if found.get("type") == "integer":
            found.setdefault("format", "int64")
        values = found.get("enum", [found["const"]] if "const" in found else [])
        listed = cast("list[object]", values) if isinstance(values, list) else []
        kinds: set[type[object]] = {type(value) for value in listed}
        if len(kinds) == 1 and "type" not in found and (kind := _TYPES.get(kinds.pop())):
            found["type"] = kind


def say_defaults(asks: Iterable[Json], components: Mapping[str, Json]) -> None:
    """Put the defaults of what is sent into words: a field with a `default` counts as required in some generators."""
    for name in _reached(asks, components):
        for field in components[name].get("properties", {}).values():
            value = field.pop("default", None)
            if value not in (None, "", [], {}):
                said = [field["description"]] if field.get("description") else []
                field["description"] = "\n\n".join([*said, f"Default: `{json.dumps(value)}`."])


def narrow(schema: Json, values: Mapping[str, Iterable[str]]) -> Json:
    """Return the schema of an object whose fields may have these values only, and no value where they could before."""
    properties = dict(schema["properties"])
    for name, allowed in values.items():
        field = {key: value for key, value in properties[name].items() if key in ("description", "title", "default")}
        closed = {"type": "string", "enum": list(allowed)}
        is_optional = {"type": "null"} in properties[name].get("anyOf", ())
        properties[name] = {**field, "anyOf": [closed, {"type": "null"}]} if is_optional else {**field, **closed}
    return {**schema, "properties": properties}


def _short(components: Mapping[str, Json]) -> dict[str, str]:
    """Name each component by its last word; where two end alike, with its pack before it, then all its words."""
    names = {name: name for name in components}
    for words in (_with_pack, _all_words):
        taken = list(names.values())
        names = {
            name: words(name) if "." in found or taken.count(found) > 1 else found for name, found in names.items()
        }
    return names


def _with_pack(name: str) -> str:
    parts = name.split(".")
    pack = parts[parts.index("api") - 1] if "api" in parts[1:] else parts[0]
    return _camel(pack, parts[-1])


def _all_words(name: str) -> str:
    return _camel(*name.split("."))


def _camel(*parts: str) -> str:
    words = [word for part in parts for word in re.split(r"\W|_", part) if word]
    return "".join(word[0].upper() + word[1:] for word in words)


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, dict):
        found = {key: _renamed(inner, names) for key, inner in cast(Json, schema).items()}
        if isinstance(target := found.get("$ref"), str):
            found["$ref"] = _PREFIX + names[target.removeprefix(_PREFIX)]
        if isinstance(mapping := found.get("mapping"), dict):
            found["mapping"] = {
                tag: _PREFIX + names[str(target).removeprefix(_PREFIX)]
                for tag, target in cast("dict[str, Any]", mapping).items()
            }
        return found
    if isinstance(schema, (list, tuple)):
        made = [_renamed(inner, names) for inner in cast("list[Any]", schema)]
        return tuple(made) if isinstance(schema, tuple) else made
    return schema


def _reached(asks: Iterable[Json], components: Mapping[str, Json]) -> set[str]:
    """Return the names of all components that an ask is made of."""
    found = set[str]()
    waiting: list[Any] = list(asks)
    while waiting:
        for inner in _objects(waiting.pop()):
            name = str(inner.get("$ref", "")).removeprefix(_PREFIX)
            if name in components and name not in found:
                found.add(name)
                waiting.append(components[name])
    return found


def _objects(schema: Any) -> Iterable[Json]:
    if isinstance(schema, dict):
        yield cast(Json, schema)
        for inner in cast(Json, schema).values():
            yield from _objects(inner)
    elif isinstance(schema, list):
        for inner in cast("list[Any]", schema):
            yield from _objects(inner)
