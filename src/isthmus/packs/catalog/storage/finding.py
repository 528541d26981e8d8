"""What a search finds, counted; what was probably meant; and what goes with goods: SQL, and rows as values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from isthmus.kernel import ports

from .. import api
from . import assortment

_SPELLED: Final = "select catalog.spelled($1)"

_COUNT: Final = """
with {sought}
matched as materialized (
    select sku, category, brand, seller, enriched_attributes from catalog.listing
    where front_end = $1 and is_current and offered_from <= $2 and (offered_to is null or offered_to > $2)
      and seller <> all (array(select code from catalog.seller where is_suspended))
      {filters} limit $3
), valued as (
    select '' as name, field, value, count(*) as units from matched
    cross join lateral (values ('category', category), ('brand', brand), ('seller', seller)) as own (field, value)
    where value <> '' group by field, value
    union all
    select key, 'attribute', value, count(*) from matched join catalog.sku using (sku)
    cross join lateral jsonb_each_text(coalesce(enriched_attributes, all_attributes)) group by key, value
), ranked as (
    select *, row_number() over (partition by field, name order by units desc, value) as place from valued
)
select '' as field, '' as name, '' as value, (select count(*) from matched) as units, 0 as place
union all select field, name, value, units, place from ranked where place <= $4
order by field, name, place
"""
_SOUGHT: Final = "sought as materialized (select catalog.sought({words}, {is_wide}, {language}) as query),"
_WITH_WORDS: Final = """and (enriched_words @@ (select query from sought) or exists (
    select from catalog.sku where sku.sku = listing.sku and words @@ (select query from sought)))"""
_NAMES: Final = ("category", "brand", "seller")

_KNOWN: Final = "select sku from catalog.sku where sku = any($1)"
_PUT: Final = """
with gone as (
    delete from catalog.relation where sku = $1
      and (kind, to_sku) not in (select * from unnest($2::text[], $3::text[]))
)
insert into catalog.relation (sku, kind, to_sku, quantity, place)
select $1, * from unnest($2::text[], $3::text[], $4::integer[], $5::integer[])
on conflict (sku, kind, to_sku) do update set quantity = excluded.quantity, place = excluded.place
"""
_RELATED: Final = """
select kind, quantity, listing.sku, title, category, brand, seller, product_id from catalog.relation
join catalog.listing on listing.front_end = $1 and listing.sku = to_sku
where relation.sku = $2 and ($3::text is null or kind = $3)
  and is_current and offered_from <= $4 and (offered_to is null or offered_to > $4)
  and seller <> all (array(select code from catalog.seller where is_suspended))
order by place, to_sku
"""


async def spelled(session: ports.Session, text: str) -> str:
    """Return what was probably meant by words, each in its folded form; nothing where nothing is near."""
    return await session.fetch_value(_SPELLED, text) or ""


async def count(
    session: ports.Session,
    front_end: str,
    ask: api.CountFacets,
    text: str,
    now: datetime,
    *,
    is_wide: bool,
    language: str,
    skus: Sequence[str] | None = None,
) -> api.Facets:
    """Return what a search finds, counted by what it is; skus: of these alone, whatever the words."""
    arguments: list[object] = [front_end, now, api.COUNTED_MAX + 1, ask.values]
    filters = assortment.filters_of(ask, arguments)
    sought = ""
    if skus is not None:
        arguments.append(list(skus))
        filters.append(f"and sku = any (${len(arguments)}::text[])")
    elif text:
        arguments += [text, language]
        sought = _SOUGHT.format(words=f"${len(arguments) - 1}", language=f"${len(arguments)}", is_wide=is_wide)
        filters.append(_WITH_WORDS)
    rows = await session.fetch(_COUNT.format(sought=sought, filters="\n  ".join(filters)), *arguments)
    values: dict[tuple[bool, str], list[api.FacetValue]] = {(False, name): [] for name in _NAMES}
    for row in rows[1:]:
        is_attribute = row["field"] == "attribute"
        key = (is_attribute, row["name"] if is_attribute else row["field"])
        values.setdefault(key, []).append(api.FacetValue(value=row["value"], count=row["units"]))
    found = rows[0]["units"]
    return api.Facets(
        count=min(found, api.COUNTED_MAX),
        is_all=found <= api.COUNTED_MAX,
        facets=tuple(
            api.Facet(name=name, is_attribute=is_attribute, values=tuple(each))
            for (is_attribute, name), each in values.items()
        ),
    )


async def unknown(session: ports.Session, skus: Sequence[str]) -> set[str]:
    """Return those of the SKUs that no product has."""
    return set(skus) - {row["sku"] for row in await session.fetch(_KNOWN, list(skus))}


async def put_relations(session: ports.Session, ask: api.PutRelations) -> None:
    latest = {(one.kind, one.to_sku): one for one in ask.relations}
    await session.execute(
        _PUT,
        ask.sku,
        [kind for kind, _ in latest],
        [sku for _, sku in latest],
        [one.quantity for one in latest.values()],
        list(range(len(latest))),
    )


async def related(
    session: ports.Session, front_end: str, ask: api.ListRelations, now: datetime
) -> tuple[api.Related, ...]:
    rows = await session.fetch(_RELATED, front_end, ask.sku, ask.kind, now)
    return tuple(
        api.Related(
            kind=row["kind"],
            quantity=row["quantity"],
            item=api.Found(
                product_id=row["product_id"],
                sku=row["sku"],
                title=row["title"],
                category=row["category"],
                brand=row["brand"],
                seller=row["seller"],
            ),
        )
        for row in rows
    )
