"""Pricing at work."""

from __future__ import annotations

from datetime import UTC, datetime

from isthmus.kernel import PASS, Context, decode, encode, errors, implements
from isthmus.values import Applied, Money, money

from . import api, rules, storage

_NEWEST = datetime.max.replace(tzinfo=UTC)
Position = tuple[datetime, str, str, int]


@implements(api.put_prices)
async def put_prices(ask: api.PutPrices, ctx: Context) -> api.PricesPut:
    for at, price in enumerate(ask.prices):
        if price.valid_to is not None and price.valid_to <= (price.valid_from or ctx.now):
            raise api.WrongPeriod(at=at)
    await storage.put(ctx.session, ctx.front_end, ask.prices, ctx.now)
    skus = tuple(sorted({price.sku for price in ask.prices}))
    ctx.emit(api.PricesChanged(front_end=ctx.front_end, skus=skus))
    return api.PricesPut(prices=len(ask.prices))


@implements(api.list_prices)
async def list_prices(ask: api.ListPrices, ctx: Context) -> api.PricePage:
    before = _position(ask.cursor) if ask.cursor else (_NEWEST, "", "", 0)
    items = await storage.of_sku(ctx.session, ctx.front_end, ask.sku, before, ask.limit + 1)
    page, more = items[: ask.limit], len(items) > ask.limit
    last = page[-1] if page else None
    cursor = (
        encode((last.valid_from, last.currency, last.location, last.quantity_from)).hex() if last and more else None
    )
    return api.PricePage(items=tuple(page), next_cursor=cursor)


@implements(api.quote)
async def quote(ask: api.Quote, ctx: Context) -> api.PriceQuote:
    entries = await storage.holding(ctx.session, ctx.front_end, ask, ctx.now)
    missing = [(at, line.sku) for at, line in enumerate(ask.lines) if at not in entries]
    if missing:
        raise api.NoListPrice(lines=missing, currency=ask.currency)
    takes_sale = ctx.answer(api.takes_sale_price)(ask.buyer) is True
    lines: list[api.UnitPrice] = []
    for at, line in enumerate(ask.lines):
        listed, paid = rules.amounts(entries[at], line.quantity, takes_sale)
        lines.append(
            api.UnitPrice(
                sku=line.sku,
                quantity=line.quantity,
                list_amount=money(listed, ask.currency),
                amount=money(paid, ask.currency),
            )
        )
    adjusted = ctx.answer(api.adjust_line_amounts)(lines, ask.buyer, ctx.now)
    priced = [_priced(at, line, amount) for at, (line, amount) in enumerate(zip(lines, adjusted, strict=True))]
    return api.PriceQuote(currency=ask.currency, lines=tuple(priced))


def _priced(at: int, line: api.UnitPrice, adjusted: object) -> api.PricedLine:
    applied: list[Applied] = []
    if line.amount != line.list_amount:
        off = line.amount - line.list_amount
        applied.append(Applied(by="price list", reason="sale price", amount=off))
    if adjusted is not PASS and isinstance(adjusted, Money):
        if adjusted.minor < 0 or adjusted.currency != line.amount.currency:
            raise api.NegativePrice(at=at, sku=line.sku, amount=adjusted)
        changed = adjusted - line.amount
        applied.append(Applied(by="price rule", reason="adjusted by the front end", amount=changed))
        line = api.UnitPrice(sku=line.sku, quantity=line.quantity, list_amount=line.list_amount, amount=adjusted)
    return rules.priced(line, tuple(applied))


def _position(cursor: str) -> Position:
    try:
        return decode(bytes.fromhex(cursor), Position)
    except (ValueError, errors.BadAsk):
        raise api.WrongCursor from None
