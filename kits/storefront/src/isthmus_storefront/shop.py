"""What a shop says of itself. Everything but its code, name, motto and folder has a default."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from . import look
from .currency import DOLLARS, Currency
from .platform import Platform

Form = Mapping[str, str]

ADDRESS = (("recipient", "Name"), ("street", "Street"), ("city", "City"), ("region", "State"), ("postcode", "ZIP"))


def brand_of(goods: Mapping[str, Any]) -> str:
    """Return whose goods they are."""
    return str(goods.get("brand") or "")


def nothing(form: Form) -> dict[str, Any]:
    """Return that a form says nothing more."""
    return {}


async def no_options(platform: Platform, form: Form) -> dict[str, Any]:
    """Return that there is nothing more to choose from."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A shop that is installed: its version, as releases name it, and the colours around its pages.

    purposes: what a shopper may consent to be told of by pushes: `{"delivery": "when your delivery comes"}`.
    `icons/192.png` and `icons/512.png` are in the shop's folder, with nothing near the edges that may be cut off.
    """

    version: str
    colour: str
    background: str
    purposes: Mapping[str, str] = field(default_factory=dict[str, str])  # what one may be pushed for → in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A shop: its words, its money, its pages, and its few hooks."""

    code: str  # names its cookie too: `corner_shop`
    name: str
    motto: str
    folder: Path  # with `templates/` and `shop.css`, where it has its own
    currency: Currency = DOLLARS
    country: str = "US"
    address: tuple[tuple[str, str], ...] = ADDRESS  # what is asked where to, with its labels
    fields: frozenset[str] = frozenset()  # further fields whose page says beside them what is wrong
    tile: Callable[[str, str], Markup] = look.tile  # draws goods by name and category
    from_whom: Callable[[Mapping[str, Any]], str] = brand_of  # goods → whose they are
    seller: Callable[[str], str] = str  # a part of an order → its name for people
    line: Callable[[Form], dict[str, Any]] = nothing  # what a basket's form says of a line beside its quantity
    order: Callable[[Form], dict[str, Any]] = nothing  # what the checkout's form says beside the address
    options: Callable[[Platform, Form], Awaitable[dict[str, Any]]] = no_options  # what the basket's page offers
    subscriptions: tuple[int, ...] = ()  # how many days a basket may come again after; none: this shop sells once
    app: App | None = None  # None: pages only
    home: str = ""  # a screen that gives the first page in one call: `corner.home`
    words: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what its own templates know beside the kit's

    @property
    def cookie(self) -> str:
        """Return the name of its cookie."""
        return f"{self.code}_shop"

    @property
    def near(self) -> frozenset[str]:
        """Return the fields that have room for what is wrong with them."""
        return self.fields | {name for name, _ in self.address}
