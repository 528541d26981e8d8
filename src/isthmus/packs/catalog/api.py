"""The catalogue, as others may name it: what exists in the group, and what each front end offers of it.

Products, SKUs, categories and sellers are the group's: every front end sees the same ones. An assortment is a
front end's own: a SKU is for sale there from the time it is published until it is withdrawn.

    SKU in a front end's assortment:  publish ──▶ published ──withdraw──▶ withdrawn ──publish──▶ published
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from isthmus.kernel import (
    ALLOW,
    Effect,
    Meta,
    Pass,
    Value,
    Verdict,
    capability,
    combine,
    errors,
    event,
    extension_point,
)
from isthmus.values import CHANNEL, ORDER_KIND, Code, Lines, PageSize, Quantity, Sku

BULK_MAX = 1_000  # of one ask: a handful of statements, well under their time limit

Title = Annotated[str, Meta(min_length=1, max_length=240)]
Attributes = Annotated[dict[str, str], Meta(max_length=50)]
CategoryCode = Annotated[str, Meta(min_length=1, max_length=120)]
Unit = Annotated[str, Meta(pattern="^[a-z][a-z-]{0,15}$", description="piece, gram, millilitre …")]


class Variant(Value):
    """One SKU of a product."""

    sku: Sku
    unit: Unit = "piece"
    weight_grams: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    attributes: Attributes = {}


class ProductDraft(Value):
    """A product as its owner describes it. `code` is the owner's own, and unique in the group."""

    code: Code
    title: Title
    category: CategoryCode
    variants: Annotated[tuple[Variant, ...], Meta(min_length=1, max_length=200)]
    description: Annotated[str, Meta(max_length=8_000)] = ""
    brand: Annotated[str, Meta(max_length=120)] = ""
    seller: Annotated[str, Meta(max_length=64)] = ""
    tax_category: Annotated[str, Meta(max_length=64)] = ""
    is_returnable: bool = True
    attributes: Attributes = {}


class ImportProducts(Value):
    """Create products, or replace those with the same codes."""

    products: Annotated[tuple[ProductDraft, ...], Meta(min_length=1, max_length=BULK_MAX)]


class Imported(Value):
    """How many products are new, and how many were replaced."""

    created: int
    replaced: int


class CategoryDraft(Value):
    """A category, below its parent; `required` names attributes that its SKUs must have."""

    code: CategoryCode
    name: Title
    parent: CategoryCode | None = None
    required: Annotated[tuple[str, ...], Meta(max_length=20)] = ()


class PutCategories(Value):
    """Create categories, or replace those with the same codes; parents may be in the same ask."""

    categories: Annotated[tuple[CategoryDraft, ...], Meta(min_length=1, max_length=BULK_MAX)]


class CategoriesPut(Value):
    """How many categories were put."""

    categories: int


class SellerDraft(Value):
    """Who sells: its code is on each product."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Title


class PutSellers(Value):
    """Create sellers, or rename those with the same codes."""

    sellers: Annotated[tuple[SellerDraft, ...], Meta(min_length=1, max_length=BULK_MAX)]


class SellersPut(Value):
    """How many sellers were put."""

    sellers: int


class Listing(Value):
    """Offer a SKU, from when until when, and in which quantities."""

    sku: Sku
    offered_from: datetime | None = None  # None: from now
    offered_to: datetime | None = None  # exclusive
    min_quantity: Quantity = 1
    max_quantity: Quantity = 1_000_000
    step: Quantity = 1


class Publish(Value):
    """Take SKUs into the front end's assortment, or change how they are offered there."""

    listings: Annotated[tuple[Listing, ...], Meta(min_length=1, max_length=BULK_MAX)]


class Published(Value):
    """How many SKUs are as asked."""

    skus: int


class Withdraw(Value):
    """Take SKUs out of the front end's assortment."""

    skus: Annotated[tuple[Sku, ...], Meta(min_length=1, max_length=BULK_MAX)]


class Withdrawn(Value):
    """How many SKUs were offered until now."""

    skus: int


class Sellable(Value):
    """What a seller's side needs to know of a SKU when it is bought."""

    sku: Sku
    product_id: UUID
    title: str
    category: str
    tax_category: str
    seller: str
    brand: str
    unit: str
    weight_grams: int
    is_returnable: bool
    attributes: dict[str, str]


class CheckLines(Value):
    """Ask whether lines can be bought here, in these quantities."""

    lines: Lines
    order_kind: str = "standard"
    channel: str = "online"


class SellableLines(Value):
    """The SKU of each line, in the order asked."""

    items: tuple[Sellable, ...]


class ProductView(Value):
    """A product as a front end shows it."""

    product_id: UUID
    code: str
    title: str
    description: str
    category: str
    brand: str
    seller: str
    attributes: dict[str, str]
    variants: tuple[Variant, ...]
    version: int


class GetProduct(Value):
    """Ask for the product that a SKU belongs to."""

    sku: Sku


class Search(Value):
    """Find products in the front end's assortment: by words, and by what they are."""

    text: Annotated[str, Meta(max_length=200)] = ""
    category: CategoryCode | None = None
    brand: str | None = None
    seller: str | None = None
    attributes: Attributes = {}
    limit: PageSize = 50
    cursor: str | None = None


class Found(Value):
    """One product of a list."""

    product_id: UUID
    sku: Sku
    title: str
    category: str
    brand: str
    seller: str


class FoundPage(Value):
    """One page of a list, in the order of title and SKU."""

    items: tuple[Found, ...]
    next_cursor: str | None


class Category(Value):
    """A category and its place in the tree."""

    code: str
    name: str
    parent: str | None


class ListCategories(Value):
    """Ask for the categories below one, or the top ones."""

    parent: CategoryCode | None = None


class Categories(Value):
    """Categories in the order of their names."""

    items: tuple[Category, ...]


@event("catalog.products-changed", version="1.0", subject="batch")
class ProductsChanged(Value):
    """Products were created or replaced."""

    batch: UUID
    codes: tuple[str, ...]


@event("catalog.assortment-changed", version="1.0", subject="front_end")
class AssortmentChanged(Value):
    """SKUs were published or withdrawn."""

    front_end: str
    published: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


Line = tuple[int, str, str]


def _lines(faults: Sequence[Line]) -> list[dict[str, object]]:
    return [{"path": f"$.lines[{at}].sku", "sku": sku, "reason": reason} for at, sku, reason in faults]


class UnknownSku(errors.NotFound):
    """No product of the group has this SKU."""

    slug = "catalog.unknown-sku"

    def __init__(self, *, faults: Sequence[Line]) -> None:
        at, sku, _ = faults[0]
        super().__init__(
            f"no product has SKU {sku!r}",
            remedy="find one with catalog.search, or leave the line out",
            path=f"$.lines[{at}].sku",
            lines=_lines(faults),
        )


class NotForSale(errors.RuleBroken):
    """The front end does not offer the SKU now."""

    slug = "catalog.not-for-sale"

    def __init__(self, *, faults: Sequence[Line]) -> None:
        at, sku, reason = faults[0]
        super().__init__(
            f"SKU {sku!r} is not for sale here: {reason}",
            remedy="publish it with catalog.publish, or leave the line out",
            path=f"$.lines[{at}].sku",
            lines=_lines(faults),
        )


class QuantityRefused(errors.RuleBroken):
    """The SKU is not sold in this quantity."""

    slug = "catalog.quantity-refused"

    def __init__(self, *, faults: Sequence[Line]) -> None:
        at, sku, reason = faults[0]
        super().__init__(
            f"SKU {sku!r} is not sold like this: {reason}",
            remedy="ask for a quantity that it is sold in",
            path=f"$.lines[{at}].quantity",
            lines=_lines(faults),
        )


class NoSuchSku(errors.NotFound):
    """No product of the group has this SKU."""

    slug = "catalog.no-such-sku"

    def __init__(self, *, sku: str, path: str = "$.sku") -> None:
        super().__init__(
            f"no product has SKU {sku!r}", remedy="find one with catalog.search, or import it first", path=path
        )


class DuplicateSku(errors.Conflict):
    """The SKU belongs to another product already."""

    slug = "catalog.duplicate-sku"

    def __init__(self, *, sku: str, path: str) -> None:
        super().__init__(f"SKU {sku!r} belongs to another product", remedy="give the variant another SKU", path=path)


class SchemaViolation(errors.RuleBroken):
    """A product does not have what its category demands, or a front end refuses the listing."""

    slug = "catalog.schema-violation"

    def __init__(self, *, reason: str, path: str) -> None:
        super().__init__(reason, remedy="complete the product, then try again", path=path)


class UnknownCategory(errors.NotFound):
    """There is no such category."""

    slug = "catalog.unknown-category"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(f"there is no category {code!r}", remedy="put it with catalog.put-categories", path=path)


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "catalog.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )


@capability("catalog.put-categories", version="1.0", effect=Effect.WRITE, raises=[UnknownCategory])
def put_categories(ask: PutCategories) -> CategoriesPut:
    """Put categories into the group's tree. Safe to repeat."""
    ...


@capability("catalog.list-categories", version="1.0", effect=Effect.READ)
def list_categories(ask: ListCategories) -> Categories:
    """List the categories below one, or the top ones."""
    ...


@capability("catalog.put-sellers", version="1.0", effect=Effect.WRITE)
def put_sellers(ask: PutSellers) -> SellersPut:
    """Put sellers on record. Safe to repeat."""
    ...


@capability(
    "catalog.import-products",
    version="1.0",
    effect=Effect.WRITE,
    raises=[DuplicateSku, SchemaViolation, UnknownCategory],
    deadline_ms=30_000,
)
def import_products(ask: ImportProducts) -> Imported:
    """Create or replace up to 1,000 products of the group, all or none, in a handful of statements.

    A product with the same code gets the new facts and a higher version; SKUs that are no longer among its
    variants stay, so that old orders can be read, and can no longer be published.
    """
    ...


@capability("catalog.publish", version="1.0", effect=Effect.WRITE, raises=[NoSuchSku, SchemaViolation])
def publish(ask: Publish) -> Published:
    """Offer up to 1,000 SKUs in the caller's front end, all or none. Safe to repeat."""
    ...


@capability("catalog.withdraw", version="1.0", effect=Effect.WRITE)
def withdraw(ask: Withdraw) -> Withdrawn:
    """Stop offering SKUs in the caller's front end at once; orders that have them go on."""
    ...


@capability("catalog.check-lines", version="1.0", effect=Effect.READ, raises=[UnknownSku, NotForSale, QuantityRefused])
def check_lines(ask: CheckLines) -> SellableLines:
    """Return what each line buys, or refuse with every line that cannot be bought and why."""
    ...


@capability("catalog.get-product", version="1.0", effect=Effect.READ, raises=[NoSuchSku])
def get_product(ask: GetProduct) -> ProductView:
    """Return the product that a SKU belongs to, as the front end shows it."""
    ...


@capability("catalog.search", version="1.0", effect=Effect.READ, raises=[BadCursor])
def search(ask: Search) -> FoundPage:
    """Find products that the front end offers now, in the order of title and SKU.

    Words are matched by their stems, all of them; filters narrow. Pages go on by cursor and cost the same
    however far they are.
    """
    ...


@extension_point("catalog.validate-listing", combine=combine.every, per_line=True)
def validate_listing(listings: Sequence[Listing], products: Sequence[Sellable]) -> Sequence[Verdict]:
    """Refuse SKUs before they are offered: no picture, no allergens, a banned category. Default: all are allowed."""
    return [ALLOW] * len(listings)


@extension_point("catalog.product-view", combine=combine.fold(), dimensions=[CHANNEL])
def product_view(view: ProductView) -> ProductView:
    """Change how a product is shown: another title, more attributes. Default: as it was imported."""
    return view


@extension_point("catalog.is-sellable", combine=combine.first_answer, per_line=True, dimensions=[ORDER_KIND, CHANNEL])
def is_sellable(products: Sequence[Sellable]) -> Sequence[bool | Pass]:
    """Say for each line whether it may be bought in this kind of order. Default: whatever is offered may."""
    return [True] * len(products)
