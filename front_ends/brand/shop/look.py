"""How goods and amounts look in the brand's shop: a line drawing for each product, and money in words.

One hand draws everything that the brand makes: outlines in `goods/*.svg`, on 100 by 100.
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
PAPERS, APART = 15, 24  # hues, and the degrees between two: papers differ, and still belong together

# By words of the category or name; a box where none is there.
WORDS = {
    "wedge": ("cheese",),
    "carton": ("milk", "egg", "juice", "cream"),
    "loaf": ("bread", "bun", "roll", "bakery", "cake"),
    "jar": ("jam", "jelly", "spice", "extract", "butter", "yogurt", "sauce", "dressing", "drsng", "condiment"),
    "can": ("shelf stable", "soup", "bean", "canned", "vegetable", "fruit"),
    "bottle": ("drink", "oil", "water", "syrup", "hygiene", "cold and flu"),
}


def tile(title: str, category: str) -> Markup:
    """Draw a product in one line on its category's paper."""
    hue = int(hashlib.sha256(category.encode()).hexdigest()[:4], 16) % PAPERS * APART
    bend = hashlib.sha256(title.encode()).digest()[0] % 7 - 3
    letters = escape("".join(word[0] for word in title.split()[:2]).upper())
    return Markup(
        f'<svg viewBox="0 0 100 100" class="tile" aria-hidden="true" style="--ink:hsl({hue} 25% 18%)">'
        f'<rect width="100" height="100" fill="hsl({hue} 22% 92%)"/><g transform="rotate({bend} 50 55)" fill="none" '
        'stroke="var(--ink)" stroke-width="1.4" stroke-linejoin="round" stroke-linecap="round">'
        f"{_drawn(_kind(title, category))}</g>"
        '<text x="50" y="62" text-anchor="middle" font-size="8" letter-spacing="2" '
        f'font-family="Georgia,serif" fill="var(--ink)">{letters}</text></svg>'
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
