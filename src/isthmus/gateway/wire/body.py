"""Reading a body: within limits of size, time and depth, and refused where it holds what no column can."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from isthmus.kernel import errors
from isthmus.kernel.host import DeadlinePassed, within

from .problem import BodyTooDeep, BodyTooLarge, BodyTooSlow, NotJson

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

DEPTH_MAX: Final = 64  # the deepest contract has eight, and attributes of front ends a few more

_TEXTS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS: Final = bytes(code for code in range(256) if code not in b"[]{}")
_INTEGER_DIGITS: Final = 19  # of the largest 64-bit integer
_INTEGER_MAX: Final = 2**63 - 1
_AS_ZEROS: Final = bytes(ord("0") if chr(code) in "0123456789" else ord(" ") for code in range(256))
_LONG_NUMBER: Final = b"0" * _INTEGER_DIGITS
_JSON_TYPES: Final = frozenset([b"application/json", b"application/json;charset=utf-8"])


class ClientGone(Exception):
    """The client hung up; nobody waits for an answer."""


def check_is_json(headers: Mapping[bytes, bytes]) -> None:
    """Raise NotJson where the headers announce anything but plain JSON."""
    sent = headers.get(b"content-type", b"")
    if sent != b"application/json" and sent.lower().replace(b" ", b"").replace(b'"', b"") not in _JSON_TYPES:
        found = repr(sent.decode("latin-1")) if sent else "missing"
        raise NotJson(f"the content type is {found}", remedy="send Content-Type: application/json", path="Content-Type")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise NotJson("the body is compressed", remedy="send it as it is", path="Content-Encoding")


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], *, bytes_max: int, limit_s: float) -> bytes:
    """Return the whole body. Raises BodyTooLarge, BodyTooSlow, ClientGone, and BadAsk for what no column can hold."""
    body = await read_bytes(receive, headers, bytes_max=bytes_max, limit_s=limit_s)
    check_depth(body)
    check_can_be_stored(body)
    return body


async def read_bytes(receive: Receive, headers: Mapping[bytes, bytes], *, bytes_max: int, limit_s: float) -> bytes:
    """Return a whole body of any kind. Raises BodyTooLarge, BodyTooSlow, ClientGone."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and (len(announced) > _INTEGER_DIGITS or int(announced) > bytes_max):
        raise _too_large(bytes_max)
    try:
        return await within(limit_s, _received(receive, bytes_max))
    except DeadlinePassed:
        raise BodyTooSlow(f"the body did not arrive within {limit_s:g} s", remedy="send it faster", path="$") from None


def check_depth(body: bytes) -> None:
    """Raise BodyTooDeep where JSON is nested deeper than any ask is: what goes through it would go as deep."""
    if body.count(b"{") + body.count(b"[") <= DEPTH_MAX:
        return  # most asks
    depth = deepest = 0
    for bracket in _TEXTS.sub(b"", body).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(depth, deepest)
    if deepest > DEPTH_MAX:
        raise BodyTooDeep(
            f"the body is nested {deepest} deep",
            remedy=f"send at most {DEPTH_MAX} lists and objects in one another",
            path="$",
        )


def check_can_be_stored(body: bytes) -> None:
    """Raise BadAsk where JSON says what PostgreSQL cannot hold: NUL in a text, an integer beyond 64 bits.

    Contracts that bound their fields refuse most of it; this catches the rest before it becomes a fault.
    """
    if b"\\u0000" not in body and _LONG_NUMBER not in body.translate(_AS_ZEROS):
        return
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return  # the contract's own reader says what is wrong
    for path, value in _walked(found):
        if isinstance(value, str) and "\0" in value:
            raise errors.BadAsk("a text holds the character NUL", remedy="leave it out", path=path)
        if isinstance(value, int) and abs(value) > _INTEGER_MAX:
            raise errors.BadAsk("the number is beyond 64 bits", remedy="send a smaller one", path=path)


async def _received(receive: Receive, bytes_max: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body") and len(body) <= bytes_max:
        return body  # most asks come in one piece
    parts = [body]
    size = len(body)
    while message["type"] == "http.request":
        if size > bytes_max:
            raise _too_large(bytes_max)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    raise ClientGone


def _too_large(bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body is larger than {bytes_max} bytes", remedy="split the ask", path="$", bytes_max=bytes_max
    )


def _walked(root: Any) -> Iterator[tuple[str, object]]:
    """Go through all keys and values with their paths, without recursion: depth is the asker's choice."""
    waiting: list[tuple[str, Any]] = [("$", root)]
    while waiting:
        path, value = waiting.pop()
        yield path.replace("\0", "\\u0000"), value
        if isinstance(value, dict):
            for key, item in cast("dict[str, Any]", value).items():
                inner = f"{path}.{key}"
                yield inner.replace("\0", "\\u0000"), key
                waiting.append((inner, item))
        elif isinstance(value, list):
            waiting += [(f"{path}[{place}]", item) for place, item in enumerate(cast("list[Any]", value))]


async def gone(receive: Receive) -> None:
    """Return when the client has hung up, once its body is read."""
    while (await receive())["type"] != "http.disconnect":
        pass
