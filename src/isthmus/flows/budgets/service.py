"""Budgets in the books: given, reserved, let go, posted."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import Context, implements
from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.packs.promotion import api as promotion
from isthmus.values import Money, money

from . import api, rules

NOTHING: Final = bookkeeping.Booked(entries=0)
PAGE: Final = 200
DISCOUNTS_MAX: Final = 200  # of one order


@implements(api.fund)
async def fund(ask: promotion.PromotionChanged, ctx: Context) -> bookkeeping.Booked:
    state = await ctx.call(promotion.get_promotion, promotion.GetPromotion(code=ask.code))
    return bookkeeping.Booked(entries=await _funded(state, 0, ctx))


@implements(api.reserve)
async def reserve(ask: promotion.BudgetUsed, ctx: Context) -> bookkeeping.Booked:
    if ask.owner != ctx.front_end or not ask.amount.minor:
        return NOTHING
    left = await _left(ask.promotion, ask.amount.currency, ctx)
    if left is None or left < ask.amount:  # the promotion has counted it: its row is ours until the end
        state = await ctx.call(promotion.get_promotion, promotion.GetPromotion(code=ask.promotion))
        step = _funded if left is None else _trued_up
        await step(state, ask.amount.minor, ctx)
    draft = ledger.EntryDraft(
        reference=f"budget/{ask.reference}/{rules.segment(ask.promotion)}",
        kind=rules.RESERVED,
        legs=rules.moved(ask.promotion, rules.LEFT, rules.USED, ask.amount),
        is_pending=True,
        subject=ask.reference,
        metadata={"promotion": ask.promotion},
    )
    try:
        await ctx.call(ledger.post, ledger.Post(entries=(draft,)))
    except ledger.BoundExceeded:
        raise promotion.BudgetExhausted(code=ask.promotion, amount=ask.amount, path="$.discounts") from None
    return bookkeeping.Booked(entries=1)


@implements(api.release)
async def release(ask: promotion.UsesWereReturned, ctx: Context) -> bookkeeping.Booked:
    asked = ledger.ListEntries(subject=ask.reference, kind=rules.RESERVED, limit=DISCOUNTS_MAX)
    entries = (await ctx.call(ledger.list_entries, asked)).items
    held = [one for one in entries if not (one.reverses or one.reversed_by)]
    for one in sorted(held, key=lambda one: one.metadata.get("promotion", "")):  # accounts in the order of orders
        if one.state is ledger.EntryState.PENDING:
            try:
                await ctx.attempt(ledger.void_pending, ledger.EndPending(reference=one.reference))
                continue
            except ledger.AlreadyEnded:
                pass  # it was posted since it was looked at
        elif one.state is not ledger.EntryState.POSTED:
            continue
        undo = ledger.Reverse(reverses=one.reference, reference=f"{one.reference[:150]}/returned")
        await ctx.call(ledger.reverse, undo)
    return bookkeeping.Booked(entries=len(held))


@implements(api.settle)
async def settle(ask: api.SettleBudgets, ctx: Context) -> api.SettledBudgets:
    adjusted, posted = await _adjusted(ctx), 0
    for one in await _reserved(ask.limit, ctx):
        if await _is_paid(one.subject, ctx):
            try:
                await ctx.attempt(ledger.post_pending, ledger.EndPending(reference=one.reference))
                posted += 1
            except ledger.AlreadyEnded:
                pass  # the order was cancelled at this moment
    return api.SettledBudgets(posted=posted, adjusted=adjusted)


async def _reserved(limit: int, ctx: Context) -> list[ledger.Entry]:
    """Return what is reserved and not posted, the latest first."""
    pending, found, cursor = ledger.EntryState.PENDING, list[ledger.Entry](), None
    while len(found) < limit:
        asked = ledger.ListEntries(kind=rules.RESERVED, state=pending, limit=PAGE, cursor=cursor)
        page = await ctx.call(ledger.list_entries, asked)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return found[:limit]


async def _is_paid(reference: str, ctx: Context) -> bool:
    """Say whether an order is paid; what nobody ordered is used by who redeemed it."""
    try:
        group = await ctx.call(order.get_group, order.GetGroup(group_id=UUID(reference)))
    except (ValueError, order.UnknownOrder):
        return True
    return any(one.state in rules.PAID for one in group.orders)


async def _adjusted(ctx: Context) -> int:
    """Bring each budget to what all front ends used, and say of how many that was more or less."""
    adjusted, cursor = 0, None
    while True:
        page = await ctx.call(promotion.list_promotions, promotion.ListPromotions(limit=PAGE, cursor=cursor))
        for code in [one.code for one in page.items if one.budget is not None]:
            asked = promotion.GetPromotion(code=code)
            if await _drift(await ctx.call(promotion.get_promotion, asked), 0, ctx):
                adjusted += (await ctx.call(api.true_up, asked)).entries
        cursor = page.next_cursor
        if cursor is None:
            return adjusted


@implements(api.true_up)
async def true_up(ask: promotion.GetPromotion, ctx: Context) -> bookkeeping.Booked:
    return bookkeeping.Booked(entries=await _trued_up(await ctx.call(promotion.hold_promotion, ask), 0, ctx))


async def _drift(state: promotion.PromotionState, pending: int, ctx: Context) -> int:
    """Return how much more is used than the books have; pending: of it, what is booked next."""
    budget = state.promotion.budget
    left = None if budget is None else await _left(state.promotion.code, budget.currency, ctx)
    if budget is None or state.spent is None or left is None:
        return 0
    given = await _given(state.promotion.code, budget.currency, ctx)
    return state.spent.minor - pending - (given - left).minor


async def _funded(state: promotion.PromotionState, pending: int, ctx: Context) -> int:
    """Have the books hold what a promotion has now, which this transaction keeps as it is; return how many entries."""
    code, budget = state.promotion.code, state.promotion.budget
    asked = ledger.ListAccounts(below=f"{rules.GIVEN}:{rules.segment(code)}")
    before = {one.posted.currency for one in (await ctx.call(ledger.list_accounts, asked)).items}
    entries = 0
    for currency in sorted(before - {budget.currency if budget else ""}):
        entries += await _give(code, -(await _left(code, currency, ctx) or money(0, currency)), ctx)
    if budget is None:
        return entries
    ref = _account(rules.LEFT, code, budget.currency)
    opening = ledger.OpenAccount(code=ref.code, currency=ref.currency, name=code, least=0)
    await ctx.call(ledger.open_account, opening)
    more = budget - await _given(code, budget.currency, ctx)
    if more.minor > 0:
        entries += await _give(code, more, ctx)
    entries += await _trued_up(state, pending, ctx)
    return entries + (await _give(code, more, ctx) if more.minor < 0 else 0)


async def _trued_up(state: promotion.PromotionState, pending: int, ctx: Context) -> int:
    """Book what was used where it could not be reserved: at other front ends, and before there were books."""
    drift, budget = await _drift(state, pending, ctx), state.promotion.budget
    if not drift or budget is None:
        return 0
    code = state.promotion.code
    legs = rules.moved(code, rules.LEFT, rules.USED, money(drift, budget.currency))
    return await _book("budget-used-elsewhere", code, legs, ctx)


async def _give(code: str, amount: Money, ctx: Context) -> int:
    return await _book("budget-given", code, rules.moved(code, rules.GIVEN, rules.LEFT, amount), ctx)


async def _book(kind: str, code: str, legs: tuple[ledger.EntryLeg, ...], ctx: Context) -> int:
    if not legs[0].amount.minor:
        return 0
    reference = f"{kind}/{rules.segment(code)}/{ctx.new_id()}"
    draft = ledger.EntryDraft(reference=reference, kind=kind, legs=legs, metadata={"promotion": code})
    await ctx.call(ledger.post, ledger.Post(entries=(draft,)))
    return 1


async def _left(code: str, currency: str, ctx: Context) -> Money | None:
    """Return what is left of a budget, less what is reserved; None where the books do not have it."""
    try:
        return (await ctx.call(ledger.get_balance, _account(rules.LEFT, code, currency))).available
    except ledger.UnknownAccount:
        return None


async def _given(code: str, currency: str, ctx: Context) -> Money:
    try:
        return (await ctx.call(ledger.get_balance, _account(rules.GIVEN, code, currency))).posted
    except ledger.UnknownAccount:
        return money(0, currency)


def _account(kind: str, code: str, currency: str) -> ledger.GetBalance:
    return ledger.GetBalance(code=f"{kind}:{rules.segment(code)}", currency=currency)
