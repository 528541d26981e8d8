"""What is offered, and what it costs whoever looks."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from .currency import Currency
from .platform import Platform

DEPARTMENTS_KEPT_S = 300.0

Kept = dict[str, tuple[float, list[dict[str, Any]]]]  # departments by the one above them, each with its time


async def departments(platform: Platform, kept: Kept, parent: str) -> list[dict[str, Any]]:
    """Return the categories right below one in which something is offered; found anew every few minutes."""
    until, found = kept.get(parent, (0.0, []))
    if until < time.monotonic():
        ask = {"limit": 200} | ({"parent": parent} if parent else {})
        listed = (await platform.call("catalog.list-categories", ask))["items"]
        asks = [platform.call("catalog.search", {"category": one["code"], "limit": 1}) for one in listed]
        full = await asyncio.gather(*asks)
        found = [one for one, page in zip(listed, full, strict=True) if page["items"]]
        kept[parent] = (time.monotonic() + DEPARTMENTS_KEPT_S, found)
    return found


async def cards(
    platform: Platform, currency: Currency, member_id: str | None, items: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return goods with what the least that can be bought of each costs this shopper; no price where it has none."""
    if not items:
        return []
    described, buyer = await asyncio.gather(
        platform.call("catalog.describe-skus", {"skus": [one["sku"] for one in items]}), _buyer(platform, member_id)
    )
    known = {one["item"]["sku"]: one for one in described["items"]}
    lines = [{"sku": sku, "quantity": one["offer"]["min_quantity"]} for sku, one in known.items() if one["offer"]]
    ask = {"currency": currency.code, "lines": lines, "buyer": buyer, "is_partial": True}
    quote: dict[str, Any] = await platform.call("pricing.quote", ask) if lines else {"lines": []}
    priced = {one["sku"]: one for one in quote["lines"]}
    return [one | {"unit": known[one["sku"]]["item"]["unit"], "priced": priced.get(one["sku"])} for one in items]


async def _buyer(platform: Platform, member_id: str | None) -> dict[str, Any]:
    return {} if member_id is None else await platform.call("member.get-buyer", {"member_id": member_id})


def remarks(preview: dict[str, Any], currency: Currency) -> dict[str, list[str]]:
    """Return what is to be said beside each SKU of a basket: what is short, dearer, or could come instead."""
    notes: dict[str, list[str]] = {}
    for one in preview["shortages"]:
        notes.setdefault(one["sku"], []).append(f"Only {one['available']} left of {one['wanted']} wanted")
    for one in preview["drifted"]:
        was, now = currency.amount(one["shown"]), currency.amount(one["now"])
        notes.setdefault(one["sku"], []).append(f"The price changed: {was} before, {now} now")
    for one in preview["substitutes"]:
        notes.setdefault(one["instead_of"], []).append(f"We could bring {one['offer']['title']} instead")
    return notes
