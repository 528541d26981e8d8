"""The catalogue's rows of the whole group: categories, sellers, products, SKUs, versions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isthmus.kernel import decode, encode, ports

from .. import api

# Two puts at once could each be a tree, and together a circle.
_LOCK_TREE = "select pg_advisory_xact_lock(hashtextextended('catalog.category', 0))"

_PUT_CATEGORIES = """
insert into catalog.category (code, name, parent, attributes)
select * from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[])
on conflict (code) do update
set name = excluded.name, parent = excluded.parent, attributes = excluded.attributes
"""

_UNKNOWN_PARENT = """
select given.place from unnest($1::text[]) with ordinality as given (code, place)
where given.code is not null and not exists (select from catalog.category where code = given.code)
order by given.place limit 1
"""

# One level more than there may be, so that a circle is found as a tree that is too deep.
_TOO_DEEP = """
with recursive up (start, parent, depth) as (
    select code, parent, 1 from catalog.category where code = any($1)
    union all
    select start, above.parent, depth + 1 from up join catalog.category above on above.code = up.parent
    where depth <= $2
)
select start from up where depth > $2 order by start limit 1
"""

# A category's path is the way to it from the top: what is put carries all that is below it along.
_WRITE_PATHS = """
with recursive below (code) as (
    select code from catalog.category where code = any($1)
    union
    select one.code from below join catalog.category one on one.parent = below.code
), up (start, code, parent, depth) as (
    select code, code, parent, 0 from catalog.category join below using (code)
    union all
    select start, above.code, above.parent, depth + 1 from up join catalog.category above on above.code = up.parent
), way (start, path) as (
    select start, array_agg(code order by depth desc) from up group by start
)
update catalog.category set path = way.path from way
where category.code = way.start and category.path <> way.path
"""

# The tree that is shown at a front end: its own where it has one, else the group's.
_TREE = """(
    select code, name, parent, '[]'::jsonb as attributes from catalog.front_end_category where front_end = {0}
    union all
    select code, name, parent, attributes from catalog.category
    where not exists (select from catalog.front_end_category where front_end = {0}))"""

_CATEGORIES = f"""
select code, name, parent from {_TREE.format("$5")} as tree
where parent is not distinct from $1 and (name, code) > ($2, $3) order by name, code limit $4
"""

_CATEGORIES_BELOW = f"""
with recursive below as (
    select code, name, parent from {_TREE.format("$5")} as tree where parent is not distinct from $1
    union
    select one.code, one.name, one.parent from below join {_TREE.format("$5")} as one on one.parent = below.code
)
select code, name, parent from below where (name, code) > ($2, $3) order by name, code limit $4
"""

_WAYS = f"""
with recursive up (start, code, name, parent, attributes, depth) as (
    select code, code, name, parent, attributes, 0 from {_TREE.format("$2")} as tree where code = any($1)
    union all
    select start, above.code, above.name, above.parent, above.attributes, depth + 1
    from up join {_TREE.format("$2")} as above on above.code = up.parent
)
select start, code, name, parent, attributes from up order by start, depth desc
"""

_PUT_SELLERS = """
insert into catalog.seller (code, name, is_suspended) select * from unnest($1::text[], $2::text[], $3::boolean[])
on conflict (code) do update set name = excluded.name, is_suspended = excluded.is_suspended
"""

_SELLERS = "select code, name, is_suspended from catalog.seller where code > $1 order by code limit $2"

_PUT_PRODUCTS = """
with given as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::boolean[], $10::jsonb[], $11::uuid[], $12::jsonb[], $16::jsonb[])
        as given (product_id, code, title, description, category, brand, seller, tax_category, is_returnable,
                  attributes, digest, draft, pictures)
), put as (
    insert into catalog.product (product_id, code, title, description, category, brand, seller, tax_category,
                                 is_returnable, attributes, pictures, digest, changed_at)
    select product_id, code, title, description, category, brand, seller, tax_category, is_returnable, attributes,
           pictures, digest, $13
    from given order by code
    on conflict (code) do update set
        title = excluded.title, description = excluded.description, category = excluded.category,
        brand = excluded.brand, seller = excluded.seller, tax_category = excluded.tax_category,
        is_returnable = excluded.is_returnable, attributes = excluded.attributes, pictures = excluded.pictures,
        digest = excluded.digest,
        version = product.version + 1, changed_at = excluded.changed_at
    where product.digest is distinct from excluded.digest
    returning code, product_id, version
), kept as (
    insert into catalog.product_version (product_id, version, draft, changed_at, changed_by, changed_in)
    select put.product_id, put.version, given.draft, $13, $14, $15 from put join given using (code)
)
select code, product_id, version from put
"""

_PUT_SKUS = """
with given as (
    select * from unnest($1::text[], $2::uuid[], $3::text[], $4::integer[], $5::jsonb[])
        as given (sku, product_id, unit, weight_grams, attributes)
), gone as (
    update catalog.sku set is_current = false
    where product_id = any($2) and sku <> all($1) and is_current
), learnt as (  -- the words that titles and brands are made of: what is misspelt is near one of them
    insert into catalog.word (word, grams)
    select word, catalog.grams(word) from (
        select distinct catalog.words_in(title || ' ' || brand) as word from catalog.product where product_id = any($2)
        order by word) as said
    on conflict (word) do nothing
)
insert into catalog.sku (sku, product_id, unit, weight_grams, attributes, all_attributes, words)
select sku, product_id, unit, weight_grams, given.attributes, product.attributes || given.attributes,
       catalog.words_of(title, brand, category, description, code, sku)
from given join catalog.product using (product_id) order by sku
on conflict (sku) do update set
    unit = excluded.unit, weight_grams = excluded.weight_grams, attributes = excluded.attributes,
    all_attributes = excluded.all_attributes, words = excluded.words, is_current = true
where sku.product_id = excluded.product_id
returning sku
"""

_DRAFTS = """
select draft from catalog.product join catalog.product_version using (product_id, version)
where code > $1 order by code limit $2
"""

_NO_PICTURES = b',"pictures":[]}'

_CURRENT = "select code, version from catalog.product where code = any($1)"

_MOVED = "select catalog.refresh_moved($1)"

_REFRESH = "select catalog.refresh_listings($1)"

_VERSIONS = """
select kept.version, draft, kept.changed_at, changed_by, changed_in
from catalog.product join catalog.product_version kept using (product_id)
where code = $1 and kept.version < $2 order by kept.version desc limit $3
"""


@dataclass(frozen=True, slots=True)
class Way:
    """A category with those above it, from the top, and what each says of attributes."""

    steps: tuple[api.Category, ...]
    rules: tuple[tuple[api.AttributeRule, ...], ...]


async def put_categories(session: ports.Session, categories: Sequence[api.CategoryDraft]) -> int | None:
    """Write categories; return the place of the first whose parent is nowhere. Nobody else changes the tree now."""
    await session.execute(_LOCK_TREE)
    parents = [one.parent for one in categories]
    await session.execute(
        _PUT_CATEGORIES,
        [one.code for one in categories],
        [one.name for one in categories],
        parents,
        [encode(one.attributes) for one in categories],
    )
    place = await session.fetch_value(_UNKNOWN_PARENT, parents)
    return None if place is None else place - 1


async def too_deep(session: ports.Session, codes: Sequence[str]) -> str | None:
    """Return a category that is further from the top than a tree goes, as one in a circle is."""
    return await session.fetch_value(_TOO_DEEP, list(codes), api.DEPTH_MAX)


async def write_paths(session: ports.Session, codes: Sequence[str]) -> None:
    """Write down the ways to categories that were put, and to all below them; goods that nobody placed follow."""
    await session.execute(_WRITE_PATHS, list(codes))
    await session.execute(_MOVED, list(codes))


async def categories(
    session: ports.Session, front_end: str, ask: api.ListCategories, after: tuple[str, str], limit: int
) -> list[api.Category]:
    sql = _CATEGORIES_BELOW if ask.is_deep else _CATEGORIES
    return [_category(row) for row in await session.fetch(sql, ask.parent, *after, limit, front_end)]


async def ways(session: ports.Session, codes: Sequence[str], front_end: str = "") -> dict[str, Way]:
    """Return the way from the top to each category that exists, in the front end's own tree or else the group's."""
    rows: dict[str, list[ports.Row]] = {}
    for row in await session.fetch(_WAYS, sorted(set(codes)), front_end):
        rows.setdefault(row["start"], []).append(row)
    return {
        start: Way(
            tuple(_category(row) for row in way),
            tuple(decode(row["attributes"], tuple[api.AttributeRule, ...]) for row in way),
        )
        for start, way in rows.items()
    }


async def put_sellers(session: ports.Session, sellers: Sequence[api.SellerDraft]) -> int:
    latest = sorted({one.code: one for one in sellers}.values(), key=lambda one: one.code)
    await session.execute(
        _PUT_SELLERS,
        [one.code for one in latest],
        [one.name for one in latest],
        [one.is_suspended for one in latest],
    )
    return len(latest)


async def sellers(session: ports.Session, after: str, limit: int) -> list[api.SellerDraft]:
    return [
        api.SellerDraft(code=row["code"], name=row["name"], is_suspended=row["is_suspended"])
        for row in await session.fetch(_SELLERS, after, limit)
    ]


async def put_products(
    session: ports.Session,
    drafts: Sequence[api.ProductDraft],
    ids: Sequence[UUID],
    now: datetime,
    by: str,
    front_end: str,
) -> dict[str, tuple[UUID, int]]:
    """Write products with their versions; return product and version of each code that is other than before."""
    written = [encode(one) for one in drafts]
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
        [_digest(one) for one in drafts],
        written,
        now,
        by,
        front_end,
        [encode(one.pictures) for one in drafts],
    )
    return {row["code"]: (row["product_id"], row["version"]) for row in rows}


def _digest(draft: api.ProductDraft) -> UUID:
    """Return what tells drafts apart. One without pictures has the digest of the time before there were any."""
    said = encode(draft)
    if not draft.pictures:
        said = said.removesuffix(_NO_PICTURES) + b"}"
    return UUID(bytes=hashlib.blake2b(said, digest_size=16).digest())


async def put_skus(session: ports.Session, variants: Sequence[tuple[api.Variant, UUID]]) -> set[str]:
    """Write the SKUs of changed products and the lists that show them; return those that could be written.

    A SKU of another product is not written.
    """
    rows = await session.fetch(
        _PUT_SKUS,
        [variant.sku for variant, _ in variants],
        [product for _, product in variants],
        [variant.unit for variant, _ in variants],
        [variant.weight_grams for variant, _ in variants],
        [encode(variant.attributes) for variant, _ in variants],
    )
    await session.execute(_REFRESH, sorted({product for _, product in variants}))
    return {row["sku"] for row in rows}


async def drafts(session: ports.Session, after: str, limit: int) -> list[api.ProductDraft]:
    """Return products as they were imported last, behind a code."""
    return [decode(row["draft"], api.ProductDraft) for row in await session.fetch(_DRAFTS, after, limit)]


async def current_versions(session: ports.Session, codes: Sequence[str]) -> dict[str, int]:
    return {row["code"]: row["version"] for row in await session.fetch(_CURRENT, list(codes))}


async def versions(session: ports.Session, code: str, before: int, limit: int) -> list[api.ProductVersion]:
    return [
        api.ProductVersion(
            version=row["version"],
            draft=decode(row["draft"], api.ProductDraft),
            changed_at=row["changed_at"],
            changed_by=row["changed_by"],
            changed_in=row["changed_in"],
        )
        for row in await session.fetch(_VERSIONS, code, before, limit)
    ]


async def is_known(session: ports.Session, code: str) -> bool:
    return await session.fetch_value("select exists (select from catalog.product where code = $1)", code)


def _category(row: ports.Row) -> api.Category:
    return api.Category(code=row["code"], name=row["name"], parent=row["parent"])
