"""Rows of `tax.jurisdiction` and `tax.rate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from isthmus.kernel import ports
from isthmus.values import Rounding

from . import api

# A row for each jurisdiction of the scope that is known, and for each of its rates in force; when none of the scope is
# known, one row says whether any is known at all.
_FIND_RATES = """
    select known.code, known.prices_include_tax, known.rounding, known.rounded_per,
        rate.name, rate.tax_category, rate.rate_ppm, rate.valid_from, rate.valid_to,
        exists (select from tax.jurisdiction where front_end = $1) as is_configured,
        exists (select from tax.jurisdiction where front_end = $1 and starts_with(code, $5)) as has_regions
    from (select 1) as one
    left join tax.jurisdiction as known on known.front_end = $1 and known.code = any ($2::text[])
    left join tax.rate on rate.front_end = $1 and rate.jurisdiction = known.code and rate.superseded_at is null
        and rate.tax_category = any ($3::text[]) and rate.valid_from <= $4
        and (rate.valid_to is null or rate.valid_to > $4)"""

# As it was at a time: a rate that was superseded after that, rather than what took its place.
_FIND_RATES_AT = _FIND_RATES.replace(
    "rate.superseded_at is null",
    """coalesce(rate.superseded_at > $4, true) and not exists (
            select from tax.rate as first where first.front_end = $1 and first.jurisdiction = rate.jurisdiction
                and first.name = rate.name and first.tax_category = rate.tax_category
                and first.valid_from = rate.valid_from and first.superseded_at > $4 and first.seq < rate.seq)""",
)

_PUT_JURISDICTIONS = """
    insert into tax.jurisdiction (front_end, code, prices_include_tax, rounding, rounded_per, put_at, put_by)
    select $1, code, prices_include_tax, rounding, rounded_per, $6, $7
    from unnest($2::text[], $3::boolean[], $4::text[], $5::text[])
        as asked (code, prices_include_tax, rounding, rounded_per)
    order by code
    on conflict (front_end, code) do update
        set (prices_include_tax, rounding, rounded_per, put_at, put_by)
          = (excluded.prices_include_tax, excluded.rounding, excluded.rounded_per, excluded.put_at, excluded.put_by)
        where (jurisdiction.prices_include_tax, jurisdiction.rounding, jurisdiction.rounded_per)
            is distinct from (excluded.prices_include_tax, excluded.rounding, excluded.rounded_per)
    returning code"""

# Whoever puts rates waits for whoever puts rates of the same jurisdictions: the rows are locked in one order.
_LOCK_JURISDICTIONS = """
    select code from tax.jurisdiction where front_end = $1 and code = any ($2::text[])
    order by code for no key update"""

_ASKED = """
    asked as (
        select * from unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[], $7::timestamptz[])
            with ordinality as a (jurisdiction, name, tax_category, rate_ppm, valid_from, valid_to, place))"""

_SUPERSEDE = f"""
    with {_ASKED},
    met as (
        select asked.place, live.seq,
            (live.rate_ppm, live.valid_to) is not distinct from (asked.rate_ppm, asked.valid_to) as is_same
        from asked cross join lateral (
            select seq, rate_ppm, valid_to from tax.rate
            where front_end = $1 and superseded_at is null and jurisdiction = asked.jurisdiction
                and name = asked.name and tax_category = asked.tax_category and valid_from = asked.valid_from
            limit 1) as live),
    ended as (
        update tax.rate set superseded_at = $8 from met
        where rate.front_end = $1 and rate.seq = met.seq and not met.is_same)
    select place from met where is_same"""

_INSERT_RATES = f"""
    with {_ASKED}
    insert into tax.rate
        (front_end, jurisdiction, name, tax_category, rate_ppm, valid_from, valid_to, put_at, put_by)
    select $1, jurisdiction, name, tax_category, rate_ppm, valid_from, valid_to, $8, $9 from asked order by place"""

_LIST_RATES = """
    select * from tax.rate
    where front_end = $1 and seq > $2 and ($3::text is null or jurisdiction = $3)
        and ($4 or superseded_at is null)
    order by seq limit $5"""

_LIST_JURISDICTIONS = """
    select * from tax.jurisdiction where front_end = $1 and code > $2 order by code limit $3"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a front end has configured for a scope of jurisdictions."""

    is_configured: bool  # any at all
    has_regions: bool  # some within the country
    known: dict[str, api.Jurisdiction]  # of the scope, by code
    entries: list[api.RateEntry]


async def find_rates(
    session: ports.Session,
    front_end: str,
    scope: Sequence[str],
    categories: Sequence[str],
    now: datetime,
    at: datetime | None,
) -> Found:
    """Return what is configured for a scope, with the rates in force now, or at a time."""
    find = _FIND_RATES if at is None else _FIND_RATES_AT
    rows = await session.fetch(find, front_end, scope, ["", *categories], at or now, f"{scope[-1]}-")
    known = {row["code"]: _jurisdiction(row) for row in rows if row["code"] is not None}
    rates = [_entry(row, row["code"]) for row in rows if row["name"] is not None]
    return Found(rows[0]["is_configured"], rows[0]["has_regions"], known, rates)


async def put_jurisdictions(
    session: ports.Session, front_end: str, asked: Sequence[api.Jurisdiction], now: datetime, by: str
) -> int:
    """Write jurisdictions; return how many are new or other than before."""
    rows = await session.fetch(
        _PUT_JURISDICTIONS,
        front_end,
        [one.code for one in asked],
        [one.prices_include_tax for one in asked],
        [one.rounding.value for one in asked],
        [one.rounded_per for one in asked],
        now,
        by,
    )
    return len(rows)


async def lock_jurisdictions(session: ports.Session, front_end: str, codes: Sequence[str]) -> set[str]:
    """Lock jurisdictions against other puts of rates; return those that are known."""
    return {row["code"] for row in await session.fetch(_LOCK_JURISDICTIONS, front_end, codes)}


async def supersede(session: ports.Session, front_end: str, rates: Sequence[api.RateEntry], now: datetime) -> set[int]:
    """End rates that these replace; return the places of those that say what is in force already."""
    rows = await session.fetch(_SUPERSEDE, front_end, *_columns(rates), now)
    return {row["place"] - 1 for row in rows}


async def insert_rates(
    session: ports.Session, front_end: str, rates: Sequence[api.RateEntry], now: datetime, by: str
) -> None:
    await session.execute(_INSERT_RATES, front_end, *_columns(rates), now, by)


async def list_rates(
    session: ports.Session, front_end: str, ask: api.ListRates, after: int, limit: int
) -> list[tuple[int, api.Rate]]:
    rows = await session.fetch(_LIST_RATES, front_end, after, ask.jurisdiction, ask.history, limit)
    return [(row["seq"], _rate(row)) for row in rows]


async def list_jurisdictions(session: ports.Session, front_end: str, after: str, limit: int) -> list[api.Jurisdiction]:
    return [_jurisdiction(row) for row in await session.fetch(_LIST_JURISDICTIONS, front_end, after, limit)]


def _columns(rates: Sequence[api.RateEntry]) -> tuple[list[object], ...]:
    return (
        [rate.jurisdiction for rate in rates],
        [rate.name for rate in rates],
        [rate.tax_category for rate in rates],
        [rate.rate_ppm for rate in rates],
        [rate.valid_from for rate in rates],
        [rate.valid_to for rate in rates],
    )


def _jurisdiction(row: ports.Row) -> api.Jurisdiction:
    return api.Jurisdiction(
        code=row["code"],
        prices_include_tax=row["prices_include_tax"],
        rounding=Rounding(row["rounding"]),
        rounded_per=row["rounded_per"],
    )


def _rate(row: ports.Row) -> api.Rate:
    return api.Rate(
        entry=_entry(row, row["jurisdiction"]),
        put_at=row["put_at"],
        put_by=row["put_by"],
        superseded_at=row["superseded_at"],
    )


def _entry(row: ports.Row, jurisdiction: str) -> api.RateEntry:
    return api.RateEntry(
        jurisdiction=jurisdiction,
        name=row["name"],
        tax_category=row["tax_category"],
        rate_ppm=row["rate_ppm"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )
