"""Searches by words, the most relevant goods first: SQL, and rows as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from isthmus.kernel import ports

from .. import api
from .assortment import filters_of

# So many goods with the words are put in order. Where more have them, only those with the words in their title are; and
# where more have that, or have them elsewhere, goods come in the order of title and SKU, in which the next are at hand.
RANKED_MAX: Final = 2_000

Phase = Literal["ranked", "titled", "titles", "rest"]
Place = tuple[Phase, int, float, str, str]
FIRST: Final[Place] = ("ranked", 0, 0.0, "", "")
_NEXT: Final[dict[Phase, Phase]] = {"ranked": "titled", "titled": "rest", "titles": "rest"}

_ASKED: Final = """
with asked as materialized (select * from catalog.asked({words}, {language})),
sought as materialized (
    select string_agg('(' || {form}::text || ')', ' & ')::tsquery as query from asked)"""
_FOUND: Final = {
    "ranked": ("words", "catalog.found_enriched"),
    "titled": ("ts_filter(words, '{b}')", "catalog.found_titled"),
}
_OFFERED: Final = """listing.front_end = $1 and listing.is_current and offered_from <= $2
      and (offered_to is null or offered_to > $2)
      and seller <> all (array(select code from catalog.seller where is_suspended))"""

# `w`: all that a SKU is found by, the group's words and the front end's own. A word has the points of each place.
_RANKED: Final = """{asked},
found as materialized (
    (select sku from catalog.sku where {field} @@ (select query from sought) limit {most} + 1)
    union
    select {own}((select query from sought), {most} + 1)
),
few as materialized (select count(*) <= {most} as are_few from found),
ranked as (
    select listing.sku, title, category, brand, seller, listing.product_id,
        -(case when at_number @@ (select query from sought) then $6::integer else 0 end + coalesce(points, 0)
            + $10::integer * titled / greatest(titled, 1 + length(title) - length(replace(title, ' ', '')))
        )::integer as score,
        -case when jsonb_typeof(listing.attributes -> $12) = 'number' then (listing.attributes ->> $12)::float8
            else 0 end as own
    from catalog.listing join catalog.sku using (sku)
    cross join lateral (
        select case when enriched_words is null then words else words || enriched_words end as w offset 0) as all_words
    cross join lateral (
        select ts_filter(w, '{{a}}') as at_number, ts_filter(w, '{{b}}') as at_title, ts_filter(w, '{{c}}') as at_kind,
            ts_filter(w, '{{d}}') as at_text
        offset 0) as place
    cross join lateral (
        select sum(case when at_title @@ whole then $7::integer
                        when at_title @@ wide then $7::integer * $11::integer / 100 else 0 end
                 + case when at_kind @@ whole then $8::integer
                        when at_kind @@ wide then $8::integer * $11::integer / 100 else 0 end
                 + case when at_text @@ whole then $9::integer
                        when at_text @@ wide then $9::integer * $11::integer / 100 else 0 end) as points,
            count(*) filter (where at_title @@ {form}) as titled
        from asked) as counted
    where (select are_few from few) and listing.sku in (select sku from found)
      and {offered} {filters}
)
select are_few, ranked.*, case when are_few and ranked.sku is null then {otherwise} end as otherwise
from few left join (
    select * from ranked where (score, own, title, sku) > ($3, $4, $13, $14) or not $15
    order by score, own, title, sku limit $5) as ranked on true
"""
# What a search goes on with that finds nothing: told by the statement that finds nothing.
_OTHERWISE: Final = {
    "whole": "catalog.otherwise({words}, (select string_agg('(' || wide::text || ')', ' & ')::tsquery from asked))",
    "wide": "coalesce(catalog.spelled({words}), '')",
}
_WALK: Final = """{asked}
select sku, title, category, brand, seller, product_id from catalog.listing
where {offered} and (title, sku) > ($3, $4) and {where} {filters}
order by title, sku limit $5
"""
_TITLES: Final = """(coalesce(ts_filter(enriched_words, '{b}') @@ (select query from sought), false) or exists (
    select from catalog.sku where sku.sku = listing.sku and ts_filter(words, '{b}') @@ (select query from sought)))"""
_ANYWHERE: Final = """(enriched_words @@ (select query from sought) or exists (
    select from catalog.sku where sku.sku = listing.sku and words @@ (select query from sought)))"""

_NAMED: Final = """
select sku, title, category, brand, seller, product_id, place
from unnest($3::text[]) with ordinality as given (sku, place) join catalog.listing using (sku)
where {offered} and place > $4 {filters} order by place limit $5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A search by words. is_wide: words stand for all that begin like them."""

    front_end: str
    ask: api.Search
    text: str
    is_wide: bool
    language: str
    relevance: api.Relevance
    now: datetime

    def asked(self, arguments: list[object]) -> dict[str, str]:
        """Return the parts of a statement that say what is asked for and what narrows it."""
        filters = "\n  ".join(filters_of(self.ask, arguments))
        arguments += [self.text, self.language]
        form = "wide" if self.is_wide else "whole"
        words, language = f"${len(arguments) - 1}", f"${len(arguments)}"
        asked = _ASKED.format(words=words, language=language, form=form)
        otherwise = _OTHERWISE[form].format(words=words)
        return {"asked": asked, "form": form, "filters": filters, "offered": _OFFERED, "otherwise": otherwise}


async def search(
    session: ports.Session, question: Question, after: Place | None
) -> tuple[list[tuple[Place, api.Found]], str | None]:
    """Return one more than the limit where there is more, each with its place, after which the next page goes on.

    Where nothing is found, also what to look for instead: empty where nothing is near, None where that is not known, as
    where some goods have words that begin like these.
    """
    found: list[tuple[Place, api.Found]] = []
    otherwise: str | None = None
    phase, most, at = (after or FIRST)[0], question.ask.limit + 1, after
    while len(found) < most:
        if phase in ("ranked", "titled"):
            are_few, otherwise, some = await _ranked(session, question, phase, at, most - len(found))
            if phase == "titled" and not are_few:
                phase, at = "titles", None
                continue
            found += some
            if phase == "ranked" and are_few:
                break
        else:
            found += await _walked(session, question, phase, at, most - len(found))
            if phase == "rest":
                break
        phase, at = _NEXT[phase], None
    return found[:most], otherwise


async def _ranked(
    session: ports.Session, question: Question, phase: Phase, after: Place | None, limit: int
) -> tuple[bool, str | None, list[tuple[Place, api.Found]]]:
    of, (_, score, own, title, sku) = question.relevance, after or FIRST
    arguments: list[object] = [question.front_end, question.now, score, own, limit, of.article_number, of.title]
    arguments += [of.brand, of.description, of.coverage, of.begins_percent, of.attribute, title, sku, after is not None]
    field, own_words = _FOUND[phase]
    parts = question.asked(arguments)
    statement = _RANKED.format(field=field, own=own_words, most=RANKED_MAX, **parts)
    rows = await session.fetch(statement, *arguments)
    return (
        rows[0]["are_few"],
        rows[0]["otherwise"],
        [((phase, row["score"], row["own"], row["title"], row["sku"]), _found(row)) for row in rows if row["sku"]],
    )


async def _walked(
    session: ports.Session, question: Question, phase: Phase, after: Place | None, limit: int
) -> list[tuple[Place, api.Found]]:
    *_, title, sku = after or FIRST
    arguments: list[object] = [question.front_end, question.now, title, sku, limit]
    where = _TITLES if phase == "titles" else f"{_ANYWHERE} and not {_TITLES}"
    rows = await session.fetch(_WALK.format(where=where, **question.asked(arguments)), *arguments)
    return [((phase, 0, 0.0, row["title"], row["sku"]), _found(row)) for row in rows]


async def named(
    session: ports.Session, front_end: str, ask: api.Search, skus: Sequence[str], after: int, now: datetime
) -> list[tuple[int, api.Found]]:
    """Return those SKUs that are offered here and that the filters let through, each with its place among them."""
    arguments: list[object] = [front_end, now, list(skus), after, ask.limit + 1]
    filters = "\n  ".join(filters_of(ask, arguments))
    rows = await session.fetch(_NAMED.format(offered=_OFFERED, filters=filters), *arguments)
    return [(row["place"], _found(row)) for row in rows]


def _found(row: ports.Row) -> api.Found:
    return api.Found(
        product_id=row["product_id"],
        sku=row["sku"],
        title=row["title"],
        category=row["category"],
        brand=row["brand"],
        seller=row["seller"],
    )
