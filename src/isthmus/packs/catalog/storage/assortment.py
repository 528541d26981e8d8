"""The catalogue's rows of each front end: what it offers, and what its lists show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isthmus.kernel import decode, encode, ports
from isthmus.values import composed, composed_pairs

from .. import api
from ..rules import goods as rules

# Shared locks, so that an import cannot change what is published meanwhile; in the order in which it takes its own.
_PUBLISHED = """
select sku.sku, product.product_id, title, category, tax_category, seller, brand, unit, weight_grams, is_returnable,
       all_attributes, place.path
from catalog.sku join catalog.product using (product_id) join catalog.category as place on place.code = product.category
where sku.sku = any($1) and is_current order by product.code for share of product
"""

_KNOWN = """
select given.place, sku.sku, product.product_id, product.title, product.category, tax_category, product.seller,
       product.brand, unit, weight_grams, is_returnable, all_attributes, place.path, sku.is_current,
       listing.sku is not null as is_listed, offered_from, offered_to, min_quantity, max_quantity, step,
       listing.attributes as own,
       exists (select from catalog.seller where code = product.seller and is_suspended) as is_suspended
from unnest($2::text[]) with ordinality as given (sku, place)
join catalog.sku on sku.sku = given.sku join catalog.product using (product_id)
join catalog.category as place on place.code = product.category
left join catalog.listing on listing.front_end = $1 and listing.sku = given.sku
order by given.place
"""

_PUBLISH = """
insert into catalog.listing (front_end, sku, product_id, title, category, brand, seller, offered_from, offered_to,
                             min_quantity, max_quantity, step, attributes)
select $1, given.sku, product.product_id, product.title, product.category, product.brand, product.seller,
       offered_from, offered_to, min_quantity, max_quantity, step, given.attributes
from unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::integer[], $6::integer[], $7::integer[], $8::jsonb[])
     as given (sku, offered_from, offered_to, min_quantity, max_quantity, step, attributes)
join catalog.sku on sku.sku = given.sku join catalog.product using (product_id) order by given.sku
on conflict (front_end, sku) do update set
    product_id = excluded.product_id, title = excluded.title, category = excluded.category, brand = excluded.brand,
    seller = excluded.seller, is_current = true, offered_from = excluded.offered_from,
    offered_to = excluded.offered_to, min_quantity = excluded.min_quantity, max_quantity = excluded.max_quantity,
    step = excluded.step, attributes = excluded.attributes
"""

_WITHDRAW = """
with gone as (
    select sku from catalog.listing where front_end = $1 and sku = any($2) order by sku for update
)
delete from catalog.listing using gone where front_end = $1 and listing.sku = gone.sku returning listing.sku
"""

_PRODUCT = """
select product_id, code, title, description, category, brand, seller, attributes, version
from catalog.product where product_id = (select product_id from catalog.sku where sku = $1)
"""

_VARIANTS = """
select sku.sku, unit, weight_grams, sku.attributes, sku.is_current, listing.sku is not null as is_listed, offered_from,
       offered_to, min_quantity, max_quantity, step, listing.attributes as own,
       exists (select from catalog.seller where code = listing.seller and is_suspended) as is_suspended
from catalog.sku left join catalog.listing on listing.front_end = $1 and listing.sku = sku.sku
where sku.product_id = $2 and sku.is_current order by sku.sku
"""

_LIST = """
select sku, title, category, brand, seller, product_id from catalog.listing
where front_end = $1 and is_current and offered_from <= $2 and (offered_to is null or offered_to > $2)
  and (title, sku) > ($3, $4)
  and seller <> all (array(select code from catalog.seller where is_suspended))
  {filters}
order by title, sku limit $5
"""

# Few goods with the words are put in order; where they are many, the first of the list that have them are found sooner
# in its order. PostgreSQL would choose as well, if its plan were not the same for all words after five searches.
_FEW = 2_000
_SEARCH = f"""
with sought as materialized (select catalog.sought({{words}}, {{is_wide}}) as query),
found as materialized (
    select sku from catalog.sku where words @@ (select query from sought) limit {_FEW + 1}
),
few as materialized (select count(*) <= {_FEW} as are_few from found)
select * from (({{of_few}}) union all ({{of_many}})) as one order by title, sku
"""
_OF_FEW = "and (select are_few from few) and sku in (select sku from found)"
_OF_MANY = """and not (select are_few from few) and exists (
    select from catalog.sku where sku.sku = listing.sku and words @@ (select query from sought))"""

_OF_CATEGORY = "category = any (array(select code from catalog.category where path @> array[{}]))"
_OF_ATTRIBUTES = "sku in (select sku from catalog.sku where all_attributes @> {})"


@dataclass(frozen=True, slots=True)
class Known:
    """A SKU with how the front end offers it; no offer where it does not. What is suspended is not open."""

    sellable: api.Sellable
    is_current: bool
    is_suspended: bool
    offer: api.Offer | None


async def publishable(session: ports.Session, skus: Sequence[str]) -> dict[str, api.Sellable]:
    """Return what is known of SKUs that can be offered, and keep imports from changing it until the call ends."""
    return {row["sku"]: _sellable(row) for row in await session.fetch(_PUBLISHED, sorted(set(skus)))}


async def known(session: ports.Session, front_end: str, skus: Sequence[str], now: datetime) -> dict[int, Known]:
    """Return each SKU by its place in the ask, in that order; those of no product are missing."""
    return {
        row["place"] - 1: Known(_sellable(row), row["is_current"], row["is_suspended"], _offer(row, now))
        for row in await session.fetch(_KNOWN, front_end, list(skus))
    }


async def publish(
    session: ports.Session,
    front_end: str,
    listings: Sequence[api.Listing],
    attributes: Mapping[str, dict[str, Any]],
    now: datetime,
) -> None:
    """Write listings down, with attributes by SKU."""
    await session.execute(
        _PUBLISH,
        front_end,
        [one.sku for one in listings],
        [one.offered_from or now for one in listings],
        [one.offered_to for one in listings],
        [one.min_quantity for one in listings],
        [one.max_quantity for one in listings],
        [one.step for one in listings],
        [encode(attributes[one.sku]) for one in listings],
    )


async def withdraw(session: ports.Session, front_end: str, skus: Sequence[str]) -> list[str]:
    return [row["sku"] for row in await session.fetch(_WITHDRAW, front_end, list(skus))]


async def product_of(session: ports.Session, front_end: str, sku: str, now: datetime) -> api.ProductView | None:
    product = await session.fetch_row(_PRODUCT, sku)
    if product is None:
        return None
    rows = await session.fetch(_VARIANTS, front_end, product["product_id"])
    return api.ProductView(
        product_id=product["product_id"],
        code=product["code"],
        title=product["title"],
        description=product["description"],
        category=product["category"],
        brand=product["brand"],
        seller=product["seller"],
        attributes=decode(product["attributes"], dict[str, str]),
        variants=tuple(
            api.Variant(
                sku=row["sku"],
                unit=row["unit"],
                weight_grams=row["weight_grams"],
                attributes=decode(row["attributes"], dict[str, str]),
            )
            for row in rows
        ),
        version=product["version"],
        offers=tuple(one for row in rows if (one := _offer(row, now))),
    )


async def search(
    session: ports.Session, front_end: str, ask: api.Search, after: tuple[str, str], now: datetime, *, is_wide: bool
) -> list[api.Found]:
    """Return one more than the limit where there is more; `is_wide`: words stand for all that begin like them."""
    arguments: list[object] = [front_end, now, *after, ask.limit + 1]
    filters = filters_of(ask, arguments)
    statement = _LIST.format(filters="\n  ".join(filters))
    if words := ask.text.strip():
        arguments.append(words)
        of_few, of_many = (_LIST.format(filters="\n  ".join([*filters, one])) for one in (_OF_FEW, _OF_MANY))
        statement = _SEARCH.format(words=f"${len(arguments)}", is_wide=is_wide, of_few=of_few, of_many=of_many)
    return [
        api.Found(product_id=product_id, sku=sku, title=title, category=category, brand=brand, seller=seller)
        for sku, title, category, brand, seller, product_id in await session.fetch(statement, *arguments)
    ]


def filters_of(ask: api.Search | api.CountFacets, arguments: list[object]) -> list[str]:
    """Return what narrows a list, by arguments that are put behind those that there are."""
    filters: list[str] = []
    wanted = (
        (_OF_CATEGORY, ask.category and composed(ask.category)),
        ("brand = {}", ask.brand and composed(ask.brand)),
        ("seller = {}", ask.seller and composed(ask.seller)),
        (_OF_ATTRIBUTES, encode(composed_pairs(ask.attributes)) if ask.attributes else None),
    )
    for condition, value in wanted:
        if value is not None:
            arguments.append(value)
            filters.append(f"and {condition.format(f'${len(arguments)}')}")
    return filters


def _offer(row: ports.Row, now: datetime) -> api.Offer | None:
    if not row["is_listed"]:
        return None
    begins, ends = row["offered_from"], row["offered_to"]
    return api.Offer(
        sku=row["sku"],
        is_open=row["is_current"] and not row["is_suspended"] and rules.is_offered(begins, ends, now),
        offered_from=begins,
        offered_to=ends,
        min_quantity=row["min_quantity"],
        max_quantity=row["max_quantity"],
        step=row["step"],
        attributes=decode(row["own"], dict[str, Any]),
    )


def _sellable(row: ports.Row) -> api.Sellable:
    return api.Sellable(
        sku=row["sku"],
        product_id=row["product_id"],
        title=row["title"],
        category=row["category"],
        tax_category=row["tax_category"],
        seller=row["seller"],
        brand=row["brand"],
        unit=row["unit"],
        weight_grams=row["weight_grams"],
        is_returnable=row["is_returnable"],
        attributes=decode(row["all_attributes"], dict[str, str]),
        categories=tuple(row["path"]),
    )
