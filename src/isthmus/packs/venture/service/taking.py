"""Taking pages of a venture: each number once, in order, or none of the page."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten

from .. import api, rules, storage

ACCOUNT = "account:"  # before the ids of accounts among the references of who is forgotten


@implements(api.get_position)
async def get_position(ask: api.GetPosition, ctx: Context) -> api.Position:
    return await storage.position(ctx.session, ctx.front_end)


@implements(api.accept_journal)
async def accept_journal(ask: api.SignedPage, ctx: Context) -> api.AcceptedJournal:
    charter = _signed_under("journal", ask, ctx)
    page = rules.page_of("journal", ask.page, rules.JournalPage, ctx.front_end)
    stands = await storage.lock_position(ctx.session, ctx.front_end, charter.money)
    coming = page.replace(items=tuple(one for one in page.items if one.number > stands.journal))
    found = rules.chained(coming, stands.journal, stands.hash)
    if found:
        if await storage.add_entries(ctx.session, ctx.front_end, found) < len(found):
            raise rules.broken(
                "journal", "a reference on it was booked before", "$.items", "give each entry a reference of its own"
            )
        last = found[-1]
        moved = stands.replace(journal=last.number, hash=last.hash)
        await storage.move(ctx.session, ctx.front_end, ctx.now, moved, charter.starts)
    number = found[-1].number if found else stands.journal
    return api.AcceptedJournal(entries=tuple(one.entry for one in found), number=number, is_last=page.is_last)


@implements(api.accept_sales)
async def accept_sales(ask: api.SignedPage, ctx: Context) -> api.AcceptedSales:
    charter = _signed_under("sales", ask, ctx)
    page = rules.page_of("sales", ask.page, rules.SalesPage, ctx.front_end)
    stands = await storage.lock_position(ctx.session, ctx.front_end, charter.money)
    coming = page.replace(items=tuple(one for one in page.items if one.number > stands.sales))
    found = rules.sales_of(coming, stands.sales, ctx.now)
    if found:
        if await storage.add_sales(ctx.session, ctx.front_end, found) < len(found):
            raise rules.broken("sales", "a sale_id on it was sent before", "$.items", "give each its own, once")
        moved = stands.replace(sales=found[-1].number)
        await storage.move(ctx.session, ctx.front_end, ctx.now, moved, charter.starts)
    places = {one.number: at for at, one in enumerate(page.items)}
    members = {one.member: f"$.items[{places[one.number]}].member" for one in reversed(found) if one.member}
    number = found[-1].number if found else stands.sales
    return api.AcceptedSales(members=members, sales=len(found), number=number, is_last=page.is_last)


def _signed_under(what: str, ask: api.SignedPage, ctx: Context) -> api.Charter:
    """Return the charter under which a page was signed. Raises NotSigned."""
    charter = ctx.resource(api.Charters).of(ctx.front_end)
    if not rules.is_signed(charter.obligations.key, ask.page, ask.signature):
        raise api.NotSigned(code=ctx.front_end, what=what)
    return charter


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    accounts = [one.removeprefix(ACCOUNT) for one in ask.references if one.startswith(ACCOUNT)]
    if not accounts:
        return Forgotten()
    sales = await storage.forget(ctx.session, accounts, ctx.resource(api.Charters).codes())
    return Forgotten(references=tuple(sales))


@implements(api.list_reminders)
async def list_reminders(ask: api.ListReminders, ctx: Context) -> api.Reminders:
    return await storage.reminders(ctx.session, ctx.front_end)


@implements(api.note_forgotten)
async def note_forgotten(ask: api.NoteForgotten, ctx: Context) -> api.Reminders:
    await storage.note_forgotten(ctx.session, ctx.front_end, ask)
    return await storage.reminders(ctx.session, ctx.front_end)
