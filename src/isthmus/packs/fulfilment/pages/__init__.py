"""Parcels: what goes out, where each one is, and that it has arrived."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

LIST: Final = "fulfilment.list-shipments"
PAGE_SIZE: Final = 30
STATES: Final = (
    mark("planned"), mark("part-shipped"), mark("shipped"), mark("delivered"), mark("returned"), mark("cancelled"),
)  # fmt: skip
SHOWN: Final = (mark("packed"), mark("failed"))  # words of parcels that stand on the page
ARRIVED: Final = mark("The parcel has arrived.")


async def show(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def deliver(request: Asked, client: Client) -> Shown | GoTo:
    """Note that a parcel has arrived."""
    code = request.form.get("front_end", "")
    ask = {part: request.form.get(part, "") for part in ("shipment_id", "parcel")}
    try:
        await client.call(code, "fulfilment.deliver", ask)
    except errors.Refusal as refused:
        return await _shown(request, client, refused)
    return GoTo("/parcels", {"front_end": code, "done": "deliver"})


async def _shown(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    codes = client.users(LIST)
    asked = {name: request.query_params.get(name, "").strip() for name in ("reference", "state", "cursor")}
    code = (request.query_params.get("front_end") or request.form.get("front_end", "")) or next(iter(codes), "")
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    if code:
        page = await client.call(code, LIST, {**asked, "limit": PAGE_SIZE})
    return {
        "asked": asked,
        "codes": codes,
        "code": code,
        "page": page,
        "states": STATES,
        "refused": refused,
        "done": ARRIVED if request.query_params.get("done") else "",
    }
