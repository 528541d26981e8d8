"""Payees, and what is due to them."""

from __future__ import annotations

from datetime import UTC, datetime

from isthmus.kernel import Context, implements
from isthmus.values import Moment, cursor_at, place_at

from .. import api, rules
from ..storage import items as storage

EARLIEST = datetime.min.replace(tzinfo=UTC)


@implements(api.put_payee)
async def put_payee(ask: api.PutPayee, ctx: Context) -> api.Payee:
    iban = rules.iban(ask.iban)
    if iban is None:
        raise api.WrongIban(iban=ask.iban)
    await storage.put_payee(ctx.session, ctx.front_end, ask, iban)
    known = await storage.payees(ctx.session, ctx.front_end, ("", ""), 200, ask.payee)
    return next(one for one in known if one.currency == ask.currency)


@implements(api.list_payees)
async def list_payees(ask: api.ListPayees, ctx: Context) -> api.PayeePage:
    after = place_at(ask.cursor, tuple[str, str], api.BadCursor) if ask.cursor else ("", "")
    found = await storage.payees(ctx.session, ctx.front_end, after, ask.limit + 1)
    shown = found[: ask.limit]
    cursor = cursor_at((shown[-1].payee, shown[-1].currency)) if len(found) > ask.limit else None
    return api.PayeePage(items=tuple(shown), next_cursor=cursor)


@implements(api.note_due)
async def note_due(ask: api.NoteDue, ctx: Context) -> api.Noted:
    await storage.note(ctx.session, ctx.front_end, ask.items, ctx.now)
    return api.Noted(items=len(ask.items))


@implements(api.list_items)
async def list_items(ask: api.ListItems, ctx: Context) -> api.ItemPage:
    after = place_at(ask.cursor, tuple[Moment, str], api.BadCursor) if ask.cursor else (EARLIEST, "")
    found = await storage.items(ctx.session, ctx.front_end, ask, after, ask.limit + 1)
    shown = found[: ask.limit]
    cursor = cursor_at((shown[-1].happened_at, shown[-1].reference)) if len(found) > ask.limit else None
    return api.ItemPage(items=tuple(shown), next_cursor=cursor)
