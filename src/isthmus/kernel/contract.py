"""Contracts: frozen values that go to bytes and back, and say where a wrong one is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Meta, Struct

from .errors import BadAsk, near

__all__ = ["Meta", "Value", "decode", "encode", "json_schema"]

V = TypeVar("V")

_PATH = re.compile(r" - at `(?P<path>\$[^`]*)`$")
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]*)`")
_UNKNOWN_MEMBER = re.compile(r"Invalid enum value (?P<value>.+)$")
_MISSING_FIELD = re.compile(r"missing required field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\.(?P<name>[A-Za-z_]\w*)|\[(?:\.\.\.|\d+|\S+?)\]")

# What comes in lies within these years: a database takes the last moment that Python knows for infinity, a time zone
# leads out of the first and the last year, and nanoseconds in 64 bits, as tables in memory count, end in 2262.
YEARS = range(1800, 2200)


if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
    class Value:
        """What crosses a boundary: immutable, made by keyword, closed to fields it does not know."""

        __struct_fields__: ClassVar[tuple[str, ...]]

        def __init_subclass__(cls, *, order: bool = False, tag: str | bool | None = None) -> None: ...
        def replace(self, **changes: Any) -> Self: ...
else:

    class _Keywords(type(Struct)):
        """msgspec inherits the other settings, but kw_only holds for one class alone."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **settings: Any) -> type:
            return super().__new__(cls, name, bases, namespace, **{"kw_only": True, **settings})

    class Value(Struct, frozen=True, forbid_unknown_fields=True, metaclass=_Keywords):
        """What crosses a boundary: immutable, made by keyword, closed to fields it does not know."""

        def replace(self, **changes: Any) -> Any:
            """Return this value with other values in some of its fields."""
            return msgspec.structs.replace(self, **changes)


encode = msgspec.json.Encoder().encode
"""Return the JSON bytes of a value; the same value gives the same bytes."""


def decode(body: bytes, type_: type[V]) -> V:
    """Read a value of a type out of JSON bytes.

    Raises BadAsk with the path of the first thing that does not fit, what was expected
    there, and the nearest known name for a misspelt field or member of a closed set. Of
    a field that is given twice the last counts, as RFC 8259 lets most readers do.
    """
    try:
        return _decoder(type_).decode(body)
    except msgspec.ValidationError as wrong:
        raise _explained(str(wrong), type_) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise BadAsk(f"the body is not JSON: {wrong}", remedy="send one JSON object", path="$") from None


def fit(fields: Mapping[str, Any], type_: type[V], path: str) -> V:
    """Read a value out of the fields of a JSON object that stands at `path`. Raises BadAsk as `decode` does."""
    try:
        return msgspec.convert(fields, type_)
    except msgspec.ValidationError as wrong:
        found = _explained(str(wrong), type_)
        raise BadAsk(found.message, remedy=found.remedy, path=path + (found.path or "$")[1:]) from None


def check(value: object, path: str = "$") -> None:
    """Refuse in what comes in what no type can say: a moment out of all bounds, and what a value itself refuses.

    A Value refuses by a method `__check__(path)` that raises BadAsk. Raises BadAsk with the path.
    """
    if isinstance(value, date):
        _check_moment(value, path)
    elif isinstance(value, Struct):
        for name in _looked_at(type(value)):
            if (part := getattr(value, name)) is not None:
                check(part, f"{path}.{name}")
        if own := getattr(value, "__check__", None):
            own(path)
    elif isinstance(value, (tuple, list)):
        for at, item in enumerate(cast("Sequence[object]", value)):
            check(item, f"{path}[{at}]")
    elif isinstance(value, dict):
        for name, field in cast("dict[object, object]", value).items():
            check(field, f"{path}.{name}")


def _check_moment(value: date, path: str) -> None:
    year = value.astimezone(UTC).year if isinstance(value, datetime) and 1 < value.year < 9999 else value.year
    if year not in YEARS:
        raise BadAsk(
            f"{value.isoformat()} is not within the years {YEARS[0]} to {YEARS[-1]}",
            remedy="send a time within those years; for one that never comes, leave the field out",
            path=path,
        )


@lru_cache(maxsize=4096)
def _looked_at(type_: type) -> tuple[str, ...]:
    return tuple(name for name, hint in hints_of(type_).items() if is_checked(hint))


def is_checked(hint: Any, above: frozenset[type] = frozenset()) -> bool:
    """Return whether values of a type may hold something that `check` refuses."""
    if not isinstance(hint, type):
        return any(is_checked(part, above) for part in get_args(hint))
    if hint in above or not issubclass(hint, Struct):
        return issubclass(hint, date) or any(is_checked(part, above) for part in get_args(hint))
    inside = hints_of(hint).values()
    return hasattr(hint, "__check__") or any(is_checked(part, above | {hint}) for part in inside)


def json_schema(types: tuple[type, ...], ref_template: str) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """Return the JSON Schema (2020-12) of each type, and the components that they refer to."""
    schemas, components = msgspec.json.schema_components(types, ref_template=ref_template)
    return tuple(map(_portable, schemas)), _portable(components)


def _portable(schema: Any) -> Any:
    """Write the end of a pattern as the rest of the world does: there `$` is the end and no line before it."""
    if isinstance(schema, dict):
        fields = cast("dict[str, Any]", schema)
        return {name: _portable(part) for name, part in fields.items()}
    if isinstance(schema, list):
        return [*map(_portable, cast("list[Any]", schema))]
    return schema.replace("\\Z", "$") if isinstance(schema, str) else schema


@lru_cache(maxsize=4096)  # one decoder per contract: more contracts than this is a fault elsewhere
def _decoder(type_: type[V]) -> msgspec.json.Decoder[V]:
    return msgspec.json.Decoder(type_)


def _explained(message: str, type_: type) -> BadAsk:
    found = _PATH.search(message)
    path = found["path"] if found else "$"
    fact = _PATH.sub("", message)
    if unknown := _UNKNOWN_FIELD.search(fact):
        known = _fields_at(type_, path)
        hint = near(unknown["name"], known)
        return BadAsk(
            f"unknown field {unknown['name']!r}{hint}",
            remedy=f"the fields here are {', '.join(known)}" if known else "leave the field out",
            path=f"{path}.{unknown['name']}",
        )
    if missing := _MISSING_FIELD.search(fact):
        return BadAsk(f"field {missing['name']!r} is missing", remedy="add it", path=f"{path}.{missing['name']}")
    if member := _UNKNOWN_MEMBER.search(fact):
        allowed = _members(_type_at(type_, path))
        hint = near(member["value"].strip("'"), allowed)
        return BadAsk(
            f"{member['value']} is not an allowed value{hint}",
            remedy=f"use one of {', '.join(allowed)}" if allowed else "use a value that the contract lists",
            path=path,
        )
    return BadAsk(fact[:1].lower() + fact[1:], remedy="send what the contract says here", path=path)


def _type_at(type_: Any, path: str) -> Any:
    """Follow a path through a contract; Any where it leads out of what can be known."""
    for step in _STEP.finditer(path):
        type_ = _unwrapped(type_)
        if name := step["name"]:
            type_ = hints_of(type_).get(name, Any) if isinstance(type_, type) else Any
        else:
            inner = [part for part in get_args(type_) if part is not Ellipsis]
            type_ = inner[-1] if inner else Any
    return _unwrapped(type_)


def _fields_at(type_: Any, path: str) -> list[str]:
    found = _type_at(type_, path)
    return list(hints_of(found)) if isinstance(found, type) else []


def _members(type_: Any) -> list[str]:
    if isinstance(type_, type):
        return [str(getattr(member, "value", member)) for member in getattr(type_, "__members__", {}).values()]
    return [str(member) for member in get_args(type_)]


@lru_cache(maxsize=4096)
def hints_of(type_: type) -> dict[str, Any]:
    fields = getattr(type_, "__struct_fields__", ())
    return {name: hint for name, hint in get_type_hints(type_, include_extras=True).items() if name in fields}


def _unwrapped(type_: Any) -> Any:
    """Take off Annotated and the `| None` of an optional field."""
    while hasattr(type_, "__metadata__"):
        type_ = get_args(type_)[0]
    choices = [part for part in get_args(type_) if part is not type(None)]
    is_optional = len(choices) == 1 and type(None) in get_args(type_) and get_origin(type_) is not tuple
    return _unwrapped(choices[0]) if is_optional else type_
