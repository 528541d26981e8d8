"""How goods and amounts look: a drawn tile for each product, always the same, and money in words."""

from __future__ import annotations

import hashlib
from typing import Any

from markupsafe import Markup, escape

HUES = 360


def tile(title: str, category: str) -> Markup:
    """Draw a product: its category gives the colour, its name the shapes and the letters."""
    hue = int(hashlib.sha256(category.encode()).hexdigest()[:4], 16) % HUES
    bits = hashlib.sha256(title.encode()).digest()
    shapes = "".join(
        f'<circle cx="{bits[at] % 100}" cy="{bits[at + 1] % 100}" r="{14 + bits[at + 2] % 26}" '
        f'fill="hsl({(hue + 18 * at) % HUES} 55% {52 + at * 3}%)" opacity=".55"/>'
        for at in (0, 3, 6)
    )
    letters = escape("".join(word[0] for word in title.split()[:2]).upper())
    return Markup(
        f'<svg viewBox="0 0 100 100" class="tile" aria-hidden="true"><rect width="100" height="100" '
        f'fill="hsl({hue} 45% 88%)"/>{shapes}<text x="50" y="64" text-anchor="middle" font-size="40" '
        f'font-weight="700" fill="hsl({hue} 60% 20%)">{letters}</text></svg>'
    )


def amount(money: dict[str, Any]) -> str:
    """Write money: `$3.49`. The shop sells in dollars only."""
    sign = "−" if money["minor"] < 0 else ""
    return f"{sign}${abs(money['minor']) / 100:,.2f}"


def named(category: str) -> str:
    """Write a category's code for people: its lowest part."""
    return category.rpartition("/")[2].capitalize()
