"""The catalogue: what exists in the group."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import cursor_at, place_at

from .. import api
from ..rules import goods as rules
from ..storage import products as storage_products

LATEST = 2**31 - 1  # no version is higher


@implements(api.put_categories)
async def put_categories(ask: api.PutCategories, ctx: Context) -> api.CategoriesPut:
    ask = api.PutCategories(categories=tuple(map(rules.composed_category, ask.categories)))
    repeated = rules.repeated_code([one.code for one in ask.categories])
    if repeated is not None:
        raise api.NoTree(
            code=ask.categories[repeated].code, reason="stands twice in this ask", path=f"$.categories[{repeated}].code"
        )
    orphan = await storage_products.put_categories(ctx.session, ask.categories)
    if orphan is not None:
        raise api.UnknownCategory(code=str(ask.categories[orphan].parent), path=f"$.categories[{orphan}].parent")
    codes = [one.code for one in ask.categories]
    deep = await storage_products.too_deep(ctx.session, codes)
    if deep is not None:
        reason = f"would be its own ancestor, or lie more than {api.DEPTH_MAX} levels deep"
        raise api.NoTree(code=deep, reason=reason, path=f"$.categories[{codes.index(deep)}].parent")
    await storage_products.write_paths(ctx.session, codes)
    return api.CategoriesPut(categories=len(codes))


@implements(api.list_categories)
async def list_categories(ask: api.ListCategories, ctx: Context) -> api.Categories:
    after = place_at(ask.cursor, tuple[str, str], api.BadCursor) if ask.cursor is not None else ("", "")
    found = await storage_products.categories(ctx.session, _tree(ask, ctx), ask, after, ask.limit + 1)
    items = found[: ask.limit]
    more = cursor_at((items[-1].name, items[-1].code)) if len(found) > ask.limit else None
    return api.Categories(items=tuple(items), next_cursor=more)


@implements(api.get_category)
async def get_category(ask: api.GetCategory, ctx: Context) -> api.CategoryView:
    way = (await storage_products.ways(ctx.session, [ask.code], _tree(ask, ctx))).get(ask.code)
    if way is None:
        raise api.UnknownCategory(code=ask.code, path="$.code")
    return api.CategoryView(category=way.steps[-1], path=way.steps[:-1], attributes=rules.inherited(way.rules))


def _tree(ask: api.ListCategories | api.GetCategory, ctx: Context) -> str:
    """Return whose tree is asked for, where it has one of its own; nobody's is the group's."""
    return ctx.front_end if ask.tree == "shown" else ""


@implements(api.put_sellers)
async def put_sellers(ask: api.PutSellers, ctx: Context) -> api.SellersPut:
    return api.SellersPut(sellers=await storage_products.put_sellers(ctx.session, ask.sellers))


@implements(api.list_sellers)
async def list_sellers(ask: api.ListSellers, ctx: Context) -> api.Sellers:
    found = await storage_products.sellers(
        ctx.session, place_at(ask.cursor, str, api.BadCursor) if ask.cursor is not None else "", ask.limit + 1
    )
    items = found[: ask.limit]
    more = cursor_at(items[-1].code) if len(found) > ask.limit else None
    return api.Sellers(items=tuple(items), next_cursor=more)


@implements(api.import_products)
async def import_products(ask: api.ImportProducts, ctx: Context) -> api.Imported:
    if ctx.plan.settings.get(api.CHANGES) == api.PROPOSED:
        raise api.ApprovalNeeded
    return await put(ask, ctx)


async def put(ask: api.ImportProducts, ctx: Context) -> api.Imported:
    """Create or replace products, whoever decided it."""
    ask = api.ImportProducts(products=tuple(map(rules.composed_product, ask.products)))
    await check(ask, ctx)
    ids = [ctx.new_id() for _ in ask.products]
    changed = await storage_products.put_products(
        ctx.session, ask.products, ids, ctx.now, ctx.caller.client, ctx.front_end
    )
    if changed:
        await _put_skus(ask, changed, ctx)
        ctx.emit(api.ProductsChanged(batch=ctx.new_id(), codes=tuple(sorted(changed))))
    created = sum(version == 1 for _, version in changed.values())
    return api.Imported(created=created, replaced=len(changed) - created, unchanged=len(ask.products) - len(changed))


async def check(ask: api.ImportProducts, ctx: Context, where: str = "") -> None:
    """Refuse products that contradict each other or are not as their category demands. where: a single one's path."""
    _refuse_repeated(ask)
    ways = await storage_products.ways(ctx.session, [one.category for one in ask.products])
    for at, draft in enumerate(ask.products):
        if draft.category not in ways:
            raise api.UnknownCategory(code=draft.category, path=f"{where or f'$.products[{at}]'}.category")
    _refuse_incomplete(ask, {code: rules.inherited(way.rules) for code, way in ways.items()}, where)


async def _put_skus(ask: api.ImportProducts, changed: Mapping[str, tuple[UUID, int]], ctx: Context) -> None:
    variants = [
        (variant, changed[draft.code][0])
        for draft in ask.products
        if draft.code in changed
        for variant in draft.variants
    ]
    put = await storage_products.put_skus(ctx.session, variants)
    if len(put) < len(variants):
        foreign = {variant.sku for variant, _ in variants} - put
        sku, path = next(found for found in rules.sku_paths(ask.products) if found[0] in foreign)
        raise api.DuplicateSku(sku=sku, path=path)


@implements(api.list_versions)
async def list_versions(ask: api.ListVersions, ctx: Context) -> api.ProductVersions:
    before = place_at(ask.cursor, int, api.BadCursor) if ask.cursor is not None else LATEST
    found = await storage_products.versions(ctx.session, ask.code, max(0, min(before, LATEST)), ask.limit + 1)
    if not found and not await storage_products.is_known(ctx.session, ask.code):
        raise api.NoSuchProduct(code=ask.code)
    items = found[: ask.limit]
    more = cursor_at(items[-1].version) if len(found) > ask.limit else None
    return api.ProductVersions(items=tuple(items), next_cursor=more)


def _refuse_repeated(ask: api.ImportProducts) -> None:
    repeated = rules.repeated_code([one.code for one in ask.products])
    if repeated is not None:
        raise api.DuplicateCode(code=ask.products[repeated].code, path=f"$.products[{repeated}].code")
    twice = rules.repeated_sku(ask.products)
    if twice is not None:
        raise api.DuplicateSku(sku=twice[0], path=twice[1])


def _refuse_incomplete(
    ask: api.ImportProducts, demanded: Mapping[str, tuple[api.AttributeRule, ...]], where: str
) -> None:
    for at, draft in enumerate(ask.products):
        for place, variant in enumerate(draft.variants):
            for name, reason in rules.attribute_faults(
                demanded[draft.category], {**draft.attributes, **variant.attributes}
            ):
                raise api.SchemaViolation(
                    reason=f"SKU {variant.sku!r} of category {draft.category!r}: {reason}",
                    path=f"{where or f'$.products[{at}]'}.variants[{place}].attributes.{name}",
                )
