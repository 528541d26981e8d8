"""What a front end says of the group's products in its own words, and the tree in which it shows them.

Both are the front end's own. Its lists, searches, facets, product pages and baskets have them at once; neither another
front end nor whoever keeps the group's products sees them.
"""

from __future__ import annotations

from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, errors
from isthmus.values import Code, Moment, PageSize, Sku

from .products import (
    BULK_MAX,
    Attributes,
    BadCursor,
    CategoryCode,
    Cursor,
    DuplicateCode,
    NoTree,
    Picture,
    SchemaViolation,
    Title,
)

LANGUAGE = "language"  # the setting that says what a front end writes in, such as "de" or "zh-CN"


class EnrichedVariant(Value):
    """What the front end says of one SKU of the product."""

    sku: Sku
    attributes: Attributes = {}


class Enrichment(Value):
    """What a front end says of a product of the group. What is left out stays as the group has it.

    `category` is of the front end's own tree. `language`: what it is written in, else the front end's setting.
    """

    code: Code
    title: Title | None = None
    description: Annotated[str, Meta(max_length=8_000)] | None = None
    category: CategoryCode | None = None
    language: Annotated[str, Meta(pattern=r"^([a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*)?\Z")] = ""
    attributes: Attributes = {}
    variants: Annotated[tuple[EnrichedVariant, ...], Meta(max_length=200)] = ()
    pictures: Annotated[tuple[Picture, ...], Meta(max_length=20)] | None = None


class EnrichProducts(Value):
    """Say what the front end says of products; each replaces what it said of that product before.

    One that says nothing takes away what was said, and the product is shown as the group has it.
    """

    products: Annotated[tuple[Enrichment, ...], Meta(min_length=1, max_length=BULK_MAX)]


class ProductsEnriched(Value):
    """How many products have words of the front end now, and of how many they were taken away."""

    enriched: int
    cleared: int


class ListEnrichments(Value):
    """Ask what the front end says of products, in the order of their codes; `is_outdated`: of those changed since."""

    is_outdated: bool = False
    limit: PageSize = 50
    cursor: Cursor | None = None


class EnrichedProduct(Value):
    """What the front end says of a product, and whether the group changed the product since."""

    enrichment: Enrichment
    changed_at: Moment
    changed_by: str
    of_version: int
    version: int  # of the product now


class Enrichments(Value):
    """Some of them, and how to go on."""

    items: tuple[EnrichedProduct, ...]
    next_cursor: str | None


class FrontEndCategory(Value):
    """A category of the front end's own tree, below its parent."""

    code: CategoryCode
    name: Title
    parent: CategoryCode | None = None


class PutFrontEndCategories(Value):
    """Create categories of the front end's own tree, or replace those with the same codes."""

    categories: Annotated[tuple[FrontEndCategory, ...], Meta(min_length=1, max_length=BULK_MAX)]


class FrontEndCategoriesPut(Value):
    """How many categories were put."""

    categories: int


class RemoveFrontEndCategories(Value):
    """Take categories out of the front end's own tree."""

    codes: Annotated[tuple[CategoryCode, ...], Meta(min_length=1, max_length=BULK_MAX)]


class FrontEndCategoriesRemoved(Value):
    """How many there were."""

    categories: int


class UnknownProduct(errors.NotFound):
    """No product of the group has this code."""

    slug = "catalog.unknown-product"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(f"no product has code {code!r}", remedy="find its code with catalog.search", path=path)


class NotInTree(errors.NotFound):
    """The front end's own tree has no such category."""

    slug = "catalog.not-in-tree"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(
            f"there is no category {code!r} in the front end's own tree",
            remedy="put it with catalog.put-front-end-categories",
            path=path,
        )


class NotOfProduct(errors.RuleBroken):
    """The SKU is not one of the product."""

    slug = "catalog.not-of-product"

    def __init__(self, *, sku: str, code: str, path: str) -> None:
        super().__init__(
            f"SKU {sku!r} is not one of product {code!r}", remedy="say it of the product that has the SKU", path=path
        )


class CategoryInUse(errors.Conflict):
    """Something is in the category still."""

    slug = "catalog.category-in-use"

    def __init__(self, *, code: str, holds: str, path: str) -> None:
        super().__init__(f"category {code!r} holds {holds!r} still", remedy="move that elsewhere first", path=path)


@capability(
    "catalog.enrich-products",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownProduct, NotInTree, NotOfProduct, SchemaViolation, DuplicateCode],
    deadline_ms=30_000,
)
def enrich_products(ask: EnrichProducts) -> ProductsEnriched:
    """Say up to 1,000 products in the front end's own words, and place them in its own tree; all or none.

    Its lists, searches, facets and pages show them so at once; those of others do not. Safe to repeat. Brand, seller,
    tax category and what may be returned are the group's. Attributes are of the kinds that its category demands.
    """
    ...


@capability("catalog.list-enrichments", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_enrichments(ask: ListEnrichments) -> Enrichments:
    """List what the front end says of products, and of which the group has changed since it was said."""
    ...


@capability(
    "catalog.put-front-end-categories",
    version="1.0",
    effect=Effect.WRITE,
    raises=[NotInTree, NoTree, DuplicateCode],
    deadline_ms=30_000,
)
def put_front_end_categories(ask: PutFrontEndCategories) -> FrontEndCategoriesPut:
    """Put categories into the front end's own tree, all or none. With the first one its shoppers see this tree only.

    Products are placed in it by `catalog.enrich-products`. What is not placed is in the nearest category of the group's
    tree that this one has under the same code, so a tree that takes over codes of the group needs nobody to place
    anything. Promotions find goods in both trees: by where the group has them, and by where the front end shows them.
    """
    ...


@capability(
    "catalog.remove-front-end-categories",
    version="1.0",
    effect=Effect.WRITE,
    raises=[CategoryInUse],
    deadline_ms=30_000,
)
def remove_front_end_categories(ask: RemoveFrontEndCategories) -> FrontEndCategoriesRemoved:
    """Take empty categories out of the front end's own tree, all or none. Without any it has the group's again."""
    ...
