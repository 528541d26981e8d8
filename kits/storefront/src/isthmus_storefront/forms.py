"""What a browser sends: forms within bounds, and numbers that are numbers."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from starlette.requests import Request

from .platform import Refused

FORM_BYTES_MAX = 64 << 10  # an address, a note and the returned lines of a large order are a tenth of it
FIELDS_MAX = 300
_WHOLE = re.compile(r"[0-9]{1,9}")  # `isdecimal` takes digits of every script, and `int` no more than 4,300
_KEY = re.compile(r"[!-~]{1,200}")  # what stands in a header as it is


def whole(text: str) -> int | None:
    """Return the whole number that a text says in plain digits; nothing where it says none."""
    return int(text) if _WHOLE.fullmatch(text) else None


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of several with one name, the last. Raises Refused for what is no form of ours."""
    if _type_of(request) == "multipart/form-data":
        raise _malformed("it is sent in parts")
    body = await _bounded(request)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as wrong:  # not UTF-8, or too many fields
        raise _malformed(str(wrong)) from None
    return dict(pairs)


async def read_body(request: Request, content_type: str) -> bytes:
    """Return a body of this type. Raises Refused for one of another, or one that is too large."""
    if _type_of(request) != content_type:
        raise _malformed(f"it is not sent as {content_type}", 415)
    return bytes(await _bounded(request))


async def _bounded(request: Request) -> bytearray:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise _malformed(f"it is over {FORM_BYTES_MAX} bytes", 413)
    return body


def _type_of(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


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
    detail = f"this form cannot be read ({fact}): open the page again, and send it from there"
    return Refused({"slug": "shop.malformed-form", "status": status, "detail": detail})
