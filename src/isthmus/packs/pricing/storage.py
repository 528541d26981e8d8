"""Pricing's rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from isthmus.kernel import ports

from . import api

_PUT = """
insert into pricing.price
    (front_end, sku, currency, location, quantity_from, valid_from, valid_to, list_minor, sale_minor, per)
select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::timestamptz[],
                         $8::bigint[], $9::bigint[], $10::int[])
on conflict (front_end, sku, currency, location, quantity_from, valid_from)
do update set valid_to = excluded.valid_to, list_minor = excluded.list_minor, sale_minor = excluded.sale_minor,
              per = excluded.per
"""

# One probe of the index for each line: the entry that holds, by place, tier and date.
_HOLDING = """
select price.* from unnest($2::text[], $3::int[]) with ordinality as line (sku, quantity, place)
cross join lateral (
    select sku, currency, location, quantity_from, valid_from, valid_to, list_minor, sale_minor, per, line.place
    from pricing.price
    where front_end = $1 and sku = line.sku and currency = $4 and location in ('', $5)
      and quantity_from <= line.quantity and valid_from <= $6 and (valid_to is null or valid_to > $6)
    order by location desc, quantity_from desc, valid_from desc limit 1
) price
"""

_OF_SKU = """
select sku, currency, location, quantity_from, valid_from, valid_to, list_minor, sale_minor, per
from pricing.price
where front_end = $1 and sku = $2 and (valid_from, currency, location, quantity_from) < ($3, $4, $5, $6)
order by valid_from desc, currency desc, location desc, quantity_from desc limit $7
"""


async def put(session: ports.Session, front_end: str, prices: Sequence[api.PutPrice], now: datetime) -> None:
    """Write entries in one statement; the last of two for the same key in one ask wins."""
    latest = {(one.sku, one.currency, one.location, one.quantity_from, one.valid_from or now): one for one in prices}
    keys = list(zip(*latest, strict=True))
    ones = list(latest.values())
    await session.execute(
        _PUT,
        front_end,
        *keys,
        [one.valid_to for one in ones],
        [one.list_minor for one in ones],
        [one.sale_minor for one in ones],
        [one.per for one in ones],
    )


async def holding(session: ports.Session, front_end: str, ask: api.Quote, now: datetime) -> dict[int, api.PriceEntry]:
    """Return the entry that holds for each line, by the line's index; lines without one are missing."""
    rows = await session.fetch(
        _HOLDING,
        front_end,
        [line.sku for line in ask.lines],
        [line.quantity for line in ask.lines],
        ask.currency,
        ask.location or "",
        now,
    )
    return {row["place"] - 1: _entry(row) for row in rows}


async def of_sku(
    session: ports.Session, front_end: str, sku: str, before: tuple[datetime, str, str, int], limit: int
) -> list[api.PriceEntry]:
    """Return entries of a SKU older than a position."""
    return [_entry(row) for row in await session.fetch(_OF_SKU, front_end, sku, *before, limit)]


def _entry(row: ports.Row) -> api.PriceEntry:
    return api.PriceEntry(
        sku=row["sku"],
        currency=row["currency"],
        list_minor=row["list_minor"],
        sale_minor=row["sale_minor"],
        per=row["per"],
        location=row["location"],
        quantity_from=row["quantity_from"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )
