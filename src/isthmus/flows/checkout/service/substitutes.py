"""Substitutes: what to offer instead of goods that are short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isthmus.kernel import Context
from isthmus.packs.catalog import api as catalog
from isthmus.packs.inventory import api as inventory
from isthmus.packs.pricing import api as pricing
from isthmus.values import Buyer, LineAsk

from .. import api, rules

Ask = api.PreviewOrder | api.PlaceOrder


async def shortages(ask: Ask, lines: Sequence[LineAsk], ctx: Context) -> tuple[api.Shortage, ...]:
    """Return the lines for which there is too little now."""
    return rules.shortages(lines, await _available(ask, [line.sku for line in lines], ctx))


async def offers(
    ask: Ask, lines: Sequence[LineAsk], short: Sequence[api.Shortage], buyer: Buyer, ctx: Context
) -> tuple[api.Substitute, ...]:
    """Return what the front end offers instead of what is short; nothing is read where it never offers any."""
    if not short or not ctx.plan.find(catalog.choose_substitute):
        return ()
    taken = {line.sku for line in lines}
    quantities = {one.path: one.wanted for one in short[: api.SUBSTITUTED_MAX]}
    wanted = tuple(dict.fromkeys(one.sku for one in short[: api.SUBSTITUTED_MAX]))
    described = await ctx.call(catalog.describe_skus, catalog.DescribeSkus(skus=wanted))
    goods = {one.item.sku: one.item for one in described.items}
    found: list[api.Substitute] = []
    for one in short[: api.SUBSTITUTED_MAX]:
        if (good := goods.get(one.sku)) is None:
            continue  # it is not for sale here: refused with the other lines
        offers = await _offers(ask, good, quantities[one.path], taken, buyer, ctx)
        mine = next((offer for offer in offers if offer.sku == good.sku), None)
        others = tuple(offer for offer in offers if offer.sku != good.sku)
        chosen = ctx.answer(catalog.choose_substitute)(mine, others) if mine and others else ""
        for offer in others:
            if offer.sku == chosen:
                taken.add(offer.sku)
                found.append(api.Substitute(path=one.path, instead_of=one.sku, offer=offer))
    return tuple(found)


async def replaced(
    ask: Ask, lines: tuple[LineAsk, ...], buyer: Buyer, ctx: Context
) -> tuple[tuple[LineAsk, ...], dict[int, str]]:
    """Return the lines with what is short replaced, and by place what was wanted there."""
    short = await shortages(ask, lines, ctx)
    offered = {one.path: one for one in await offers(ask, lines, short, buyer, ctx)}
    swaps = {at: offered[path] for at in range(len(lines)) if (path := f"$.lines[{at}].sku") in offered}
    changed = tuple(
        LineAsk(sku=swaps[at].offer.sku, quantity=line.quantity) if at in swaps else line
        for at, line in enumerate(lines)
    )
    return changed, {at: swap.instead_of for at, swap in swaps.items()}


async def _offers(
    ask: Ask, good: catalog.Sellable, quantity: int, taken: set[str], buyer: Buyer, ctx: Context
) -> list[catalog.Alternative]:
    """Return what a SKU and others of its category cost in a quantity; of the others, what is in stock and open."""
    search = catalog.Search(category=good.category, limit=api.OFFERS_MAX, channel=ask.channel)
    listed = await ctx.call(catalog.search, search)
    skus = [one.sku for one in listed.items if one.sku not in taken]
    if not skus:
        return []
    described = await ctx.call(catalog.describe_skus, catalog.DescribeSkus(skus=tuple(skus)))
    available = await _available(ask, skus, ctx)
    left = {one.sku: one.available for one in available.items}
    goods: Mapping[str, catalog.Sellable] = {good.sku: good} | {
        one.item.sku: one.item
        for one in described.items
        if one.offer is not None and rules.is_bought_alike(one.item, one.offer, good, quantity, left)
    }
    quote = await ctx.call(
        pricing.quote,
        pricing.QuoteLines(
            lines=tuple(pricing.QuoteLine(sku=sku, quantity=quantity) for sku in goods),
            currency=ask.currency,
            location=ask.location,
            buyer=buyer,
            is_partial=True,
            order_kind=ask.order_kind,
            channel=ask.channel,
        ),
    )
    return [
        catalog.Alternative(
            sku=line.sku,
            title=goods[line.sku].title,
            brand=goods[line.sku].brand,
            category=good.category,
            quantity=quantity,
            unit=good.unit,
            amount=line.amount,
        )
        for line in quote.lines
    ]


async def _available(ask: Ask, skus: Sequence[str], ctx: Context) -> inventory.Availability:
    return await ctx.call(
        inventory.get_availability,
        inventory.GetAvailability(
            skus=tuple(dict.fromkeys(skus)),
            location=ask.location,
            order_kind=ask.order_kind,
            channel=ask.channel,
        ),
    )
