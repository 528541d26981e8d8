"""What each front end offers of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
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
from isthmus.values import CHANNEL, ORDER_KIND, Lines, Moment, Money, PageSize, Quantity, Sku, attributes_of

from .products import (
    BULK_MAX,
    Attributes,
    BadCursor,
    CategoryCode,
    Cursor,
    Picture,
    SchemaViolation,
    SellerCode,
    Variant,
)

ListingAttributes = Annotated[dict[str, Any], attributes_of("catalog.listing")]


class Listing(Value):
    """Offer a SKU, from when until when, in which quantities, and what the front end says of it."""

    sku: Sku
    offered_from: Moment | None = None  # None: from now
    offered_to: Moment | None = None  # exclusive
    min_quantity: Quantity = 1
    max_quantity: Quantity = 1_000_000
    step: Quantity = 1
    attributes: ListingAttributes = {}


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
    category: str  # of the group's tree, by which goods are taxed and counted
    tax_category: str
    seller: str
    brand: str
    unit: str
    weight_grams: int
    is_returnable: bool
    attributes: dict[str, str]
    # The way to its category from the top, itself included, and the way to where the front end shows it: it is in each.
    categories: tuple[str, ...] = ()


class CheckLines(Value):
    """Ask whether lines can be bought here, in these quantities."""

    lines: Lines
    order_kind: str = "standard"
    channel: str = "online"


class SellableLines(Value):
    """The SKU of each line, in the order asked."""

    items: tuple[Sellable, ...]


class Offer(Value):
    """How the front end offers a SKU; `is_open`: it can be bought now."""

    sku: Sku
    is_open: bool
    offered_from: Moment
    offered_to: Moment | None
    min_quantity: int
    max_quantity: int
    step: int
    attributes: ListingAttributes = {}  # the front end's own; what the SKU has for everybody is with the product


class DescribeSkus(Value):
    """Ask what SKUs are, offered here or not: for a basket, an order, a label."""

    skus: Annotated[tuple[Sku, ...], Meta(min_length=1, max_length=BULK_MAX)]


class SkuDescribed(Value):
    """What a SKU is, and how it is offered here; no offer where it is not published."""

    item: Sellable
    offer: Offer | None


class SkusDescribed(Value):
    """Those SKUs that exist, in the order asked."""

    items: tuple[SkuDescribed, ...]


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
    offers: tuple[Offer, ...] = ()  # of those variants that are published here
    pictures: tuple[Picture, ...] = ()
    language: str = ""  # of the front end's own words; none where the group's are shown


class GetProduct(Value):
    """Ask for the product that a SKU belongs to."""

    sku: Sku
    channel: str = "online"


class Search(Value):
    """Find SKUs in the front end's assortment: by words, and by what they are; without words it lists.

    `category` finds those of all categories below it too, `attributes` those that have every one of them.
    """

    text: Annotated[str, Meta(max_length=200)] = ""
    category: CategoryCode | None = None
    brand: Annotated[str, Meta(max_length=120)] | None = None
    seller: SellerCode | None = None
    attributes: Attributes = {}
    limit: PageSize = 50
    cursor: Cursor | None = None
    channel: str = "online"


class Found(Value):
    """One SKU of a list."""

    product_id: UUID
    sku: Sku
    title: str
    category: str
    brand: str
    seller: str


class FoundPage(Value):
    """One page of a list: of a search the most relevant first, else in the order of title and SKU."""

    items: tuple[Found, ...]
    next_cursor: str | None
    spelled: str = ""  # what was looked for instead, where nothing is called as it was written
    found_by: str = ""  # of a search: `postgresql`, or the search service that the front end chose


class Alternative(Value):
    """Goods in a quantity and what they cost, where one may stand for another."""

    sku: Sku
    title: str
    brand: str
    category: str
    quantity: Quantity
    unit: str
    amount: Money  # before discounts


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


class BadRange(errors.RuleBroken):
    """What is offered would end before it begins, or have a largest quantity below its smallest."""

    slug = "catalog.bad-range"

    def __init__(self, *, reason: str, path: str) -> None:
        super().__init__(reason, remedy="let the end come after the beginning", path=path)


class NoSuchSku(errors.NotFound):
    """No product of the group has this SKU."""

    slug = "catalog.no-such-sku"

    def __init__(self, *, sku: str, path: str = "$.sku") -> None:
        super().__init__(
            f"no product has SKU {sku!r}", remedy="find one with catalog.search, or import it first", path=path
        )


@capability("catalog.publish", version="1.0", effect=Effect.WRITE, raises=[NoSuchSku, SchemaViolation, BadRange])
def publish(ask: Publish) -> Published:
    """Offer up to 1,000 SKUs in the caller's front end, all or none. Safe to repeat.

    What a SKU's category demands must be there, and the front end's own rules must allow it.
    """
    ...


@capability("catalog.withdraw", version="1.0", effect=Effect.WRITE)
def withdraw(ask: Withdraw) -> Withdrawn:
    """Stop offering SKUs in the caller's front end at once; orders that have them go on."""
    ...


@capability("catalog.check-lines", version="1.0", effect=Effect.READ, raises=[UnknownSku, NotForSale, QuantityRefused])
def check_lines(ask: CheckLines) -> SellableLines:
    """Return what each line buys, or refuse with every line that cannot be bought and why."""
    ...


@capability("catalog.describe-skus", version="1.0", effect=Effect.READ)
def describe_skus(ask: DescribeSkus) -> SkusDescribed:
    """Return what up to 1,000 SKUs are, also of those that are not offered any more; unknown ones are left out."""
    ...


@capability("catalog.get-product", version="1.0", effect=Effect.READ, raises=[NoSuchSku])
def get_product(ask: GetProduct) -> ProductView:
    """Return the product that a SKU belongs to, as the front end shows it."""
    ...


@capability("catalog.search", version="1.0", effect=Effect.READ, raises=[BadCursor])
def search(ask: Search) -> FoundPage:
    """Find what the front end offers now, the most relevant first; without words, list it by title and SKU.

    All words are matched in title, brand, category, SKU, code and description: as they are written or by their English
    stems, whatever their accents, case, width and signs; parts of words where a script has no spaces. Where nothing is
    called so, words stand for all that begin like them, so that the first part of an article number finds it; where
    nothing begins so, for the nearest words of titles and brands, and the answer says which (`spelled`). Filters
    narrow, and a category means itself and all below it. Pages go on by cursor, in an order that never changes places.

    What makes goods come first the front end declares (`catalog.relevance`). Where more than 2,000 goods have the
    words, those with all of them in the title come first, and beyond 2,000 of those in the order of title and SKU. A
    search service that the front end chose (`catalog.choose-search`) finds instead, in its own order; what it names is
    shown only where it is offered and the filters let it through.
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


@extension_point("catalog.found-items", combine=combine.fold(), dimensions=[CHANNEL], until=date(2027, 6, 30))
def found_items(items: tuple[Found, ...]) -> tuple[Found, ...]:
    """Hide, rename or reorder what one page of a search shows. Default: as it was found.

    A page gets shorter by what is hidden; the next one goes on where this one ended.
    """
    return items


@extension_point("catalog.is-sellable", combine=combine.first_answer, per_line=True, dimensions=[ORDER_KIND, CHANNEL])
def is_sellable(products: Sequence[Sellable]) -> Sequence[bool | Pass]:
    """Say for each line whether it may be bought in this kind of order. Default: whatever is offered may."""
    return [True] * len(products)


@extension_point("catalog.choose-substitute", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL])
def choose_substitute(short: Alternative, alternatives: tuple[Alternative, ...]) -> str | Pass:
    """Say which goods of the same category, all in stock, stand for what is short: a SKU. Default: none do.

    Whether it is replaced, the buyer says.
    """
    return ""
