"""Quotes, and how prices come into force and end."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from isthmus.kernel import Context, Pass, implements
from isthmus.values import checked_attributes

from . import api, rules, storage

_SEQ_MAX = 2**63 - 1


@implements(api.quote)
async def quote(ask: api.QuoteLines, ctx: Context) -> api.Quote:
    lines = checked_attributes(ask.lines, "attributes", "order.line", ctx)
    own = ctx.attributes("order.order", ask.attributes, "$.attributes") if ask.attributes else {}
    lists = _chosen(ctx.answer(api.choose_price_lists)(ask.buyer, ask.location or ""))
    locations = _chosen(ctx.answer(api.choose_locations)(ask.location or ""))
    found = await storage.find_prices(ctx.session, ctx.front_end, ask.lines, ask.currency, lists, locations, ctx.now)
    if len(found) < len(ask.lines) and not ask.is_partial:
        await _refuse_unpriced(ask, found, ctx)
    if not found:
        return api.Quote(currency=ask.currency, lines=())
    priced = [(line, *found[place]) for place, line in enumerate(lines) if place in found]
    listed = [rules.listed_line(line, entry, ctx.now, own) for line, _, entry in priced]
    replaced = rules.agreed_prices(
        [line for line, _, _ in priced], ctx.answer(api.adjust_unit_price)(listed, ask.buyer)
    )
    charged = _priced(listed, [price_id for _, price_id, _ in priced], replaced, ask, ctx)
    for place, line in enumerate(charged):
        if not rules.is_chargeable(line):
            raise api.AmountTooLarge(sku=line.sku, line=place)
    return api.Quote(currency=ask.currency, lines=charged)


@implements(api.put_prices)
async def put_prices(ask: api.PutPrices, ctx: Context) -> api.PricesPut:
    faults = list(rules.price_faults(ask.prices, ctx.answer(api.validate_price)(ask.prices)))
    if faults:
        raise api.PriceRefused(lines=faults)
    by = ctx.caller.client
    same = await storage.supersede(ctx.session, ctx.front_end, ask.prices, ctx.now, by)
    new = [price for place, price in enumerate(ask.prices) if place not in same]
    if new:
        await storage.insert(ctx.session, ctx.front_end, new, [ctx.new_id() for _ in new], ctx.now, by)
        _emit_changed(((price.price_list, price.sku) for price in new), ctx)
    return api.PricesPut(changed=len(new), unchanged=len(same))


@implements(api.withdraw_prices)
async def withdraw_prices(ask: api.WithdrawPrices, ctx: Context) -> api.PricesWithdrawn:
    known = await storage.withdraw(ctx.session, ctx.front_end, ask.price_ids, ctx.now, ctx.caller.client)
    for place, price_id in enumerate(ask.price_ids):
        if price_id not in known:
            raise api.UnknownPrice(price_id=price_id, place=place)
    ended = [(price_list, sku) for price_list, sku, was_live in known.values() if was_live]
    _emit_changed(ended, ctx)
    return api.PricesWithdrawn(withdrawn=len(ended))


@implements(api.list_prices)
async def list_prices(ask: api.ListPrices, ctx: Context) -> api.PricePage:
    after = ("", 0) if ask.cursor is None else _position(ask.cursor)
    items = await storage.list_live(ctx.session, ctx.front_end, ask, after, ask.limit + 1)
    return _page(items, ask.limit)


@implements(api.list_price_history)
async def list_price_history(ask: api.ListPriceHistory, ctx: Context) -> api.PricePage:
    before = _SEQ_MAX if ask.cursor is None else _position(ask.cursor)[1]
    items = await storage.list_history(ctx.session, ctx.front_end, ask.sku, before, ask.limit + 1)
    return _page(items, ask.limit)


@implements(api.switch_on)
async def switch_on(ask: api.SwitchOn, ctx: Context) -> api.Switched:
    if not await storage.switch_on(ctx.session, ctx.front_end, ask, ctx.now, ctx.caller.client):
        raise api.NotShared(owner=ask.owner, price_list=ask.price_list)
    return api.Switched(owner=ask.owner, price_list=ask.price_list, is_on=True)


@implements(api.switch_off)
async def switch_off(ask: api.SwitchOff, ctx: Context) -> api.Switched:
    await storage.switch_off(ctx.session, ctx.front_end, ask)
    return api.Switched(owner=ask.owner, price_list=ask.price_list, is_on=False)


@implements(api.list_shared)
async def list_shared(ask: api.ListShared, ctx: Context) -> api.SharedLists:
    return api.SharedLists(items=await storage.list_shared(ctx.session, ctx.front_end))


async def _refuse_unpriced(ask: api.QuoteLines, found: Mapping[int, tuple[UUID, api.PriceEntry]], ctx: Context) -> None:
    sold = await storage.currencies_sold(ctx.session, ctx.front_end)
    if ask.currency not in sold:
        raise api.CurrencyNotSold(currency=ask.currency, sold=sold)
    missing = [
        {"path": f"$.lines[{place}].sku", "sku": line.sku, "reason": "no price is valid now"}
        for place, line in enumerate(ask.lines)
        if place not in found
    ]
    raise api.NoListPrice(lines=missing, currency=ask.currency, location=ask.location)


def _priced(
    listed: Sequence[api.ListedLine],
    ids: Sequence[UUID],
    replaced: Sequence[api.UnitPrice | Pass],
    ask: api.QuoteLines,
    ctx: Context,
) -> tuple[api.PricedLine, ...]:
    granted = ctx.answer(api.grant_sale_price)(listed, ask.buyer)
    rounding = ctx.answer(api.round_line)(ask.currency)
    chosen = api.LineRounding() if isinstance(rounding, Pass) else rounding
    return tuple(
        [
            rules.priced_line(line, price_id, is_sale, unit, chosen)
            for line, price_id, is_sale, unit in zip(listed, ids, granted, replaced, strict=True)
        ]
    )


def _emit_changed(changed: Iterable[tuple[str, str]], ctx: Context) -> None:
    """Emit one event for each price list."""
    by_list: dict[str, set[str]] = {}
    for price_list, sku in changed:
        by_list.setdefault(price_list, set()).add(sku)
    for price_list, skus in sorted(by_list.items()):
        ctx.emit(api.PricesChanged(price_list=price_list, skus=tuple(sorted(skus)), by=ctx.caller.client))


def _chosen(names: tuple[str, ...] | Pass) -> tuple[str, ...]:
    return () if isinstance(names, Pass) else names


def _page(items: Sequence[tuple[int, api.Price]], limit: int) -> api.PricePage:
    """Cut one item too many off, and say where to go on."""
    shown = items[:limit]
    next_cursor = _cursor(*shown[-1]) if len(items) > limit else None
    return api.PricePage(items=tuple(price for _, price in shown), next_cursor=next_cursor)


def _cursor(seq: int, last: api.Price) -> str:
    return urlsafe_b64encode(seq.to_bytes(8, "big") + last.entry.sku.encode()).decode()


def _position(cursor: str) -> tuple[str, int]:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii"))
        sku, seq = raw[8:].decode(), int.from_bytes(raw[:8], "big")
    except ValueError:
        raise api.BadCursor from None
    if not sku or "\0" in sku or seq > _SEQ_MAX:  # not of this list, and PostgreSQL would refuse it
        raise api.BadCursor
    return sku, seq
