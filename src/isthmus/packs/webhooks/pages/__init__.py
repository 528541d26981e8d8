"""Webhooks in the console: endpoints and how they fare, what was sent, what failed; tried, paused, sent again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import BIGINT_MAX, Asked, Client, GoTo, Shown
from isthmus.values import whole_number

LIST: Final = "webhooks.list-endpoints"
PAGE_SIZE: Final = 50
STATES: Final = (mark("waiting"), mark("done"), mark("dead"))
SHOWN: Final = (  # what the database and the sender write down as reasons, and states of an endpoint
    *(mark("active"), mark("paused"), mark("it answered that it is gone (410)")),
    mark("nothing got through since {moment}"),
    mark("it waited until its event was no longer kept"),
)
ACTS: Final[Mapping[str, str]] = {
    "test": "webhooks.test-endpoint",
    "pause": "webhooks.pause-endpoint",
    "resume": "webhooks.resume-endpoint",
    "again": "webhooks.send-again",
}


async def show(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    query = request.query_params
    code = query.get("front_end") or next(iter(codes), "")
    asked = {name: query.get(name, "") for name in ("endpoint", "state", "done")}
    ask: dict[str, Any] = {"limit": PAGE_SIZE}
    ask |= {"endpoint": asked["endpoint"]} if asked["endpoint"] else {}
    ask |= {"state": asked["state"]} if asked["state"] in STATES else {}
    ask |= {"before": before} if (before := whole_number(query.get("cursor"), 1, BIGINT_MAX)) else {}
    found: dict[str, Any] = await client.call(code, LIST, {}) if code else {"items": []}
    nothing: dict[str, Any] = {"items": [], "next_before": None}
    sent = await client.call(code, "webhooks.list-deliveries", ask) if code else nothing
    return {"asked": asked, "code": code, "codes": codes, "endpoints": found["items"], "sent": sent, "states": STATES}


async def act(request: Asked, client: Client) -> GoTo:
    """Try, pause or resume an endpoint, or send dead letters again."""
    form = request.form
    code, name, number = form.get("front_end", ""), form.get("endpoint", ""), form.get("delivery_id", "")
    capability = ACTS.get(form.get("act", ""))
    if capability is None:
        raise errors.BadAsk("nothing was chosen", remedy="use a button of the page", path="act")
    if form["act"] == "again":
        ask: dict[str, Any] = {"delivery_id": int(number)} if number.isdigit() else {"endpoint": name}
    else:
        ask = {"name": name}
    await client.call(code, capability, ask)
    return GoTo("/webhooks", {"front_end": code, "endpoint": name, "done": form["act"]})
