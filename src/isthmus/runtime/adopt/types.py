"""JSON Schema of an OpenAPI document → types that check what is asked and read what is answered.

What is asked is checked to the letter, before the service sees it. What is answered is read with an open hand: a field
that the document does not name is dropped, since a service that says more than it promised is no reason to fail.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, cast, get_args

import msgspec

from isthmus.kernel import Meta, Value, errors
from isthmus.kernel.host import fit
from isthmus.markings import Measure, Pii

Schema = Mapping[str, Any]
DEPTH_MAX = 20  # what lies deeper, or contains itself, is passed on as it is

_BOUNDS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
}
# keywords beside a field's schema, for what `isthmus.markings` says of it
PII, PII_WHY, MEASURE = "x-pii", "x-pii-why", "x-measure"
_PLAIN: dict[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool, "null": type(None)}


class NoDocument(errors.BadAsk):
    """The file is no OpenAPI document that can be adopted."""

    slug = "runtime.no-document"


class Types:
    """Makes types out of the schemas of one document, for one direction.

    fills_in: a field that is left out has the document's default; otherwise it stays out, for the service to decide.
    """

    def __init__(self, document: Mapping[str, Any], *, is_strict: bool, fills_in: bool = False) -> None:
        self._document = document
        self._is_strict = is_strict
        self._fills_in = fills_in
        self._made: dict[str, Any] = {}

    def of(self, schema: Schema, name: str, depth: int = 0) -> Any:
        """Return the type of what fits a schema; Any where the schema says nothing that can be checked."""
        if depth > DEPTH_MAX or isinstance(schema, bool):  # `true` fits anything
            return Any
        if "$ref" in schema:
            return self._named(str(schema["$ref"]), depth)
        if "allOf" in schema:
            return self.of(self._joined(schema), name, depth + 1)
        options = cast("list[Schema] | None", schema.get("anyOf") or schema.get("oneOf"))
        if options is not None:
            return self._either(options, name, depth)
        if "enum" in schema or "const" in schema:
            return self._closed(schema)
        said = schema.get("type")
        kinds = cast("list[str]", said if isinstance(said, list) else [said] if said else [])
        if schema.get("nullable"):  # as OpenAPI 3.0 says it
            kinds = [*kinds, "null"]
        if not kinds:
            return self._object(schema, name, depth) if "properties" in schema else Any
        made = [self._one(kind, schema, name, depth) for kind in kinds]
        return made[0] if len(made) == 1 else Union[tuple(made)]  # noqa: UP007 - made at run time

    def struct(
        self, name: str, fields: Mapping[str, tuple[Any, bool]], doc: str, filled: Mapping[str, Any] | None = None
    ) -> type[Value]:
        """Return a Value of fields by their names on the wire: (type, is it needed), and what fills some in."""
        namespace: dict[str, Any] = {
            "__doc__": doc or f"{name}, as the service's document has it.",
            "__module__": __name__,
            "__annotations__": {},
        }
        renamed: dict[str, str] = {}
        for wire, (kind, is_needed) in fields.items():
            python = identifier(wire)
            namespace["__annotations__"][python] = kind if is_needed else Union[kind, msgspec.UnsetType]  # noqa: UP007
            if not is_needed:
                default = (filled or {}).get(wire, msgspec.UNSET)
                namespace[python] = tuple(cast("list[Any]", default)) if isinstance(default, list) else default
            if python != wire:
                renamed[python] = wire
        struct: Any = type(Value)  # msgspec's own way to make one knows no keywords of Value's
        return struct(name, (Value,), namespace, forbid_unknown_fields=self._is_strict, rename=renamed or None)

    def resolved(self, part: Schema) -> Schema:
        """Follow references until there is none."""
        for _ in range(DEPTH_MAX):
            if "$ref" not in part:
                return part
            part = self._at(str(part["$ref"]))
        return {}

    def _at(self, ref: str) -> Schema:
        found: Any = self._document
        try:
            for step in ref.removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
        except (LookupError, TypeError):
            raise NoDocument(
                f"the document refers to {ref!r}, which is not in it", remedy="bundle it into one file first"
            ) from None
        return cast(Schema, found)

    def _named(self, ref: str, depth: int) -> Any:
        if ref not in self._made:
            self._made[ref] = Any  # while it is made: what contains itself is passed on as it is there
            self._made[ref] = self.of(self._at(ref), type_name(ref.rpartition("/")[2]), depth + 1)
        return self._made[ref]

    def _joined(self, schema: Schema) -> Schema:
        joined: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for part in (*cast("list[Schema]", schema["allOf"]), {k: v for k, v in schema.items() if k != "allOf"}):
            found = self.resolved(part)
            found = self._joined(found) if "allOf" in found else found
            joined["properties"].update(found.get("properties", {}))
            joined["required"] += found.get("required", [])
        return joined

    def _either(self, options: list[Schema], name: str, depth: int) -> Any:
        plain = [self.resolved(one) for one in options]
        nulls = [one for one in plain if one.get("type") == "null"]
        rest = [one for one, found in zip(options, plain, strict=True) if found not in nulls]
        if len(rest) != 1:
            return Any  # which of several objects it is cannot be told by its type
        found = self.of(rest[0], name, depth + 1)
        return Union[found, None] if nulls else found  # noqa: UP007

    def _closed(self, schema: Schema) -> Any:
        values = tuple(schema.get("enum", [schema.get("const")]))
        named = tuple(one for one in values if one is not None)
        if not named or not all(isinstance(one, (str, int)) and not isinstance(one, bool) for one in named):
            return Any
        found = Literal[named]  # pyright: ignore[reportInvalidTypeForm]
        return Union[found, None] if None in values else found  # noqa: UP007

    def _one(self, kind: str, schema: Schema, name: str, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, name, depth)
        if kind == "array":
            found: Any = tuple[self.of(cast(Schema, schema.get("items", {})), f"{name}Item", depth + 1), ...]
        else:
            found = _PLAIN.get(kind, Any)
        bounds = self._bounds(kind, schema)
        return Annotated[found, Meta(**bounds)] if bounds and found is not Any else found

    def _bounds(self, kind: str, schema: Schema) -> dict[str, Any]:
        if not self._is_strict or kind not in ("string", "integer", "number", "array"):
            return {}
        fits = {"string": ("Length",), "array": ("Items",)}.get(kind, ("imum",))
        found = {
            _BOUNDS[word]: value
            for word, value in schema.items()
            if word in _BOUNDS and word.endswith(fits) and not isinstance(value, bool)
        }
        if kind == "string" and isinstance(schema.get("pattern"), str):
            try:
                re.compile(schema["pattern"])
            except re.error:
                return found  # a pattern of another language: the service checks it
            found["pattern"] = schema["pattern"]
        return found

    def _object(self, schema: Schema, name: str, depth: int) -> Any:
        properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
        if not properties:
            more = schema.get("additionalProperties", True)
            return dict[str, self.of(cast(Schema, more), name, depth + 1) if isinstance(more, dict) else Any]
        needed = set(cast("list[str]", schema.get("required", [])))
        fields = {
            wire: (_marked(self.of(one, f"{name}{type_name(wire)}", depth + 1), one), wire in needed)
            for wire, one in properties.items()
        }
        filled = {wire: one["default"] for wire, one in properties.items() if self._fills_in and "default" in one}
        return self.struct(name, fields, str(schema.get("description", "")), filled)


def marks_as_keywords(hint: Any) -> dict[str, Any]:
    """Return what an annotation marks a field as, as keywords beside its JSON Schema."""
    found: dict[str, Any] = {}
    for part in get_args(hint):
        found |= marks_as_keywords(part)
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, Pii):
            found |= {PII: mark.kind} | ({PII_WHY: mark.why} if mark.why else {})
        elif isinstance(mark, Measure):
            found[MEASURE] = msgspec.to_builtins(mark)
    return found


def _marked(kind: Any, schema: Schema) -> Any:
    marks = [fit({"kind": schema[PII], "why": schema.get(PII_WHY, "")}, Pii, f"$.{PII}")] if PII in schema else []
    marks += [fit(schema[MEASURE], Measure, f"$.{MEASURE}")] if MEASURE in schema else []
    return Annotated[(kind, *marks)] if marks else kind


def identifier(wire: str) -> str:
    """Return a name that Python takes for a field."""
    found = re.sub(r"\W", "_", wire)
    return f"{found}_" if keyword.iskeyword(found) or not found[:1].isidentifier() or found.startswith("__") else found


def type_name(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", text) if part) or "Part"
