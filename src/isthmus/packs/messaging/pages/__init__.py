"""Campaigns in the console: what is said to whom, how far it has got, what came of it, and what steers it."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import BIGINT_MAX, Asked, Client, GoTo, Shown
from isthmus.values import whole_number

LIST: Final = "messaging.list-campaigns"
PAGE_SIZE: Final = 20
ACTS: Final = ("pause", "resume", "cancel")
SHOWN: Final = (  # states of campaigns and of pushes, for their translation
    *(mark("queuing"), mark("paused"), mark("queued"), mark("cancelled"), mark("waiting"), mark("sent")),
    *(mark("refused"), mark("gone"), mark("expired"), mark("failed"), mark("opted-out"), mark("capped")),
    *(mark("cut-off"), mark("replaced")),
)


async def show(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    query = request.query_params
    code = query.get("front_end") or next(iter(codes), "")
    ask: dict[str, Any] = {"limit": PAGE_SIZE}
    ask |= {"before": before} if (before := whole_number(query.get("cursor"), 1, BIGINT_MAX)) else {}
    found: Any = await client.call(code, LIST, ask) if code else {"items": [], "next_before": None}
    return {"code": code, "codes": codes, "found": found, "done": query.get("done", "")}


async def act(request: Asked, client: Client) -> GoTo:
    """Start a campaign, or pause, resume or cancel one."""
    form = request.form
    code, what = form.get("front_end", ""), form.get("act", "")
    if what == "start":
        draft = {name: form.get(name, "") for name in ("purpose", "title", "body", "link")}
        ask: dict[str, Any] = {"name": form.get("title", "")[:100], "draft": draft}
        ask |= {name: form[name] for name in ("topic", "segment") if form.get(name)}
        await client.call(code, "messaging.start-campaign", ask)
    else:
        number = whole_number(form.get("number"), 1, BIGINT_MAX)
        if what not in ACTS or number is None:
            raise errors.BadAsk("nothing was chosen", remedy="use a button of the page", path="act")
        await client.call(code, "messaging.steer-campaign", {"campaign_id": number, "act": what})
    return GoTo("/campaigns", {"front_end": code, "done": what})
