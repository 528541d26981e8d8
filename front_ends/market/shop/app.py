"""The marketplace's shop, for shoppers: who sells each product, and into which orders a basket is split.

Run it with SHOP_API (the platform's address), SHOP_KEY (the shop's API key) and SHOP_SECRET (signs its cookie):
`uvicorn --factory front_ends.market.shop.app:shop`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from isthmus_storefront import Shop, serve, whole

from . import look


def seller(code: str) -> str:
    """Name a seller for people."""
    return f"Manufacturer {code}" if whole(code) is not None else code


def from_whom(goods: Mapping[str, Any]) -> str:
    """Say who sells goods."""
    return f"Sold by {seller(goods['seller'])}"


SHOP = Shop(
    code="market",
    name="Market",
    motto="Many sellers, one basket",
    folder=Path(__file__).parent,
    tile=look.tile,
    seller=seller,
    from_whom=from_whom,
)


def shop() -> Starlette:
    """Make the app from the environment."""
    return serve(SHOP)
