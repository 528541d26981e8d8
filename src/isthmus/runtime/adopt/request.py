"""Make the request of an adopted operation: each value where its document puts it, and exactly as it was given.

A value that its place cannot carry is refused with its path: a `..` in a path would reach another address of the
service with the platform's credential, a line break in a header would be another header, a comma in a joined list
would be two values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast
from urllib.parse import quote

import msgspec

from isthmus.kernel import errors

Body = Literal["json", "form", ""]
Query = dict[str, str | list[str]]

# What a header may hold and still arrive as it was sent (RFC 9110, 5.5); spaces at its ends are taken off on the way.
_HEADER: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
_PATH: Final = re.compile(r"[^\x00-\x1f\x7f/\\]+")  # many servers read an encoded slash as one that parts


class CannotCarry(errors.BadAsk):
    """A value cannot be sent to the service as it is."""

    slug = "adopted.cannot-carry"

    def __init__(self, name: str, value: object, fact: str, remedy: str) -> None:
        super().__init__(f"{name} = {str(value)[:100]!r} {fact}", remedy=remedy, path=f"$.{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the service, as its document has it; `places` says where each field of an ask goes.

    `joined` are the parameters whose values stand in one text with commas; of others, each is a parameter of its own.
    """

    method: str
    path: str
    places: Mapping[str, str]  # field on the wire → "path", "query" or "header"; the body is what is left
    joined: frozenset[str]
    body: Body
    is_wrapped: bool  # True where the answer is no object: it stands in `value`

    @property
    def is_safe(self) -> bool:
        return self.method in ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """An ask in the shape of a request, before it is signed."""

    path: str
    query: Query
    headers: dict[str, str]
    content: bytes | None = None
    form: Query | None = None


def filled(operation: Operation, ask: Mapping[str, Any]) -> Filled:
    """Return the request for an ask. Raises CannotCarry with the path of a value that cannot be sent as it is."""
    path, query, headers = operation.path, Query(), dict[str, str]()
    rest: dict[str, Any] = {}
    for name, value in ask.items():
        place = operation.places.get(name)
        if place == "path":
            path = path.replace(f"{{{name}}}", _in_path(name, value))
        elif value is None and place in ("query", "header"):
            continue
        elif place == "query":
            query[name] = _texts(name, value) if name not in operation.joined else _joined(name, value)
        elif place == "header":
            headers[name] = _in_header(name, value)
        else:
            rest[name] = value
    _check_steps(operation, path)
    sent = rest.get("body", rest)
    if operation.body == "json":
        return Filled(path=path, query=query, headers=headers, content=msgspec.json.encode(sent))
    form = _form(sent) if operation.body == "form" else None
    return Filled(path=path, query=query, headers=headers, form=form)


def _in_path(name: str, value: object) -> str:
    text = _joined(name, value)
    if not _PATH.fullmatch(text):
        raise CannotCarry(
            name, value, "cannot stand in a path", "send a text that is not empty and has no slash or control character"
        )
    return quote(text, safe="")


def _check_steps(operation: Operation, path: str) -> None:
    """Raise CannotCarry where values have made a step of the path that leads elsewhere: `.` or `..`."""
    for declared, step in zip(operation.path.split("/"), path.split("/"), strict=True):
        if step in (".", "..") and step != declared:
            name = declared.partition("{")[2].partition("}")[0]
            raise CannotCarry(name, step, "would lead to another address", "send the id of what is meant")


def _in_header(name: str, value: object) -> str:
    text = _joined(name, value)
    if text and not _HEADER.fullmatch(text):
        raise CannotCarry(
            name, value, "cannot stand in a header", "send visible ASCII characters, with spaces only between them"
        )
    return text


def _form(sent: object) -> Query:
    if not isinstance(sent, Mapping):
        raise CannotCarry("body", sent, "is no form", "send an object with a text for each field")
    fields = cast("Mapping[str, object]", sent)
    return {name: _texts(name, value) for name, value in fields.items() if value is not None}


def _texts(name: str, value: object) -> str | list[str]:
    if isinstance(value, (list, tuple)):
        return [_text(name, one) for one in cast("list[object]", value)]
    return _text(name, value)


def _joined(name: str, value: object) -> str:
    """Return a value as one text; of a list, its parts with commas between them."""
    found = _texts(name, value)
    if isinstance(found, str):
        return found
    if wrong := next((one for one in found if "," in one), None):
        raise CannotCarry(name, wrong, "has a comma, and commas part the list", "send values without one")
    return ",".join(found)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (Mapping, list, tuple)):
        raise CannotCarry(name, cast(object, value), "is no single value", "send a text, a number, true or false")
    return str(value)
