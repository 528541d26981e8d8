"""What the data platform may read of the catalogue: SKUs, where they are listed, their products and categories."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from isthmus.kernel import Value
from isthmus.markings import Count, Dimension, Key, Ref, Time, entity


@entity("catalog.category", table="catalog.category")
class Category(Value):
    """A place in the tree of categories. Goods are grouped by a level with all that is below it."""

    code: Annotated[str, Key(), Dimension()]
    name: Annotated[str, Dimension()]
    parent: Annotated[str | None, Ref("catalog.category")]
    level_1: Annotated[str | None, Dimension()]  # the code of the top category that it is in
    level_2: Annotated[str | None, Dimension()]  # none where goods are in a category above that level
    level_3: Annotated[str | None, Dimension()]
    level_4: Annotated[str | None, Dimension()]


@entity("catalog.within", table="catalog.within")
class Within(Value):
    """That a category is within another: within itself, and within each above it. Filters mean a category by it."""

    category: Annotated[str, Key(), Ref("catalog.category")]
    code: Annotated[str, Key(), Dimension()]


@entity("catalog.product", table="catalog.product")
class Product(Value):
    """A product of the group, in all its variants."""

    product_id: Annotated[UUID, Key()]
    code: Annotated[str, Dimension()]
    title: Annotated[str, Dimension()]
    category: Annotated[str, Ref("catalog.category")]
    brand: Annotated[str, Dimension()]
    seller: Annotated[str, Dimension()]


@entity("catalog.sku", table="catalog.sku")
class Sku(Value):
    """One variant, as it is sold."""

    sku: Annotated[str, Key()]
    product_id: Annotated[UUID, Ref("catalog.product")]
    unit: Annotated[str, Dimension()]
    is_current: Annotated[bool, Dimension()]


@entity("catalog.listing", table="catalog.listing")
class Listing(Value):
    """A SKU as a front end offers it."""

    front_end: Annotated[str, Key(), Dimension()]
    sku: Annotated[str, Key(), Ref("catalog.sku")]
    is_current: Annotated[bool, Dimension()]
    offered_from: Annotated[datetime, Time()]
    attributes: dict[str, Any]


ENTITIES = (Category, Within, Product, Sku, Listing)

METRICS = (Count(name="catalog.skus", of="catalog.sku", doc="SKUs of the group, sold or not.", unit="SKU"),)
