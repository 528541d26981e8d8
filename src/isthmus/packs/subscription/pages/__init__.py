"""Subscriptions: all of a front end, and one with what became of its periods; rested, skipped and gone on with."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

LIST: Final = "subscription.list-subscriptions"
STATES: Final = ("active", "paused", "cancelled", "ended")
SHOWN: Final = (  # states that stand on the pages
    *(mark("active"), mark("paused"), mark("cancelled"), mark("ended")),
    *(mark("placed"), mark("paid"), mark("skipped"), mark("refused")),
)
ACTS: Final = {"active": ("skip-next", "pause", "cancel"), "paused": ("resume", "cancel")}
PAGE_SIZE: Final = 50


async def show_list(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    asked = {name: request.query_params.get(name, "").strip() or None for name in ("state", "member_id", "cursor")}
    code = request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    if code:
        page = await client.call(code, LIST, {**asked, "limit": PAGE_SIZE})
    return {"asked": asked, "codes": codes, "code": code, "page": page, "states": STATES}


async def show_one(request: Asked, client: Client) -> Shown:
    return await _one(request, client)


async def act(request: Asked, client: Client) -> Shown | GoTo:
    """Pause a subscription, go on with it, leave its next period out, or end it."""
    code, subscription_id = request.path_params["front_end"], request.path_params["subscription_id"]
    name = request.form.get("act", "")
    if name not in {one for acts in ACTS.values() for one in acts}:
        raise errors.NotFound(f"a subscription has no act {name!r}", remedy="skip the next, pause, resume or cancel it")
    ask = {"subscription_id": subscription_id}
    if name == "skip-next":
        ask["due_at"] = request.form.get("due_at", "")
    elif reason := request.form.get("reason", ""):
        ask["reason"] = reason
    try:
        await client.call(code, f"subscription.{name}", ask)
    except errors.Refusal as refused:
        return await _one(request, client, refused)
    return GoTo(f"/subscriptions/{code}/{subscription_id}", {"done": name})


async def _one(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    code, subscription_id = request.path_params["front_end"], request.path_params["subscription_id"]
    one = await client.call(code, "subscription.get-subscription", {"subscription_id": subscription_id})
    orders: dict[str, list[Any]] = {}
    for period in one["periods"]:
        if period["group_id"]:
            group = await client.find(code, "order.get-group", {"group_id": period["group_id"]})
            orders[period["group_id"]] = group["orders"] if group else []
    acts = [name for name in ACTS.get(one["state"], ()) if client.may(code, f"subscription.{name}")]
    said = {
        "skip-next": mark("The next period is left out."),
        "pause": mark("Nothing is ordered until it is resumed."),
        "resume": mark("The next period is ordered again."),
        "cancel": mark("It is over."),
    }
    return {
        "code": code,
        "one": one,
        "orders": orders,
        "acts": acts,
        "done": said.get(request.query_params.get("done", ""), ""),
        "refused": refused,
    }
