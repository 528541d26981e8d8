"""Facets, as others may name them: of what a search finds, how many there are of each brand, category and attribute."""

from __future__ import annotations

from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability

from .assortment import SellerCode
from .products import Attributes, CategoryCode

COUNTED_MAX = 10_000  # SKUs: a page that says "more than 10,000" needs no exact count
VALUES_MAX = 50  # of each facet, the most frequent first


class CountFacets(Value):
    """Ask what a search finds, counted: the same words and filters as `catalog.search`."""

    text: Annotated[str, Meta(max_length=200)] = ""
    category: CategoryCode | None = None
    brand: Annotated[str, Meta(max_length=120)] | None = None
    seller: SellerCode | None = None
    attributes: Attributes = {}
    values: Annotated[int, Meta(ge=1, le=VALUES_MAX)] = 20


class FacetValue(Value):
    """A value, and how many SKUs have it."""

    value: str
    count: int


class Facet(Value):
    """The values of one facet, the most frequent first: `category`, `brand`, `seller`, or an attribute by its name."""

    name: str
    is_attribute: bool
    values: tuple[FacetValue, ...]


class Facets(Value):
    """What was found, counted. `is_all`: False where there is more than was counted."""

    count: int
    is_all: bool
    facets: tuple[Facet, ...]
    spelled: str = ""  # what was looked for instead, where nothing is called as it was written


@capability("catalog.count-facets", version="1.0", effect=Effect.READ)
def count_facets(ask: CountFacets) -> Facets:
    """Count what a search finds by category, brand, seller and attributes, filters applied; in one statement."""
    ...
