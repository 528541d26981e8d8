"""How goods and amounts look in the market: a poster for each product, always the same.

What goods come in is drawn in `goods/*.svg`, on 100 by 100, with --a, --b and --c as colours.
"""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from isthmus_storefront.look import digest, drawing, kind, letters

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
    hue = int.from_bytes(digest(category)[:2], "big") % 360
    own = (hue + digest(title)[0] % 40 - 20) % 360
    colours = f"--a:hsl({own} 62% 52%);--b:hsl({own + 25} 58% 32%);--c:hsl({hue + 40} 80% 93%);--paper:{hue + 180}"
    found = _kind(title, category)
    return Markup(
        f'<svg viewBox="0 0 100 100" class="tile" aria-hidden="true" style="{colours}">'
        '<rect width="100" height="100" fill="hsl(var(--paper) 38% 90%)"/>'
        '<circle cx="50" cy="54" r="40" fill="hsl(var(--paper) 45% 83%)"/>'
        f'<ellipse cx="50" cy="89" rx="26" ry="4" fill="rgb(0 0 0/.18)"/>{drawing(GOODS, found)}'
        f'<text x="{LABELS.get(found, 50)}" y="62" text-anchor="middle" font-size="13" font-weight="800" '
        f'fill="var(--b)">{letters(title)}</text>'
        "</svg>"
    )


def _kind(title: str, category: str) -> str:
    return kind(f"{category} {title}".lower(), WORDS, other="box")
