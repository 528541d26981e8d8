"""The catalogue at work."""

from __future__ import annotations

from isthmus.kernel import Context, decode, encode, errors, implements

from . import api, rules, storage


@implements(api.put_categories)
async def put_categories(ask: api.PutCategories, ctx: Context) -> api.CategoriesPut:
    latest = list({one.code: one for one in ask.categories}.values())
    parents = {one.parent for one in latest if one.parent is not None}
    known = await storage.required_attributes(ctx.session, sorted(parents))
    named = {*known, *(one.code for one in latest)}
    for at, one in enumerate(ask.categories):
        if one.parent is not None and one.parent not in named:
            raise api.UnknownCategory(code=one.parent, path=f"$.categories[{at}].parent")
    await storage.put_categories(ctx.session, latest)
    return api.CategoriesPut(categories=len(latest))


@implements(api.list_categories)
async def list_categories(ask: api.ListCategories, ctx: Context) -> api.Categories:
    return api.Categories(items=tuple(await storage.categories_below(ctx.session, ask.parent)))


@implements(api.put_sellers)
async def put_sellers(ask: api.PutSellers, ctx: Context) -> api.SellersPut:
    await storage.put_sellers(ctx.session, ask.sellers)
    return api.SellersPut(sellers=len({one.code for one in ask.sellers}))


@implements(api.import_products)
async def import_products(ask: api.ImportProducts, ctx: Context) -> api.Imported:
    for sku, path in rules.repeated_skus(ask.products):
        raise api.DuplicateSku(sku=sku, path=path)
    required = await storage.required_attributes(ctx.session, sorted({one.category for one in ask.products}))
    for at, draft in enumerate(ask.products):
        if draft.category not in required:
            raise api.UnknownCategory(code=draft.category, path=f"$.products[{at}].category")
        for variant, name in rules.missing_attributes(draft, required[draft.category]):
            reason = f"category {draft.category!r} demands the attribute {name!r}, and {draft.code!r} has none"
            raise api.SchemaViolation(reason=reason, path=f"$.products[{at}].variants[{variant}].attributes.{name}")
    if foreign := await storage.foreign_sku(ctx.session, ask.products):
        raise api.DuplicateSku(sku=foreign, path="$.products")
    drafts = sorted({one.code: one for one in ask.products}.values(), key=lambda one: one.code)  # one order of locks
    ids = [ctx.new_id() for _ in drafts]
    created = await storage.put_products(ctx.session, drafts, ids, ctx.now)
    ctx.emit(api.ProductsChanged(batch=ctx.new_id(), codes=tuple(one.code for one in drafts)))
    return api.Imported(created=created, replaced=len(drafts) - created)


@implements(api.publish)
async def publish(ask: api.Publish, ctx: Context) -> api.Published:
    facts = await storage.facts(ctx.session, [one.sku for one in ask.listings])
    for at, one in enumerate(ask.listings):
        if one.sku not in facts:
            raise api.NoSuchSku(sku=one.sku, path=f"$.listings[{at}].sku")
        if one.max_quantity < one.min_quantity:
            raise api.SchemaViolation(
                reason=f"{one.sku!r} is sold from {one.min_quantity} to {one.max_quantity} units",
                path=f"$.listings[{at}].max_quantity",
            )
    products = [facts[one.sku] for one in ask.listings]
    for at, verdict in enumerate(ctx.answer(api.validate_listing)(ask.listings, products)):
        if not verdict.is_allowed:
            reason = "; ".join(f"{no.reason} ({no.by})" for no in verdict.vetoes)
            raise api.SchemaViolation(reason=f"{ask.listings[at].sku!r}: {reason}", path=f"$.listings[{at}]")
    latest = {one.sku: (one, facts[one.sku]) for one in ask.listings}
    await storage.publish(ctx.session, ctx.front_end, [latest[sku] for sku in sorted(latest)], ctx.now)
    ctx.emit(api.AssortmentChanged(front_end=ctx.front_end, published=tuple(sorted(latest))))
    return api.Published(skus=len(latest))


@implements(api.withdraw)
async def withdraw(ask: api.Withdraw, ctx: Context) -> api.Withdrawn:
    gone = await storage.withdraw(ctx.session, ctx.front_end, ask.skus)
    if gone:
        ctx.emit(api.AssortmentChanged(front_end=ctx.front_end, withdrawn=tuple(sorted(gone))))
    return api.Withdrawn(skus=len(gone))


@implements(api.check_lines)
async def check_lines(ask: api.CheckLines, ctx: Context) -> api.SellableLines:
    found = await storage.checked(ctx.session, ctx.front_end, [line.sku for line in ask.lines])
    unknown = [(at, line.sku, "unknown") for at, line in enumerate(ask.lines) if at not in found]
    if unknown:
        raise api.UnknownSku(faults=unknown)
    allowed = ctx.answer(api.is_sellable)([found[at].sellable for at in range(len(ask.lines))])
    not_offered: list[api.Line] = []
    wrong: list[api.Line] = []
    for at, line in enumerate(ask.lines):
        if reason := _not_offered(found[at], allowed[at] is True, ctx):
            not_offered.append((at, line.sku, reason))
        elif fault := rules.quantity_fault(line.quantity, *found[at].quantities):
            wrong.append((at, line.sku, fault))
    if not_offered:
        raise api.NotForSale(faults=not_offered)
    if wrong:
        raise api.QuantityRefused(faults=wrong)
    return api.SellableLines(items=tuple(found[at].sellable for at in range(len(ask.lines))))


def _not_offered(found: storage.Checked, is_allowed: bool, ctx: Context) -> str:
    if not found.is_listed or not found.is_current:
        return "it is not in the assortment"
    if found.offered_from is not None and found.offered_from > ctx.now:
        return f"it is offered from {found.offered_from.isoformat()}"
    if found.offered_to is not None and found.offered_to <= ctx.now:
        return f"it was offered until {found.offered_to.isoformat()}"
    return "" if is_allowed else "not in this kind of order"


@implements(api.get_product)
async def get_product(ask: api.GetProduct, ctx: Context) -> api.ProductView:
    view = await storage.product_of(ctx.session, ask.sku)
    if view is None:
        raise api.NoSuchSku(sku=ask.sku)
    return ctx.answer(api.product_view)(view)


@implements(api.search)
async def search(ask: api.Search, ctx: Context) -> api.FoundPage:
    after = _position(ask.cursor) if ask.cursor else ("", "")
    found = await storage.search(ctx.session, ctx.front_end, ask, after, ctx.now)
    page = found[: ask.limit]
    more = len(found) > ask.limit
    return api.FoundPage(items=tuple(page), next_cursor=encode((page[-1].title, page[-1].sku)).hex() if more else None)


def _position(cursor: str) -> tuple[str, str]:
    try:
        return decode(bytes.fromhex(cursor), tuple[str, str])
    except (ValueError, errors.BadAsk):
        raise api.BadCursor from None
