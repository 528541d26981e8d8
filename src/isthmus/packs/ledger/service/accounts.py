"""Accounts: opening, limits, balances, closed days."""

from __future__ import annotations

from datetime import UTC, datetime

from isthmus.kernel import Context, implements
from isthmus.values import cursor_at, place_at

from .. import api
from ..storage import accounts as storage

HISTORY_MAX = 50


@implements(api.open_account)
async def open_account(ask: api.OpenAccount, ctx: Context) -> api.Account:
    _check_order(ask.least, ask.greatest)
    wants_limits = ask.least is not None or ask.greatest is not None
    if not await storage.open_account(ctx.session, ctx.front_end, ask, ctx.now):
        known = await _found(ask, ctx)
        if wants_limits and not known.account.is_limited:
            raise api.AccountHasLegs(account=named(ask))
        if wants_limits and (known.account.least, known.account.greatest) != (ask.least, ask.greatest):
            raise api.WrongLimits(reason=f"{named(ask)} was opened with other limits; see ledger.set-limits")
        return known.account
    account = await _found(ask, ctx)
    if wants_limits:
        await _check_within(ask, ask.least, ask.greatest, ctx)
    return account.account


@implements(api.set_limits)
async def set_limits(ask: api.ChangeLimits, ctx: Context) -> api.Account:
    _check_order(ask.least, ask.greatest)
    known = await _found(ask, ctx, is_locked=True)
    if not known.account.is_limited:
        raise api.WrongLimits(reason=f"{named(ask)} was opened without a limit, and gets none any more")
    await _check_within(ask, ask.least, ask.greatest, ctx)
    await storage.set_limits(ctx.session, ctx.front_end, known.account_id, ask.least, ask.greatest)
    return (await _found(ask, ctx)).account


def _check_order(least: int | None, greatest: int | None) -> None:
    if least is not None and greatest is not None and least > greatest:
        raise api.WrongLimits(reason=f"{least} is above {greatest}")


async def _check_within(ask: api.AccountRef, least: int | None, greatest: int | None, ctx: Context) -> None:
    """Refuse limits that do not hold what may stand on the account, pending entries included."""
    balance = await storage.balance(ctx.session, ctx.front_end, ask)
    if balance is None:
        return
    is_asset = ask.code.startswith(api.ASSETS)
    high = (
        balance.posted.minor + balance.pending_debit.minor
        if is_asset
        else -balance.posted.minor + balance.pending_credit.minor
    )
    if least is not None and balance.available.minor < least:
        raise api.WrongLimits(reason=f"{named(ask)} has {balance.available}, which is below {least}")
    if greatest is not None and high > greatest:
        raise api.WrongLimits(reason=f"{named(ask)} may have {high}, which is above {greatest}")


@implements(api.get_balance)
async def get_balance(ask: api.GetBalance, ctx: Context) -> api.Balance:
    if ask.at is None and ask.on is None:
        found = await storage.balance(ctx.session, ctx.front_end, ask)
    else:
        at = (ask.at or datetime.max.replace(tzinfo=UTC)).astimezone(UTC)
        found = await storage.balance_at(ctx.session, ctx.front_end, ask, at, ask.on or storage.LATEST)
    if found is None:
        raise api.UnknownAccount(account=named(ask))
    return found


@implements(api.list_accounts)
async def list_accounts(ask: api.ListAccounts, ctx: Context) -> api.AccountPage:
    after = place_at(ask.cursor, tuple[str, str, str], api.BadCursor) if ask.cursor else ("", "", "")
    found = await storage.page(ctx.session, ctx.front_end, ask, after)
    shown = found[: ask.limit]
    cursor = cursor_at((shown[-1].code, shown[-1].owner, shown[-1].posted.currency)) if len(found) > ask.limit else None
    return api.AccountPage(items=tuple(shown), next_cursor=cursor)


@implements(api.fold)
async def fold(ask: api.Fold, ctx: Context) -> api.Folded:
    return api.Folded(legs=await storage.fold(ctx.session, ctx.front_end))


@implements(api.get_period)
async def get_period(ask: api.GetPeriod, ctx: Context) -> api.Period:
    through = await storage.closed_through(ctx.session, ctx.front_end, is_closing=False)
    return api.Period(
        closed_through=through, history=tuple(await storage.closings(ctx.session, ctx.front_end, HISTORY_MAX))
    )


@implements(api.close_period)
async def close_period(ask: api.ClosePeriod, ctx: Context) -> api.Period:
    through = await storage.closed_through(ctx.session, ctx.front_end, is_closing=True)
    if through is not None and ask.closed_through < through:
        raise api.NothingToReopen(after=ask.closed_through, through=through)
    return await _moved(api.ReopenPeriod(closed_through=ask.closed_through, reason=ask.reason), ctx, through)


@implements(api.reopen_period)
async def reopen_period(ask: api.ReopenPeriod, ctx: Context) -> api.Period:
    through = await storage.closed_through(ctx.session, ctx.front_end, is_closing=True)
    if through is None or (ask.closed_through is not None and ask.closed_through > through):
        raise api.NothingToReopen(after=ask.closed_through, through=through)
    return await _moved(ask, ctx, through)


async def _moved(ask: api.ReopenPeriod, ctx: Context, before: object) -> api.Period:
    if ask.closed_through != before:
        entry = (ctx.now, ctx.caller.client, ask.reason)
        await storage.close(ctx.session, ctx.front_end, ask.closed_through, entry)
        ctx.emit(api.PeriodMoved(closed_through=ask.closed_through, reason=ask.reason))
    return await get_period.function(api.GetPeriod(), ctx)


def named(ask: api.AccountRef) -> str:
    """Return how people call an account."""
    return f"{ask.code} in {ask.currency}" + (f" of {ask.owner}" if ask.owner else "")


async def _found(ask: api.AccountRef, ctx: Context, *, is_locked: bool = False) -> storage.Found:
    found = await storage.find(ctx.session, ctx.front_end, ask, is_locked=is_locked)
    if found is None:
        raise api.UnknownAccount(account=named(ask))
    return found
