"""What a browser keeps of a sign-in, and whose forms count: the console's own pages'.

Where a pack knows persons, its sessions are kept. Where none does, a cookie says that somebody had the server's token,
which vouches for it and cannot be read from it.

A browser sends a host's cookies whichever of its ports a page came from, so a post says where it comes from as well.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from isthmus.kernel import errors
from isthmus.manifest.sign_in import Person
from isthmus.values import whole_number

from .client import NOBODY

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

SESSION: Final = "session"
DEVICE: Final = "device"
DEVICE_AGE_S: Final = 365 * 86_400
AWAY: Final = "away"
ELSEWHERE: Final = "isthmus-elsewhere"  # of a reply, inside the console
AWAY_AGE_S: Final = 600
COOKIE_AGE_S: Final = 12 * 3600  # a working day
SAFE: Final = frozenset(["GET", "HEAD", "OPTIONS"])
_PURPOSE: Final = b"isthmus console session"
_SECONDS_MAX: Final = 10**12


class FromElsewhere(errors.NotPermitted):
    """A form was sent from a page that is not the console's."""

    slug = "console.from-elsewhere"


class PlainHttp(errors.NotPermitted):
    """Whoever listens on the way could use this sign-in."""

    slug = "console.plain-http"


class Operators:
    """Signs operators in with the server's token, and knows them again by a cookie with an end of its own."""

    template = "sign_in.html"
    offers: Mapping[str, Any] = {}

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        self._token = token.encode()
        self._key = hmac.new(self._token, _PURPOSE, hashlib.sha256).digest()
        self._clock = clock

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)

    def sign_in(self, request: Request, reply: Response) -> None:
        """Give the cookie: over https to this host alone, whoever else is in its domain."""
        said = f"{int(self._clock()) + COOKIE_AGE_S}.{secrets.token_urlsafe(16)}"
        keep(request, reply, SESSION, f"{said}.{self._signature(said)}", COOKIE_AGE_S)

    async def known(self, session: str) -> Person | None:
        """Return an operator without a name, where a cookie was given by this server and has not ended."""
        said, _, signature = session.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(said).encode()):
            return None
        return NOBODY if whole_number(said.partition(".")[0], int(self._clock()), _SECONDS_MAX) is not None else None

    async def first_link(self, secret: str) -> str:
        """Return where the token signs in: more than once, and whatever the secret is."""
        return f"/?token={self._token.decode()}"

    def _signature(self, said: str) -> str:
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()


def kept(request: Request, name: str) -> str:
    """Return what a browser keeps here under a name, or nothing."""
    return request.cookies.get(_cookie(request, name), "")


def keep(
    request: Request, reply: Response, name: str, value: str, age_s: int, same_site: Literal["strict", "lax"] = "strict"
) -> None:
    """Have a browser keep something: over https for this very host (`__Host-`), which no neighbour can set either."""
    is_secure = request.url.scheme == "https"
    path = "/" if is_secure else request.scope.get("root_path", "") or "/"
    reply.set_cookie(
        _cookie(request, name), value, max_age=age_s, httponly=True, samesite=same_site, secure=is_secure, path=path
    )


def _cookie(request: Request, name: str) -> str:
    return f"__Host-isthmus_{name}" if request.url.scheme == "https" else f"isthmus_{name}"


def check_way(request: Request) -> None:
    """Raise PlainHttp where a sign-in would go unencrypted over a network: http is for this machine alone."""
    host = request.url.hostname or ""
    if request.url.scheme == "https" or host == "localhost" or _is_loopback(host):
        return
    raise PlainHttp(
        f"nobody signs in over http at {host!r}: whoever listens on the way could use it",
        remedy="open it as https, by a proxy that sets X-Forwarded-Proto, or as http://127.0.0.1 on the machine itself",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
    """Return a reply that leads nowhere but to this server, whatever host the request named.

    A page that sends somebody elsewhere on purpose (`isthmus.pages.Away`) marks its reply; the mark stays here.
    """
    if ELSEWHERE in reply.headers:
        del reply.headers[ELSEWHERE]
        return reply
    if (location := reply.headers.get("location")) is not None:
        found = urlsplit(location)
        reply.headers["location"] = urlunsplit(("", "", f"/{found.path.lstrip('/')}", found.query, found.fragment))
    return reply
