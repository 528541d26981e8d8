"""Pricing, as others may name it: asks, answers, extension points, errors.

A price entry says what `per` units of a SKU cost, so that three for 5.00 is exact; the amount of a line is
rounded once. It has a shelf price (`list`) and may have a sale price, such as the price with a card. Of the
entries that are valid at a time, the one for the buyer's location goes before one for everywhere, then the
larger quantity tier that is reached, then the later `valid_from`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from isthmus.kernel import PASS, Effect, Meta, Pass, Value, capability, combine, errors, event, extension_point
from isthmus.values import (
    CHANNEL,
    ORDER_KIND,
    Applied,
    Buyer,
    Code,
    CurrencyCode,
    Lines,
    Money,
    PageSize,
    Quantity,
    Sku,
)

PUT_MAX = 1_000  # prices in one ask: one statement, well under its time limit


class PutPrice(Value):
    """What `per` units of a SKU cost from `valid_from` on."""

    sku: Sku
    currency: CurrencyCode
    list_minor: Annotated[int, Meta(ge=0, le=10**12)]
    sale_minor: Annotated[int, Meta(ge=0, le=10**12)] | None = None
    per: Quantity = 1
    location: Annotated[str, Meta(max_length=64)] = ""  # one shop; empty: everywhere
    quantity_from: Quantity = 1  # the price holds for lines of at least so many
    valid_from: datetime | None = None  # None: from now
    valid_to: datetime | None = None  # exclusive; None: until another replaces it


class PutPrices(Value):
    """Set prices; the same SKU, currency, location, tier and valid_from replaces what was there."""

    prices: Annotated[tuple[PutPrice, ...], Meta(min_length=1, max_length=PUT_MAX)]


class PricesPut(Value):
    """How many prices were set."""

    prices: int


class PriceEntry(Value):
    """One entry of the price list, as it stands."""

    sku: Sku
    currency: CurrencyCode
    list_minor: int
    sale_minor: int | None
    per: int
    location: str
    quantity_from: int
    valid_from: datetime
    valid_to: datetime | None


class ListPrices(Value):
    """Ask for the price entries of a SKU, past and future ones too, newest first."""

    sku: Sku
    limit: PageSize = 50
    cursor: str | None = None


class PricePage(Value):
    """One page of price entries."""

    items: tuple[PriceEntry, ...]
    next_cursor: str | None


class Quote(Value):
    """Ask what lines cost, before discounts."""

    lines: Lines
    currency: CurrencyCode
    location: Code | None = None
    buyer: Buyer = Buyer()
    order_kind: str = "standard"
    channel: str = "online"


class UnitPrice(Value):
    """What one line would cost, as the price rules of a front end see it: the amounts are for the whole line."""

    sku: Sku
    quantity: int
    list_amount: Money
    amount: Money


class PricedLine(Value):
    """What one line costs. `unit_price` is rounded for showing; `amount` counts."""

    sku: Sku
    quantity: int
    list_amount: Money
    amount: Money
    unit_price: Money
    applied: tuple[Applied, ...]


class PriceQuote(Value):
    """The price of each line, in the order asked."""

    currency: CurrencyCode
    lines: tuple[PricedLine, ...]


@event("pricing.prices-changed", version="1.0", subject="front_end")
class PricesChanged(Value):
    """Prices were set; readers that keep prices should look again."""

    front_end: str
    skus: tuple[str, ...]


class NoListPrice(errors.NotFound):
    """A SKU has no price in the currency asked for, at this time and place."""

    slug = "pricing.no-list-price"

    def __init__(self, *, lines: Sequence[tuple[int, str]], currency: str) -> None:
        first, sku = lines[0]
        more = f" and {len(lines) - 1} other(s)" if len(lines) > 1 else ""
        super().__init__(
            f"SKU {sku!r}{more} has no price in {currency} now",
            remedy="set one with pricing.put-prices, or ask in a currency that it is sold in",
            path=f"$.lines[{first}].sku",
            lines=[{"path": f"$.lines[{at}].sku", "sku": sku, "reason": "no price"} for at, sku in lines],
        )


class WrongPeriod(errors.BadAsk):
    """A price ends before it begins."""

    slug = "pricing.wrong-period"

    def __init__(self, *, at: int) -> None:
        super().__init__(
            "a price ends before it begins",
            remedy="set valid_to later than valid_from",
            path=f"$.prices[{at}].valid_to",
        )


class WrongCursor(errors.BadAsk):
    """The cursor is not one that was given out."""

    slug = "pricing.wrong-cursor"

    def __init__(self) -> None:
        super().__init__("the cursor is unknown", remedy="send next_cursor as it was given", path="$.cursor")


class NegativePrice(errors.RuleBroken):
    """A price rule made a line cost less than nothing, or another currency."""

    slug = "pricing.negative-price"

    def __init__(self, *, at: int, sku: str, amount: Money) -> None:
        super().__init__(
            f"the price rules make {sku!r} cost {amount}",
            remedy="mend the front end's answer to pricing.adjust-line-amounts",
            path=f"$.lines[{at}]",
        )


@capability("pricing.put-prices", version="1.0", effect=Effect.WRITE, raises=[WrongPeriod])
def put_prices(ask: PutPrices) -> PricesPut:
    """Set up to 1,000 prices in the caller's price list.

    An entry with the same SKU, currency, location, tier and valid_from is replaced; all others stay, so that
    the price at any earlier time can still be told.
    """
    ...


@capability("pricing.list-prices", version="1.0", effect=Effect.READ, raises=[WrongCursor])
def list_prices(ask: ListPrices) -> PricePage:
    """List the price entries of one SKU, newest first."""
    ...


@capability("pricing.quote", version="1.0", effect=Effect.READ, raises=[NoListPrice, NegativePrice])
def quote(ask: Quote) -> PriceQuote:
    """Price lines before discounts.

    List and sale price are looked up first; then the front end may replace the amount of a line through
    `adjust_line_amounts`. Every change says who made it. The same ask at the same time gives the same answer.
    """
    ...


@extension_point(
    "pricing.adjust-line-amounts", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL], per_line=True
)
def adjust_line_amounts(lines: Sequence[UnitPrice], buyer: Buyer, now: datetime) -> tuple[Money | Pass, ...]:
    """Replace what lines cost: member price, regional price, markdown by the hour.

    Answers one amount for each line, or PASS. Must be pure; `now` is in UTC. The default leaves every price.
    """
    return (PASS,) * len(lines)


@extension_point("pricing.takes-sale-price", combine=combine.any_of, dimensions=[ORDER_KIND, CHANNEL])
def takes_sale_price(buyer: Buyer) -> bool | Pass:
    """Say whether this buyer gets the sale price where there is one; the default gives it to everyone."""
    return True
