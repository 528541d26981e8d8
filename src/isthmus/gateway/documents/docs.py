"""API documents for people: one page for each front end, complete in itself, made from its OpenAPI document."""

from __future__ import annotations

import functools
import importlib.resources
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from isthmus.kernel.host import Release
from isthmus.later import later

if TYPE_CHECKING:
    import jinja2
else:
    jinja2 = later("jinja2")

Json = dict[str, Any]

DEPTH_MAX: Final = 6  # of fields shown: deeper ones are in the document for machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row in the table of an ask or an answer."""

    name: str
    depth: int
    type: str
    is_required: bool
    doc: str


def page(code: str, document: Json) -> bytes:
    """Return the page of a front end."""
    components = document["components"]["schemas"]
    capabilities = [
        {
            "name": path.removeprefix("/v1/"),
            "operation": operation,
            "is_write": operation["x-isthmus-effect"] != "read",
            "ask": list(fields(operation["requestBody"]["content"]["application/json"]["schema"], components)),
            "answer": list(fields(operation["responses"]["200"]["content"]["application/json"]["schema"], components)),
            "example": json.dumps(operation["requestBody"]["content"]["application/json"]["example"]),
            "problems": {
                status: response["description"].splitlines()
                for status, response in operation["responses"].items()
                if status != "200"
            },
        }
        for path, methods in document["paths"].items()
        if "x-isthmus-effect" in (operation := next(iter(methods.values())))
    ]
    return _rendered("front_end.html", code=code, document=document, capabilities=capabilities, shell=shlex.quote)


def front_ends(release: Release) -> bytes:
    """Return the page that leads to those of all front ends."""
    lines = [line.front_end for _, line in sorted(release.lines.items())]
    return _rendered("front_ends.html", front_ends=lines)


def problem(slug: str, title: str, status: int, doc: str, refusing: Sequence[str]) -> bytes:
    """Return the page that explains one kind of problem."""
    return _rendered("problem.html", slug=slug, title=title, status=status, doc=doc, refusing=refusing)


def fields(schema: Json, components: Mapping[str, Json], depth: int = 0) -> Iterator[Field]:
    """Go through the fields of a schema, outer ones first, each followed by its own."""
    if depth > DEPTH_MAX:
        return
    found = _object_in(schema, components)
    for name, inner in found.get("properties", {}).items():
        yield Field(
            name=name,
            depth=depth,
            type=type_text(inner, components),
            is_required=name in found.get("required", ()),
            doc=inner.get("description", ""),
        )
        yield from fields(inner, components, depth + 1)


def type_text(schema: Json, components: Mapping[str, Json]) -> str:
    """Say in a few words what a schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        found = components[name]
        return type_text(found, components) if "properties" not in found else name
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(type_text(choice, components) for choice in choices))
    if schema.get("type") == "array":
        return f"list of {type_text(schema.get('items') or {}, components)}"
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return f"map of {type_text(cast('dict[str, Any]', inner), components)}"
    limits = [f"{word} {schema[key]}" for key, word in _LIMITS.items() if key in schema]
    named = schema.get("type") if schema.get("format") == "int64" else schema.get("format") or schema.get("type")
    return " ".join([named or "anything", *limits])


def script() -> str:
    """Return the script of the page: the only one that its policy lets run."""
    return (importlib.resources.files("isthmus.gateway") / "templates" / "docs.js").read_text(encoding="utf-8")


_LIMITS: Final = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "minLength": "length ≥",
    "maxLength": "length ≤",
    "pattern": "like",
}


def _object_in(schema: Json, components: Mapping[str, Json]) -> Json:
    """Return the object inside references, lists, maps and choices; of several, the first."""
    if "$ref" in schema:
        return _object_in(components[schema["$ref"].rpartition("/")[2]], components)
    for choices in ("allOf", "anyOf", "oneOf"):
        for choice in schema.get(choices, ()):
            if found := _object_in(choice, components):
                return found
    if schema.get("type") == "array":
        return _object_in(schema.get("items") or {}, components)
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return _object_in(cast("dict[str, Any]", inner), components)
    return schema if "properties" in schema else {}


def _rendered(template: str, **values: Any) -> bytes:
    return _templates().get_template(template).render(script=script(), **values).encode()


@functools.cache
def _templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("isthmus.gateway")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
