"""The first half of the catalogue's api: what exists in the group. Named through `catalog.api`.

Everything here is the group's: any front end that uses these capabilities changes what all of them see. A product
is imported as a whole under its owner's code; each import that changes something is a version, and all are kept.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.values import Code, Moment, PageSize, Sku

BULK_MAX = 1_000  # of one ask: a handful of statements, well under their time limit
DEPTH_MAX = 16  # categories from the top to the lowest: deeper trees are a fault in the source

Title = Annotated[str, Meta(min_length=1, max_length=240)]
AttributeName = Annotated[str, Meta(min_length=1, max_length=64)]
Attributes = Annotated[dict[AttributeName, Annotated[str, Meta(max_length=1_000)]], Meta(max_length=50)]
CategoryCode = Annotated[str, Meta(min_length=1, max_length=120)]
SellerCode = Annotated[str, Meta(min_length=1, max_length=64)]
Unit = Annotated[str, Meta(pattern=r"^[a-z][a-z-]{0,15}\Z", description="piece, gram, millilitre …")]
Tree = Literal["shown", "group"]
Cursor = Annotated[str, Meta(max_length=4_000)]


class Variant(Value):
    """One SKU of a product."""

    sku: Sku
    unit: Unit = "piece"
    weight_grams: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    attributes: Attributes = {}


class Picture(Value):
    """A picture of a product: where it is, and what it shows for whoever cannot see it."""

    address: Annotated[
        str,
        Meta(
            pattern=r"^(https://[!-~]{1,480}|/media/[0-9a-f]{64}\.[a-z]{3,4})\Z",
            description="an https address, or the path of a file that was put with POST /media",
        ),
    ]
    alt: Annotated[str, Meta(max_length=500)] = ""


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
    pictures: Annotated[tuple[Picture, ...], Meta(max_length=20)] = ()


class ImportProducts(Value):
    """Create products, or replace those with the same codes."""

    products: Annotated[tuple[ProductDraft, ...], Meta(min_length=1, max_length=BULK_MAX)]


class Imported(Value):
    """How many products are new, how many were replaced, and how many were like this already."""

    created: int
    replaced: int
    unchanged: int = 0


class AttributeRule(Value):
    """What a category says of one attribute of its SKUs, and of those in the categories below it.

    A rule of the same name further down replaces it. `choices`, where given, are all that it may be.
    """

    name: AttributeName
    kind: Literal["text", "number", "date", "flag"] = "text"
    choices: Annotated[tuple[str, ...], Meta(max_length=200)] = ()
    is_required: bool = False


class CategoryDraft(Value):
    """A category, below its parent, with what it says of attributes."""

    code: CategoryCode
    name: Title
    parent: CategoryCode | None = None
    attributes: Annotated[tuple[AttributeRule, ...], Meta(max_length=50)] = ()


class PutCategories(Value):
    """Create categories, or replace those with the same codes; parents may be in the same ask."""

    categories: Annotated[tuple[CategoryDraft, ...], Meta(min_length=1, max_length=BULK_MAX)]


class CategoriesPut(Value):
    """How many categories were put."""

    categories: int


class Category(Value):
    """A category and its place in the tree."""

    code: str
    name: str
    parent: str | None


class ListCategories(Value):
    """Ask for the categories right below one (or the top ones), or for all below it.

    tree: as shown here, which is the front end's own where it has one; or the group's.
    """

    parent: CategoryCode | None = None
    is_deep: bool = False
    tree: Tree = "shown"
    limit: Annotated[int, Meta(ge=1, le=BULK_MAX)] = BULK_MAX
    cursor: Cursor | None = None


class Categories(Value):
    """Categories in the order of their names, and how to go on."""

    items: tuple[Category, ...]
    next_cursor: str | None = None


class GetCategory(Value):
    """Ask for one category, of the tree as it is shown here or of the group's."""

    code: CategoryCode
    tree: Tree = "shown"


class CategoryView(Value):
    """A category, the way to it from the top, and all rules that hold in it, its ancestors' included."""

    category: Category
    path: tuple[Category, ...]
    attributes: tuple[AttributeRule, ...]


class SellerDraft(Value):
    """Who sells: its code is on each product. What a suspended one sells is for sale nowhere."""

    code: SellerCode
    name: Title
    is_suspended: bool = False


class PutSellers(Value):
    """Create sellers, or change those with the same codes."""

    sellers: Annotated[tuple[SellerDraft, ...], Meta(min_length=1, max_length=BULK_MAX)]


class SellersPut(Value):
    """How many sellers were put."""

    sellers: int


class ListSellers(Value):
    """Ask for sellers in the order of their codes."""

    limit: PageSize = 50
    cursor: Cursor | None = None


class Sellers(Value):
    """Some sellers, and how to go on."""

    items: tuple[SellerDraft, ...]
    next_cursor: str | None


class ListVersions(Value):
    """Ask what a product was before, the latest first."""

    code: Code
    limit: PageSize = 50
    cursor: Cursor | None = None


class ProductVersion(Value):
    """What a product was from a time on, and who said so."""

    version: int
    draft: ProductDraft
    changed_at: Moment
    changed_by: str
    changed_in: str  # the front end that it was changed through


class ProductVersions(Value):
    """Some versions, and how to go on."""

    items: tuple[ProductVersion, ...]
    next_cursor: str | None


@event("catalog.products-changed", version="1.0", subject="batch")
class ProductsChanged(Value):
    """Products were created or replaced."""

    batch: UUID
    codes: tuple[str, ...]


class ApprovalNeeded(errors.NotPermitted):
    """This front end changes products by proposals only."""

    slug = "catalog.approval-needed"

    def __init__(self) -> None:
        super().__init__(
            "products are changed here once somebody else approves",
            remedy="propose it with catalog.propose-change, or import through a front end that may",
        )


class DuplicateSku(errors.Conflict):
    """The SKU belongs to another product already."""

    slug = "catalog.duplicate-sku"

    def __init__(self, *, sku: str, path: str) -> None:
        super().__init__(f"SKU {sku!r} belongs to another product", remedy="give the variant another SKU", path=path)


class DuplicateCode(errors.BadAsk):
    """One ask says two things of one product."""

    slug = "catalog.duplicate-code"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(f"code {code!r} stands twice in this ask", remedy="send it once", path=path)


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


class NoTree(errors.RuleBroken):
    """With these parents the categories would be no tree."""

    slug = "catalog.no-tree"

    def __init__(self, *, code: str, reason: str, path: str) -> None:
        super().__init__(f"category {code!r} {reason}", remedy="give it another parent", path=path)


class NoSuchProduct(errors.NotFound):
    """No product of the group has this code."""

    slug = "catalog.no-such-product"

    def __init__(self, *, code: str) -> None:
        super().__init__(
            f"no product has code {code!r}", remedy="import it with catalog.import-products", path="$.code"
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "catalog.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list", remedy="send next_cursor as it was given", path="$.cursor"
        )


@capability("catalog.put-categories", version="1.0", effect=Effect.WRITE, raises=[UnknownCategory, NoTree])
def put_categories(ask: PutCategories) -> CategoriesPut:
    """Put categories into the group's tree, all or none. Safe to repeat.

    Rules that become stricter hold for what is imported or published from now on; what is offered stays offered.
    """
    ...


@capability("catalog.list-categories", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_categories(ask: ListCategories) -> Categories:
    """List the categories below one, or the top ones, by name."""
    ...


@capability("catalog.get-category", version="1.0", effect=Effect.READ, raises=[UnknownCategory])
def get_category(ask: GetCategory) -> CategoryView:
    """Return a category with the way to it, and what its goods must say of themselves."""
    ...


@capability("catalog.put-sellers", version="1.0", effect=Effect.WRITE)
def put_sellers(ask: PutSellers) -> SellersPut:
    """Put sellers on record, suspend them or let them sell again. Safe to repeat."""
    ...


@capability("catalog.list-sellers", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_sellers(ask: ListSellers) -> Sellers:
    """List sellers by code."""
    ...


@capability(
    "catalog.import-products",
    version="1.0",
    effect=Effect.WRITE,
    raises=[DuplicateSku, DuplicateCode, SchemaViolation, UnknownCategory, ApprovalNeeded],
    deadline_ms=30_000,
)
def import_products(ask: ImportProducts) -> Imported:
    """Create or replace up to 1,000 products of the group, all or none, in a handful of statements.

    A product with the same code gets the new facts and a higher version; one that says what it said before stays
    as it is. SKUs that are no longer among its variants stay, so that old orders can be read, and are offered
    nowhere until they are among them again. Lists of all front ends show the new facts at once.
    """
    ...


@capability("catalog.list-versions", version="1.0", effect=Effect.READ, raises=[NoSuchProduct, BadCursor])
def list_versions(ask: ListVersions) -> ProductVersions:
    """List what a product has been, and who changed it when, the latest first."""
    ...
