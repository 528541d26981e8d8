"""The catalogue's rows of one front end: what it says of products in its own words, and its own tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isthmus.kernel import decode, encode, ports

from .. import api

# What is published by the front end now is waited for, and waits; imports wait where the tree changes.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('catalog.enrichment/' || $1, 0))"
_LOCK_TREE = """
select pg_advisory_xact_lock(hashtextextended('catalog.enrichment/' || $1, 0)),
       pg_advisory_xact_lock(hashtextextended('catalog.front_end_category', 0))
"""

# Shared locks, so that an import cannot change a product meanwhile; in the order in which it takes its own.
_PRODUCTS = """
select code, product_id, version, category, attributes,
       (select jsonb_object_agg(sku, sku.attributes) from catalog.sku where sku.product_id = product.product_id) as skus
from catalog.product where code = any($1) order by code for share of product
"""

_KNOWN_CATEGORIES = "select code from catalog.front_end_category where front_end = $1 and code = any($2)"

_PUT = """
with given as (
    select * from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[],
                         $9::jsonb[], $10::integer[])
        as given (product_id, title, description, category, language, attributes, variants, pictures, of_version)
), learnt as (
    insert into catalog.enrichment_word (front_end, word, grams)
    select $1, word, catalog.grams(word)
    from (select distinct catalog.words_in(title) as word from given where title is not null order by word) as said
    on conflict (front_end, word) do nothing
)
insert into catalog.enrichment (front_end, product_id, title, description, category, language, attributes, variants,
                                pictures, of_version, changed_at, changed_by)
select $1, product_id, title, description, category, language, attributes, variants, pictures, of_version, $11, $12
from given
on conflict (front_end, product_id) do update set
    title = excluded.title, description = excluded.description, category = excluded.category,
    language = excluded.language, attributes = excluded.attributes, variants = excluded.variants,
    pictures = excluded.pictures, of_version = excluded.of_version, changed_at = excluded.changed_at,
    changed_by = excluded.changed_by
"""

_CLEAR = "delete from catalog.enrichment where front_end = $1 and product_id = any($2) returning product_id"

_REFRESH = "select catalog.refresh_front_end($1, $2)"

_LIST = """
select product.code, title_, description_, category_, language, attributes_, variants, pictures_, of_version,
       product.version, changed_at_, changed_by
from catalog.product join (
    select product_id, title as title_, description as description_, category as category_, language,
           attributes as attributes_, variants, pictures as pictures_, of_version, changed_at as changed_at_, changed_by
    from catalog.enrichment where front_end = $1) as own using (product_id)
where product.code > $2 and (of_version < product.version or not $3) order by product.code limit $4
"""

_PUT_CATEGORIES = """
insert into catalog.front_end_category (front_end, code, name, parent)
select $1, * from unnest($2::text[], $3::text[], $4::text[])
on conflict (front_end, code) do update set name = excluded.name, parent = excluded.parent
"""

_UNKNOWN_PARENT = """
select given.place from unnest($2::text[]) with ordinality as given (code, place)
where given.code is not null
  and not exists (select from catalog.front_end_category where front_end = $1 and code = given.code)
order by given.place limit 1
"""

# One level more than there may be, so that a circle is found as a tree that is too deep.
_TOO_DEEP = """
with recursive up (start, parent, depth) as (
    select code, parent, 1 from catalog.front_end_category where front_end = $1 and (code = any($2) or path && $2)
    union all
    select start, above.parent, depth + 1
    from up join catalog.front_end_category above on above.front_end = $1 and above.code = up.parent
    where depth <= $3
)
select start from up where depth > $3 order by start = any($2) desc, start limit 1
"""

_WRITE_PATHS = """
with recursive way (code, path) as (
    select code, array[code] from catalog.front_end_category where front_end = $1 and parent is null
    union all
    select one.code, way.path || one.code
    from way join catalog.front_end_category one on one.front_end = $1 and one.parent = way.code
)
update catalog.front_end_category set path = way.path
from way where front_end = $1 and front_end_category.code = way.code and front_end_category.path <> way.path
"""

_IN_USE = """
select given.place, coalesce(below.code, product.code) as holds
from unnest($2::text[]) with ordinality as given (code, place)
left join lateral (select code from catalog.front_end_category
    where front_end = $1 and parent = given.code and code <> all ($2) order by code limit 1) below on true
left join lateral (select product_id from catalog.enrichment
    where front_end = $1 and category = given.code limit 1) own on true
left join catalog.product using (product_id)
where below.code is not null or product.code is not null order by given.place limit 1
"""

_REMOVE = "delete from catalog.front_end_category where front_end = $1 and code = any($2) returning code"


@dataclass(frozen=True, slots=True)
class Known:
    """A product of the group, as far as it matters to what a front end says of it; SKUs with their attributes."""

    product_id: UUID
    version: int
    category: str
    attributes: dict[str, str]
    skus: dict[str, dict[str, str]]


async def products(session: ports.Session, front_end: str, codes: Sequence[str]) -> dict[str, Known]:
    """Return products by code, which neither an import nor this front end changes until the call ends."""
    await session.execute(_LOCK, front_end)
    return {
        row["code"]: Known(
            product_id=row["product_id"],
            version=row["version"],
            category=row["category"],
            attributes=decode(row["attributes"], dict[str, str]),
            skus=decode(row["skus"], dict[str, dict[str, str]]) if row["skus"] else {},
        )
        for row in await session.fetch(_PRODUCTS, sorted(set(codes)))
    }


async def categories(session: ports.Session, front_end: str, codes: Sequence[str]) -> set[str]:
    """Return those of the codes that are categories of the front end's own tree."""
    return {row["code"] for row in await session.fetch(_KNOWN_CATEGORIES, front_end, sorted(set(codes)))}


async def put(
    session: ports.Session,
    front_end: str,
    said: Sequence[api.Enrichment],
    known: Mapping[str, Known],
    now: datetime,
    by: str,
) -> None:
    await session.execute(
        _PUT,
        front_end,
        [known[one.code].product_id for one in said],
        [one.title for one in said],
        [one.description for one in said],
        [one.category for one in said],
        [one.language for one in said],
        [encode(one.attributes) for one in said],
        [encode({each.sku: each.attributes for each in one.variants}) for one in said],
        [None if one.pictures is None else encode(one.pictures) for one in said],
        [known[one.code].version for one in said],
        now,
        by,
    )


async def clear(session: ports.Session, front_end: str, products: Sequence[UUID]) -> int:
    return len(await session.fetch(_CLEAR, front_end, list(products)))


async def refresh(session: ports.Session, front_end: str, products: Sequence[UUID] | None) -> None:
    """Write the front end's lists anew: of some products, or of all."""
    await session.execute(_REFRESH, front_end, None if products is None else list(products))


async def said(
    session: ports.Session, front_end: str, ask: api.ListEnrichments, after: str, limit: int
) -> list[api.EnrichedProduct]:
    rows = await session.fetch(_LIST, front_end, after, ask.is_outdated, limit)
    return [
        api.EnrichedProduct(
            enrichment=api.Enrichment(
                code=row["code"],
                title=row["title_"],
                description=row["description_"],
                category=row["category_"],
                language=row["language"],
                attributes=decode(row["attributes_"], dict[str, str]),
                variants=tuple(
                    api.EnrichedVariant(sku=sku, attributes=each)
                    for sku, each in decode(row["variants"], dict[str, dict[str, str]]).items()
                ),
                pictures=None if row["pictures_"] is None else decode(row["pictures_"], tuple[api.Picture, ...]),
            ),
            changed_at=row["changed_at_"],
            changed_by=row["changed_by"],
            of_version=row["of_version"],
            version=row["version"],
        )
        for row in rows
    ]


async def put_categories(
    session: ports.Session, front_end: str, put: Sequence[api.FrontEndCategory]
) -> tuple[int | None, str | None]:
    """Write categories; return the place of the first whose parent is nowhere, and one that lies too deep, if any."""
    await session.execute(_LOCK_TREE, front_end)
    parents, codes = [one.parent for one in put], [one.code for one in put]
    await session.execute(_PUT_CATEGORIES, front_end, codes, [one.name for one in put], parents)
    orphan = await session.fetch_value(_UNKNOWN_PARENT, front_end, parents)
    deep = None if orphan else await session.fetch_value(_TOO_DEEP, front_end, codes, api.DEPTH_MAX)
    return None if orphan is None else orphan - 1, deep


async def write_paths(session: ports.Session, front_end: str) -> None:
    """Write down the ways to all categories of the front end, and its lists anew."""
    await session.execute(_WRITE_PATHS, front_end)
    await refresh(session, front_end, None)


async def in_use(session: ports.Session, front_end: str, codes: Sequence[str]) -> tuple[int, str] | None:
    """Return the place of the first category that has something in it, and what; nobody else changes the tree now."""
    await session.execute(_LOCK_TREE, front_end)
    row = await session.fetch_row(_IN_USE, front_end, list(codes))
    return None if row is None else (row["place"] - 1, row["holds"])


async def remove_categories(session: ports.Session, front_end: str, codes: Sequence[str]) -> int:
    gone = len(await session.fetch(_REMOVE, front_end, list(codes)))
    await refresh(session, front_end, None)
    return gone
