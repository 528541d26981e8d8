"""What a browser sends and is told: forms within bounds, numbers that are numbers, and headers that keep pages safe."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from .platform import Refused

FORM_BYTES_MAX = 64 << 10  # an address, a note and the returned lines of a large order are a tenth of it
FIELDS_MAX = 300
SAFE = ("GET", "HEAD", "OPTIONS")
POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'"
)
SECURITY = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]
_WHOLE = re.compile(r"[0-9]{1,9}")  # `isdecimal` takes digits of every script, and `int` no more than 4,300
_KEY = re.compile(r"[!-~]{1,200}")  # what stands in a header as it is

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]


def whole(text: str) -> int | None:
    """Return the whole number that a text says in plain digits; nothing where it says none."""
    return int(text) if _WHOLE.fullmatch(text) else None


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of several with one name, the last. Raises Refused for what is no form of ours."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data":
        raise _malformed("it is sent in parts")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise _malformed(f"it is over {FORM_BYTES_MAX} bytes", 413)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as wrong:  # not UTF-8, or too many fields
        raise _malformed(str(wrong)) from None
    return dict(pairs)


def field(form: dict[str, str], name: str) -> str:
    """Return a field that the page's form always has. Raises Refused where it is not there."""
    if name not in form:
        raise _malformed(f"it has no {name}")
    return form[name]


def key_of(form: dict[str, str]) -> str:
    """Return the key that makes a second sending harmless. Raises Refused for one that no header holds."""
    key = field(form, "key")
    if not _KEY.fullmatch(key):
        raise _malformed("its key is none that the page gave")
    return key


def _malformed(fact: str, status: int = 400) -> Refused:
    told = f"this form cannot be read ({fact}): open the page again, and send it from there"
    return Refused({"slug": "shop.malformed-form", "status": status, "detail": told})


def guarded(app: App) -> App:
    """Return the shop with its safety: each answer with the headers above, no post from a page of elsewhere."""

    async def guard(scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)

        async def safe(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*map(_kept_here, message["headers"]), *SECURITY]
            await send(message)

        if scope["method"] not in SAFE and not _is_own(Request(scope)):
            refusal = PlainTextResponse("this form was sent from a page of elsewhere", status_code=403)
            return await refusal(scope, receive, safe)
        return await app(scope, receive, safe)

    return guard


def _kept_here(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a header; a redirect leads to this shop, whatever host the request named."""
    name, value = header
    if name != b"location":
        return header
    found = urlsplit(value.decode("latin-1"))
    return name, urlunsplit(("", "", "/" + found.path.lstrip("/"), found.query, "")).encode("latin-1")


def _is_own(request: Request) -> bool:
    """True for a form of this very address: other ports of the host have the cookie too."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
