"""Goods that are handed in at a return desk: which wait for an answer, who takes them, and who owes what for them."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

LIST: Final = "order.list-hand-ins"
TAKE: Final = "after-sale.take-hand-in"
SHOWN_MAX: Final = 100  # of each front end, the latest
STATES: Final = (mark("asked"), mark("agreed"), mark("refused"), mark("taken"), mark("refunded"))


async def show_hand_ins(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def take_hand_in(request: Asked, client: Client) -> Shown | GoTo:
    """Take goods that were agreed to into stock, or write off what is damaged."""
    code, fields = request.path_params["front_end"], request.form
    ask = {
        "hand_in_id": request.path_params["hand_in_id"],
        "location": fields.get("location", ""),
        "condition": fields.get("condition", "new"),
    }
    try:
        await client.call(code, TAKE, ask, key=fields.get("key") or None)
    except errors.Refusal as refused:
        return await _shown(request, client, refused)
    return GoTo("/hand-ins", {"done": "taken"})


async def _shown(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    codes = client.users(LIST)
    pages = [(code, await client.call(code, LIST, {"limit": SHOWN_MAX})) for code in codes]
    found = {one["hand_in_id"]: (code, one) for code, page in pages for one in page["items"]}
    takers = {code for code in codes if client.may(code, TAKE)}
    return {
        "found": sorted(found.values(), key=lambda pair: pair[1]["asked_at"], reverse=True),
        "takers": takers,
        "key": uuid4,
        "refused": refused,
        "done": request.query_params.get("done", ""),
    }
