"""The brand's shop, for shoppers: members' prices, pieces that are engraved and wrapped, and what is reserved.

Run it with SHOP_API (the platform's address), SHOP_KEY (the shop's API key) and SHOP_SECRET (signs its cookie):
`uvicorn --factory front_ends.brand.shop.app:shop`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from isthmus_storefront import Form, Shop, serve

from . import look


def seller(code: str) -> str:
    """Name a part of an order for people."""
    return "comes later" if code == "presale" else code


def line(form: Form) -> dict[str, Any]:
    """Say what is engraved."""
    return {"attributes": {"engraving": form["engraving"]}} if "engraving" in form else {}


def order(form: Form) -> dict[str, Any]:
    """Say whether it is reserved, and how it is wrapped."""
    attributes = {"wrap": form.get("wrap", "none"), "note": form.get("note", "")}
    return {"order_kind": form.get("order_kind", "standard"), "attributes": attributes}


SHOP = Shop(
    code="brand",
    name="Brand",
    motto="Made by us, for members first",
    folder=Path(__file__).parent,
    tile=look.tile,
    seller=seller,
    line=line,
    order=order,
)


def shop() -> Starlette:
    """Make the app from the environment."""
    return serve(SHOP)
