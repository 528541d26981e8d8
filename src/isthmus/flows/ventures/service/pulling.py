"""Taking what a venture sends: booked, kept, or refused with the place."""

from __future__ import annotations

from datetime import date
from typing import Final

from isthmus.kernel import Context, Value, decode, implements
from isthmus.kernel import errors as kernel_errors
from isthmus.packs.account import api as account
from isthmus.packs.ledger import api as ledger
from isthmus.packs.venture import api as venture

from .. import api
from .wire import Wire

PAGES_MAX: Final = 200  # of one pull; the next one goes on


@implements(api.take_journal)
async def take_journal(ask: venture.SignedPage, ctx: Context) -> api.Taken:
    accepted = await ctx.call(venture.accept_journal, ask)
    if accepted.entries:
        drafts = tuple(_draft(one) for one in accepted.entries)
        await ctx.call(ledger.post, ledger.Post(entries=drafts))
    return api.Taken(items=len(accepted.entries), number=accepted.number, is_last=accepted.is_last)


def _draft(one: venture.JournalEntry) -> ledger.EntryDraft:
    return ledger.EntryDraft(
        reference=f"venture/{one.reference}",
        kind=one.kind,
        legs=tuple(ledger.EntryLeg(account=leg.account, amount=leg.amount) for leg in one.legs),
        value_date=one.date,
        when_closed="next-open-day",  # who comes back after years books on the next day that is open
        subject=one.subject,
    )


@implements(api.take_sales)
async def take_sales(ask: venture.SignedPage, ctx: Context) -> api.Taken:
    accepted = await ctx.call(venture.accept_sales, ask)
    if accepted.members:
        client = ctx.resource(venture.Charters).of(ctx.front_end).obligations.client
        wanted = account.FindUnknownAccounts(client=client, accounts=tuple(accepted.members))
        unknown = (await ctx.call(account.find_unknown_accounts, wanted)).accounts
        if unknown:
            raise venture.StrangerExported(count=len(unknown), path=accepted.members[unknown[0]])
    return api.Taken(items=accepted.sales, number=accepted.number, is_last=accepted.is_last)


@implements(api.pull)
async def pull(ask: api.Pull, ctx: Context) -> api.Pulled:
    charters = ctx.resource(venture.Charters)
    if not charters.has(ctx.front_end):
        return api.Pulled()
    stands = await ctx.call(venture.get_position, venture.GetPosition())
    async with Wire(charters.of(ctx.front_end)) as wire:
        if stands.left_by:  # it has sold all that it will, and may still keep persons
            return api.Pulled(forgotten=await _forgotten(wire, ctx))
        return await _pulled(wire, ctx)


async def _pulled(wire: Wire, ctx: Context) -> api.Pulled:
    forgotten = await _forgotten(wire, ctx)
    entries = await taken(wire, ctx, "journal")
    sales = await taken(wire, ctx, "sales")
    return api.Pulled(entries=entries, sales=sales, forgotten=forgotten)


class _Informed(Value):
    """What a venture says of its end."""

    ended_on: date
    informed: int


@implements(api.end)
async def end(ask: api.End, ctx: Context) -> api.Ended:
    informed = await _taken_whole(ask.words, ctx)
    stands, day = await ctx.call(venture.get_position, venture.GetPosition()), ctx.now.date()
    period = await ctx.call(ledger.get_period, ledger.GetPeriod())
    if period.closed_through is None or period.closed_through < day:
        period = await ctx.call(ledger.close_period, ledger.ClosePeriod(closed_through=day, reason=ask.because))
    await ctx.call(venture.note_left, venture.NoteLeft(by="ended", on=day))
    closed = period.closed_through or day
    return api.Ended(informed=informed, entries=stands.journal, sales=stands.sales, closed_through=closed)


@implements(api.graduate)
async def graduate(ask: api.Graduate, ctx: Context) -> api.Graduated:
    found = await ctx.call(venture.list_operations, venture.ListOperations())
    here = {one.operation for one in found.items if one.answered_by == "platform"}
    own = tuple(sorted(set(ask.operations) - here))
    if own or not ask.operations:
        raise api.NotReady(code=ctx.front_end, own=own)
    informed = await _taken_whole(ask.words, ctx)
    stands = await ctx.call(venture.get_position, venture.GetPosition())
    left = await ctx.call(venture.note_left, venture.NoteLeft(by="graduated", on=ctx.now.date()))
    return api.Graduated(informed=informed, entries=stands.journal, sales=stands.sales, on=left.on)


async def _taken_whole(words: str, ctx: Context) -> int:
    """Have a venture sell nothing more, take all it has, and compare; return how many members can read of it."""
    async with Wire(ctx.resource(venture.Charters).of(ctx.front_end)) as wire:
        reply = await wire.obliged("POST", "end", json={"words": words} if words else {})
        try:
            informed = decode(reply.content, _Informed).informed
        except kernel_errors.BadAsk as wrong:
            raise api.VentureDown(what="POST /obligations/end", because=wrong.message) from None
        await _pulled(wire, ctx)
    compared = await ctx.call(venture.list_disagreements, venture.ListDisagreements())
    if compared.items:
        raise api.BooksDisagree(code=ctx.front_end, first=compared.items[0].sale_id)
    return informed


async def taken(wire: Wire, ctx: Context, what: str) -> int:
    """Take all that is new of a venture's journal or sales; return how much that was."""
    stands = await ctx.call(venture.get_position, venture.GetPosition())
    take, number = (api.take_journal, stands.journal) if what == "journal" else (api.take_sales, stands.sales)
    items = 0
    for _ in range(PAGES_MAX):
        found = await ctx.call(take, await wire.page(what, number))
        items += found.items
        if found.is_last or found.number == number:
            break
        number = found.number
    return items


async def _forgotten(wire: Wire, ctx: Context) -> int:
    """Have a venture forget who was erased here; whom it does not take is tried again with the next pull."""
    reminders = await ctx.call(venture.list_reminders, venture.ListReminders())
    done = 0
    for one in reminders.items:
        because = ""
        try:
            await wire.obliged("POST", "forget", json={"member": one.member})
            done += 1
        except kernel_errors.IsthmusError as wrong:
            because = str(wrong)[:400]
        await ctx.call(venture.note_forgotten, venture.NoteForgotten(member=one.member, because=because))
        if because:
            break  # it is down, or refuses: all others would wait for the same
    return done
