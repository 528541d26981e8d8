"""What a front end says of the group's products, and its own tree."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.kernel import Context, implements
from isthmus.values import cursor_at, place_at

from .. import api
from ..rules import enrichment as rules
from ..rules import goods
from ..storage import enrichment as storage
from ..storage import products as storage_products


@implements(api.enrich_products)
async def enrich_products(ask: api.EnrichProducts, ctx: Context) -> api.ProductsEnriched:
    language = str(ctx.plan.settings.get(api.LANGUAGE, ""))
    said = [rules.composed_enrichment(one, language) for one in ask.products]
    repeated = goods.repeated_code([one.code for one in said])
    if repeated is not None:
        raise api.DuplicateCode(code=said[repeated].code, path=f"$.products[{repeated}].code")
    known = await storage.products(ctx.session, ctx.front_end, [one.code for one in said])
    for at, one in enumerate(said):
        if one.code not in known:
            raise api.UnknownProduct(code=one.code, path=f"$.products[{at}].code")
    await _refuse_unplaced(said, ctx)
    await _refuse_unfit(said, known, ctx)
    kept = [one for one in said if rules.says_something(one)]
    silent = [known[one.code].product_id for one in said if not rules.says_something(one)]
    if kept:
        await storage.put(ctx.session, ctx.front_end, kept, known, ctx.now, ctx.caller.person or ctx.caller.client)
    cleared = await storage.clear(ctx.session, ctx.front_end, silent) if silent else 0
    await storage.refresh(ctx.session, ctx.front_end, [known[one.code].product_id for one in said])
    return api.ProductsEnriched(enriched=len(kept), cleared=cleared)


async def _refuse_unplaced(said: list[api.Enrichment], ctx: Context) -> None:
    wanted = [one.category for one in said if one.category is not None]
    there = await storage.categories(ctx.session, ctx.front_end, wanted) if wanted else set[str]()
    for at, one in enumerate(said):
        if one.category is not None and one.category not in there:
            raise api.NotInTree(code=one.category, path=f"$.products[{at}].category")


async def _refuse_unfit(said: list[api.Enrichment], known: Mapping[str, storage.Known], ctx: Context) -> None:
    ways = await storage_products.ways(ctx.session, [one.category for one in known.values()])
    demanded = {code: rules.of_kinds(goods.inherited(way.rules)) for code, way in ways.items()}
    for at, one in enumerate(said):
        product = known[one.code]
        for place, each in enumerate(one.variants):
            if each.sku not in product.skus:
                raise api.NotOfProduct(sku=each.sku, code=one.code, path=f"$.products[{at}].variants[{place}].sku")
        for name, reason in goods.attribute_faults(demanded[product.category], one.attributes):
            raise api.SchemaViolation(
                reason=f"product {one.code!r}: {reason}", path=f"$.products[{at}].attributes.{name}"
            )
        for place, each in enumerate(one.variants):
            for name, reason in goods.attribute_faults(demanded[product.category], each.attributes):
                path = f"$.products[{at}].variants[{place}].attributes.{name}"
                raise api.SchemaViolation(reason=f"SKU {each.sku!r}: {reason}", path=path)


@implements(api.list_enrichments)
async def list_enrichments(ask: api.ListEnrichments, ctx: Context) -> api.Enrichments:
    after = place_at(ask.cursor, str, api.BadCursor) if ask.cursor is not None else ""
    found = await storage.said(ctx.session, ctx.front_end, ask, after, ask.limit + 1)
    items = found[: ask.limit]
    more = cursor_at(items[-1].enrichment.code) if len(found) > ask.limit else None
    return api.Enrichments(items=tuple(items), next_cursor=more)


@implements(api.put_front_end_categories)
async def put_front_end_categories(ask: api.PutFrontEndCategories, ctx: Context) -> api.FrontEndCategoriesPut:
    put = [rules.composed_category(one) for one in ask.categories]
    codes = [one.code for one in put]
    repeated = goods.repeated_code(codes)
    if repeated is not None:
        raise api.DuplicateCode(code=codes[repeated], path=f"$.categories[{repeated}].code")
    orphan, deep = await storage.put_categories(ctx.session, ctx.front_end, put)
    if orphan is not None:
        raise api.NotInTree(code=str(put[orphan].parent), path=f"$.categories[{orphan}].parent")
    if deep is not None:
        reason = f"would be its own ancestor, or lie more than {api.DEPTH_MAX} levels deep"
        at = codes.index(deep) if deep in codes else 0
        raise api.NoTree(code=deep, reason=reason, path=f"$.categories[{at}].parent")
    await storage.write_paths(ctx.session, ctx.front_end)
    return api.FrontEndCategoriesPut(categories=len(put))


@implements(api.remove_front_end_categories)
async def remove_front_end_categories(ask: api.RemoveFrontEndCategories, ctx: Context) -> api.FrontEndCategoriesRemoved:
    codes = [rules.composed(code) for code in ask.codes]
    if used := await storage.in_use(ctx.session, ctx.front_end, codes):
        raise api.CategoryInUse(code=codes[used[0]], holds=used[1], path=f"$.codes[{used[0]}]")
    return api.FrontEndCategoriesRemoved(categories=await storage.remove_categories(ctx.session, ctx.front_end, codes))
