"""Goods that a front end offers: found by words or seller, and taken out of its lists."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

SEARCH: Final = "catalog.search"
PAGE_SIZE: Final = 30


async def show(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def withdraw(request: Asked, client: Client) -> Shown | GoTo:
    """Offer something no more."""
    code = request.form.get("front_end", "")
    try:
        await client.call(code, "catalog.withdraw", {"skus": [request.form.get("sku", "")]})
    except errors.Refusal as refused:
        return await _shown(request, client, refused)
    return GoTo("/goods", {"front_end": code, "done": "withdrawn"})


async def _shown(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    codes = client.users(SEARCH)
    asked = {name: request.query_params.get(name, "").strip() for name in ("text", "seller", "cursor")}
    code = (request.query_params.get("front_end") or request.form.get("front_end", "")) or next(iter(codes), "")
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    if code:
        page = await client.call(code, SEARCH, {**asked, "limit": PAGE_SIZE})
    return {
        "asked": asked,
        "codes": codes,
        "code": code,
        "page": page,
        "refused": refused,
        "done": mark("It is offered no more.") if request.query_params.get("done") else "",
    }
