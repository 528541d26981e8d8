"""The catalogue: what a front end offers."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.kernel import Context, implements

from .. import api
from ..rules import goods as rules
from ..storage import assortment as storage
from ..storage import products as storage_products


@implements(api.publish)
async def publish(ask: api.Publish, ctx: Context) -> api.Published:
    latest = {one.sku: one for one in ask.listings}
    products = await storage.publishable(ctx.session, ctx.front_end, list(latest))
    for at, one in enumerate(ask.listings):
        if one.sku not in products:
            raise api.NoSuchSku(sku=one.sku, path=f"$.listings[{at}].sku")
        if fault := rules.range_fault(one, ctx.now):
            raise api.BadRange(reason=fault[1], path=f"$.listings[{at}].{fault[0]}")
    await _refuse_incomplete(ask, products, ctx)
    verdicts = ctx.answer(api.validate_listing)(ask.listings, [products[one.sku].sellable for one in ask.listings])
    for at, verdict in enumerate(verdicts):
        if not verdict.is_allowed:
            reason = "; ".join(f"{no.reason} ({no.by})" for no in verdict.vetoes)
            raise api.SchemaViolation(reason=f"SKU {ask.listings[at].sku!r}: {reason}", path=f"$.listings[{at}]")
    own = {
        one.sku: ctx.attributes("catalog.listing", one.attributes, f"$.listings[{at}].attributes")
        for at, one in enumerate(ask.listings)
    }
    await storage.publish(ctx.session, ctx.front_end, list(latest.values()), own, ctx.now)
    ctx.emit(api.AssortmentChanged(front_end=ctx.front_end, published=tuple(sorted(latest))))
    return api.Published(skus=len(latest))


async def _refuse_incomplete(ask: api.Publish, products: Mapping[str, storage.Publishable], ctx: Context) -> None:
    ways = await storage_products.ways(ctx.session, [one.sellable.category for one in products.values()])
    demanded = {code: rules.inherited(way.rules) for code, way in ways.items()}
    for at, one in enumerate(ask.listings):
        product, category = products[one.sku], products[one.sku].sellable.category
        for _, reason in rules.attribute_faults(demanded[category], product.group_attributes):
            raise api.SchemaViolation(
                reason=f"SKU {one.sku!r} of category {category!r}: {reason}", path=f"$.listings[{at}].sku"
            )


@implements(api.withdraw)
async def withdraw(ask: api.Withdraw, ctx: Context) -> api.Withdrawn:
    gone = await storage.withdraw(ctx.session, ctx.front_end, ask.skus)
    if gone:
        ctx.emit(api.AssortmentChanged(front_end=ctx.front_end, withdrawn=tuple(sorted(gone))))
    return api.Withdrawn(skus=len(gone))


@implements(api.check_lines)
async def check_lines(ask: api.CheckLines, ctx: Context) -> api.SellableLines:
    found = await storage.known(ctx.session, ctx.front_end, [line.sku for line in ask.lines], ctx.now)
    unknown = [(at, line.sku, "unknown") for at, line in enumerate(ask.lines) if at not in found]
    if unknown:
        raise api.UnknownSku(faults=unknown)
    items = tuple([one.sellable for one in found.values()])
    allowed = ctx.answer(api.is_sellable)(items)
    closed = [
        (at, items[at].sku, reason)
        for at, one in found.items()
        if (reason := _not_offered(one, allowed[at] is True, ctx))
    ]
    if closed:
        raise api.NotForSale(faults=closed)
    limits = [(one.offer.min_quantity, one.offer.max_quantity, one.offer.step) for one in found.values() if one.offer]
    faults = rules.quantity_faults([(line.sku, line.quantity) for line in ask.lines], limits)
    wrong = [(at, items[at].sku, fault) for at, fault in enumerate(faults) if fault]
    if wrong:
        raise api.QuantityRefused(faults=wrong)
    return api.SellableLines(items=items)


def _not_offered(found: storage.Known, is_allowed: bool, ctx: Context) -> str:
    offer = found.offer
    if offer is None or not found.is_current:
        return "it is not in the assortment"
    if found.is_suspended:
        return "its seller is suspended"
    if offer.offered_from > ctx.now:
        return f"it is offered from {offer.offered_from.isoformat()}"
    if offer.offered_to is not None and offer.offered_to <= ctx.now:
        return f"it was offered until {offer.offered_to.isoformat()}"
    return "" if is_allowed else "not in this kind of order"


@implements(api.describe_skus)
async def describe_skus(ask: api.DescribeSkus, ctx: Context) -> api.SkusDescribed:
    found = await storage.known(ctx.session, ctx.front_end, ask.skus, ctx.now)
    return api.SkusDescribed(
        items=tuple(api.SkuDescribed(item=one.sellable, offer=one.offer) for one in found.values())
    )


@implements(api.get_product)
async def get_product(ask: api.GetProduct, ctx: Context) -> api.ProductView:
    view = await storage.product_of(ctx.session, ctx.front_end, ask.sku, ctx.now)
    if view is None:
        raise api.NoSuchSku(sku=ask.sku)
    return ctx.answer(api.product_view)(view)
