"""Taxes, as others may name them: jurisdictions, their rates by category, and the calculation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from isthmus.kernel import PASS, Effect, Meta, Pass, Value, capability, combine, event, extension_point
from isthmus.markings import Pii
from isthmus.values import (
    CHANNEL,
    LINES_MAX,
    ORDER_KIND,
    Address,
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

from .errors import BadCursor, NegativeAmount, NoRate, NotAssessed, RateRefused, RegionNeeded, UnknownJurisdiction

RATES_MAX = 1_000  # per ask: one statement stays well under a second
JURISDICTIONS_MAX = 200  # per ask: more than the states of any federation
PPM = 1_000_000
ASSESS_DEADLINE_MS = 15_000  # a service has ten seconds at most; who previews an order waits no longer

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
    destination: Annotated[Address | None, Pii("address")] = None  # for a tax service, which knows streets
    buyer: Buyer = Buyer()
    order_kind: str = "standard"
    channel: str = "online"
    at: Moment | None = None  # by the rates that were in force then, such as when an order was placed; None: now


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
    service: str = ""  # the tax service that said so; empty: the platform's own rates
    is_fallback: bool = False  # a service should have said, and had not: the platform's own rates stood in


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


_CALCULATE_ERRORS = (UnknownJurisdiction, RegionNeeded, NoRate, NegativeAmount, CurrencyMismatch, NotAssessed)


@capability(
    "tax.calculate",
    version="1.0",
    effect=Effect.READ,
    raises=_CALCULATE_ERRORS,
)
def calculate(ask: Calculate) -> TaxQuote:
    """Calculate the tax of lines and delivery in a jurisdiction.

    A front end without any jurisdiction charges no tax: gross = net, and `is_configured` is false. One that has some
    is refused for a jurisdiction that it says nothing of or whose region is not known, and for a category that has no
    rate. Delivery has the category "delivery"; what costs nothing needs no rate. One statement, however many lines.

    Where a tax service is chosen, it is what that answered to `assess` for the same lines; nobody is asked here, since
    a transaction may be open. What was not asked in time is refused, or calculated by own rates, as the settings say.
    """
    ...


@capability("tax.assess", version="1.0", effect=Effect.READ, raises=_CALCULATE_ERRORS, deadline_ms=ASSESS_DEADLINE_MS)
def assess(ask: Calculate) -> TaxQuote:
    """Calculate the tax, and have the tax service say what is due where one is chosen: its answer is kept for a while.

    Call it before `calculate`, outside of any transaction; previewing an order does. The same ask is sent to the
    service once, however often it comes.
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
