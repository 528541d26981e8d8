"""Problem documents (RFC 9457): how every refusal, trouble and fault looks on the wire.

type      where the problem is explained: /problems/{slug}
title     what kind of problem it is: the same for each of its kind
status    the HTTP status
detail    what is wrong here, with the values
slug      stable name, for programs to act on
remedy    what to do next
path      where in the ask (`$.lines[0].sku`), or the name of the header or URL; in every refusal
call      id of the call, as in the log
…         the facts of the error, by name
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from isthmus.kernel import errors

from .to_json import plain

CONTENT_TYPE: Final = b"application/problem+json"
RETRY_AFTER_S: Final = 1  # for trouble that does not say when it will be over: it mostly is at once

log = logging.getLogger("isthmus.gateway")


class NoSuchPath(errors.NotFound):
    """There is nothing at this address."""

    slug = "gateway.no-such-path"


class MethodNotAllowed(errors.BadAsk):
    """The address exists, but not for this method."""

    slug = "gateway.method-not-allowed"

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(
            f"{path} does not answer {method}", remedy=f"use {allowed}", path=path, allowed=allowed.split(", ")
        )
        self.allowed = allowed


class NotJson(errors.BadAsk):
    """The body is not sent as JSON."""

    slug = "gateway.not-json"


class BodyTooLarge(errors.BadAsk):
    """The body is larger than any ask may be."""

    slug = "gateway.body-too-large"


class HeadTooLarge(errors.BadAsk):
    """The request line and headers are larger than any may be."""

    slug = "gateway.head-too-large"


class BodyTooDeep(errors.BadAsk):
    """The body has lists and objects nested deeper than any ask has."""

    slug = "gateway.body-too-deep"


class BodyTooSlow(errors.BadAsk):
    """The body did not arrive in time."""

    slug = "gateway.body-too-slow"


class WrongHeader(errors.BadAsk):
    """A header of the request cannot be read."""

    slug = "gateway.wrong-header"


class RateExceeded(errors.TooMany):
    """The client has used up the calls that it may make in this time."""

    slug = "gateway.rate-exceeded"


class Busy(errors.Unavailable):
    """The server has as many calls in flight as it can bear."""

    slug = "gateway.busy"


_STATUS: Final[dict[type, int]] = {
    errors.BadAsk: 400,
    errors.NotAuthenticated: 401,
    errors.NotPermitted: 403,
    errors.NotFound: 404,
    MethodNotAllowed: 405,
    BodyTooSlow: 408,
    errors.Conflict: 409,
    BodyTooLarge: 413,
    NotJson: 415,
    errors.KeyReused: 422,  # draft-ietf-httpapi-idempotency-key-header, 2.7
    errors.RuleBroken: 422,
    errors.TooMany: 429,
    HeadTooLarge: 431,
    errors.Refusal: 400,
    errors.Fault: 500,
    errors.Unavailable: 503,
    errors.DeadlineExceeded: 504,
    errors.Trouble: 503,
    errors.IsthmusError: 500,
}

STATUSES: Final = tuple(sorted(set(_STATUS.values())))

# What a problem document may hold, for the API documents.
SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "A problem document (RFC 9457). Facts of the problem are further members.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "where the problem is explained"},
        "title": {"type": "string", "description": "what kind of problem it is"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "what is wrong here, with the values"},
        "slug": {"type": "string", "description": "stable name, for programs to act on"},
        "remedy": {"type": "string", "description": "what to do next"},
        "path": {"type": "string", "description": "where in the ask, or the header or URL; in every refusal"},
        "call": {"type": "string", "description": "id of the call, as in the log"},
    },
    "required": ["type", "title", "status", "detail", "slug", "remedy", "call"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error, ready to be sent."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


def problem(error: Exception, call_id: str) -> Problem:
    """Return the problem document of an error; what is a fault is logged in full and answered without its cause."""
    if not isinstance(error, errors.IsthmusError) or isinstance(error, errors.Fault):
        log.error("call %s failed: %s", call_id, error, exc_info=error)
        error = errors.Fault(
            "the platform failed to answer",
            remedy=f"get /v1/calls/{call_id}, or report call {call_id}: its fault is logged",
        )
    elif type(error) in (errors.Unavailable, errors.Undone):  # the platform's own trouble: it names hosts and ports
        log.warning("call %s found a part unavailable: %s", call_id, error)
        error = errors.Unavailable("a part that the answer needs does not respond", remedy="send it again in a moment")
    status = status_of(type(error))
    document = {
        **{name: plain(fact) for name, fact in error.facts.items()},
        "type": f"/problems/{error.slug}",
        "title": title_of(type(error)),
        "status": status,
        "detail": error.message,
        "slug": error.slug,
        "remedy": error.remedy,
        "call": call_id,
    }
    if error.path is not None or isinstance(error, errors.Refusal):
        document["path"] = error.path or "$"
    return Problem(status=status, body=msgspec.json.encode(document), headers=_headers(error))


def status_of(kind: type[errors.IsthmusError]) -> int:
    """Return the HTTP status of a kind of error: that of the nearest class above it that has one."""
    return next(_STATUS[parent] for parent in kind.__mro__ if parent in _STATUS)


def title_of(kind: type[errors.IsthmusError]) -> str:
    """Return the first sentence of a kind of error, without its full stop."""
    return (kind.__doc__ or kind.__name__).strip().splitlines()[0].rstrip(".")


def _headers(error: errors.IsthmusError) -> tuple[tuple[bytes, bytes], ...]:
    if isinstance(error, errors.NotAuthenticated):
        return ((b"www-authenticate", b'Bearer realm="isthmus"'),)
    if isinstance(error, MethodNotAllowed):
        return ((b"allow", error.allowed.encode()),)
    if isinstance(error, NotJson):
        return ((b"accept", b"application/json"),)
    if isinstance(error, (BodyTooLarge, BodyTooSlow, HeadTooLarge)):
        return ((b"connection", b"close"),)  # the rest of the body is not read
    if isinstance(error, (errors.Trouble, errors.TooMany)):
        wait = error.facts.get("retry_after_s", RETRY_AFTER_S if isinstance(error, errors.Trouble) else None)
        return ((b"retry-after", b"%d" % wait),) if isinstance(wait, int) else ()
    return ()
