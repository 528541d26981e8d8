"""Headers of every answer, so that pages are safe, and whose forms are taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse

SAFE = ("GET", "HEAD", "OPTIONS")
POLICY = (
    "default-src 'self'; img-src 'self' data: https:; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'"
)
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]


def guarded(app: App, elsewhere: str = "") -> App:
    """Return the shop with its safety: each answer with the headers above, no post from a page of elsewhere.

    elsewhere: the one origin that the shop sends shoppers to, where it signs them in by somebody else.
    """
    policy = POLICY.replace("form-action 'self'", f"form-action 'self' {elsewhere}".rstrip()).encode()
    headers = [(b"content-security-policy", policy), *SECURITY]

    async def guard(scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)

        async def safe(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*(_kept_here(one, elsewhere) for one in message["headers"]), *headers]
            await send(message)

        if scope["method"] not in SAFE and not _is_own(Request(scope)):
            refusal = PlainTextResponse("this form was sent from a page of elsewhere", status_code=403)
            return await refusal(scope, receive, safe)
        return await app(scope, receive, safe)

    return guard


def _kept_here(header: tuple[bytes, bytes], elsewhere: str) -> tuple[bytes, bytes]:
    """Return a header; a redirect leads to this shop or to `elsewhere`, whatever host the request named."""
    name, value = header
    is_elsewhere = bool(elsewhere) and value.startswith(f"{elsewhere}/".encode())
    if name != b"location" or is_elsewhere:
        return header
    found = urlsplit(value.decode("latin-1"))
    return name, urlunsplit(("", "", "/" + found.path.lstrip("/"), found.query, "")).encode("latin-1")


def _is_own(request: Request) -> bool:
    """True for a form of this very address: other ports of the host have the cookie too."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
