"""Sync conflicts in the console: what two wrote without knowing of each other, and the buttons that settle it."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.pages import BIGINT_MAX, Asked, Client, GoTo, Shown
from isthmus.values import whole_number

LIST: Final = "sync.list-conflicts"
PAGE_SIZE: Final = 50


async def show(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    query = request.query_params
    code = query.get("front_end") or next(iter(codes), "")
    ask: dict[str, Any] = {"limit": PAGE_SIZE}
    ask |= {"before": before} if (before := whole_number(query.get("cursor"), 1, BIGINT_MAX)) else {}
    found: Any = await client.call(code, LIST, ask) if code else {"items": [], "next_before": None}
    return {"code": code, "codes": codes, "found": found, "done": query.get("done", "")}


async def act(request: Asked, client: Client) -> GoTo:
    """Settle a conflict."""
    form = request.form
    code, choose = form.get("front_end", ""), form.get("choose", "")
    number = whole_number(form.get("number"), 1, BIGINT_MAX)
    if choose not in ("kept", "lost") or number is None:
        raise errors.BadAsk("nothing was chosen", remedy="use a button of the page", path="choose")
    await client.call(code, "sync.settle-conflict", {"conflict_id": number, "choose": choose})
    return GoTo("/conflicts", {"front_end": code, "done": choose})
