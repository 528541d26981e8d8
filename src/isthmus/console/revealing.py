"""Showing a page once with personal data as it is: for a reason, which is written down before it is shown."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from isthmus.kernel import errors

from .client import REVEALING, Reveal

WHY_MIN: Final = 3  # a reason that somebody can read
WHY_MAX: Final = 240


async def reveal(request: Request, fields: dict[str, str]) -> Response:
    """Return the page that a form names, with what was masked on it. Raises BadAsk without a reason or a page."""
    why, asked = " ".join(fields.get("why", "").split()), urlsplit(fields.get("page", ""))
    if not WHY_MIN <= len(why) <= WHY_MAX:
        raise errors.BadAsk(
            "personal data is shown for a reason", remedy=f"say why, in {WHY_MIN} to {WHY_MAX} letters", path="why"
        )
    root = request.scope.get("root_path", "")
    scope = {
        **request.scope, "method": "GET", "path": f"{root}{asked.path}", "raw_path": f"{root}{asked.path}".encode(),
        "query_string": asked.query.encode(),
    }  # fmt: skip
    for route in request.app.routes:
        match, found = route.matches(scope)
        is_here = asked.path.startswith("/") and not asked.netloc
        if match is Match.FULL and hasattr(route, "endpoint") and is_here:
            token = REVEALING.set(Reveal(page=asked.path, why=why))
            try:
                return await route.endpoint(Request({**scope, **found}, request.receive))
            finally:
                REVEALING.reset(token)
    raise errors.BadAsk(f"there is no page at {asked.path!r}", remedy="use the form of the page", path="page")
