"""The grocer's shop, for shoppers: goods by the gram, the evening's markdown, and when the driver comes.

Run it with SHOP_API (the platform's address), SHOP_KEY (the shop's API key) and SHOP_SECRET (signs its cookie):
`uvicorn --factory front_ends.fresh.shop.app:shop`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from isthmus_storefront import App, Form, Platform, Shop, serve

from . import look

EVENING_HOUR = 19  # as the shop's rule has it
SLOTS_SHOWN = 28
PUSHED_FOR = {"delivery": "when my delivery comes"}  # as the grocer's `notifying.py` names it


def order(form: Form) -> dict[str, Any]:
    """Say when the van comes, where it leaves the goods, and whether it may bring others instead."""
    slot = form.get("slot_id")
    return {
        "delivery_method": "van" if slot else "post",
        "accepts_substitutes": form.get("accepts_substitutes") == "yes",
        "attributes": {"leave_at": form.get("leave_at", "hand"), "words": form.get("words", "")},
    } | ({"slot_id": slot} if slot else {})


async def options(platform: Platform, form: Form) -> dict[str, Any]:
    """Give the windows in which the van may come."""
    slots = await platform.call("fulfilment.list-slots", {"method": "van", "limit": SLOTS_SHOWN})
    return {"slots": slots["items"]}


def is_evening() -> bool:
    """Say whether the evening markdown holds."""
    return datetime.now(UTC).hour >= EVENING_HOUR


SHOP = Shop(
    code="fresh",
    name="Fresh",
    motto="Weighed today, at your door tomorrow; 30 % off after 19:00 UTC",
    folder=Path(__file__).parent,
    fields=frozenset({"slot_id"}),
    tile=look.tile,
    order=order,
    options=options,
    subscriptions=(7, 14, 28),
    app=App(version="1.0.0", colour="#1d7a3c", background="#f6faf3", purposes=PUSHED_FOR),
    home="fresh.home",
    words={"is_evening": is_evening, "per": look.per},
)


def shop() -> Starlette:
    """Make the app from the environment."""
    return serve(SHOP)
