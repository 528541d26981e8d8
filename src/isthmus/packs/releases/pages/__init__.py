"""Releases in the console: who is given what, how it fares, and the buttons that steer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import BIGINT_MAX, Asked, Client, GoTo, Shown
from isthmus.values import whole_number

LIST: Final = "releases.list-releases"
PAGE_SIZE: Final = 50
ACTS: Final[Mapping[str, str]] = {
    "raise": "releases.raise-share",
    "pause": "releases.pause",
    "resume": "releases.resume",
    "back": "releases.roll-back",
}
SHOWN: Final = (mark("rolling"), mark("paused"), mark("stopped"), mark("rolled-back"))  # states, for their translation


async def show(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    query = request.query_params
    code = query.get("front_end") or next(iter(codes), "")
    ask: dict[str, Any] = {"limit": PAGE_SIZE}
    ask |= {"before": before} if (before := whole_number(query.get("cursor"), 1, BIGINT_MAX)) else {}
    found = await client.call(code, LIST, ask) if code else {"items": [], "next_before": None}
    return {"code": code, "codes": codes, "found": found, "done": query.get("done", "")}


async def act(request: Asked, client: Client) -> GoTo:
    """Give a release to more, pause, resume or roll it back."""
    form = request.form
    code, what, number = form.get("front_end", ""), form.get("act", ""), whole_number(form.get("number"), 1, BIGINT_MAX)
    if (capability := ACTS.get(what)) is None or number is None:
        raise errors.BadAsk("nothing was chosen", remedy="use a button of the page", path="act")
    ask: dict[str, Any] = {"number": number}
    ask |= {"share": whole_number(form.get("share"), 0, 100) or 0} if what == "raise" else {}
    await client.call(code, capability, ask)
    return GoTo("/releases", {"front_end": code, "done": what})
