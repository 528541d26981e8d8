"""How goods, portions, days and states look where a shop says nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

GRAMS = 1_000
STATES = {"placed": "waiting for payment", "part-shipped": "partly on its way", "shipped": "on its way"}


def tile(title: str, category: str) -> Markup:
    """Return a picture of goods: the category gives the colour, the name its letters."""
    hue = int.from_bytes(digest(category)[:2], "big") % 360
    return Markup(
        '<svg viewBox="0 0 100 100" class="tile" aria-hidden="true">'
        f'<rect width="100" height="100" fill="hsl({hue} 40% 88%)"/>'
        '<text x="50" y="60" text-anchor="middle" font-size="28" font-weight="700" '
        f'fill="hsl({hue} 45% 28%)">{letters(title)}</text></svg>'
    )


def digest(text: str) -> bytes:
    """Return bytes that are always the same for a text, to choose colours by."""
    return hashlib.sha256(text.encode()).digest()


def letters(title: str) -> Markup:
    """Return the first letters of a name's first two words."""
    return escape("".join(word[0] for word in title.split()[:2]).upper())


def kind(said: str, words: Mapping[str, tuple[str, ...]], other: str) -> str:
    """Return the first kind one of whose words is said; `other` where none is."""
    return next((found for found, own in words.items() if any(word in said for word in own)), other)


@cache
def drawing(folder: Path, name: str) -> str:
    """Return the drawing of a folder that has this name, read once."""
    return (folder / f"{name}.svg").read_text()


def named(text: str) -> str:
    """Return a category's code, or a name that a till has in capitals, for people: its lowest part."""
    return text.rpartition("/")[2].replace("-", " ").lower().capitalize()


def portion(quantity: int, unit: str) -> str:
    """Return how much of something: `3 ×`, `250 g of`, `1.25 kg of`."""
    if unit != "gram":
        return f"{quantity} ×"
    return f"{quantity / GRAMS:g} kg of" if quantity >= GRAMS else f"{quantity} g of"


def day(moment: str) -> str:
    """Return the day of a moment: `Mon 4 May`."""
    found = datetime.fromisoformat(moment)
    return f"{found:%a} {found.day} {found:%b}"


def state(code: str) -> str:
    """Return how an order stands, in words."""
    return STATES.get(code, code.replace("-", " "))
