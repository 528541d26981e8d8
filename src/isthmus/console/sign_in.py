"""Who is an operator: a cookie that the token vouches for and cannot be read from; whose forms count: its own pages'.

A browser sends a host's cookies whichever of its ports a page came from, so a post says where it comes from as well.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import errors
from isthmus.values import whole_number

COOKIE: Final = "isthmus_operator"
COOKIE_AGE_S: Final = 12 * 3600  # a working day
SAFE: Final = frozenset(["GET", "HEAD", "OPTIONS"])
_PURPOSE: Final = b"isthmus console session"
_SECONDS_MAX: Final = 10**12


class FromElsewhere(errors.NotPermitted):
    """A form was sent from a page that is not the console's."""

    slug = "console.from-elsewhere"


class Operators:
    """Signs operators in with the server's token, and knows them again by a cookie with an end of its own."""

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        self._token = token.encode()
        self._key = hmac.new(self._token, _PURPOSE, hashlib.sha256).digest()
        self._clock = clock

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)

    def sign_in(self, request: Request, reply: Response) -> None:
        """Give the cookie: over https to this host alone, whoever else is in its domain."""
        said = f"{int(self._clock()) + COOKIE_AGE_S}.{secrets.token_urlsafe(16)}"
        is_secure = request.url.scheme == "https"
        path = "/" if is_secure else request.scope.get("root_path", "") or "/"
        reply.set_cookie(
            _cookie(request), f"{said}.{self._signature(said)}", max_age=COOKIE_AGE_S, httponly=True,
            samesite="strict", secure=is_secure, path=path,
        )  # fmt: skip

    def is_signed_in(self, request: Request) -> bool:
        said, _, signature = request.cookies.get(_cookie(request), "").rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(said).encode()):
            return False
        return whole_number(said.partition(".")[0], int(self._clock()), _SECONDS_MAX) is not None

    def _signature(self, said: str) -> str:
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()


def _cookie(request: Request) -> str:
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


def check_origin(request: Request) -> None:
    """Raise FromElsewhere for what changes something and was not sent from a page of this very address.

    A browser says so in Sec-Fetch-Site, an older one in Origin; a program that says neither has the cookie by itself.
    """
    if request.method in SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    if not is_own:
        raise FromElsewhere(
            f"this form was sent from {origin or site!r}", remedy="open the console's own page, and send it from there"
        )


def kept_here(reply: Response) -> Response:
    """Return a reply that leads nowhere but to this server, whatever host the request named."""
    if (location := reply.headers.get("location")) is not None:
        found = urlsplit(location)
        reply.headers["location"] = urlunsplit(("", "", f"/{found.path.lstrip('/')}", found.query, found.fragment))
    return reply
