"""How goods and amounts look in the market: a poster for each product, always the same, and money in words.

What goods come in is drawn in `goods/*.svg`, on 100 by 100, with --a, --b and --c as colours.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

SIGN, DECIMALS = "$", 2  # of the one currency that this shop sells in; yen have none, dinars have three
GRAMS = 1_000
STATES = {"placed": "waiting for payment", "part-shipped": "partly on its way", "shipped": "on its way"}
GOODS = Path(__file__).parent / "goods"
LABELS = {"box": 43}  # where the label's middle is, if not in the middle

# By words of the category or name; a box where none is there.
WORDS = {
    "bottle": ("drink", "water", "juice", "beer", "wine", "oil", "sauce", "dressing", "syrup", "detergent", "milk"),
    "can": ("soup", "can", "shelf stable", "beans", "cat food", "dog food", "soda", "seafood"),
    "bag": ("snack", "candy", "chips", "coffee", "bread", "buns", "flour", "sugar", "rice", "frzn", "frozen"),
    "cup": ("yogurt", "ice", "dairy", "margarin", "baby", "hot cereal"),
    "jar": ("jam", "butter", "spice", "condiment", "pickle", "salsa", "hispanic"),
}


def tile(title: str, category: str) -> Markup:
    """Draw a product: its category gives the colours, category and name what it comes in, the name the letters."""
    hue = int(hashlib.sha256(category.encode()).hexdigest()[:4], 16) % 360
    own = (hue + hashlib.sha256(title.encode()).digest()[0] % 40 - 20) % 360
    colours = f"--a:hsl({own} 62% 52%);--b:hsl({own + 25} 58% 32%);--c:hsl({hue + 40} 80% 93%);--paper:{hue + 180}"
    letters = escape("".join(word[0] for word in title.split()[:2]).upper())
    kind = _kind(title, category)
    return Markup(
        f'<svg viewBox="0 0 100 100" class="tile" aria-hidden="true" style="{colours}">'
        '<rect width="100" height="100" fill="hsl(var(--paper) 38% 90%)"/>'
        '<circle cx="50" cy="54" r="40" fill="hsl(var(--paper) 45% 83%)"/>'
        f'<ellipse cx="50" cy="89" rx="26" ry="4" fill="rgb(0 0 0/.18)"/>{_drawn(kind)}'
        f'<text x="{LABELS.get(kind, 50)}" y="62" text-anchor="middle" font-size="13" font-weight="800" '
        f'fill="var(--b)">{letters}</text>'
        "</svg>"
    )


def _kind(title: str, category: str) -> str:
    said = f"{category} {title}".lower()
    return next((kind for kind, words in WORDS.items() if any(word in said for word in words)), "box")


@cache
def _drawn(kind: str) -> str:
    return (GOODS / f"{kind}.svg").read_text()


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
