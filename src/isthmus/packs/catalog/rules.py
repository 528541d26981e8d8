"""The catalogue, decided: what a category demands, what quantity a SKU is sold in."""

from __future__ import annotations

from collections.abc import Sequence

from . import api


def missing_attributes(draft: api.ProductDraft, required: Sequence[str]) -> list[tuple[int, str]]:
    """Return (variant, attribute) of each attribute that neither the product nor the variant has."""
    return [
        (at, name)
        for at, variant in enumerate(draft.variants)
        for name in required
        if name not in variant.attributes and name not in draft.attributes
    ]


def repeated_skus(drafts: Sequence[api.ProductDraft]) -> list[tuple[str, str]]:
    """Return (SKU, path) of each SKU that stands twice in one ask."""
    seen: set[str] = set()
    repeated: list[tuple[str, str]] = []
    for product, draft in enumerate(drafts):
        for at, variant in enumerate(draft.variants):
            if variant.sku in seen:
                repeated.append((variant.sku, f"$.products[{product}].variants[{at}].sku"))
            seen.add(variant.sku)
    return repeated


def quantity_fault(quantity: int, smallest: int, largest: int, step: int) -> str:
    """Say what is wrong with a quantity, or nothing."""
    if quantity < smallest:
        return f"at least {smallest}, not {quantity}"
    if quantity > largest:
        return f"at most {largest}, not {quantity}"
    return f"in steps of {step}, not {quantity}" if (quantity - smallest) % step else ""
