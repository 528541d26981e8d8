"""Chargebacks: what was taken back, why, and what to do about it."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, Shown

LIST: Final = "chargeback.list-chargebacks"
NEXT: Final = {  # what to do in each state
    "opened": mark("Send the provider proof of delivery before its day, and send nothing more for this payment."),
    "won": mark("Nothing to do: the money is back."),
    "lost": mark("See who bears it in the books; give nothing back for it any more."),
}
SHOWN: Final = (mark("opened"), mark("won"), mark("lost"))
PAGE_SIZE: Final = 50


async def show(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    code = request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    state = request.query_params.get("state", "").strip()
    page: dict[str, Any] = {"items": []}
    if code:
        page = await client.call(code, LIST, {"state": state if state in NEXT else None, "limit": PAGE_SIZE})
    orders = {one["paid_for"]: await _orders(one["paid_for"], code, client) for one in page["items"]}
    shown = {"code": code, "codes": codes, "state": state, "states": tuple(NEXT), "next": NEXT}
    return {**shown, "page": page, "orders": orders}


async def _orders(paid_for: str, code: str, client: Client) -> list[dict[str, Any]]:
    """Return the orders that were paid together; nothing where something else was paid for."""
    try:
        group = await client.find(code, "order.get-group", {"group_id": paid_for})
    except errors.BadAsk:
        return []
    return group["orders"] if group else []
