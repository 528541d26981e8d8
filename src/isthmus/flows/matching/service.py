"""Matching payments with providers' files and bank statements, and booking what differs."""

from __future__ import annotations

from datetime import date

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import Context, implements
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.ledger import api as ledger
from isthmus.packs.payment import api as payment
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.settlement import api as settlement
from isthmus.values import Money, money

from . import api, rules

CLEARING = "assets:clearing"
BANK = "bank"  # what the statements of the front end's own account are imported as
_NOTHING = reconciliation.Noted(items=0)


@implements(api.note_payment)
async def note_payment(ask: payment.PaymentMoved, ctx: Context) -> reconciliation.Noted:
    return await _expect(ask, ctx)


@implements(api.expect_payment)
async def expect_payment(ask: payment.PaymentMoved, ctx: Context) -> reconciliation.Noted:
    return await _expect(ask, ctx)


async def _expect(ask: payment.PaymentMoved, ctx: Context) -> reconciliation.Noted:
    if not rules.is_expected(ask, ctx.plan.settings):
        return _NOTHING
    fee = ctx.answer(bookkeeping.payment_fee)(ask.method, ask.provider, ask.amount) if ask.kind == "capture" else None
    item = reconciliation.ExpectedAmount(
        fee=fee if isinstance(fee, Money) and fee.minor and fee.currency == ask.amount.currency else None,
        provider=ask.provider,
        key=ask.key,
        kind=ask.kind,
        amount=ask.amount if ask.kind == "capture" else -ask.amount,
        reference=payment.purpose_of(ask.reference),
    )
    return await ctx.call(reconciliation.expect, reconciliation.Expect(items=(item,)))


@implements(api.expect_chargeback)
async def expect_chargeback(ask: chargeback.ChargebackMoved, ctx: Context) -> reconciliation.Noted:
    moved = {chargeback.ChargebackState.OPENED: -ask.amount.minor, chargeback.ChargebackState.WON: ask.amount.minor}
    amount = money(moved.get(ask.state, 0), ask.amount.currency)
    if not amount.minor and not ask.fee.minor:
        return _NOTHING
    key = f"chargeback/{ask.reference}"
    item = reconciliation.ExpectedAmount(
        provider=ask.provider,
        key=key if ask.state is chargeback.ChargebackState.OPENED else f"{key}/{ask.state}",
        kind="chargeback",
        amount=amount,
        reference=ask.paid_for,
        fee=ask.fee,
    )
    return await ctx.call(reconciliation.expect, reconciliation.Expect(items=(item,)))


@implements(api.expect_payout)
async def expect_payout(ask: settlement.SettlementMoved, ctx: Context) -> reconciliation.Noted:
    if ask.state not in (settlement.SettlementState.SENT, settlement.SettlementState.RETURNED):
        return _NOTHING
    is_sent = ask.state is settlement.SettlementState.SENT
    key = ask.settlement_id.hex if is_sent else f"{ask.settlement_id.hex}/returned"
    amount = -ask.payout if is_sent else ask.payout
    item = reconciliation.ExpectedAmount(
        provider=BANK, key=key, kind="payout", amount=amount, reference=str(ask.settlement_id)
    )
    return await ctx.call(reconciliation.expect, reconciliation.Expect(items=(item,)))


@implements(api.book_payout)
async def book_payout(ask: reconciliation.PayoutReported, ctx: Context) -> bookkeeping.Booked:
    legs = (
        ledger.EntryLeg(account="assets:bank", amount=ask.amount),
        ledger.EntryLeg(account=CLEARING, owner=_owner(ask.provider), amount=-ask.amount),
    )
    await _book(f"provider-payout/{ask.provider}/{ask.reference}", "provider-payout", legs, ask.reference, ask.day, ctx)
    item = reconciliation.ExpectedAmount(
        provider=BANK, key=ask.reference, kind="provider-payout", amount=ask.amount, reference=ask.provider, day=ask.day
    )
    await ctx.call(reconciliation.expect, reconciliation.Expect(items=(item,)))
    return bookkeeping.Booked(entries=1)


@implements(api.book_fees)
async def book_fees(ask: reconciliation.FeesReported, ctx: Context) -> bookkeeping.Booked:
    legs = tuple(
        leg
        for fee in ask.fees
        for leg in (
            ledger.EntryLeg(account="expenses:payment-fees", amount=fee),
            ledger.EntryLeg(account=CLEARING, owner=_owner(ask.provider), amount=-fee),
        )
    )
    await _book(f"provider-fees/{ask.file_id}", "provider-fees", legs, str(ask.file_id), ask.day, ctx)
    return bookkeeping.Booked(entries=1)


def _owner(provider: str) -> str:
    return f"provider/{provider.lower()}"


async def _book(
    reference: str, kind: str, legs: tuple[ledger.EntryLeg, ...], subject: str, day: date, ctx: Context
) -> None:
    draft = ledger.EntryDraft(
        reference=reference, kind=kind, legs=legs, subject=subject, value_date=day, when_closed="next-open-day"
    )
    await ctx.call(ledger.record, ledger.Post(entries=(draft,)))


@implements(api.book_resolved)
async def book_resolved(ask: reconciliation.DifferenceResolved, ctx: Context) -> bookkeeping.Booked:
    is_bank = ask.provider == BANK
    held = ledger.EntryLeg(
        account="assets:bank" if is_bank else CLEARING,
        owner="" if is_bank else _owner(ask.provider),
        amount=ask.amount,
    )
    draft = ledger.EntryDraft(
        reference=f"difference/{ask.difference_id}",
        kind="difference-resolved",
        legs=(held, ledger.EntryLeg(account=ask.account, amount=-ask.amount)),
        subject=ask.reference,
        memo=ask.note,
        value_date=ask.day,
        when_closed="next-open-day",
    )
    await ctx.call(ledger.record, ledger.Post(entries=(draft,)))
    return bookkeeping.Booked(entries=1)
