"""How goods and amounts look at the grocer's: what it is, as it lies on the counter, and money in words.

Goods are drawn in `goods/*.svg`, on 100 by 100: --a is their colour, --b a darker one, --c the shine.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

SIGN, DECIMALS = "$", 2  # of the one currency that this shop sells in; yen have none, dinars have three
GRAMS = 1_000
STATES = {"placed": "waiting for payment", "part-shipped": "partly on its way", "shipped": "on its way"}
GOODS = Path(__file__).parent / "goods"

# By words of the name or category: what it is, and the hue that such goods have.
WORDS: dict[tuple[str, int], tuple[str, ...]] = {
    ("berries", 345): ("berr", "grape", "cherr"),
    ("root", 24): ("carrot", "radish", "turnip"),
    ("fruit", 34): ("citrus", "orange", "tropical", "stone fruit", "peach", "melon"),
    ("fruit", 4): ("apple", "tomato", "pepper", "fruit"),
    ("fruit", 42): ("potato", "onion", "squash", "pear"),
    ("fish", 205): ("seafood", "fish", "shrimp", "salmon"),
    ("cheese", 46): ("cheese",),
    ("meat", 28): ("chicken", "poultry", "turkey"),
    ("meat", 2): ("beef", "pork", "lamb", "veal", "meat", "bacon", "sausage", "ham", "hot dog"),
    ("cake", 320): ("pastry", "cake", "cookie", "sweet", "pie", "bread", "roll", "donut"),
    ("flower", 330): ("floral", "flower", "bouquet", "rose"),
    ("bowl", 90): ("dip", "prepared", "salad bar", "deli", "chef", "restaurant", "sushi"),
    ("leaf", 110): ("",),
}


def tile(title: str, category: str) -> Markup:
    """Draw goods by what they are; the name turns the colour a little, so that neighbours differ."""
    said = f"{title} {category}".lower()
    kind, hue = next(found for found, words in WORDS.items() if any(word in said for word in words))
    hue += hashlib.sha256(title.encode()).digest()[0] % 21 - 10
    colours = f"--a:hsl({hue} 62% 56%);--b:hsl({hue} 55% 40%);--c:hsl({hue} 80% 88%)"
    return Markup(
        f'<svg viewBox="0 0 100 100" class="tile" aria-hidden="true" style="{colours}">'
        f'<rect width="100" height="100" fill="hsl({hue} 50% 94%)"/>'
        f'<ellipse cx="50" cy="89" rx="28" ry="4" fill="rgb(0 0 0/.1)"/>{_drawn(kind)}</svg>'
    )


@cache
def _drawn(kind: str) -> str:
    return (GOODS / f"{kind}.svg").read_text()


def per(priced: dict[str, Any], unit: str) -> str:
    """Say what goods by weight cost: `$12.99 a kilogram`; nothing of others."""
    if unit != "gram":
        return ""
    kilogram = _units(priced["amount"]["minor"]) * GRAMS / priced["quantity"]
    return f"{SIGN}{kilogram:,.{DECIMALS}f} a kilogram"


def amount(money: dict[str, Any]) -> str:
    """Write money: `$3.49`. The shop sells in dollars only."""
    sign = "−" if money["minor"] < 0 else ""
    return f"{sign}{SIGN}{_units(abs(money['minor'])):,.{DECIMALS}f}"


def _units(minor: int) -> Decimal:
    return Decimal(minor).scaleb(-DECIMALS)


def named(text: str) -> str:
    """Write a category's code, or a name that a till has in capitals, for people: its lowest part."""
    return text.rpartition("/")[2].replace("-", " ").lower().capitalize()


def portion(quantity: int, unit: str) -> str:
    """Write how much of something: `3 ×`, `250 g of`, `1.25 kg of`."""
    if unit != "gram":
        return f"{quantity} ×"
    return f"{quantity / GRAMS:g} kg of" if quantity >= GRAMS else f"{quantity} g of"


def day(moment: str) -> str:
    """Write the day of a moment: `Mon 4 May`."""
    found = datetime.fromisoformat(moment)
    return f"{found:%a} {found.day} {found:%b}"


def state(code: str) -> str:
    """Say how an order stands."""
    return STATES.get(code, code.replace("-", " "))
