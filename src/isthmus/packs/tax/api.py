"""What tax is due on lines: jurisdictions, their rates by category, and the calculation.

    put ──▶ live ──▶ superseded   another rate was put for the same key

Jurisdictions form a chain by their codes: "CA-BC" lies in "CA". A tax is known by its `name` ("vat", "state",
"county"); of one name the rate of the narrowest jurisdiction counts, and taxes of different names add up. In a
jurisdiction the rate of a category goes before the one for every category (an empty `tax_category`).

Tax that is not included is added: gross = net + tax. Tax that is included is taken out: net = gross − tax. Both hold
to the minor unit for every line, for delivery and for each sum. Rounding is said by the jurisdiction: `line` rounds
each tax of each line; `rate` rounds the sum of each tax once, and shares it out to the lines without losing a minor
unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from isthmus.kernel import PASS, Effect, Meta, Pass, Value, capability, combine, errors, event, extension_point
from isthmus.values import (
    CHANNEL,
    LINES_MAX,
    ORDER_KIND,
    Buyer,
    Code,
    CurrencyMismatch,
    Moment,
    Money,
    PageSize,
    Quantity,
    Rounding,
    Sku,
)

RATES_MAX = 1_000  # per ask: one statement stays well under a second
JURISDICTIONS_MAX = 200  # per ask: more than the states of any federation
PPM = 1_000_000

Ppm = Annotated[int, Meta(ge=0, le=10 * PPM, description="parts per million: 7.25% is 72500")]
TaxCategory = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,63})?\Z", description="empty: every category")
]
JurisdictionCode = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z0-9]{2,16}(-[A-Z0-9]{1,16}){0,5}\Z", description="ISO 3166 and finer: US, US-OH, US-OH-CUYAHOGA"
    ),
]
RoundedPer = Literal["line", "rate"]


class Jurisdiction(Value):
    """Where rates hold, whether its prices include tax, and how tax is rounded there."""

    code: JurisdictionCode
    prices_include_tax: bool = False
    rounding: Rounding = Rounding.HALF_UP
    rounded_per: RoundedPer = "line"


class PutJurisdictions(Value):
    """Add jurisdictions, or replace what is said of them."""

    jurisdictions: Annotated[tuple[Jurisdiction, ...], Meta(min_length=1, max_length=JURISDICTIONS_MAX)]


class JurisdictionsPut(Value):
    """How many are new or other than before."""

    changed: int


class RateEntry(Value):
    """One tax on one category in one jurisdiction. A rate of 0 says that the category is free of that tax."""

    jurisdiction: JurisdictionCode
    name: Code
    rate_ppm: Ppm
    valid_from: Moment
    valid_to: Moment | None = None
    tax_category: TaxCategory = ""


class PutRates(Value):
    """Put rates into force. The key of a rate is jurisdiction, name, category and `valid_from`."""

    rates: Annotated[tuple[RateEntry, ...], Meta(min_length=1, max_length=RATES_MAX)]


class RatesPut(Value):
    """How many rates are new or other than before, and how many were there already."""

    changed: int
    unchanged: int


class Rate(Value):
    """A rate as it was put; `superseded_at` is set once another took its place."""

    entry: RateEntry
    put_at: Moment
    put_by: str
    superseded_at: Moment | None = None


class ListRates(Value):
    """List rates: those in force, or with `history` all that ever were; of one jurisdiction or of all."""

    jurisdiction: JurisdictionCode | None = None
    history: bool = False
    limit: PageSize = 50
    cursor: Annotated[str, Meta(max_length=400)] | None = None


class RatePage(Value):
    """Some rates, and where to go on."""

    items: tuple[Rate, ...]
    next_cursor: str | None


class ListJurisdictions(Value):
    """List the jurisdictions of this front end in the order of their codes."""

    limit: PageSize = 50
    cursor: JurisdictionCode | None = None


class JurisdictionPage(Value):
    """Some jurisdictions, and where to go on."""

    items: tuple[Jurisdiction, ...]
    next_cursor: str | None


class TaxLine(Value):
    """What is paid for one line after discounts: with tax or without, as the jurisdiction says."""

    sku: Sku
    quantity: Quantity
    tax_category: TaxCategory
    amount: Money


class Calculate(Value):
    """Ask what tax is due on lines and on delivery."""

    lines: Annotated[tuple[TaxLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    jurisdiction: JurisdictionCode
    delivery_fee: Money | None = None
    is_address: bool = False  # True: it is where goods go, so it must say the region where that decides
    buyer: Buyer = Buyer()
    order_kind: str = "standard"
    channel: str = "online"


class LineTax(Value):
    """One tax on one line, and the rate that made it."""

    name: str
    rate_ppm: int
    jurisdiction: str
    tax: Money


class TaxedLine(Value):
    """A line with its taxes: gross = net + tax."""

    sku: str  # empty for delivery
    tax_category: str
    net: Money
    tax: Money
    gross: Money
    rates: tuple[LineTax, ...]
    exempt_because: str = ""


class RateSummary(Value):
    """All that is due at one rate: `tax` is the sum of the lines' taxes at it, `net` what it is due on."""

    name: str
    rate_ppm: int
    jurisdiction: str
    net: Money
    tax: Money


class TaxQuote(Value):
    """The tax of lines and delivery, in the order of the ask, and summed per rate."""

    jurisdiction: str  # the one that the rates were taken from
    is_configured: bool  # False: this front end charges no tax anywhere, so gross = net
    prices_include_tax: bool
    rounding: Rounding
    rounded_per: RoundedPer
    lines: tuple[TaxedLine, ...]
    delivery: TaxedLine | None
    summary: tuple[RateSummary, ...]
    net: Money
    tax: Money
    gross: Money


class ChosenRate(Value):
    """A rate that falls on a line."""

    name: Code
    rate_ppm: Ppm
    jurisdiction: str


@event("tax.rates-changed", version="1.0", subject="jurisdiction")
class RatesChanged(Value):
    """Rates of a jurisdiction are other than before."""

    jurisdiction: str
    categories: tuple[str, ...]
    by: str


class UnknownJurisdiction(errors.NotFound):
    """The front end charges tax, but says nothing of this jurisdiction or one that it lies in."""

    slug = "tax.unknown-jurisdiction"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(
            f"no tax is configured for {code}, nor for what it lies in",
            remedy="add it with tax.put-jurisdictions and its rates with tax.put-rates",
            path=path,
            jurisdiction=code,
        )


class RegionNeeded(errors.BadAsk):
    """The tax depends on the region within the country, and the address has none."""

    slug = "tax.region-needed"

    def __init__(self, *, country: str) -> None:
        super().__init__(
            f"the tax in {country} depends on the region, and the address has none",
            remedy="send the region of the address, by its code or its name",
            path="$.address.region",
            country=country,
        )


class NoRate(errors.NotFound):
    """Lines of the ask have a category that no rate is in force for."""

    slug = "tax.no-rate"

    def __init__(self, *, lines: Sequence[dict[str, str]], jurisdiction: str) -> None:
        super().__init__(
            f"no rate is in force in {jurisdiction} for {lines[0]['reason']}, and {len(lines)} line(s) need one",
            remedy="put it with tax.put-rates; a rate of 0 says that a category is free of tax",
            path=lines[0]["path"],
            lines=list(lines),
        )


class NegativeAmount(errors.BadAsk):
    """Tax is calculated on what is sold: for a refund, take the share of the tax that was charged."""

    slug = "tax.negative-amount"

    def __init__(self, *, amount: Money, path: str) -> None:
        super().__init__(
            f"an amount of {amount} is below zero",
            remedy="calculate on what was sold, and refund a share of that tax",
            path=path,
        )


class RateRefused(errors.RuleBroken):
    """Rates contradict themselves or each other; none was put."""

    slug = "tax.rate-refused"

    def __init__(self, *, lines: Sequence[dict[str, str]]) -> None:
        super().__init__(
            f"{len(lines)} rate(s) refused, the first because {lines[0]['reason']}",
            remedy="correct what `lines` names and put all again",
            path=lines[0]["path"],
            lines=list(lines),
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "tax.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list",
            remedy="send next_cursor of the page before, or none to begin",
            path="$.cursor",
        )


@capability(
    "tax.calculate",
    version="1.0",
    effect=Effect.READ,
    raises=[UnknownJurisdiction, RegionNeeded, NoRate, NegativeAmount, CurrencyMismatch],
)
def calculate(ask: Calculate) -> TaxQuote:
    """Calculate the tax of lines and delivery in a jurisdiction.

    A front end without any jurisdiction charges no tax: gross = net, and `is_configured` is false. One that has some
    is refused for a jurisdiction that it says nothing of or whose region is not known, and for a category that has no
    rate. Delivery has the
    category "delivery"; what costs nothing needs no rate. One statement, however many lines.
    """
    ...


@capability("tax.put-jurisdictions", version="1.0", effect=Effect.WRITE)
def put_jurisdictions(ask: PutJurisdictions) -> JurisdictionsPut:
    """Add jurisdictions, or replace what is said of them. From the first one on, the front end charges tax."""
    ...


@capability("tax.put-rates", version="1.0", effect=Effect.WRITE, raises=[RateRefused, UnknownJurisdiction])
def put_rates(ask: PutRates) -> RatesPut:
    """Put up to 1,000 rates into force, all or none. A rate with the key of another supersedes it.

    Of several rates of one name that are valid at a time, the one with the latest `valid_from` counts.
    """
    ...


@capability("tax.list-rates", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_rates(ask: ListRates) -> RatePage:
    """List rates, with who put them when."""
    ...


@capability("tax.list-jurisdictions", version="1.0", effect=Effect.READ)
def list_jurisdictions(ask: ListJurisdictions) -> JurisdictionPage:
    """List where this front end charges tax, and how it is rounded there."""
    ...


@extension_point("tax.choose-jurisdiction", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL])
def choose_jurisdiction(jurisdiction: str, buyer: Buyer) -> str | Pass:
    """Choose whose rates hold, given where the goods go: the seller's own, or a one-stop shop's.

    Default: where they go.
    """
    return jurisdiction


@extension_point("tax.choose-category", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL], per_line=True)
def choose_category(lines: Sequence[TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Say which tax category each line has: hot food to take away, a gift card, a bundle by its main part.

    Default: the category of the catalogue.
    """
    return [line.tax_category for line in lines]


@extension_point("tax.exempt-line", combine=combine.first_answer, dimensions=[ORDER_KIND], per_line=True)
def exempt_line(lines: Sequence[TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    """Say why a line bears no tax for this buyer, who has a certificate or resells; the reason is kept with it.

    Prices that include tax stay what they are, all of it net. Default: no line is exempt.
    """
    return [PASS] * len(lines)


@extension_point("tax.choose-rates", combine=combine.first_answer, on_failure="default", until=date(2027, 6, 30))
async def choose_rates(
    lines: Sequence[TaxLine], jurisdiction: str, buyer: Buyer
) -> tuple[tuple[ChosenRate, ...], ...] | Pass:
    """Give the rates of all lines from elsewhere, such as a tax service: one tuple for each line, delivery last.

    May be answered in another process or service; when that fails or is late, the platform's own rates hold.
    Default: the platform's own rates.
    """
    return PASS
