"""Who is shopping: a cookie that the shop signs. It holds ids and a name, no secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

KEPT_S = 30 * 24 * 3600


def read(request: Request, name: str, secret: bytes) -> dict[str, Any]:
    """Return what the cookie holds; nothing where there is none or its signature is another's."""
    text, _, signature = request.cookies.get(name, "").partition(".")
    if not hmac.compare_digest(_sign(text, secret).encode(), signature.encode()):
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def write(response: Response, name: str, session: dict[str, Any], secret: bytes) -> None:
    """Set the cookie; other sites' forms do not carry it."""
    text = base64.urlsafe_b64encode(json.dumps(session, separators=(",", ":")).encode()).decode()
    response.set_cookie(name, f"{text}.{_sign(text, secret)}", max_age=KEPT_S, httponly=True, samesite="lax", path="/")


def _sign(text: str, secret: bytes) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
