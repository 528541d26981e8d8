"""Let pages of other addresses call: those that the settings name, and nothing with a cookie (Fetch, CORS protocol)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from ..http import App

MAX_AGE_S: Final = 600
ASKED: Final = (
    "authorization", "content-type", "idempotency-key", "if-none-match", "isthmus-deadline-ms", "traceparent",
)  # fmt: skip
EXPOSED: Final = (
    "isthmus-call", "idempotency-replayed", "etag", "ratelimit", "retry-after", "deprecation", "sunset", "link",
)  # fmt: skip
_OWN: Final = ("/console",)  # pages with a cookie: nobody else's business


def with_cors(app: App, origins: Sequence[str]) -> App:
    """Return the application as it is, or open to pages of these origins; the console stays closed to all."""
    if not origins:
        return app
    from starlette.middleware.cors import CORSMiddleware  # here: only who has such pages needs it

    opened = CORSMiddleware(
        cast(Any, app),
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=ASKED,
        expose_headers=EXPOSED,
        max_age=MAX_AGE_S,
    )

    async def chosen(scope: Any, receive: Any, send: Any) -> None:
        is_own = scope["type"] != "http" or scope["path"].startswith(_OWN)
        await (app if is_own else opened)(scope, receive, send)

    return chosen
