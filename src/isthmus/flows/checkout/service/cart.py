"""The cart: facts of what is wanted → price → deliver → promote → tax, before anything is written or locked."""

from __future__ import annotations

from dataclasses import replace

from isthmus.kernel import Context
from isthmus.packs.catalog import api as catalog
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.pricing import api as pricing
from isthmus.packs.promotion import api as promotion
from isthmus.packs.tax import api as tax
from isthmus.values import GUEST, LineAsk, distinct_codes

from .. import api, rules
from ..rules import Cart
from . import substitutes

JURISDICTION = "jurisdiction"  # the setting that says where a front end sells when goods are not sent anywhere


async def price_cart(
    ask: api.PreviewOrder | api.PlaceOrder, ctx: Context, terms: api.PlaceAgreed | None = None
) -> tuple[Cart, api.Bill]:
    """Return what is wanted and its bill; nothing is locked, and nothing depends on randomness."""
    cart = await _read_cart(ask, ctx, terms)
    quote = await _quote(cart, ctx)
    delivery = await _quote_delivery(cart, quote, ctx)
    evaluation = await _evaluate_promotions(cart, quote, delivery, ctx)
    taxed = await _calculate_tax(cart, quote, evaluation, delivery, ctx)
    return replace(cart, tax=taxed), rules.bill(cart, quote, evaluation, delivery, taxed)


async def _read_cart(ask: api.PreviewOrder | api.PlaceOrder, ctx: Context, terms: api.PlaceAgreed | None) -> Cart:
    """Return the lines that are asked for, or those of a basket, with who buys them and what the catalogue says."""
    basket, coupons = await _find_basket(ask, ctx)
    wanted = basket.lines if basket else ask.lines or ()
    lines = tuple([LineAsk(sku=line.sku, quantity=line.quantity) for line in wanted])
    buyer = (
        GUEST if ask.member_id is None else await ctx.call(member.get_buyer, member.GetMember(member_id=ask.member_id))
    )
    instead_of: dict[int, str] = {}
    if ask.accepts_substitutes:
        lines, instead_of = await substitutes.replaced(ask, lines, buyer, ctx)
    agreed = rules.agreed_by_line(terms.agreed if terms else (), instead_of)
    attributes = tuple([line.attributes for line in wanted])
    if terms is not None and terms.skips_short:
        there = rules.lines_there(lines, await substitutes.shortages(ask, lines, ctx))
        if not there:
            raise api.NothingInStock(skus=sorted({line.sku for line in lines}))
        lines, attributes = tuple(lines[at] for at in there), tuple(attributes[at] for at in there)
        instead_of, agreed = rules.renumbered(instead_of, there), rules.renumbered(agreed, there)
    checked = catalog.CheckLines(lines=lines, order_kind=ask.order_kind, channel=ask.channel)
    return Cart(
        ask=ask,
        lines=lines,
        attributes=attributes,
        basket=basket,
        coupons=coupons,
        buyer=buyer,
        sellable=(await ctx.call(catalog.check_lines, checked)).items,
        instead_of=instead_of,
        agreed=agreed,
    )


async def _find_basket(
    ask: api.PreviewOrder | api.PlaceOrder, ctx: Context
) -> tuple[order.Basket | None, tuple[str, ...]]:
    """Return the basket, where one is ordered, and the coupons."""
    if ask.basket_id is None:
        if not ask.lines:
            raise api.NothingToBuy
        return None, ask.coupons
    basket = await ctx.call(order.get_basket, order.GetBasket(basket_id=ask.basket_id))
    if not basket.lines:
        raise api.NothingToBuy
    if basket.currency != ask.currency:
        raise order.BasketsDiffer(what="currency", one=basket.currency, other=ask.currency, path="$.currency")
    if basket.member_id is not None and ask.member_id not in (None, basket.member_id):
        raise order.BasketsDiffer(what="member", one=basket.member_id, other=ask.member_id, path="$.member_id")
    coupons = distinct_codes([*basket.coupons, *ask.coupons])
    if len(coupons) > api.COUPONS_MAX:
        raise order.TooManyCoupons(coupons=len(coupons), most=api.COUPONS_MAX, path="$.coupons")
    return basket, coupons


async def _quote(cart: Cart, ctx: Context) -> pricing.Quote:
    ask = cart.ask
    return await ctx.call(
        pricing.quote,
        pricing.QuoteLines(
            lines=rules.quote_lines(cart),
            currency=ask.currency,
            location=ask.location,
            buyer=cart.buyer,
            order_kind=ask.order_kind,
            channel=ask.channel,
            attributes=ask.attributes,
        ),
    )


async def _quote_delivery(cart: Cart, quote: pricing.Quote, ctx: Context) -> fulfilment.DeliveryQuote | None:
    """Quote the delivery; there is none where goods are taken along in a shop."""
    ask = cart.ask
    is_taken_along = ask.address is None and ask.delivery_method is None and ask.slot_id is None
    if is_taken_along:
        return None
    quoted = fulfilment.request_quote if isinstance(ask, api.PreviewOrder) else fulfilment.quote_delivery
    return await ctx.call(
        quoted,
        fulfilment.QuoteDelivery(
            lines=rules.delivery_lines(cart, quote),
            amount=rules.amount_of(quote),
            address=ask.address,
            method=ask.delivery_method,
            slot_id=ask.slot_id,
            order_kind=ask.order_kind,
            channel=ask.channel,
        ),
    )


async def _evaluate_promotions(
    cart: Cart, quote: pricing.Quote, delivery: fulfilment.DeliveryQuote | None, ctx: Context
) -> promotion.Evaluation:
    return await ctx.call(
        promotion.evaluate,
        promotion.Evaluate(
            lines=rules.promotion_lines(cart, quote),
            buyer=cart.buyer,
            coupons=cart.coupons,
            delivery_fee=delivery.fee if delivery else None,
            order_kind=cart.ask.order_kind,
            channel=cart.ask.channel,
        ),
    )


async def _calculate_tax(
    cart: Cart,
    quote: pricing.Quote,
    evaluation: promotion.Evaluation,
    delivery: fulfilment.DeliveryQuote | None,
    ctx: Context,
) -> tax.TaxQuote | None:
    """Calculate the tax where goods go, or where the front end says that it sells; none where it says neither."""
    ask = cart.ask
    where = rules.jurisdiction_of(ask.address.country, ask.address.region) if ask.address else ""
    where = where or ctx.plan.settings.get(JURISDICTION, "")
    if not where:
        return None
    fee = delivery.fee - rules.off_delivery(evaluation.discounts, quote.currency) if delivery else None
    calculate = tax.assess if isinstance(ask, api.PreviewOrder) else tax.calculate  # placing holds a transaction
    return await ctx.call(
        calculate,
        tax.Calculate(
            lines=rules.tax_lines(cart, quote, evaluation),
            jurisdiction=where,
            is_address=ask.address is not None,
            destination=ask.address,
            delivery_fee=fee,
            buyer=cart.buyer,
            order_kind=ask.order_kind,
            channel=ask.channel,
        ),
    )
