"""A front end's own attributes as a pack that stands alone has to know them: what is personal, and what fits."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final

from isthmus.kernel import Meta, Value
from isthmus.kernel.host import json_schema
from isthmus.markings import Pii
from isthmus.personal import personal_fields

TYPES_REMEMBERED: Final = 256  # of all front ends together
_BOUNDS: Final = {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}


class OwnField(Value):
    """A field of an entity's attributes. kind: of personal data, empty for other; schema: which values fit."""

    kind: str
    schema: dict[str, Any]


OwnFields = dict[str, dict[str, OwnField]]  # by entity and name


def described(declared: Mapping[str, type[Any]]) -> OwnFields:
    """Return what a front end declares of entities as it is sent along."""
    return {entity: _fields(kind) for entity, kind in sorted(declared.items())}


def declared_by(fields: Mapping[str, Mapping[str, OwnField]]) -> dict[str, type[Any]]:
    """Return types that have these fields: texts as they were declared, of others only that they are there."""
    return {entity: _type({name: _hint(one) for name, one in held.items()}) for entity, held in fields.items()}


def _type(hints: dict[str, Any]) -> type[Any]:
    return types.new_class("Own", (Value,), exec_body=lambda body: body.update(__annotations__=hints))


@lru_cache(maxsize=TYPES_REMEMBERED)
def _fields(kind: type[Any]) -> dict[str, OwnField]:
    kinds = personal_fields(kind)
    properties: dict[str, dict[str, Any]] = json_schema((kind,), "{name}")[1][kind.__name__].get("properties", {})
    return {name: OwnField(kind=kinds.get(name, ""), schema=schema) for name, schema in properties.items()}


def _hint(one: OwnField) -> Any:
    hint: Any = Any
    if one.schema.get("type") == "string":
        bounds = {ours: one.schema[theirs] for theirs, ours in _BOUNDS.items() if theirs in one.schema}
        hint = Annotated[str, Meta(**bounds)] if bounds else str
    return Annotated[hint, Pii(one.kind)] if one.kind else hint  # pyright: ignore[reportArgumentType] - it was one
