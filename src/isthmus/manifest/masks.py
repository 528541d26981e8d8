"""Personal data in answers: as it is, or as much of it as what somebody does needs; by marks, for no call by itself.

clear        who may `persons.see`: owners and operators, as policies ship
last         support: enough to compare with what a caller says, such as the last four digits
pseudonym    analysts: the same for the same, and nobody's name
hidden       everybody else
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from isthmus.kernel import Value
from isthmus.markings import Pii
from isthmus.personal import COARSE, MASKS, attributes_entity, personal_fields

View = Literal["clear", "last", "pseudonym", "hidden"]
Hide = Callable[[str, str], str]  # a text and its kind → what is shown
Own = Mapping[str, type[Value]]

DOTS: Final = "•••"
ESCAPED: Final = rb"\u2022\u2022\u2022"  # as JSON also writes them
VIEWS: Final[tuple[tuple[str, View], ...]] = (("support", "last"), ("analyst", "pseudonym"))  # the first that fits
DIGITS: Final = 4
LONG: Final = 8  # of a shorter text, four letters are most of it


def view_of(roles: tuple[str, ...]) -> View:
    """Return how much roles see that may not see all."""
    for role, view in VIEWS:
        if role in roles:
            return view
    return "hidden"


def shown(value: Any, contract: Any, own: Own, view: View, pseudonym: Hide | None) -> Any:
    """Return what JSON says of an answer as somebody sees it; own: what the front end says of its attributes.

    pseudonym: makes those of analysts, where there is a key for them.
    """
    if view == "clear":
        return value
    hide = {"last": _last, "pseudonym": pseudonym or _hidden, "hidden": _hidden}[view]
    return _walk(value, contract, own, hide)


def _walk(value: Any, hint: Any, own: Own, hide: Hide) -> Any:
    if value is None:
        return None
    mark = next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Pii)), None)
    if mark is not None:
        return _hide(value, mark.kind, "", hide)
    if (entity := attributes_entity(hint)) and isinstance(value, dict):
        return _attributes(cast("dict[str, Any]", value), own.get(entity), hide)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _fields(cast("dict[str, Any]", value), hint, own, hide) if isinstance(value, dict) else value
    if get_origin(hint) in (tuple, list) and isinstance(value, list):
        parts = [one for one in get_args(hint) if one is not Ellipsis]
        each = cast("list[Any]", value)
        return [_walk(one, parts[min(at, len(parts) - 1)], own, hide) if parts else one for at, one in enumerate(each)]
    if get_origin(hint) is dict and isinstance(value, dict):
        return {key: _walk(one, get_args(hint)[1], own, hide) for key, one in cast("dict[str, Any]", value).items()}
    if get_origin(hint) in (Annotated, Union, types.UnionType):
        for part in get_args(hint):  # of several only one has the fields that are there
            value = _walk(value, part, own, hide)
    return value


def _fields(value: dict[str, Any], cls: type, own: Own, hide: Hide) -> dict[str, Any]:
    hints = _hints(cls)
    named = {one.encode_name: hints[one.name] for one in msgspec.structs.fields(cls)}
    return {name: _walk(one, named[name], own, hide) if name in named else one for name, one in value.items()}


def _attributes(given: dict[str, Any], declared: type[Value] | None, hide: Hide) -> dict[str, Any]:
    """Hide attributes as the front end marks them; what nobody declares any more may be anybody's name."""
    kinds = personal_fields(declared) if declared else {}
    known = _hints(declared) if declared else {}
    return {
        name: _hide(one, kinds.get(name, ""), name, hide) if name in kinds or name not in known else one
        for name, one in given.items()
    }


def _hide(value: Any, kind: str, name: str, hide: Hide) -> Any:
    if isinstance(value, str):
        if name == "postcode":
            return value and f"{value[:2]}{DOTS}"  # delivery zones go by its beginning
        return hide(value, kind) if value else value
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value).items()
        return {part: one if part in COARSE else _hide(one, kind, part, hide) for part, one in parts}
    if isinstance(value, list):
        return [_hide(one, kind, name, hide) for one in cast("list[Any]", value)]
    return value if value is None else type(value)(0)


def _last(text: str, kind: str) -> str:
    """Return enough of a text to compare it with what somebody says."""
    if kind in ("birth-date", "free-text"):
        return _hidden(text, kind)
    if kind == "email":
        local, _, domain = text.rpartition("@")
        return f"{local[:1]}{DOTS}@{domain}"
    if kind in ("name", "address"):
        return f"{text[:1]}{DOTS}"
    return f"{DOTS}{text[-DIGITS:]}" if len(text) >= LONG else DOTS


def _hidden(text: str, kind: str) -> str:
    return MASKS["birth-date"] if kind == "birth-date" else DOTS


@lru_cache(maxsize=4096)
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)
