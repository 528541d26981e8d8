"""Reports over entries: trial balance, journal, totals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.values import Money, cursor_at, place_at

from .. import api, rules
from ..storage import entries as storage_entries
from ..storage import reports as storage
from .entries import day_of

EARLIEST, LATEST = date(1, 1, 1), date(9999, 12, 30)


@implements(api.trial_balance)
async def trial_balance(ask: api.GetTrialBalance, ctx: Context) -> api.TrialBalance:
    lines = await _lines(ask, ctx, by_front_end=ask.by_front_end)
    return api.TrialBalance(lines=tuple(lines), difference=rules.summed(line.closing for line in lines))


@implements(api.income_statement)
async def income_statement(ask: api.GetTrialBalance, ctx: Context) -> api.Statement:
    moved = [(line.code, line.debit - line.credit) for line in await _lines(ask, ctx)]
    return _statement([one for one in moved if one[0].startswith(("income:", "expenses:"))])


@implements(api.balance_sheet)
async def balance_sheet(ask: api.GetTrialBalance, ctx: Context) -> api.Statement:
    stands = [(line.code, line.closing) for line in await _lines(ask, ctx)]
    held = [one for one in stands if not one[0].startswith(("income:", "expenses:"))]
    return api.Statement(lines=_statement(held).lines, result=rules.summed(amount for _, amount in held))


def _statement(moved: Iterable[tuple[str, Money]]) -> api.Statement:
    amounts = [(code, amount) for code, amount in moved if amount.minor]
    return api.Statement(
        lines=tuple(
            api.StatementLine(code=code, amount=amount if code.startswith(api.ASSETS) else -amount)
            for code, amount in amounts
        ),
        result=rules.summed(-amount for _, amount in amounts),
    )


async def _lines(ask: api.GetTrialBalance, ctx: Context, *, by_front_end: bool = False) -> list[api.TrialLine]:
    days = (ask.since or EARLIEST, ask.until or LATEST)
    return await storage.trial(ctx.session, ctx.front_end, *days, by_front_end=by_front_end)


@implements(api.age_balances)
async def age_balances(ask: api.GetAges, ctx: Context) -> api.Ages:
    on = ask.on or day_of(ctx)
    return api.Ages(lines=tuple(await storage.ages(ctx.session, ctx.front_end, ask.below.rstrip(":"), on)))


@implements(api.export_journal)
async def export_journal(ask: api.ExportJournal, ctx: Context) -> api.Journal:
    after = place_at(ask.cursor, tuple[date, UUID], api.BadCursor) if ask.cursor else None
    days = (ask.since or EARLIEST, ask.until or LATEST)
    found = await storage.posted(ctx.session, ctx.front_end, days, after, ask.limit + 1)
    shown = found[: ask.limit]
    entries = await storage_entries.by_ids(ctx.session, ctx.front_end, [entry_id for _, entry_id in shown])
    heading = "" if after else rules.heading(ask.form, await storage.opened(ctx.session, ctx.front_end))
    return api.Journal(
        text=heading + "".join(rules.written(ask.form, entry) for entry in entries),
        next_cursor=cursor_at(shown[-1]) if len(found) > ask.limit else None,
    )
