"""Search results, facets and relations."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api
from ..storage import finding as storage
from .searching import named_by_service


@implements(api.count_facets)
async def count_facets(ask: api.CountFacets, ctx: Context) -> api.Facets:
    text = ask.text.strip()
    named = await named_by_service(ask, ctx) if text else None
    language = str(ctx.plan.settings.get(api.LANGUAGE, ""))
    skus = named and named.skus
    found = await storage.count(
        ctx.session, ctx.front_end, ask, text, ctx.now, is_wide=False, language=language, skus=skus
    )
    if skus is not None:
        return found
    if text and not found.count:  # as a search does: what begins like it, then what is spelled like it
        found = await storage.count(ctx.session, ctx.front_end, ask, text, ctx.now, is_wide=True, language=language)
    if text and not found.count and (meant := await storage.spelled(ctx.session, text)):
        found = await storage.count(ctx.session, ctx.front_end, ask, meant, ctx.now, is_wide=True, language=language)
        return found.replace(spelled=meant if found.count else "")
    return found


@implements(api.put_relations)
async def put_relations(ask: api.PutRelations, ctx: Context) -> api.RelationsPut:
    named = [ask.sku, *(one.to_sku for one in ask.relations)]
    unknown = await storage.unknown(ctx.session, named)
    for at, sku in enumerate(named):
        if sku in unknown or (at and sku == ask.sku):
            raise api.NoSuchSku(sku=sku, path="$.sku" if not at else f"$.relations[{at - 1}].to_sku")
    await storage.put_relations(ctx.session, ask)
    return api.RelationsPut(relations=len({(one.kind, one.to_sku) for one in ask.relations}))


@implements(api.list_relations)
async def list_relations(ask: api.ListRelations, ctx: Context) -> api.Relations:
    return api.Relations(items=await storage.related(ctx.session, ctx.front_end, ask, ctx.now))
