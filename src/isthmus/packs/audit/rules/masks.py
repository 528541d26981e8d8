"""Values as an entry has them: what a contract marks as personal becomes the name of its kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast, get_args, get_type_hints

import msgspec

from isthmus.kernel import Meta
from isthmus.markings import Pii
from isthmus.values import ATTRIBUTES_OF

TYPES_REMEMBERED: Final = 4096  # more than all contracts of a platform have

Attributes = Callable[[str], Any]  # an entity → the contract of a front end's attributes of it, or None


@dataclass(frozen=True, slots=True)
class Shape:
    """Where in a type's JSON personal data stands: itself, in fields, in what it holds many of, in attributes."""

    kind: str = ""
    fields: Mapping[str, Shape] | None = None
    each: Shape | None = None
    entity: str = ""

    def names(self) -> Iterator[str]:
        """Yield the names of the fields that hold something personal, at any depth."""
        for name, shape in (self.fields or {}).items():
            inner = shape
            while inner.each is not None:
                inner = inner.each
            if inner.kind or inner.entity:
                yield name
            yield from inner.names()


def masked(data: bytes, contract: Any, attributes: Attributes) -> bytes:
    """Return JSON of a contract without anything personal."""
    shape, is_there = _looked_for(contract)
    if shape is None or not is_there.search(data):
        return data
    return msgspec.json.encode(_hidden(msgspec.json.decode(data), shape, attributes))


@lru_cache(maxsize=TYPES_REMEMBERED)
def _looked_for(contract: Any) -> tuple[Shape | None, re.Pattern[bytes]]:
    """Return where personal data stands in a type, and what finds whether any does: most fields are mostly empty."""
    shape = shape_of(contract)
    names = "|".join(sorted({re.escape(name) for name in shape.names()})) if shape else ""
    return shape, re.compile(rf'"(?:{names})":(?!""|null|\{{\}}|\[\])'.encode() if names else b"")


@lru_cache(maxsize=TYPES_REMEMBERED)
def shape_of(hint: Any) -> Shape | None:
    """Return where personal data stands in a type; None where there is none."""
    return _shape(hint, ())


def _shape(hint: Any, above: tuple[Any, ...]) -> Shape | None:
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, Pii):
            return Shape(kind=mark.kind)
        if isinstance(mark, Meta) and (entity := (mark.extra_json_schema or {}).get(ATTRIBUTES_OF)):
            return Shape(entity=str(entity))
    if hint in above:
        return None  # a type within itself: its fields are met on the way
    if hasattr(hint, "__struct_fields__"):
        hints = get_type_hints(hint, include_extras=True)
        found = {one.encode_name: _shape(hints[one.name], (*above, hint)) for one in msgspec.structs.fields(hint)}
        personal = {name: shape for name, shape in found.items() if shape is not None}
        return Shape(fields=personal) if personal else None
    inner = [shape for part in get_args(hint) if (shape := _shape(part, above)) is not None]
    if not inner:
        return None
    is_many = hasattr(hint, "__origin__") and hint.__origin__ in (tuple, list, dict, frozenset, set)
    return Shape(each=inner[-1]) if is_many else inner[0]


def _hidden(value: Any, shape: Shape, attributes: Attributes) -> Any:
    if value is None or value == "":
        return value
    if shape.kind:
        return f"[{shape.kind}]"
    if shape.entity:
        return _hidden_attributes(value, shape.entity, attributes)
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        if shape.each is not None:
            return {name: _hidden(one, shape.each, attributes) for name, one in known.items()}
        return {**known, **{n: _hidden(known[n], s, attributes) for n, s in (shape.fields or {}).items() if n in known}}
    if isinstance(value, list | tuple):
        each = shape.each or shape
        return [_hidden(one, each, attributes) for one in cast("list[Any]", value)]
    return value


def _hidden_attributes(value: Any, entity: str, attributes: Attributes) -> Any:
    """Keep what a front end declares and does not mark; what it does not declare may be anything."""
    contract = attributes(entity)
    if not isinstance(value, dict):
        return value
    known = {one.encode_name for one in msgspec.structs.fields(contract)} if contract is not None else set[str]()
    shape = shape_of(contract) if contract is not None else None
    shown = {name: one if name in known else "[undeclared]" for name, one in cast("dict[str, Any]", value).items()}
    return _hidden(shown, shape, attributes) if shape else shown
