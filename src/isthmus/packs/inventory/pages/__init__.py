"""Stock: what lies where, what is promised of it, what changed it, and corrections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import quote

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import BIGINT_MAX, Asked, Client, Found, GoTo, Shown, ordered
from isthmus.values import whole_number

LIST: Final = "inventory.list-stock"
LENT: Final = "inventory.list-lent"
PAGE_SIZE: Final = 30
COLUMNS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "sku": lambda one: one["sku"],
    "location": lambda one: one["location"],
    "on_hand": lambda one: one["on_hand"],
    "reserved": lambda one: one["reserved"],
    "safety": lambda one: one["safety"],
    "free": lambda one: one["on_hand"] - one["reserved"] - one["safety"],
}
SHOWN: Final = (  # kinds of movements
    *(mark("receive"), mark("adjust"), mark("count"), mark("transfer"), mark("ship"), mark("restock")),
    *(mark("write off"),),
)
SKUS_MAX: Final = 20  # found by words: more is a search to be narrowed


async def show_list(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    asked = {name: request.query_params.get(name, "").strip() for name in ("q", "location", "front_end", "cursor")}
    code = asked["front_end"] or next(iter(codes), "")
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    titles: dict[str, str] = {}
    if asked["q"]:
        ask = {"sku": asked["q"], "location": asked["location"], "cursor": asked["cursor"], "limit": PAGE_SIZE}
        page = await client.call(code, LIST, ask)
        if not page["items"]:
            titles = await _titles(client, code, asked["q"])
            for sku in titles:
                page["items"] += (await client.call(code, LIST, {**ask, "sku": sku}))["items"]
    elif code:
        page = await client.call(
            code, LIST, {"location": asked["location"], "cursor": asked["cursor"], "limit": PAGE_SIZE}
        )
    titles = titles or await _described(client, code, {one["sku"] for one in page["items"]})
    is_whole = not (page["next_cursor"] or asked["cursor"])
    if is_whole:
        page["items"] = ordered(request, page["items"], {**COLUMNS, "product": lambda one: titles.get(one["sku"])})
    return {
        "asked": asked,
        "code": code,
        "codes": codes,
        "page": page,
        "titles": titles,
        "is_whole": is_whole,
    }


async def _titles(client: Client, code: str, text: str) -> dict[str, str]:
    """Return SKUs whose products are found by words, with their titles."""
    found = await client.find(code, "catalog.search", {"text": text, "limit": SKUS_MAX})
    return {one["sku"]: one.get("title", "") for one in _items(found) if "sku" in one}


async def _described(client: Client, code: str, skus: Collection[str]) -> dict[str, str]:
    """Return the titles of SKUs, as far as they are known."""
    found = await client.find(code, "catalog.describe-skus", {"skus": sorted(skus)}) if skus else None
    return {one["item"]["sku"]: one["item"]["title"] for one in _items(found)}


async def show_lent(request: Asked, client: Client) -> Shown:
    """Show from whose stock who took how many."""
    codes = client.users(LENT)
    asked = {name: request.query_params.get(name, "").strip() for name in ("sku", "front_end", "cursor")}
    code = asked["front_end"] or next(iter(codes), "")
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    if code:
        page = await client.call(code, LENT, {"sku": asked["sku"], "cursor": asked["cursor"], "limit": PAGE_SIZE})
    return {"asked": asked, "code": code, "codes": codes, "page": page}


async def show_one(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def act(request: Asked, client: Client) -> Shown | GoTo:
    """Receive, count or correct a stock; the reference that came with the form books it once."""
    code, sku = request.path_params["front_end"], request.path_params["sku"]
    fields = request.form
    name = fields.get("act", "")
    if name not in ("receive", "count", "adjust"):
        raise errors.NotFound(f"stock has no act {name!r}", remedy="receive, count or adjust it")
    typed = fields.get("quantity", "")
    found = whole_number(typed, -BIGINT_MAX, BIGINT_MAX)
    quantity = typed if found is None else found
    line = {"sku": sku, "quantity": quantity, "location": fields.get("location", "")}
    ask = {"reference": fields.get("reference", ""), "lines": [line]}
    if name == "adjust":
        ask["reason"] = fields.get("reason", "")
    try:
        await client.call(code, f"inventory.{name}", ask)
    except errors.Refusal as refused:
        return await _shown(request, client, refused)
    return GoTo(f"/stock/{code}/{sku}", {"done": name})


async def _shown(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    code, sku = request.path_params["front_end"], request.path_params["sku"]
    page = await client.call(code, LIST, {"sku": sku, "limit": 200})
    moved = await client.find(
        code,
        "inventory.list-movements",
        {"sku": sku, "limit": PAGE_SIZE, "cursor": request.query_params.get("cursor")},
    )
    available = await client.find(code, "inventory.get-availability", {"skus": [sku]})
    product = await client.find(code, "catalog.get-product", {"sku": sku})
    return {

        "code": code,
        "sku": sku,
        "product": product,
        "stocks": ordered(request, page["items"], COLUMNS),
        "available": (available or {"items": []})["items"],
        "moved": moved or {"items": [], "next_cursor": None},
        "acts": [name for name in ("receive", "count", "adjust") if client.may(code, f"inventory.{name}")],
        "reference": client.new_id(),
        "refused": refused,
        "done": {"receive": mark("The goods are booked in."), "count": mark("The stock is as it was counted."),
              "adjust": mark("The stock is corrected.")}.get(request.query_params.get("done", ""), ""),
    }  # fmt: skip


async def find(text: str, front_end: str, client: Client) -> list[Found]:
    """Return the stock of an SKU that is given whole."""
    stock = await client.find(front_end, LIST, {"sku": text, "limit": 1})
    is_there = stock and stock["items"]
    return [Found("stock", text, f"/stock/{front_end}/{quote(text)}", front_end)] if is_there else []


def _items(found: Any) -> list[dict[str, Any]]:
    return found["items"] if found else []
