"""The catalogue's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isthmus.kernel import decode, encode, ports

from . import api

_PUT_CATEGORIES = """
insert into catalog.category (code, name, parent, required)
select code, name, parent, coalesce(string_to_array(nullif(required, ''), chr(31)), '{}')
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as given (code, name, parent, required)
on conflict (code) do update set name = excluded.name, parent = excluded.parent, required = excluded.required
"""
_CATEGORIES = "select code, name, parent from catalog.category where parent is not distinct from $1 order by name, code"

_REQUIRED = "select code, required from catalog.category where code = any($1)"

_PUT_SELLERS = """
insert into catalog.seller (code, name) select * from unnest($1::text[], $2::text[])
on conflict (code) do update set name = excluded.name
"""

_FOREIGN = """
select sku.sku from unnest($1::text[], $2::text[]) as given (sku, code)
join catalog.sku using (sku) join catalog.product using (product_id)
where product.code <> given.code order by sku.sku limit 1
"""

_PUT_PRODUCTS = """
insert into catalog.product (product_id, code, title, description, category, brand, seller, tax_category,
                             is_returnable, attributes, changed_at)
select given.*, $11 from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                                $8::text[], $9::boolean[], $10::jsonb[]) as given
on conflict (code) do update set
    title = excluded.title, description = excluded.description, category = excluded.category, brand = excluded.brand,
    seller = excluded.seller, tax_category = excluded.tax_category, is_returnable = excluded.is_returnable,
    attributes = excluded.attributes, version = product.version + 1, changed_at = excluded.changed_at
returning code, product_id, version
"""

_PUT_SKUS = """
with given as (
    select * from unnest($1::text[], $2::uuid[], $3::text[], $4::integer[], $5::jsonb[])
        as given (sku, product_id, unit, weight_grams, attributes)
), gone as (
    update catalog.sku set is_current = false
    where product_id = any($2) and sku <> all($1) and is_current
)
insert into catalog.sku (sku, product_id, unit, weight_grams, attributes) select * from given
on conflict (sku) do update set unit = excluded.unit, weight_grams = excluded.weight_grams,
    attributes = excluded.attributes, is_current = true
"""

_FACTS = """
select given.place, sku.sku, product.product_id, title, category, tax_category, seller, brand, unit, weight_grams,
       is_returnable, product.attributes as product_attributes, sku.attributes as sku_attributes, is_current
from unnest($1::text[]) with ordinality as given (sku, place)
join catalog.sku on sku.sku = given.sku join catalog.product using (product_id)
"""

_CHECK = """
select given.place, sku.sku, product.product_id, product.title, product.category, tax_category, product.seller,
       product.brand, unit, weight_grams, is_returnable, product.attributes as product_attributes,
       sku.attributes as sku_attributes, is_current, listing.sku is not null as is_listed, offered_from, offered_to,
       min_quantity, max_quantity, step
from unnest($2::text[]) with ordinality as given (sku, place)
join catalog.sku on sku.sku = given.sku join catalog.product using (product_id)
left join catalog.listing on listing.front_end = $1 and listing.sku = given.sku
"""

_PUBLISH = """
insert into catalog.listing (front_end, sku, title, category, brand, seller, words, offered_from, offered_to,
                             min_quantity, max_quantity, step)
select $1, given.sku, given.title, given.category, given.brand, given.seller,
       to_tsvector('english', given.title || ' ' || given.brand || ' ' || given.category),
       offered_from, offered_to, min_quantity, max_quantity, step
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[],
            $9::integer[], $10::integer[], $11::integer[])
     as given (sku, title, category, brand, seller, offered_from, offered_to, min_quantity, max_quantity, step)
on conflict (front_end, sku) do update set
    title = excluded.title, category = excluded.category, brand = excluded.brand, seller = excluded.seller,
    words = excluded.words, offered_from = excluded.offered_from, offered_to = excluded.offered_to,
    min_quantity = excluded.min_quantity, max_quantity = excluded.max_quantity, step = excluded.step
"""

_WITHDRAW = """
delete from catalog.listing where front_end = $1 and sku = any($2) returning sku
"""

_VARIANTS = """
select product.product_id, code, title, description, category, brand, seller, product.attributes, version,
       array_agg(sku.sku order by sku.sku) as skus, array_agg(unit order by sku.sku) as units,
       array_agg(weight_grams order by sku.sku) as weights, array_agg(sku.attributes::text order by sku.sku) as own
from catalog.sku wanted join catalog.product using (product_id)
join catalog.sku on sku.product_id = product.product_id and sku.is_current
where wanted.sku = $1 group by product.product_id
"""

_SEARCH = """
select listing.sku, listing.title, listing.category, listing.brand, listing.seller, sku.product_id
from catalog.listing join catalog.sku using (sku)
where listing.front_end = $1 and offered_from <= $2 and (offered_to is null or offered_to > $2)
  and (listing.title, listing.sku) > ($3, $4)
  {filters}
order by listing.title, listing.sku limit $5
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """A SKU with how the front end offers it; `listing` is none where it does not."""

    sellable: api.Sellable
    is_current: bool
    is_listed: bool
    offered_from: datetime | None
    offered_to: datetime | None
    quantities: tuple[int, int, int]  # least, most, step


async def put_categories(session: ports.Session, categories: Sequence[api.CategoryDraft]) -> None:
    await session.execute(
        _PUT_CATEGORIES,
        [one.code for one in categories],
        [one.name for one in categories],
        [one.parent for one in categories],
        ["\x1f".join(one.required) for one in categories],
    )


async def categories_below(session: ports.Session, parent: str | None) -> list[api.Category]:
    rows = await session.fetch(_CATEGORIES, parent)
    return [api.Category(code=row["code"], name=row["name"], parent=row["parent"]) for row in rows]


async def required_attributes(session: ports.Session, codes: Sequence[str]) -> dict[str, list[str]]:
    """Return the attributes that each known category demands."""
    return {row["code"]: list(row["required"]) for row in await session.fetch(_REQUIRED, list(codes))}


async def put_sellers(session: ports.Session, sellers: Sequence[api.SellerDraft]) -> None:
    latest = {one.code: one.name for one in sellers}
    await session.execute(_PUT_SELLERS, list(latest), list(latest.values()))


async def foreign_sku(session: ports.Session, drafts: Sequence[api.ProductDraft]) -> str | None:
    """Return a SKU that belongs to another product than the drafts say."""
    pairs = [(variant.sku, draft.code) for draft in drafts for variant in draft.variants]
    return await session.fetch_value(_FOREIGN, [sku for sku, _ in pairs], [code for _, code in pairs])


async def put_products(
    session: ports.Session, drafts: Sequence[api.ProductDraft], ids: Sequence[UUID], now: datetime
) -> int:
    """Write products and their SKUs in two statements; return how many products are new."""
    rows = await session.fetch(
        _PUT_PRODUCTS,
        list(ids),
        [one.code for one in drafts],
        [one.title for one in drafts],
        [one.description for one in drafts],
        [one.category for one in drafts],
        [one.brand for one in drafts],
        [one.seller for one in drafts],
        [one.tax_category for one in drafts],
        [one.is_returnable for one in drafts],
        [encode(one.attributes) for one in drafts],
        now,
    )
    known: Mapping[str, UUID] = {row["code"]: row["product_id"] for row in rows}
    variants = [(variant, known[draft.code]) for draft in drafts for variant in draft.variants]
    await session.execute(
        _PUT_SKUS,
        [variant.sku for variant, _ in variants],
        [product for _, product in variants],
        [variant.unit for variant, _ in variants],
        [variant.weight_grams for variant, _ in variants],
        [encode(variant.attributes) for variant, _ in variants],
    )
    return sum(row["version"] == 1 for row in rows)


async def facts(session: ports.Session, skus: Sequence[str]) -> dict[str, api.Sellable]:
    """Return what is known of SKUs that can still be offered."""
    rows = await session.fetch(_FACTS, list(skus))
    return {row["sku"]: _sellable(row) for row in rows if row["is_current"]}


async def checked(session: ports.Session, front_end: str, skus: Sequence[str]) -> dict[int, Checked]:
    """Return each line's SKU by the line's index; those of no product are missing."""
    rows = await session.fetch(_CHECK, front_end, list(skus))
    return {
        row["place"] - 1: Checked(
            sellable=_sellable(row),
            is_current=row["is_current"],
            is_listed=row["is_listed"],
            offered_from=row["offered_from"],
            offered_to=row["offered_to"],
            quantities=(row["min_quantity"] or 1, row["max_quantity"] or 1, row["step"] or 1),
        )
        for row in rows
    }


async def publish(
    session: ports.Session, front_end: str, listings: Sequence[tuple[api.Listing, api.Sellable]], now: datetime
) -> None:
    await session.execute(
        _PUBLISH,
        front_end,
        [one.sku for one, _ in listings],
        [product.title for _, product in listings],
        [product.category for _, product in listings],
        [product.brand for _, product in listings],
        [product.seller for _, product in listings],
        [one.offered_from or now for one, _ in listings],
        [one.offered_to for one, _ in listings],
        [one.min_quantity for one, _ in listings],
        [one.max_quantity for one, _ in listings],
        [one.step for one, _ in listings],
    )


async def withdraw(session: ports.Session, front_end: str, skus: Sequence[str]) -> list[str]:
    return [row["sku"] for row in await session.fetch(_WITHDRAW, front_end, list(skus))]


async def product_of(session: ports.Session, sku: str) -> api.ProductView | None:
    row = await session.fetch_row(_VARIANTS, sku)
    if row is None:
        return None
    parts = zip(row["skus"], row["units"], row["weights"], row["own"], strict=True)
    return api.ProductView(
        product_id=row["product_id"],
        code=row["code"],
        title=row["title"],
        description=row["description"],
        category=row["category"],
        brand=row["brand"],
        seller=row["seller"],
        attributes=decode(row["attributes"], dict[str, str]),
        variants=tuple(
            api.Variant(sku=name, unit=unit, weight_grams=weight, attributes=decode(own.encode(), dict[str, str]))
            for name, unit, weight, own in parts
        ),
        version=row["version"],
    )


async def search(
    session: ports.Session, front_end: str, ask: api.Search, after: tuple[str, str], now: datetime
) -> list[api.Found]:
    """Return one more than the limit where there is more."""
    arguments: list[object] = [front_end, now, *after, ask.limit + 1]
    filters: list[str] = []

    def narrowed(condition: str, value: object) -> None:
        arguments.append(value)
        filters.append(f"and {condition.format(f'${len(arguments)}')}")

    if ask.text.strip():
        narrowed("listing.words @@ plainto_tsquery('english', {})", ask.text)
    for column, value in (("category", ask.category), ("brand", ask.brand), ("seller", ask.seller)):
        if value is not None:
            narrowed(f"listing.{column} = {{}}", value)
    if ask.attributes:
        narrowed("sku.attributes @> {}", encode(ask.attributes))
    rows = await session.fetch(_SEARCH.format(filters="\n  ".join(filters)), *arguments)
    return [
        api.Found(
            product_id=row["product_id"],
            sku=row["sku"],
            title=row["title"],
            category=row["category"],
            brand=row["brand"],
            seller=row["seller"],
        )
        for row in rows
    ]


def _sellable(row: ports.Row) -> api.Sellable:
    own = decode(row["sku_attributes"], dict[str, str])
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
        attributes={**decode(row["product_attributes"], dict[str, str]), **own},
    )
