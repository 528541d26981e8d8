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
# What the front end says of products meanwhile is waited for first. What a product says is read once it is locked.
_HOLD = """
with held as materialized (select pg_advisory_xact_lock_shared(hashtextextended('catalog.enrichment/' || $2, 0)))
select from held cross join catalog.product
where product_id in (select product_id from catalog.sku where sku = any($1)) order by code for share of product
"""
_PUBLISHED = """
select sku.sku, product.product_id, coalesce(enriched.title, product.title) as title, product.category, tax_category,
       seller, brand, unit, weight_grams, is_returnable, all_attributes as group_attributes,
       case when enriched.product_id is null then all_attributes
            else product.attributes || enriched.attributes || sku.attributes || coalesce(variants -> sku.sku, '{}')
       end as all_attributes, place.path, null::text[] as shown_path
from catalog.sku join catalog.product using (product_id) join catalog.category as place on place.code = product.category
left join catalog.enrichment enriched on enriched.front_end = $2 and enriched.product_id = product.product_id
where sku.sku = any($1) and is_current
"""

_KNOWN = """
select given.place, sku.sku, product.product_id, coalesce(enriched.title, product.title) as title, product.category,
       tax_category, product.seller, product.brand, unit, weight_grams, is_returnable, place.path,
       shown.path as shown_path, sku.is_current,
       case when enriched.product_id is null then all_attributes
            else product.attributes || enriched.attributes || sku.attributes || coalesce(variants -> sku.sku, '{}')
       end as all_attributes,
       listing.sku is not null as is_listed, offered_from, offered_to, min_quantity, max_quantity, step,
       listing.attributes as own,
       exists (select from catalog.seller where code = product.seller and is_suspended) as is_suspended
from unnest($2::text[]) with ordinality as given (sku, place)
join catalog.sku on sku.sku = given.sku join catalog.product using (product_id)
join catalog.category as place on place.code = product.category
left join catalog.listing on listing.front_end = $1 and listing.sku = given.sku
left join catalog.enrichment enriched on enriched.front_end = $1 and enriched.product_id = sku.product_id
left join catalog.front_end_category shown on shown.front_end = $1 and shown.code = listing.category
order by given.place
"""

_PUBLISH = """
insert into catalog.listing (front_end, sku, product_id, title, category, brand, seller, offered_from, offered_to,
                             min_quantity, max_quantity, step, attributes, enriched_words, enriched_attributes)
select $1, given.sku, shown.product_id, shown.title, shown.category, shown.brand, shown.seller,
       offered_from, offered_to, min_quantity, max_quantity, step, given.attributes, enriched_words, enriched_attributes
from unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::integer[], $6::integer[], $7::integer[], $8::jsonb[])
     as given (sku, offered_from, offered_to, min_quantity, max_quantity, step, attributes)
cross join lateral catalog.shown($1, given.sku) as shown order by given.sku
on conflict (front_end, sku) do update set
    product_id = excluded.product_id, title = excluded.title, category = excluded.category, brand = excluded.brand,
    seller = excluded.seller, is_current = true, offered_from = excluded.offered_from,
    offered_to = excluded.offered_to, min_quantity = excluded.min_quantity, max_quantity = excluded.max_quantity,
    step = excluded.step, attributes = excluded.attributes, enriched_words = excluded.enriched_words,
    enriched_attributes = excluded.enriched_attributes
"""

_WITHDRAW = """
with gone as (
    select sku from catalog.listing where front_end = $1 and sku = any($2) order by sku for update
)
delete from catalog.listing using gone where front_end = $1 and listing.sku = gone.sku returning listing.sku
"""

_PRODUCT = """
select product.product_id, code, coalesce(own.title, product.title) as title,
       coalesce(own.description, product.description) as description,
       coalesce((select category from catalog.listing where front_end = $2 and sku = $1), own.category,
                product.category) as category,
       brand, seller, product.attributes || coalesce(own.attributes, '{}') as attributes, version,
       coalesce(own.pictures, product.pictures) as pictures, coalesce(own.language, '') as language
from catalog.product left join catalog.enrichment own on own.front_end = $2 and own.product_id = product.product_id
where product.product_id = (select product_id from catalog.sku where sku = $1)
"""

_VARIANTS = """
select sku.sku, unit, weight_grams, sku.attributes || coalesce(own.variants -> sku.sku, '{}') as attributes,
       sku.is_current, listing.sku is not null as is_listed, offered_from, offered_to, min_quantity, max_quantity, step,
       listing.attributes as own,
       exists (select from catalog.seller where code = listing.seller and is_suspended) as is_suspended
from catalog.sku left join catalog.listing on listing.front_end = $1 and listing.sku = sku.sku
left join catalog.enrichment own on own.front_end = $1 and own.product_id = sku.product_id
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

# A code means the front end's own category where it has one, else the group's.
_OF_CATEGORY = """category = any (array(
    select code from catalog.front_end_category where front_end = $1 and path @> array[{0}]
    union all select code from catalog.category where path @> array[{0}]
        and not exists (select from catalog.front_end_category where front_end = $1 and code = {0})))"""
_OF_ATTRIBUTES = """case when enriched_attributes is null
    then sku in (select sku from catalog.sku where all_attributes @> {0}) else enriched_attributes @> {0} end"""


@dataclass(frozen=True, slots=True)
class Known:
    """A SKU with how the front end offers it; no offer where it does not. What is suspended is not open."""

    sellable: api.Sellable
    is_current: bool
    is_suspended: bool
    offer: api.Offer | None


@dataclass(frozen=True, slots=True)
class Publishable:
    """A SKU as the front end shows it, and the attributes that the group says, which its category asks for."""

    sellable: api.Sellable
    group_attributes: dict[str, str]


async def publishable(session: ports.Session, front_end: str, skus: Sequence[str]) -> dict[str, Publishable]:
    """Return what is known of SKUs that can be offered, and keep imports from changing it until the call ends."""
    wanted = sorted(set(skus))
    await session.execute(_HOLD, wanted, front_end)
    return {
        row["sku"]: Publishable(_sellable(row), decode(row["group_attributes"], dict[str, str]))
        for row in await session.fetch(_PUBLISHED, wanted, front_end)
    }


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
    product = await session.fetch_row(_PRODUCT, sku, front_end)
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
        pictures=decode(product["pictures"], tuple[api.Picture, ...]),
        language=product["language"],
    )


async def list_offered(
    session: ports.Session, front_end: str, ask: api.Search, after: tuple[str, str], now: datetime
) -> list[api.Found]:
    """Return what is offered in the order of title and SKU, one more than the limit where there is more."""
    arguments: list[object] = [front_end, now, *after, ask.limit + 1]
    statement = _LIST.format(filters="\n  ".join(filters_of(ask, arguments)))
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
        categories=tuple(dict.fromkeys([*row["path"], *(row["shown_path"] or ())])),
    )
