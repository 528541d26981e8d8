"""What a front end's shoppers find: by a search service where it chose one, else by PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from isthmus.kernel import Context, Pass, decode, encode, implements
from isthmus.store.session import Reading
from isthmus.values import cursor_at, place_at

from .. import api
from ..storage import assortment as storage_assortment
from ..storage import finding as storage_finding
from ..storage import searching as storage

# Who found it, and where in its order the page ended; of a service, `score` is the place in what it named.
_Cursor = tuple[str, storage.Phase, int, float, str, str, bool]


@implements(api.search)
async def search(ask: api.Search, ctx: Context) -> api.FoundPage:
    if not ask.text.strip():
        return await _list(ask, ctx)
    cursor = None if ask.cursor is None else place_at(ask.cursor, _Cursor, api.BadCursor)
    named = await named_by_service(ask, ctx) if cursor is None or cursor[0] else None
    if named is not None:
        return await _of_service(ask, ctx, named, cursor)
    if cursor is not None and cursor[0]:  # of a list that the service does not give any more
        raise api.BadCursor
    return await _search(ask, ctx, cursor)


async def _list(ask: api.Search, ctx: Context) -> api.FoundPage:
    title, sku, _ = (
        place_at(ask.cursor, tuple[str, str, bool], api.BadCursor) if ask.cursor is not None else ("", "", False)
    )
    found = await storage_assortment.list_offered(ctx.session, ctx.front_end, ask, (title, sku), ctx.now)
    items = tuple(found[: ask.limit])
    more = cursor_at((items[-1].title, items[-1].sku, False)) if len(found) > ask.limit else None
    return api.FoundPage(items=ctx.answer(api.found_items)(items), next_cursor=more)


async def _search(ask: api.Search, ctx: Context, cursor: _Cursor | None) -> api.FoundPage:
    after = cursor and cursor[1:6]
    relevance = ctx.answer(api.relevance)(ask.text)
    question = storage.Question(
        front_end=ctx.front_end,
        ask=ask,
        text=ask.text.strip(),
        is_wide=cursor is not None and cursor[6],
        language=str(ctx.plan.settings.get(api.LANGUAGE, "")),
        relevance=api.Relevance() if isinstance(relevance, Pass) else relevance,
        now=ctx.now,
    )
    found, meant = await storage.search(ctx.session, question, after)
    if not found and cursor is None:  # nothing is called so: then what begins like it, where anything does
        question = replace(question, is_wide=True)
        if meant is None:
            found, meant = await storage.search(ctx.session, question, after)
    if not found and question.is_wide and meant is None:
        meant = await storage_finding.spelled(ctx.session, ask.text)
    if not found and question.is_wide and meant:  # nor is anything: then what is spelled like it
        found, _ = await storage.search(ctx.session, replace(question, text=meant), after)
    items = tuple(item for _, item in found[: ask.limit])
    more = cursor_at(("", *found[ask.limit - 1][0], question.is_wide)) if len(found) > ask.limit else None
    return api.FoundPage(
        items=ctx.answer(api.found_items)(items),
        next_cursor=more,
        spelled=(meant or "") if items else "",
        found_by="postgresql",
    )


@dataclass(frozen=True, slots=True)
class Named:
    """The SKUs that a search service found, the best first."""

    service: str
    skus: tuple[str, ...]


async def named_by_service(ask: api.Search | api.CountFacets, ctx: Context) -> Named | None:
    """Return what the front end's search service finds, as it is kept or asked now; None where PostgreSQL finds."""
    services = ctx.resource(api.SearchServices, api.NO_SEARCH_SERVICES)
    chosen = ctx.answer(api.choose_search)(ask.text)
    service = None if isinstance(chosen, Pass) else services.services.get(chosen)
    if service is None or services.answers is None:
        return None
    wanted = api.Wanted(
        front_end=ctx.front_end,
        text=ask.text.strip(),
        language=str(ctx.plan.settings.get(api.LANGUAGE, "")),
        category=ask.category,
        brand=ask.brand,
        seller=ask.seller,
        attributes=ask.attributes,
        limit=api.CANDIDATES_MAX,
    )

    async def asking(key: str) -> bytes:
        try:
            async with asyncio.timeout(services.timeout_s):
                skus = await service.find(wanted)
        except Exception:
            services.pause(service.name, ctx.now)
            raise
        return encode(tuple(dict.fromkeys(skus))[: api.CANDIDATES_MAX])

    # In a transaction nobody outside is waited for: rows would be locked meanwhile.
    may_ask = isinstance(ctx.session, Reading) and services.may_ask(service.name, ctx.now)
    said = await services.answers.said(
        ctx.session, ctx.front_end, service.name, wanted, ctx.now, asking if may_ask else None
    )
    return None if said is None else Named(service.name, decode(said, tuple[str, ...]))


async def _of_service(ask: api.Search, ctx: Context, named: Named, cursor: _Cursor | None) -> api.FoundPage:
    if cursor is not None and cursor[0] != named.service:
        raise api.BadCursor
    found = await storage.named(ctx.session, ctx.front_end, ask, named.skus, cursor[2] if cursor else 0, ctx.now)
    items = tuple(item for _, item in found[: ask.limit])
    more = None
    if len(found) > ask.limit:
        more = cursor_at((named.service, "ranked", found[ask.limit - 1][0], 0.0, "", "", False))
    return api.FoundPage(items=ctx.answer(api.found_items)(items), next_cursor=more, found_by=named.service)


@implements(api.forget_searches)
async def forget_searches(ask: api.ForgetSearches, ctx: Context) -> api.SearchesForgotten:
    answers = ctx.resource(api.SearchServices, api.NO_SEARCH_SERVICES).answers
    return api.SearchesForgotten(answers=await answers.forget(ctx.session, ctx.front_end, ctx.now) if answers else 0)
