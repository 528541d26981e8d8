"""JSON Schema of contracts as one front end sees them: with the attributes that it declares, and nobody else's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from isthmus.kernel import Value
from isthmus.kernel.host import json_schema
from isthmus.values import ATTRIBUTES_OF

Json = dict[str, Any]

_NONE: Json = {"type": "object", "maxProperties": 0, "description": "This front end declares no attributes here."}


def schemas(
    types: tuple[type, ...], ref_template: str, attributes: Mapping[str, type[Value]]
) -> tuple[list[Json], Json]:
    """Return the JSON Schema (2020-12) of each type, and the components that they refer to.

    attributes: what the front end declares, by entity; where a contract carries an entity's, its schema stands there.
    """
    found, components = json_schema((*types, *attributes.values()), ref_template)
    own = dict(zip(attributes, found[len(types) :], strict=True))
    return cast("list[Json]", _put([*found[: len(types)]], own)), cast(Json, _put(components, own))


def _put(schema: Any, own: Mapping[str, Json]) -> Any:
    if isinstance(schema, list):
        return [_put(part, own) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    fields = cast(Json, schema)
    if ATTRIBUTES_OF in fields:
        return own.get(fields[ATTRIBUTES_OF], _NONE)
    return {name: _put(part, own) for name, part in fields.items()}
