"""Showing a page once with personal data as it is: for a reason, which is written down before it is shown."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from isthmus.kernel import errors
from isthmus.manifest.seen import REVEALING, Reveal, reason


async def reveal(request: Request, fields: dict[str, str]) -> Response:
    """Return the page that a form names, with what was masked on it. Raises BadAsk without a reason or a page."""
    why, asked = reason(fields.get("why", ""), "why"), urlsplit(fields.get("page", ""))
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
