"""Prices, as others may name them: put into force, quoted, listed. Named through `pricing.api`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from isthmus.kernel import (
    ALLOW,
    PASS,
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
from isthmus.values import (
    CHANNEL,
    LINES_MAX,
    ORDER_KIND,
    Applied,
    Buyer,
    Code,
    CurrencyCode,
    LineAsk,
    Moment,
    Money,
    PageSize,
    Quantity,
    Rounding,
    Sku,
    attributes_of,
)

PRICES_MAX = 1_000  # per ask: one statement stays well under a second
AMOUNT_MAX = 10**12  # minor units: above any price, and a full line of it is still refused, not wrapped
STANDARD = "standard"

PriceAmount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX, description="minor units of the currency, for `per` units")]
Location = Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,63})?\Z", description="empty: everywhere")]
Cursor = Annotated[str, Meta(max_length=400)]
LineAttributes = Annotated[dict[str, Any], attributes_of("order.line")]
OrderAttributes = Annotated[dict[str, Any], attributes_of("order.order")]


class PriceEntry(Value):
    """What a SKU costs in a price list: `amount` on the shelf, `sale_amount` where it is sold for less."""

    sku: Sku
    currency: CurrencyCode
    amount: PriceAmount
    valid_from: Moment
    valid_to: Moment | None = None
    sale_amount: PriceAmount | None = None
    per: Quantity = 1
    price_list: Code = STANDARD
    location: Location = ""
    min_quantity: Quantity = 1  # of this SKU in the whole basket


class PutPrices(Value):
    """Put prices into force. The key of a price is list, SKU, currency, location, least quantity and `valid_from`."""

    prices: Annotated[tuple[PriceEntry, ...], Meta(min_length=1, max_length=PRICES_MAX)]


class PricesPut(Value):
    """How many prices are new or other than before, and how many were there already."""

    changed: int
    unchanged: int


class WithdrawPrices(Value):
    """Take prices back, so that no later quote uses them."""

    price_ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=PRICES_MAX)]


class PricesWithdrawn(Value):
    """How many were live until now."""

    withdrawn: int


class Price(Value):
    """A price as it was put; `ended_at` is set once it was superseded or withdrawn."""

    price_id: UUID
    entry: PriceEntry
    put_at: Moment
    put_by: str
    ended_at: Moment | None = None
    ended_by: str = ""
    ended_as: Literal["", "superseded", "withdrawn"] = ""


class PricePage(Value):
    """Some prices, and where to go on."""

    items: tuple[Price, ...]
    next_cursor: str | None


class ListPrices(Value):
    """List live prices: all, or of one SKU, price list or location."""

    sku: Sku | None = None
    price_list: Code | None = None
    location: Location | None = None
    limit: PageSize = 50
    cursor: Cursor | None = None


class ListPriceHistory(Value):
    """List every price that a SKU ever had, the latest put first."""

    sku: Sku
    limit: PageSize = 50
    cursor: Cursor | None = None


class QuoteLine(LineAsk):
    """So much of one SKU, with what the front end says of the line.

    agreed: what all of it costs by an agreement, whatever its list and its rules say now. A quote binds nobody.
    """

    attributes: LineAttributes = {}
    agreed: Money | None = None


class QuoteLines(Value):
    """Ask what these lines cost this buyer now, at a location or where there is none."""

    lines: Annotated[tuple[QuoteLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    currency: CurrencyCode
    location: Code | None = None
    buyer: Buyer = Buyer()
    is_partial: bool = False  # True: leave lines out that have no price, as a list of goods does
    order_kind: str = "standard"
    channel: str = "online"
    attributes: OrderAttributes = {}


class PricedLine(Value):
    """What one line costs and why: `list_amount` on the shelf, `amount` to this buyer, before discounts and tax."""

    sku: Sku
    quantity: Quantity
    list_amount: Money
    amount: Money
    unit_price: Money  # for showing: one unit, rounded by itself; `amount` counts
    price_id: str
    price_list: str
    applied: tuple[Applied, ...] = ()


class Quote(Value):
    """What the lines cost, in the order of the ask."""

    currency: CurrencyCode
    lines: tuple[PricedLine, ...]


class UnitPrice(Value):
    """So much for so many units, and who says so."""

    amount: Money
    by: str
    reason: str
    per: Quantity = 1


class ListedLine(Value):
    """A line with the price that its price list gives; what extension points decide on."""

    sku: Sku
    quantity: Quantity
    location: str  # of the price: empty where it is the same everywhere
    price_list: str
    amount: Money  # for `per` units, on the shelf
    sale_amount: Money | None
    per: Quantity
    valid_from: Moment
    valid_to: Moment | None
    now: Moment  # the time of the call, since answers have no clock
    line_attributes: LineAttributes = {}  # the front end's own; empty where nothing was said, as in a list of goods
    order_attributes: OrderAttributes = {}  # the same with every line of an order


class LineRounding(Value):
    """How the exact amount of a line becomes payable: to whole multiples of `step` minor units."""

    rounding: Rounding = Rounding.HALF_UP
    step: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


@event("pricing.prices-changed", version="1.0", subject="price_list")
class PricesChanged(Value):
    """Prices of these SKUs in a price list are other than before."""

    price_list: str
    skus: tuple[str, ...]
    by: str


class NoListPrice(errors.NotFound):
    """Lines of the ask have no price that is valid now."""

    slug = "pricing.no-list-price"

    def __init__(self, *, lines: Sequence[dict[str, str]], currency: str, location: str | None) -> None:
        skus = ", ".join(repr(line["sku"]) for line in lines[:5]) + (" …" if len(lines) > 5 else "")
        where = f" at {location!r}" if location else ""
        super().__init__(
            f"no price in {currency}{where} is valid now for {skus}",
            remedy="put one with pricing.put-prices, or leave these lines out",
            path=lines[0]["path"],
            lines=list(lines),
        )


class CurrencyNotSold(errors.RuleBroken):
    """The front end has no live price in the currency at all."""

    slug = "pricing.currency-not-sold"

    def __init__(self, *, currency: str, sold: Sequence[str]) -> None:
        offers = f"its prices are in {', '.join(sold)}" if sold else "it has no prices yet"
        super().__init__(
            f"nothing is sold in {currency}: {offers}",
            remedy=f"ask in {' or '.join(sold)}" if sold else "put prices with pricing.put-prices",
            path="$.currency",
            sold=list(sold),
        )


class PriceRefused(errors.RuleBroken):
    """Prices contradict themselves, each other, or a rule of the front end; none was put."""

    slug = "pricing.price-refused"

    def __init__(self, *, lines: Sequence[dict[str, str]]) -> None:
        super().__init__(
            f"{len(lines)} price(s) refused, the first (SKU {lines[0]['sku']!r}) because {lines[0]['reason']}",
            remedy="correct what `lines` names and put all again",
            path=lines[0]["path"],
            lines=list(lines),
        )


class AmountTooLarge(errors.RuleBroken):
    """A line costs more than an amount of money can say."""

    slug = "pricing.amount-too-large"

    def __init__(self, *, sku: str, line: int) -> None:
        super().__init__(
            f"so many of SKU {sku!r} cost more than any amount that can be charged",
            remedy="buy fewer in one line",
            path=f"$.lines[{line}].quantity",
        )


class UnknownPrice(errors.NotFound):
    """No such price was ever put by this front end."""

    slug = "pricing.unknown-price"

    def __init__(self, *, price_id: UUID, place: int) -> None:
        super().__init__(
            f"there is no price {price_id}",
            remedy="take ids from pricing.list-prices",
            path=f"$.price_ids[{place}]",
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "pricing.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list",
            remedy="send next_cursor of the page before, or none to begin",
            path="$.cursor",
        )


@capability("pricing.quote", version="1.0", effect=Effect.READ, raises=[NoListPrice, CurrencyNotSold, AmountTooLarge])
def quote(ask: QuoteLines) -> Quote:
    """Quote what the lines cost a buyer, before discounts and tax.

    For each line the first price list of `choose_price_lists` that has a valid price decides; in it the narrowest
    location, then the highest quantity tier that all lines of the SKU reach together, then the latest `valid_from`.
    The exact amount of a line is rounded once. The same ask at the same time gives the same answer until a price
    changes. One statement, however many lines; all lines without a price are refused in one error.
    """
    ...


@capability("pricing.put-prices", version="1.0", effect=Effect.WRITE, raises=[PriceRefused])
def put_prices(ask: PutPrices) -> PricesPut:
    """Put up to 1,000 prices into force, all or none.

    A price with the key of a live one supersedes it; one that says the same changes nothing, so the
    ask can be repeated. The same number of statements for one price and for a thousand.
    """
    ...


@capability("pricing.withdraw-prices", version="1.0", effect=Effect.WRITE, raises=[UnknownPrice])
def withdraw_prices(ask: WithdrawPrices) -> PricesWithdrawn:
    """Withdraw prices from now on. One that is no longer live stays as it is, so the ask can be repeated."""
    ...


@capability("pricing.list-prices", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_prices(ask: ListPrices) -> PricePage:
    """List live prices, those whose time is still to come and those whose time is over included."""
    ...


@capability("pricing.list-price-history", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_price_history(ask: ListPriceHistory) -> PricePage:
    """List all prices that a SKU ever had: who put them when, and how they ended."""
    ...


@extension_point("pricing.choose-price-lists", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL])
def choose_price_lists(buyer: Buyer, location: str) -> tuple[str, ...] | Pass:
    """Choose the price lists that this buyer sees; of several that price a SKU, the first counts.

    For contract prices, wholesale, a sales channel with prices of its own. Default: the list "standard".
    """
    return (STANDARD,)


@extension_point("pricing.choose-locations", combine=combine.first_answer, dimensions=[CHANNEL])
def choose_locations(location: str) -> tuple[str, ...] | Pass:
    """Choose under which locations prices are looked for, the narrowest first: shop, region, everywhere ("").

    Default: the location itself, then everywhere.
    """
    return (location, "") if location else ("",)


@extension_point(
    "pricing.grant-sale-price", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL], per_line=True
)
def grant_sale_price(lines: Sequence[ListedLine], buyer: Buyer) -> Sequence[bool | Pass]:
    """Say for each line whether this buyer gets the sale amount, where it has one: a card price is for members only.

    Default: everyone gets it.
    """
    return [True] * len(lines)


@extension_point(
    "pricing.adjust-unit-price",
    combine=combine.first_answer,
    dimensions=[ORDER_KIND, CHANNEL],
    per_line=True,
    on_failure="default",
)
def adjust_unit_price(lines: Sequence[ListedLine], buyer: Buyer) -> Sequence[UnitPrice | Pass]:
    """Replace the price of lines for this buyer: member price, evening markdown, contract price.

    Replaces shelf and sale price alike; `list_amount` stays what the shelf says. Default: no opinion. When an
    answer raises, prices stand as listed.
    """
    return [PASS] * len(lines)


@extension_point("pricing.round-line", combine=combine.first_answer, dimensions=[CHANNEL])
def round_line(currency: str) -> LineRounding | Pass:
    """Say how exact amounts of lines are rounded. Default: half up, to the minor unit."""
    return LineRounding()


@extension_point("pricing.validate-price", combine=combine.every, per_line=True)
def validate_price(prices: Sequence[PriceEntry]) -> Sequence[Verdict]:
    """Refuse prices before they are put: a sale amount too far under the list, a price with a wrong ending.

    The path of a veto begins at the price, such as `.sale_amount`. Default: all are allowed.
    """
    return [ALLOW] * len(prices)
