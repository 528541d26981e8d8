"""How operations of a venture map to capabilities: `joining.toml` beside its charter, which the venture's team writes.

    [operations.quote-box]
    http = "GET /api/quote"
    capability = "checkout.preview-order"
    ask = { currency = { is = "EUR" }, "lines.0.sku" = "ask.plan", "lines.0.quantity" = { is = 1 } }
    answer = { gross_minor = "answer.bill.total.minor" }

A place in the capability's ask, or in the venture's answer, is filled from what the venture was asked (`ask.…`), from
what the capability answered (`answer.…`), from what somebody writes (`{ is = … }`), or from a difference (`A - B`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, cast

import msgspec

from isthmus.kernel import Meta, Value

from .. import api

FILE: Final = "joining.toml"
ABSENT: Final = object()


class Literal(Value):
    """What somebody writes."""

    value: Any = msgspec.field(name="is")


Source = Annotated[str, Meta(min_length=1, max_length=200)] | Literal


class Operation(Value):
    """One operation: how it is called, the capability that could answer it, and where each field comes from.

    leave: why nothing answers it after joining; then it counts as mapped.
    """

    capability: str = ""
    http: Annotated[str, Meta(pattern=r"^((GET|POST) /[\x21-\x7e]*)?\Z", max_length=200)] = ""
    ask: dict[str, Source] = {}
    answer: dict[str, Source] = {}
    leave: str = ""


class Hours(Value):
    """What work takes; each is somebody's estimate, and said beside the sum."""

    build: float = 24.0  # an operation that no capability has
    map: float = 2.0  # writing down and testing one that has
    field: float = 2.0  # a field without a counterpart: an attribute of the front end's own, or leaving it out
    differ: float = 16.0  # answers that are not alike: times the share that cannot be shown to be
    attempt: float = 4.0  # what writes is tried by hand, as it is not replayed


class Joining(Value):
    """All that `joining.toml` says."""

    operations: dict[str, Operation] = {}
    hours: Hours = Hours()


def mapping_of(folder: Path) -> Joining:
    """Return what a venture's folder says of joining; nothing where it says nothing. Raises WrongMapping."""
    file = folder / FILE
    if not file.is_file():
        return Joining()
    try:
        found = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Joining)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as wrong:
        raise api.WrongMapping(file=str(file), problem=str(wrong)) from None
    known = [one.http for one in found.operations.values() if one.http]
    if twice := next((one for one in known if known.count(one) > 1), ""):
        raise api.WrongMapping(file=str(file), problem=f"two operations are called by {twice}")
    return found


def filled(places: Mapping[str, Source], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the places come to; those whose source is absent are left out."""
    found: dict[str, Any] = {}
    for place, source in places.items():
        if (value := _value(source, given)) is not ABSENT:
            _put(found, place.split("."), value)
    return cast("dict[str, Any]", _lists(found))


def _value(source: Source, given: Mapping[str, Any]) -> Any:
    if isinstance(source, Literal):
        return source.value
    parts = [_at(given, one.strip()) for one in source.split(" - ")]
    if any(one is ABSENT for one in parts):
        return ABSENT
    return parts[0] if len(parts) == 1 else parts[0] - sum(parts[1:])


def _at(given: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(given, Mapping) and part in given:
            given = cast("Mapping[str, Any]", given)[part]
        elif isinstance(given, list) and part.isdigit() and int(part) < len(cast("list[Any]", given)):
            given = cast("list[Any]", given)[int(part)]
        else:
            return ABSENT
    return given


def _put(found: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        found = found.setdefault(part, {})
    found[path[-1]] = value


def _lists(value: Any) -> Any:
    """Return what was put together, with lists where places are numbered."""
    if not isinstance(value, dict):
        return value
    inside = {name: _lists(one) for name, one in cast("dict[str, Any]", value).items()}
    return [inside[name] for name in sorted(inside, key=int)] if inside and all(map(str.isdigit, inside)) else inside


def fields_of(value: Any, before: str = "") -> set[str]:
    """Return the fields of what JSON says, as paths; of a list, those of all its items together."""
    if isinstance(value, Mapping):
        found = cast("Mapping[str, Any]", value)
        return {path for name, one in found.items() for path in fields_of(one, f"{before}.{name}" if before else name)}
    if isinstance(value, list):
        return {path for one in cast("list[Any]", value) for path in fields_of(one, before)}
    return {before} if before else set()


def sources_of(places: Mapping[str, Source]) -> set[str]:
    """Return the paths that places are filled from."""
    named = [one for one in places.values() if isinstance(one, str)]
    return {part.strip() for one in named for part in one.split(" - ")}
