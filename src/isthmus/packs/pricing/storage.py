"""Rows of `pricing.price`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import LineAsk

from . import api

_COLUMNS = """seq, price_id, price_list, sku, currency, location, min_quantity, valid_from, valid_to, amount,
    sale_amount, per, put_at, put_by, ended_at, ended_by, ended_as"""

_VALID = """currency = $2 and sku = line.sku and ended_at is null and location = any ($6::text[])
            and min_quantity <= line.quantity and valid_from <= $7 and (valid_to is null or valid_to > $7)"""
_NARROWEST = "array_position($6::text[], location), min_quantity desc, valid_from desc"

# Lists of others that the front end has switched on, while its grant stands.
_SWITCHED = """pricing.switched as list join isthmus.granted on granted.kind = 'pricing.price'
            and granted.owner = list.owner and granted.name = list.price_list and granted.part = ''"""

# One index look-up for each line. Lists and locations are tried in the order in which they are given. Whether the front
# end sells by lists of others is told with it: who does not, and has all prices, is asked no second statement.
_FIND_PRICES = f"""
    select line.place, price.*, exists (select from pricing.switched where front_end = $1) as has_others
    from unnest($3::text[], $4::bigint[]) with ordinality as line (sku, quantity, place)
    cross join lateral (
        select {_COLUMNS} from pricing.price
        where front_end = $1 and price_list = any ($5::text[]) and {_VALID}
        order by array_position($5::text[], price_list), {_NARROWEST} limit 1) as price"""

# The same of lists of others: each counts as the list that it is switched on as, before or behind the front end's own.
_FIND_OTHERS = f"""
    select line.place, price.*
    from unnest($3::text[], $4::bigint[]) with ordinality as line (sku, quantity, place)
    cross join lateral (
        select price.*, list.as_list, list.goes_first from {_SWITCHED}
        cross join lateral (
            select {_COLUMNS} from pricing.price
            where front_end = list.owner and price_list = list.price_list and {_VALID}
            order by {_NARROWEST} limit 1) as price
        where list.front_end = $1 and list.as_list = any ($5::text[])
        order by array_position($5::text[], list.as_list), list.goes_first desc, list.owner, list.price_list
        limit 1) as price"""

_CURRENCIES_SOLD = f"""
    select currency from pricing.price where front_end = $1 and ended_at is null
    union select currency from {_SWITCHED}
    join pricing.price on price.front_end = list.owner and price.price_list = list.price_list and ended_at is null
    where list.front_end = $1 order by 1"""

_SWITCH_ON = """
    insert into pricing.switched (front_end, owner, price_list, as_list, goes_first, at, by)
    select $1, $2, $3, $4, $5, $6, $7 from isthmus.granted
    where kind = 'pricing.price' and owner = $2 and name = $3 and part = '' limit 1
    on conflict (front_end, owner, price_list) do update
        set as_list = excluded.as_list, goes_first = excluded.goes_first
    returning true"""
_SWITCH_OFF = "delete from pricing.switched where front_end = $1 and owner = $2 and price_list = $3"
_LIST_SHARED = """
    select distinct granted.owner, granted.name as price_list, as_list, coalesce(goes_first, false) as goes_first, at
    from isthmus.granted left join pricing.switched as list
        on list.front_end = $1 and list.owner = granted.owner and list.price_list = granted.name
    where kind = 'pricing.price' and part = '' order by 1, 2 limit 200"""

# Whoever puts prices waits for whoever puts prices of the same front end: loads are few, and two at once would both
# find no live price for a key that both are about to put.
_QUEUE = "select pg_advisory_xact_lock(hashtextextended('pricing.price/' || $1, 0))"

_ASKED = """
    asked as (
        select * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::timestamptz[],
            $8::timestamptz[], $9::bigint[], $10::bigint[], $11::integer[]) with ordinality
            as a (price_list, sku, currency, location, min_quantity, valid_from, valid_to, amount, sale_amount, per,
                place))"""

# One index look-up for each price: a join would read all prices as long as the table has no statistics.
_SUPERSEDE = f"""
    with {_ASKED},
    met as (
        select asked.place, live.price_id, (live.valid_to, live.amount, live.sale_amount, live.per)
            is not distinct from (asked.valid_to, asked.amount, asked.sale_amount, asked.per) as is_same
        from asked cross join lateral (
            select price_id, valid_to, amount, sale_amount, per from pricing.price
            where front_end = $1 and ended_at is null and sku = asked.sku and currency = asked.currency
                and price_list = asked.price_list and location = asked.location
                and min_quantity = asked.min_quantity and valid_from = asked.valid_from
            limit 1) as live),
    ended as (
        update pricing.price set ended_at = $12, ended_by = $13, ended_as = 'superseded'
        from met where price.front_end = $1 and price.price_id = met.price_id and not met.is_same)
    select place from met where is_same"""

_INSERT = f"""
    with {_ASKED}
    insert into pricing.price (front_end, price_id, price_list, sku, currency, location, min_quantity, valid_from,
        valid_to, amount, sale_amount, per, put_at, put_by)
    select $1, ($14::uuid[])[place], price_list, sku, currency, location, min_quantity, valid_from, valid_to, amount,
        sale_amount, per, $12, $13
    from asked"""

_WITHDRAW = """
    with known as (
        select price_id, price_list, sku, ended_at is null as is_live from pricing.price
        where front_end = $1 and price_id = any ($2::uuid[]) order by price_id for update),
    ended as (
        update pricing.price set ended_at = $3, ended_by = $4, ended_as = 'withdrawn'
        from known where price.front_end = $1 and price.price_id = known.price_id and known.is_live)
    select price_id, price_list, sku, is_live from known"""

_LIST_LIVE = f"""
    select {_COLUMNS} from pricing.price
    where front_end = $1 and ended_at is null and (sku, seq) > ($2, $3)
        and ($4::text is null or sku = $4) and ($5::text is null or price_list = $5)
        and ($6::text is null or location = $6)
    order by sku, seq limit $7"""

_LIST_HISTORY = f"""
    select {_COLUMNS} from pricing.price where front_end = $1 and sku = $2 and seq < $3
    order by seq desc limit $4"""


async def find_prices(
    session: ports.Session,
    front_end: str,
    lines: Sequence[LineAsk],
    currency: str,
    lists: Sequence[str],
    locations: Sequence[str],
    now: datetime,
) -> Mapping[int, tuple[UUID, api.PriceEntry]]:
    """Return the price of each line by its index; lines without one are absent."""
    together: dict[str, int] = {}
    for line in lines:
        together[line.sku] = together.get(line.sku, 0) + line.quantity
    skus = [line.sku for line in lines]
    asked = (front_end, currency, skus, [together[sku] for sku in skus], lists, locations, now)
    rows = await session.fetch(_FIND_PRICES, *asked)
    found = {row["place"]: row for row in rows}
    if len(found) < len(lines) or rows[0]["has_others"]:
        for row in await session.fetch(_FIND_OTHERS, *asked):
            own = found.get(row["place"])
            turn = lists.index(row["as_list"])
            is_first = own is None or turn < lists.index(own["price_list"])
            if is_first or (row["goes_first"] and own is not None and turn == lists.index(own["price_list"])):
                found[row["place"]] = row
    return {place - 1: (row["price_id"], _entry(row)) for place, row in sorted(found.items())}


async def currencies_sold(session: ports.Session, front_end: str) -> list[str]:
    return [row["currency"] for row in await session.fetch(_CURRENCIES_SOLD, front_end)]


async def supersede(
    session: ports.Session, front_end: str, prices: Sequence[api.PriceEntry], now: datetime, by: str
) -> set[int]:
    """End live prices that these replace; return the places of those that say what is live already."""
    await session.fetch_value(_QUEUE, front_end)
    rows = await session.fetch(_SUPERSEDE, front_end, *_columns(prices), now, by)
    return {row["place"] - 1 for row in rows}


async def insert(
    session: ports.Session,
    front_end: str,
    prices: Sequence[api.PriceEntry],
    ids: Sequence[UUID],
    now: datetime,
    by: str,
) -> None:
    await session.execute(_INSERT, front_end, *_columns(prices), now, by, list(ids))


async def withdraw(
    session: ports.Session, front_end: str, price_ids: Sequence[UUID], now: datetime, by: str
) -> Mapping[UUID, tuple[str, str, bool]]:
    """Withdraw live prices; return list, SKU and whether it was live, of each that is known."""
    rows = await session.fetch(_WITHDRAW, front_end, list(price_ids), now, by)
    return {row["price_id"]: (row["price_list"], row["sku"], row["is_live"]) for row in rows}


async def list_live(
    session: ports.Session, front_end: str, ask: api.ListPrices, after: tuple[str, int], limit: int
) -> list[tuple[int, api.Price]]:
    rows = await session.fetch(_LIST_LIVE, front_end, *after, ask.sku, ask.price_list, ask.location, limit)
    return [(row["seq"], _price(row)) for row in rows]


async def list_history(
    session: ports.Session, front_end: str, sku: str, before: int, limit: int
) -> list[tuple[int, api.Price]]:
    rows = await session.fetch(_LIST_HISTORY, front_end, sku, before, limit)
    return [(row["seq"], _price(row)) for row in rows]


async def switch_on(session: ports.Session, front_end: str, ask: api.SwitchOn, now: datetime, by: str) -> bool:
    """Sell by another's list; False where nobody granted it."""
    row = (front_end, ask.owner, ask.price_list, ask.as_list, ask.goes_first, now, by)
    return bool(await session.fetch_value(_SWITCH_ON, *row))


async def switch_off(session: ports.Session, front_end: str, ask: api.SwitchOff) -> None:
    await session.execute(_SWITCH_OFF, front_end, ask.owner, ask.price_list)


async def list_shared(session: ports.Session, front_end: str) -> tuple[api.SharedList, ...]:
    return tuple(
        api.SharedList(
            owner=row["owner"],
            price_list=row["price_list"],
            as_list=row["as_list"],
            goes_first=row["goes_first"],
            switched_on_at=row["at"],
        )
        for row in await session.fetch(_LIST_SHARED, front_end)
    )


def _columns(prices: Sequence[api.PriceEntry]) -> tuple[list[object], ...]:
    return (
        [price.price_list for price in prices],
        [price.sku for price in prices],
        [price.currency for price in prices],
        [price.location for price in prices],
        [price.min_quantity for price in prices],
        [price.valid_from for price in prices],
        [price.valid_to for price in prices],
        [price.amount for price in prices],
        [price.sale_amount for price in prices],
        [price.per for price in prices],
    )


def _price(row: ports.Row) -> api.Price:
    return api.Price(
        price_id=row["price_id"],
        entry=_entry(row),
        put_at=row["put_at"],
        put_by=row["put_by"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
        ended_as=row["ended_as"],
    )


def _entry(row: ports.Row) -> api.PriceEntry:
    return api.PriceEntry(
        sku=row["sku"],
        currency=row["currency"],
        amount=row["amount"],
        sale_amount=row["sale_amount"],
        per=row["per"],
        price_list=row["price_list"],
        location=row["location"],
        min_quantity=row["min_quantity"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )
