"""How goods and amounts look at the grocer's: what it is, as it lies on the counter.

Goods are drawn in `goods/*.svg`, on 100 by 100: --a is their colour, --b a darker one, --c the shine.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from markupsafe import Markup

from isthmus_storefront import DOLLARS
from isthmus_storefront.look import GRAMS, digest, drawing

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
    found, hue = next(one for one, words in WORDS.items() if any(word in said for word in words))
    hue += digest(title)[0] % 21 - 10
    colours = f"--a:hsl({hue} 62% 56%);--b:hsl({hue} 55% 40%);--c:hsl({hue} 80% 88%)"
    return Markup(
        f'<svg viewBox="0 0 100 100" class="tile" aria-hidden="true" style="{colours}">'
        f'<rect width="100" height="100" fill="hsl({hue} 50% 94%)"/>'
        f'<ellipse cx="50" cy="89" rx="28" ry="4" fill="rgb(0 0 0/.1)"/>{drawing(GOODS, found)}</svg>'
    )


def per(priced: dict[str, Any], unit: str) -> str:
    """Say what goods by weight cost: `$12.99 a kilogram`; nothing of others."""
    if unit != "gram":
        return ""
    kilogram = Decimal(priced["amount"]["minor"]) * GRAMS / priced["quantity"]
    return f"{DOLLARS.written(kilogram)} a kilogram"
