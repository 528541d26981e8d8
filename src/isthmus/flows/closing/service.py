"""Closing: what is looked at, and the closing itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import count
from math import lcm

from isthmus.kernel import Context, encode, implements
from isthmus.packs.ledger import api as ledger
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.settlement import api as settlement
from isthmus.values import Money, money

from . import api

DEFERRED, POINTS, TAXES = "liabilities:customers", "liabilities:points", "liabilities:tax:"
LAPSED = "expenses:points:lapsed"
TURNOVER, BASE, TAX = "equity:turnover", "equity:turnover:base:", "equity:turnover:tax:"
LOOK_MAX = 50  # of each kind: how many more there are changes nothing


@implements(api.get_checklist)
async def get_checklist(ask: api.GetChecklist, ctx: Context) -> api.Checklist:
    return await _checklist(ask.closed_through, ctx)


@implements(api.close)
async def close(ask: api.Close, ctx: Context) -> ledger.Period:
    found = await _checklist(ask.closed_through, ctx)
    lacking = tuple(f"{one.check} ({one.open})" for one in found.items if not one.is_done)
    if lacking and not ask.despite:
        raise api.NotReady(closed_through=ask.closed_through, open=lacking)
    reason = f"despite {', '.join(lacking)}: {ask.despite}"[:240] if lacking else "everything was done"
    return await ctx.call(ledger.close_period, ledger.ClosePeriod(closed_through=ask.closed_through, reason=reason))


async def _checklist(through: date, ctx: Context) -> api.Checklist:
    trial = await ctx.call(ledger.trial_balance, ledger.GetTrialBalance(until=through))
    state = ledger.EntryState.PENDING
    pending = await ctx.call(ledger.list_entries, ledger.ListEntries(until=through, state=state, limit=LOOK_MAX))
    differences = await ctx.call(reconciliation.list_differences, reconciliation.ListDifferences(limit=LOOK_MAX))
    prepared, approved = [
        await ctx.call(settlement.list_settlements, settlement.ListSettlements(state=one, limit=LOOK_MAX))
        for one in (settlement.SettlementState.PREPARED, settlement.SettlementState.APPROVED)
    ]
    items = (
        _checked("books-balance", [one for one in trial.difference if one.minor]),
        _checked("pending-entries", pending.items),
        _checked("differences", differences.items),
        _checked("settlements-to-approve", [one for one in prepared.items if one.cut_off <= through]),
        _checked("files-to-send", [one for one in approved.items if one.cut_off <= through and one.payout.minor]),
    )
    return api.Checklist(
        closed_through=through,
        items=items,
        is_ready=all(one.is_done for one in items),
        deferred_revenue=_owed(trial.lines, DEFERRED),
        points=_owed(trial.lines, POINTS),
        breakage=_breakage(trial.lines),
        taxes=tuple(
            api.Standing(code=one.code, amount=-one.closing) for one in trial.lines if one.code.startswith(TAXES)
        ),
    )


def _checked(check: api.Check, found: Iterable[object]) -> api.Checked:
    count = len(list(found))
    return api.Checked(check=check, is_done=not count, open=count)


def _owed(lines: Iterable[ledger.TrialLine], code: str) -> tuple[Money, ...]:
    """Return what is owed on an account and those below it, by currency."""
    sums: dict[str, int] = {}
    for one in lines:
        if one.code == code or one.code.startswith(f"{code}:"):
            sums[one.closing.currency] = sums.get(one.closing.currency, 0) - one.closing.minor
    return tuple(money(minor, currency) for currency, minor in sorted(sums.items()))


def _breakage(lines: Sequence[ledger.TrialLine]) -> tuple[Money, ...]:
    """Return what of points is expected to lapse, by currency, as much as lapsed of those that left."""
    left = {one.debit.currency: one.debit.minor for one in lines if one.code == POINTS}
    lapsed = {one.credit.currency: one.credit.minor for one in lines if one.code == LAPSED}
    return tuple(
        money(round(Fraction(one.minor * lapsed.get(one.currency, 0), left.get(one.currency) or 1)), one.currency)
        for one in _owed(lines, POINTS)
    )


@implements(api.tax_return)
async def tax_return(ask: api.GetTaxReturn, ctx: Context) -> api.TaxReturn:
    trial = await ctx.call(ledger.trial_balance, ledger.GetTrialBalance(since=ask.since, until=ask.until))
    moved = {(one.code, one.debit.currency): one.debit - one.credit for one in trial.lines if one.debit != one.credit}
    taxed: dict[tuple[str, str], dict[str, Money]] = {}
    for (code, currency), amount in moved.items():
        for below in (BASE, TAX):
            if code.startswith(below):
                taxed.setdefault((code.removeprefix(below), currency), {})[below] = -amount
    without, complete_from = await _left_out(ask, ctx)
    return api.TaxReturn(
        since=ask.since,
        until=ask.until,
        lines=tuple(_taxed(where, currency, found) for (where, currency), found in sorted(taxed.items())),
        gross=tuple(amount for (code, _), amount in sorted(moved.items()) if code == TURNOVER),
        left_out=without,
        complete_from=complete_from,
    )


def _taxed(where: str, currency: str, found: Mapping[str, Money]) -> api.TaxReturnLine:
    """Return a line of a tax return by its place in the chart: de:standard:19."""
    jurisdiction, category, taxed_at, *_ = (*where.split(":"), "", "")
    is_rate = taxed_at.replace("-", "").isdigit()
    nothing = money(0, currency)
    return api.TaxReturnLine(
        jurisdiction=jurisdiction.upper(),
        category=category,
        taxed_at=taxed_at.replace("-", ".") if is_rate else taxed_at.upper(),
        base=found.get(BASE, nothing),
        tax=found.get(TAX, nothing),
    )


async def _left_out(ask: api.GetTaxReturn, ctx: Context) -> tuple[tuple[api.LeftOut, ...], date]:
    """Return entries of goods that keep no base, and the day from which on none does."""
    found: list[ledger.Entry] = []
    complete_from = ask.since
    while more := await _left_out_from(complete_from, ask.until, ctx):
        found += more
        complete_from = max(one.value_date for one in more) + timedelta(days=1)
    without = (
        api.LeftOut(reference=one.reference, subject=one.subject, value_date=one.value_date) for one in found[:LOOK_MAX]
    )
    return tuple(without), complete_from


async def _left_out_from(since: date, until: date, ctx: Context) -> list[ledger.Entry]:
    """Return the latest entries of goods without a base; what was given away for nothing has none."""
    found: list[ledger.Entry] = []
    for kind in ("goods-delivered", "goods-returned"):
        asked = ledger.ListEntries(kind=kind, without=TURNOVER, since=since, until=until, limit=LOOK_MAX)
        page = await ctx.call(ledger.list_entries, asked)
        while page.next_cursor and not any(map(_is_charged, page.items)):
            page = await ctx.call(ledger.list_entries, asked.replace(cursor=page.next_cursor))
        found += filter(_is_charged, page.items)
    return found


def _is_charged(entry: ledger.Entry) -> bool:
    """Say whether an entry moves what is had or owed, and not only income and expenses."""
    return any(leg.account.startswith(("assets:", "liabilities:")) for leg in entry.legs)


@implements(api.allocate_cost)
async def allocate_cost(ask: api.AllocateCost, ctx: Context) -> api.CostShares:
    numbers = count(1)
    shares = tuple(
        api.CostShare(
            sub_account_id=row.sub_account_id,
            service_name=row.service_name,
            billed_cost=cost,
            reference=f"cost/{ask.reference}/{next(numbers)}"
            if cost.minor and row.sub_account_id != ctx.front_end
            else "",
        )
        for row, cost in zip(ask.rows, _divided(ask), strict=True)
    )
    drafts = tuple(_cost_entry(one, ask) for one in shares if one.reference)
    if drafts:
        await ctx.call(ledger.post, ledger.Post(entries=drafts))
    for draft in drafts:
        await ctx.call(ledger.claim, ledger.ClaimEntry(reference=draft.reference))
    return api.CostShares(items=shares)


def _divided(ask: api.AllocateCost) -> tuple[Money, ...]:
    """Return what each row bears, adding up to what was billed. Raises NoShares."""
    if len({(row.sub_account_id, row.service_name) for row in ask.rows}) < len(ask.rows):
        raise api.NoShares(reference=ask.reference, reason="a front end has a service twice")
    if ask.billed.minor <= 0 or not any(Fraction(row.effective_cost) for row in ask.rows):
        raise api.NoShares(reference=ask.reference, reason=f"{ask.billed} over rows that come to nothing")
    weights = [Fraction(row.effective_cost) for row in ask.rows]
    whole = lcm(*(one.denominator for one in weights))
    return ask.billed.allocate([int(one * whole) for one in weights])


def _cost_entry(one: api.CostShare, ask: api.AllocateCost) -> ledger.EntryDraft:
    """Return the entry of a row, which has the row's columns with it."""
    owed = ledger.EntryLeg(account="assets:front-ends", owner=f"front-end/{one.sub_account_id}", amount=one.billed_cost)
    cost = str(one.billed_cost).partition(" ")[0]
    return ledger.EntryDraft(
        reference=one.reference,
        kind="platform-cost",
        legs=(owed, ledger.EntryLeg(account=ask.account, amount=-one.billed_cost)),
        value_date=ask.until,
        when_closed="next-open-day",
        subject=f"cost/{ask.reference}",
        metadata={
            "BilledCost": cost,
            "EffectiveCost": cost,
            "BillingCurrency": one.billed_cost.currency,
            "ChargeCategory": "Usage",
            "ChargePeriodStart": ask.since.isoformat(),
            "ChargePeriodEnd": ask.until.isoformat(),
            "ServiceName": one.service_name,
            "SubAccountId": one.sub_account_id,
            "x_bill": hashlib.sha256(encode(ask)).hexdigest(),  # so other rows are another content of this reference
        },
    )
