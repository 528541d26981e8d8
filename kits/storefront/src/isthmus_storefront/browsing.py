"""Pages to look around: the shelf and a product."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .basket import preview
from .pages import device, page, shopper
from .platform import Platform, Refused
from .shelf import Kept, cards, departments
from .shop import Shop

PAGE = 24  # products of a page
FILE = re.compile(r"[0-9a-f]{64}[.][a-z]{3,4}")  # the name of a file on the platform


async def browse(request: Request) -> Response:
    """Show what is offered, by department or words, each with its price."""
    platform: Platform = request.app.state.platform
    shop: Shop = request.app.state.shop
    query = request.query_params
    ask: dict[str, Any] = {"text": query.get("text", ""), "limit": PAGE}
    ask |= {name: query[name] for name in ("category", "cursor") if query.get(name)}
    category = ask.get("category", "")
    kept = request.app.state.departments
    if shop.home and not (ask["text"] or category or "cursor" in ask):
        return await _first_page(request, shop, kept)
    found, top = await asyncio.gather(platform.call("catalog.search", ask), departments(platform, kept, ""))
    below = await departments(platform, kept, category.partition("/")[0]) if category else []
    shown = await cards(platform, shop.currency, shopper(request).get("member_id"), found["items"])
    called = {
        one["code"]: one["name"] for one in [*top, *below]
    }  # a front end's own categories have names of their own
    facts: dict[str, Any] = {
        "called": called.get(category, category),
        "cards": shown,
        "next_cursor": found["next_cursor"],
        "top": top,
        "below": below,
        "home": {},
        "flags": {},
    }
    return page(request, "shelf.html", None, **facts, text=ask["text"], category=category)


async def _first_page(request: Request, shop: Shop, kept: Kept) -> Response:
    """Show the first page by one call; what of it did not come is left out of the page too."""
    platform: Platform = request.app.state.platform
    who = shopper(request)
    ask = {"currency": shop.currency.code} | {name: who[name] for name in ("member_id", "basket_id") if who.get(name)}
    if shop.app and (named := device(request)):
        ask |= {"device": named, "version": shop.app.version}
    home, top = await asyncio.gather(platform.screen(shop.home, ask), departments(platform, kept, ""))
    goods: dict[str, Any] = home.get("goods") or {"items": [], "next_cursor": None}
    known = {one["item"]["sku"]: one["item"] for one in _listed(home, "described")}
    priced = {one["sku"]: one for one in _listed(home, "prices", "lines")}
    shown = [
        one | {"unit": known.get(one["sku"], {}).get("unit", "piece"), "priced": priced.get(one["sku"])}
        for one in _listed(home, "goods")
    ]
    flags = {one["key"]: one["variant"] for one in _listed(home, "flags")}
    facts: dict[str, Any] = {"cards": shown, "next_cursor": goods["next_cursor"], "top": top, "below": []}
    return page(request, "shelf.html", None, **facts, home=home, flags=flags, text="", category="", called="")


def _listed(home: dict[str, Any], part: str, within: str = "items") -> list[dict[str, Any]]:
    """Return what a part of a screen lists; nothing where it did not come."""
    found: dict[str, list[dict[str, Any]]] = home.get(part) or {within: []}
    return found[within]


async def product(request: Request) -> Response:
    """Show one product, and what each of its variants costs now."""
    platform: Platform = request.app.state.platform
    sku = request.path_params["sku"]
    shown = await platform.call("catalog.get-product", {"sku": sku})
    offers = {one["sku"]: one for one in shown["offers"] if one["is_open"]}
    variants = [one for one in shown["variants"] if one["sku"] in offers]
    choices = [await _choice(request, one, offers[one["sku"]]) for one in variants]
    return page(request, "product.html", product=shown, choices=choices)


async def picture(request: Request) -> Response:
    """Show a picture that was put on the platform: its name is the digest of its content, so it never changes."""
    name = request.path_params["name"]
    if not FILE.fullmatch(name):
        raise Refused({"slug": "shop.no-file", "status": 404, "detail": "there is no such picture"})
    content, kind = await request.app.state.platform.file(f"/media/{name}")
    return Response(content, media_type=kind, headers={"cache-control": "public, max-age=31536000, immutable"})


async def _choice(request: Request, variant: dict[str, Any], offer: dict[str, Any]) -> dict[str, Any]:
    choice = {"sku": variant["sku"], "offer": offer, "unit": variant["unit"], "line": None, "problem": ""}
    choice["label"] = ", ".join(variant["attributes"].values()) or variant["unit"]
    line = {"sku": variant["sku"], "quantity": offer["min_quantity"]}
    ask = {"currency": request.app.state.shop.currency.code, "lines": [line]}
    try:
        found = await preview(request, ask, shopper(request))
        choice["line"] = found["bill"]["lines"][0]
        choice["problem"] = "Out of stock" if found["shortages"] else ""
    except Refused as refused:
        choice["problem"] = "Not sold now" if refused.slug == "pricing.no-list-price" else str(refused)
    return choice
