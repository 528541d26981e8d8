"""Exchange rates: kept in the lake by day, and used where a question asks for one currency.

    file (the ECB's, or day,base,currency,rate) → checked → lake.rates, in a snapshot of its own
    a row's amount × rate of its UTC day, from its currency to the asked one → whole minor units, half up

Each row is converted and rounded for itself, so that groups add up to their total to the last minor unit. The number
is exact: rates are decimals, and the quotient of two is never written out. A day without a rate refuses the answer.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from isthmus.kernel import Value, errors
from isthmus.values import decimals

from ..arrow import pa
from ..errors import SHOWN_MAX, BadMetric, BadRates, NoRate
from ..model.model import Field
from .lake import RATES, Lake
from .reader import Reader

PLACES: Final = 10  # decimals of a rate; the ECB writes at most five
RATE_MAX: Final = 10**7  # above it an amount, twice two rates and a power of ten no longer fit in 127 bits
CARRY_DAYS_MAX: Final = 10  # the longest bank holiday with its weekends; beyond it a rate is no longer today's


class Rate(Value):
    """So many units of a currency are one unit of the file's base, as published on a day."""

    day: date
    base: str
    currency: str
    rate: Decimal


class Imported(Value):
    """What one file brought."""

    snapshot: str
    source: str
    rates: int
    days: int
    currencies: tuple[str, ...]


def keep_rates(lake: Lake, place: Path, now: datetime, *, name: str = "", carry_days: int = 0) -> Imported:
    """Bring a file of rates into the lake; a rate of a day that is there already is replaced.

    `carry_days` lets a rate stand on so many following days on which none is published, as weekends. Raises
    BadRates with line and fault, and Conflict where another process landed meanwhile.
    """
    text = place.read_text()
    digest = hashlib.sha256(f"{carry_days}\n{text}".encode()).hexdigest()[:12]
    source = f"{name or place.name}@{digest}"
    published = list(read_rates(text))
    dated = [*((rate, rate.day) for rate in published), *_carried(published, carry_days)]
    days = {day for _, day in dated}
    base = published[0].base
    dated += [(Rate(day=day, base=base, currency=base, rate=Decimal(1)), day) for day in days]
    before = lake.head()
    with lake.connect(before) as connection:
        kept = connection.execute("select distinct base from lake.rates").fetchall()
        if bases := {str(found[0]) for found in kept} - {base}:
            raise BadRates(
                f"rates of the lake are for one {', '.join(bases)}, and these for one {base}",
                remedy="bring rates of the same base: two bases can say two things of one day",
            )
        connection.register("arriving", pa.Table.from_pylist([_row(*one, source) for one in dated], schema=_schema()))
        file = lake.write(connection, _TOGETHER)
        connection.unregister("arriving")
    manifest = lake.commit(before, before.position, {**before.datasets, RATES: [file] if file else []}, now)
    currencies = tuple(sorted({rate.currency for rate, _ in dated}))
    return Imported(snapshot=manifest.name, source=source, rates=len(dated), days=len(days), currencies=currencies)


_TOGETHER: Final = (
    "select * from arriving union all by name select * from lake.rates anti join arriving using (day, currency) "
    "order by day, currency"
)


def read_rates(text: str) -> Iterator[Rate]:
    """Yield the rates of a file: `day,base,currency,rate`, or the ECB's reference rates with a column a currency.

    Raises BadRates with the line and what is wrong in it.
    """
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    header = [name.strip() for name in reader.fieldnames or ()]
    is_ecb = header[:1] == ["Date"]
    if not is_ecb and set(header) != {"day", "base", "currency", "rate"}:
        raise BadRates(
            f"a file with the columns {', '.join(header[:SHOWN_MAX])} holds no rates",
            remedy="use day,base,currency,rate, or eurofxref-hist.csv of the European Central Bank",
        )
    seen: set[tuple[str, str]] = set()
    bases: set[str] = set()
    for line, row in enumerate(reader, 2):
        cells = (
            [
                (row["Date"], "EUR", name, row[name])
                for name in header[1:]
                if name and row[name] not in ("N/A", "", None)
            ]
            if is_ecb
            else [(row["day"], row["base"], row["currency"], row["rate"])]
        )
        for day, base, currency, rate in cells:
            if (day, currency) in seen:
                raise BadRates(f"line {line}: {currency} has a second rate on {day}", remedy="leave one of them")
            seen.add((day, currency))
            bases.add(base)
            if len(bases) > 1:
                raise BadRates(f"line {line}: {base} is a second base", remedy="write all rates for one unit of one")
            yield _read(line, day, base, currency, rate)
    if not seen:
        raise BadRates("the file has no rate", remedy="bring one with at least a day")


def _read(line: int, day: str, base: str, currency: str, rate: str) -> Rate:
    try:
        found = Rate(day=date.fromisoformat(day.strip()), base=base, currency=currency, rate=Decimal(rate.strip()))
    except (ValueError, InvalidOperation, AttributeError):
        raise BadRates(f"line {line}: {day}, {currency}, {rate} is no day with a rate", remedy="fix it") from None
    is_fitting = found.rate.is_finite() and 0 < found.rate < RATE_MAX and found.rate == round(found.rate, PLACES)
    if not is_fitting or not _is_code(base) or not _is_code(currency) or base == currency:
        raise BadRates(
            f"line {line}: {rate} {currency} for one {base} is no rate",
            remedy=f"write ISO 4217 codes and a number above 0 and below {RATE_MAX:,} with at most {PLACES} decimals",
        )
    return found


def _is_code(text: str) -> bool:
    return re.fullmatch(r"[A-Z]{3}", text) is not None


def _carried(rates: Iterable[Rate], days: int) -> Iterator[tuple[Rate, date]]:
    """Yield each rate with the following days on which it stands, since none is published for its currency."""
    if not 0 <= days <= CARRY_DAYS_MAX:
        raise BadRates(f"a rate is not carried over {days} days", remedy=f"carry it over 0 to {CARRY_DAYS_MAX}")
    published: dict[str, list[Rate]] = {}
    for rate in rates:
        published.setdefault(rate.currency, []).append(rate)
    for found in published.values():
        found.sort(key=lambda rate: rate.day)
        ends = [*(rate.day for rate in found[1:]), date.max]
        for rate, end in zip(found, ends, strict=True):
            for after in range(1, days + 1):
                if rate.day + timedelta(days=after) < end:
                    yield rate, rate.day + timedelta(days=after)


def _row(rate: Rate, day: date, source: str) -> dict[str, Any]:
    return {
        "day": day,
        "base": rate.base,
        "currency": rate.currency,
        "rate": rate.rate,
        "decimals": decimals(rate.currency),
        "published": rate.day,
        "source": source,
    }


def table_to(currency: str, written: str) -> str:
    """Return SQL of the factors to a currency: `num` / `den` from a currency's minor units to its, by day.

    `written` stands for the currency in SQL, as in all functions below. Raises BadAsk for what is no currency.
    """
    if not _is_code(currency):
        raise errors.BadAsk(
            f"{currency!r} is no currency", remedy="use an ISO 4217 code such as EUR", path="$.currency"
        )
    scale, places = 10**PLACES, decimals(currency)
    return (
        f"select x.day, x.currency, cast(y.rate * cast({scale} as decimal(12, 0)) as hugeint)"
        f" * cast(10 ** greatest({places} - x.decimals, 0) as hugeint) as num,"
        f" cast(x.rate * cast({scale} as decimal(12, 0)) as hugeint)"
        f" * cast(10 ** greatest(x.decimals - {places}, 0) as hugeint) as den"
        f" from lake.rates as x join lake.rates as y on y.day = x.day and y.currency = {written}"
    )


def day_of(time: str, field: Field) -> str:
    """Return a row's day as rates have it: of UTC, so that a total does not depend on who asks where."""
    return f"cast({time} at time zone 'UTC' as date)" if field.kind == "timestamp" else time


def converted(amount: str, own: str, rate: str, currency: str) -> str:
    """Return SQL of an amount in another currency: exact, then half up (away from zero) to whole minor units."""
    size = f"(2 * abs(cast({amount} as hugeint)) * {rate}.num + {rate}.den) // (2 * {rate}.den)"
    return f"case when {own} = {currency} then {amount} else cast(sign({amount}) * ({size}) as bigint) end"


def lacking(amount: str, own: str, day: str, rate: str, currency: str) -> str:
    """Return SQL of what a row lacks to be converted, such as `2026-01-31 USD`; empty where nothing."""
    is_lacking = f"{amount} is not null and {rate}.num is null and {own} is distinct from {currency}"
    said = f"coalesce(cast({day} as varchar), 'a row without a day') || ' ' || coalesce({own}, 'of no currency')"
    return f"case when {is_lacking} then {said} end"


def check_is_minor(name: str, field: Field) -> None:
    """Raise BadMetric where amounts are not whole minor units: only those are rounded to the last one."""
    if field.kind != "integer":
        raise BadMetric(
            f"{name} is a {field.kind}, and only whole minor units are converted",
            remedy="keep amounts in minor units, as Measure(unit='minor', currency=…), or group by currency",
        )


def check_rates(reader: Reader, sql: str, parameters: Iterable[object], currency: str) -> None:
    """Raise NoRate with the days and currencies that the rows of an answer lack a rate for."""
    rows = reader.rows(sql, list(parameters)) if sql else []
    if rows:
        raise NoRate(currency, [str(row["lacking"]) for row in rows])


def sources(reader: Reader) -> tuple[str, ...]:
    """Return which files the rates of a snapshot are from, each with a hash of what was in it."""
    rows = reader.rows("select distinct source from lake.rates order by source")
    return tuple(str(row["source"]) for row in rows)


def _schema() -> Any:
    return pa.schema(
        [("day", pa.date32()), ("base", pa.string()), ("currency", pa.string()), ("rate", pa.decimal128(20, PLACES)),
         ("decimals", pa.int64()), ("published", pa.date32()), ("source", pa.string())]
    )  # fmt: skip
