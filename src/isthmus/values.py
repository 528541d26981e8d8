"""Words that all packs share: money, quantities, pages."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, TypeVar
from uuid import UUID

from msgspec.structs import force_setattr

from isthmus import places
from isthmus.kernel import Context, Dimension, Meta, Value, decode, encode, errors
from isthmus.kernel.host import check, fit
from isthmus.markings import Pii

V = TypeVar("V", bound=Value)
P = TypeVar("P")

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")

# ISO 4217, List One (current currencies and funds) as its maintenance agency SIX published it on 2026-01-01, by how
# many decimals a code's minor unit has. Metals, bond units and codes of no currency have none: they count whole.
_CODES_BY_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "
    "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA " + "X" * 3,
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
    "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
    "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
    "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG "
    "YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
CURRENCIES = {code: places for places, codes in _CODES_BY_DECIMALS.items() for code in codes.split()}
_DECIMALS_OTHERWISE = 2  # of codes that were withdrawn, which old rows have, and of those that came later

Moment = Annotated[datetime, Meta(tz=True)]  # a time without a zone is nobody's time
CurrencyCode = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217 currency code")]
Sku = Annotated[str, Meta(min_length=1, max_length=64, description="stock keeping unit")]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z", description="a code that people choose")]
GivenCode = Annotated[str, Meta(max_length=200, description="a code as a person writes it: case says nothing")]
Text = Annotated[str, Meta(max_length=2000)]
QUANTITY_MAX = 1_000_000  # of one line: above any order, and quantities of a thousand lines still add up
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX, description="whole number of the SKU's unit of measure")]
PageSize = Annotated[int, Meta(ge=1, le=200, description="how many to return at most")]
MINOR_MAX = 10**15  # minor units: the most that an amount holds
Minor = Annotated[int, Meta(ge=-MINOR_MAX, le=MINOR_MAX, description="minor units of the currency, such as cents")]


class CurrencyMismatch(errors.BadAsk):
    """Amounts of two currencies meet where only one can be."""

    slug = "currency-mismatch"


class DaysBackwards(errors.BadAsk):
    """Days end before they begin."""

    slug = "days-backwards"


def check_days(since: date | None, until: date | None, path: str) -> None:
    """Refuse days that end before they begin; an end that is left out is never before. Raises DaysBackwards."""
    if since is not None and until is not None and until < since:
        raise DaysBackwards(f"{until} is before {since}", remedy="put the earlier day first", path=f"{path}.until")


# What kind of sale an order is; products add kinds of their own.
ORDER_KIND = Dimension(name="order_kind", values=("standard",), default="standard")
# Where the buyer is when buying.
CHANNEL = Dimension(name="channel", values=("online", "app", "store", "phone"), default="online")

_NOT_SEEN = ("Cc", "Cf")  # categories of Unicode: control signs, and marks such as a zero-width space

LINES_MAX = 1_000  # a larger basket is two orders; it bounds the work of one call


class Rounding(enum.StrEnum):
    """How a fraction of a minor unit is rounded."""

    HALF_UP = "half-up"  # 0.5 away from zero: what tills and tax offices mostly ask for
    HALF_EVEN = "half-even"  # 0.5 to the even neighbour: no drift over many amounts
    DOWN = "down"
    UP = "up"


class Money(Value):
    """An amount in whole minor units (cents for USD, yen for JPY, fils for KWD) of an ISO 4217 currency."""

    currency: CurrencyCode
    minor: Minor

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise self._mismatch(other)
        return Money(currency=self.currency, minor=self.minor + other.minor)

    def __sub__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise self._mismatch(other)
        return Money(currency=self.currency, minor=self.minor - other.minor)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other).minor

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other).minor

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other).minor

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other).minor

    def __neg__(self) -> Money:
        return Money(currency=self.currency, minor=-self.minor)

    def times(self, factor: int | Fraction, rounding: Rounding = Rounding.HALF_UP) -> Money:
        """Return the amount times a factor: multiplied exactly, then rounded once to a whole minor unit."""
        return Money(currency=self.currency, minor=rounded(self.minor * Fraction(factor), rounding))

    def allocate(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Split in proportion to weights so that the parts add up to the whole, to the last minor unit."""
        return tuple(Money(currency=self.currency, minor=part) for part in allocated(self.minor, weights))

    def __str__(self) -> str:
        places = decimals(self.currency)
        return f"{Decimal(self.minor).scaleb(-places):.{places}f} {self.currency}"

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise self._mismatch(other)
        return other

    def _mismatch(self, other: Money) -> CurrencyMismatch:
        said = f"{self} and {other} cannot be added or compared"
        return CurrencyMismatch(said, remedy="convert one of them, or split the ask")


def whole_number(text: object, least: int, most: int) -> int | None:
    """Return the whole number that a text says in plain digits, within bounds; nothing where it says none.

    `²` and `٣` are digits to Python, and five thousand digits are more than it reads: what people and programs send in
    addresses, forms and headers is read by this.
    """
    if not isinstance(text, str) or not _WHOLE_NUMBER.fullmatch(text):
        return None
    found = int(text)
    return found if least <= found <= most else None


def money(minor: int, currency: str) -> Money:
    """Return an amount from minor units: `money(1999, "EUR")` is 19.99 EUR, `money(1999, "JPY")` 1,999 yen."""
    return Money(currency=currency, minor=minor)


def decimals(currency: str) -> int:
    """Return how many decimals a currency's minor unit has: 0, 2, 3 or 4 (ISO 4217)."""
    return CURRENCIES.get(currency, _DECIMALS_OTHERWISE)


def rounded(exact: Fraction, rounding: Rounding = Rounding.HALF_UP) -> int:
    """Round an exact fraction to a whole number; the sign does not change how."""
    whole, rest = divmod(abs(exact.numerator), exact.denominator)
    twice = 2 * rest - exact.denominator
    up = {
        Rounding.HALF_UP: twice >= 0,
        Rounding.HALF_EVEN: twice > 0 or (twice == 0 and whole % 2 == 1),
        Rounding.DOWN: False,
        Rounding.UP: rest > 0,
    }[rounding]
    size = whole + (1 if up and rest else 0)
    return -size if exact < 0 else size


def allocated(minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split an amount in proportion to weights by largest remainder; equal remainders go to the earlier part.

    The parts add up to the amount, and no part has another sign than it. Where all weights are zero,
    they count as equal. Raises ValueError for no weights or a negative one.
    """
    if not weights or min(weights) < 0:
        raise ValueError(f"cannot allocate {minor} over weights {list(weights)}")
    shares = list(weights) if any(weights) else [1] * len(weights)
    whole, size, sign = sum(shares), abs(minor), -1 if minor < 0 else 1
    parts = [size * share // whole for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda at: (-(size * shares[at] % whole), at))
    for at in by_remainder[: size - sum(parts)]:
        parts[at] += 1
    return tuple(sign * part for part in parts)


def composed(name: str) -> str:
    """Return a name as it is kept: its letters composed (NFC), and no space at either end."""
    return unicodedata.normalize("NFC", name).strip()


def composed_pairs(said: Mapping[str, str]) -> dict[str, str]:
    """Return what is said of something, names and values as they are kept."""
    return {composed(name): composed(value) for name, value in said.items()}


def folded(code: str) -> str:
    """Return what tells codes and e-mail addresses apart: without case, width, spaces around, or what is not seen."""
    shown = [one for one in unicodedata.normalize("NFKC", code) if unicodedata.category(one) not in _NOT_SEEN]
    return unicodedata.normalize("NFKC", "".join(shown).casefold()).strip()


def distinct_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """Return codes as they were written first, each once, and nothing for what is empty."""
    written: dict[str, str] = {}
    for code in codes:
        written.setdefault(folded(code), code.strip())
    return tuple(code for key, code in written.items() if key)


def cursor_at(place: object) -> str:
    """Return the cursor that goes on after a place of a list."""
    return encode(place).hex()


def place_at(cursor: str, type_: type[P], refusal: Callable[[], errors.BadAsk]) -> P:
    """Return the place that a cursor stands for. Raises `refusal` for one that `cursor_at` cannot have written."""
    try:
        written = bytes.fromhex(cursor)
        place = decode(written, type_)
        check(place)
    except (ValueError, errors.BadAsk):
        raise refusal() from None
    if b"\\u0000" in written:  # no text in the database has it
        raise refusal()
    return place


Serial = Annotated[str, Meta(pattern=r"^[!-~]{1,64}\Z", description="what tells one unit of an SKU from the others")]
SERIALS_MAX = 1_000  # of one ask: each is read by a scanner


class SerialNumber(Value):
    """One unit of an SKU, by its serial number."""

    sku: Sku
    serial: Serial


Serials = Annotated[tuple[SerialNumber, ...], Meta(max_length=SERIALS_MAX)]


class LineAsk(Value):
    """So much of one SKU."""

    sku: Sku
    quantity: Quantity


Lines = Annotated[tuple[LineAsk, ...], Meta(min_length=1, max_length=LINES_MAX)]


ATTRIBUTES_OF = "x-attributes-of"  # in the JSON Schema of a contract: the entity whose attributes stand there


def attributes_of(entity: str) -> Meta:
    """Mark a field of a contract, `dict[str, Any]`, as what a front end says of an entity by attributes of its own."""
    return Meta(extra_json_schema={ATTRIBUTES_OF: entity})


def read_attributes(type_: type[V], attributes: Mapping[str, Any]) -> V:
    """Return attributes of an entity as the Value by which a front end declares them now.

    A field that only an earlier version declared is left out. Raises BadAsk where what was written then does not fit
    any more: give a new field a default, and a changed one a new name.
    """
    known = {name: value for name, value in attributes.items() if name in type_.__struct_fields__}
    return fit(known, type_, "$.attributes")


def checked_attributes(lines: tuple[V, ...], field: str, entity: str, ctx: Context) -> tuple[V, ...]:
    """Return lines whose field has an entity's attributes as the front end declares them; what is empty stays so.

    Raises BadAsk with the path where they do not fit. Lines that share one object share its check.
    """
    made: dict[int, dict[str, Any]] = {}
    for at, line in enumerate(lines):
        said = getattr(line, field)
        if said and id(said) not in made:
            made[id(said)] = ctx.attributes(entity, said, f"$.lines[{at}].{field}")
    if not made:
        return lines
    given = ((line, getattr(line, field)) for line in lines)
    return tuple(line.replace(**{field: made[id(said)]}) if said else line for line, said in given)


class Applied(Value):
    """What changed an outcome, and who asked for it: a rule's name, a promotion, an answer's owner."""

    by: str
    reason: str
    amount: Money | None = None  # what it added (or, negative, took away), where it is money


class Buyer(Value):
    """Who buys, as far as decisions may know: no name, no address."""

    member_id: UUID | None = None
    tier: str = ""
    segments: tuple[str, ...] = ()
    account_id: UUID | None = None  # in a programme of several front ends: who the same person is at each of them


GUEST = Buyer()


class UnknownPlace(errors.BadAsk):
    """A country or a region that is not known, which must not be taken for something broader."""

    slug = "unknown-place"


class Address(Value):
    """Where something goes; `country` is ISO 3166-1 alpha-2, `region` the part after the dash in ISO 3166-2.

    A region may come by its name and in any case, a postcode with any gaps: both are kept in one form.
    """

    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
    region: Annotated[str, Meta(max_length=80)] = ""
    city: Annotated[str, Pii("address"), Meta(max_length=120)] = ""
    postcode: Annotated[str, Pii("address"), Meta(max_length=16)] = ""
    street: Annotated[str, Pii("address"), Meta(max_length=240)] = ""
    recipient: Annotated[str, Pii("name"), Meta(max_length=120)] = ""
    phone: Annotated[str, Pii("phone"), Meta(max_length=40)] = ""

    def __post_init__(self) -> None:
        put_in_form(self, region=region_in_form(self.country, self.region), postcode=places.postcode(self.postcode))

    def __check__(self, path: str) -> None:
        check_place(self.country, self.region, path)


_FORM_MAX = 16  # characters: what every such field can hold


def put_in_form(value: Value, **fields: str) -> None:
    """Set fields of a value that is being made to the form in which they are compared, where that is no longer."""
    for name, form in fields.items():
        typed = getattr(value, name)
        if typed != form and len(form) <= max(len(typed), _FORM_MAX):
            force_setattr(value, name, form)  # pyright: ignore[reportArgumentType] - a Value is a struct


def region_in_form(country: str, typed: str) -> str:
    """Return a region's code, or what was typed where it is none of the country's: who takes it in refuses that."""
    found = places.region(country, typed)
    return typed.strip() if found is None else found


def check_place(country: str, region: str, path: str) -> None:
    """Refuse a country or region that is not known. Raises UnknownPlace with the path."""
    if not places.is_country(country):
        raise UnknownPlace(
            f"{country!r} is no country", remedy="send its code of ISO 3166-1, such as US", path=f"{path}.country"
        )
    if places.region(country, region) is None:
        known = places.regions(country)
        nearest = errors.near(region, [*known.values(), *known])
        raise UnknownPlace(
            f"{country} has no region {region!r}{nearest}",
            remedy=f"send its code of ISO 3166-2 without {country!r} and dash, or its name",
            path=f"{path}.region",
        )
