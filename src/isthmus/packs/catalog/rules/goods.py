"""The catalogue, decided: what a category demands, which ask contradicts itself, what quantity a SKU is sold in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from isthmus.values import composed, composed_pairs

from .. import api

FLAGS = ("true", "false")


def attribute_faults(rules: Sequence[api.AttributeRule], attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (attribute, reason) of each attribute that is missing or not as a category's rules say."""
    faults: list[tuple[str, str]] = []
    for rule in rules:
        value = attributes.get(rule.name)
        if value is None:
            if rule.is_required:
                faults.append((rule.name, f"the attribute {rule.name!r} is missing"))
        elif rule.choices and value not in rule.choices:
            faults.append((rule.name, f"{rule.name!r} is {value!r}, and not one of {', '.join(rule.choices)}"))
        elif not _is_of_kind(rule.kind, value):
            faults.append((rule.name, f"{rule.name!r} is {value!r}, which is no {rule.kind}"))
    return faults


def inherited(chain: Sequence[Sequence[api.AttributeRule]]) -> tuple[api.AttributeRule, ...]:
    """Return the rules that hold at the end of a way down the tree: the lower one of each name, in order of names."""
    lowest = {rule.name: rule for rules in chain for rule in rules}
    return tuple(lowest[name] for name in sorted(lowest))


def repeated_code(codes: Sequence[str]) -> int | None:
    """Return the place of the first code that stands there for the second time."""
    seen: set[str] = set()
    for at, code in enumerate(codes):
        if code in seen:
            return at
        seen.add(code)
    return None


def repeated_sku(drafts: Sequence[api.ProductDraft]) -> tuple[str, str] | None:
    """Return the first SKU that stands twice in one ask, and the path of its second place."""
    seen: set[str] = set()
    for sku, path in sku_paths(drafts):
        if sku in seen:
            return sku, path
        seen.add(sku)
    return None


def sku_paths(drafts: Sequence[api.ProductDraft]) -> list[tuple[str, str]]:
    """Return every SKU of an ask with its path."""
    return [
        (variant.sku, f"$.products[{product}].variants[{at}].sku")
        for product, draft in enumerate(drafts)
        for at, variant in enumerate(draft.variants)
    ]


def composed_product(draft: api.ProductDraft) -> api.ProductDraft:
    """Return a draft with the names in it as they are kept and compared; SKUs and codes stay as they are."""
    return draft.replace(
        title=composed(draft.title),
        category=composed(draft.category),
        brand=composed(draft.brand),
        seller=composed(draft.seller),
        tax_category=composed(draft.tax_category),
        attributes=composed_pairs(draft.attributes),
        variants=tuple(
            variant.replace(attributes=composed_pairs(variant.attributes)) if variant.attributes else variant
            for variant in draft.variants
        ),
    )


def composed_category(draft: api.CategoryDraft) -> api.CategoryDraft:
    """Return a category with its code and name, and its parent's code, as they are kept and compared."""
    parent = None if draft.parent is None else composed(draft.parent)
    rules = tuple(
        rule.replace(name=composed(rule.name), choices=tuple(map(composed, rule.choices))) for rule in draft.attributes
    )
    return api.CategoryDraft(code=composed(draft.code), name=composed(draft.name), parent=parent, attributes=rules)


def range_fault(listing: api.Listing, now: datetime) -> tuple[str, str] | None:
    """Return (field, reason) where a listing ends before it begins, or its largest quantity is below its smallest."""
    begins = listing.offered_from or now
    if listing.offered_to is not None and listing.offered_to <= begins:
        ends = listing.offered_to.isoformat()
        return "offered_to", f"SKU {listing.sku!r} would be offered from {begins.isoformat()} until {ends}"
    if listing.max_quantity < listing.min_quantity:
        quantities = f"{listing.min_quantity} to {listing.max_quantity}"
        return "max_quantity", f"SKU {listing.sku!r} would be sold in quantities from {quantities}"
    return None


def quantity_faults(asked: Sequence[tuple[str, int]], limits: Sequence[tuple[int, int, int]]) -> list[str]:
    """Say what is wrong with each line's quantity, or nothing: least and step by line, most over all lines of a SKU."""
    together: dict[str, int] = {}
    faults: list[str] = []
    for (sku, quantity), (smallest, largest, step) in zip(asked, limits, strict=True):
        together[sku] = together.get(sku, 0) + quantity
        if quantity < smallest:
            faults.append(f"at least {smallest}, not {quantity}")
        elif together[sku] > largest:
            faults.append(f"at most {largest}, not {together[sku]}")
        else:
            faults.append(f"in steps of {step}, not {quantity}" if (quantity - smallest) % step else "")
    return faults


def is_offered(begins: datetime, ends: datetime | None, now: datetime) -> bool:
    return begins <= now and (ends is None or now < ends)


def _is_of_kind(kind: str, value: str) -> bool:
    try:
        if kind == "number":
            return Decimal(value).is_finite()
        if kind == "date":
            return date.fromisoformat(value).isoformat() == value
    except (InvalidOperation, ValueError):
        return False
    return value in FLAGS if kind == "flag" else True
