"""Chargebacks: what was taken back, why, and what to do about it."""

from __future__ import annotations

from typing import Any, Final

from isthmus.language import mark
from isthmus.pages import Asked, Client, Shown

LIST: Final = "chargeback.list-chargebacks"
NEXT: Final = {  # what to do in each state
    "opened": mark("Send the provider proof of delivery before its day, and send nothing more for this payment."),
    "won": mark("Nothing to do: the money is back."),
    "lost": mark("See who bears it in the books; give nothing back for it any more."),
}
SHOWN: Final = (mark("opened"), mark("won"), mark("lost"))
PAGE_SIZE: Final = 200


async def show(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    code = request.query_params.get("front_end", "").strip() or next(iter(codes), "")
    state = request.query_params.get("state", "").strip()
    page: dict[str, Any] = {"items": []}
    if code:
        page = await client.call(code, LIST, {"state": state if state in NEXT else None, "limit": PAGE_SIZE})
    return {"code": code, "codes": codes, "state": state, "states": tuple(NEXT), "next": NEXT, "page": page}
