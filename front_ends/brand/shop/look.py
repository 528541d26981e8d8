"""How goods and amounts look in the brand's shop: a line drawing for each product.

One hand draws everything that the brand makes: outlines in `goods/*.svg`, on 100 by 100.
"""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from isthmus_storefront.look import digest, drawing, kind, letters

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
    hue = int.from_bytes(digest(category)[:2], "big") % PAPERS * APART
    bend = digest(title)[0] % 7 - 3
    return Markup(
        f'<svg viewBox="0 0 100 100" class="tile" aria-hidden="true" style="--ink:hsl({hue} 25% 18%)">'
        f'<rect width="100" height="100" fill="hsl({hue} 22% 92%)"/><g transform="rotate({bend} 50 55)" fill="none" '
        'stroke="var(--ink)" stroke-width="1.4" stroke-linejoin="round" stroke-linecap="round">'
        f"{drawing(GOODS, _kind(title, category))}</g>"
        '<text x="50" y="62" text-anchor="middle" font-size="8" letter-spacing="2" '
        f'font-family="Georgia,serif" fill="var(--ink)">{letters(title)}</text></svg>'
    )


def _kind(title: str, category: str) -> str:
    return kind(f"{category} {title}".lower(), WORDS, other="box")
