"""Settlements: prepared under one lock, approved by another, paid by one file."""

from __future__ import annotations

import base64
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.outside import NotInstalled
from isthmus.values import cursor_at, money, place_at

from .. import api, rules
from ..storage import items as storage_items
from ..storage import settlements as storage
from .payees import EARLIEST

PAYEES_MAX = 1_000  # of one call, so that it ends in time
PAYOUTS_MAX = 10_000  # of one file: what banks take at once
LINES_MAX = 100_000  # of one statement
ZONE = "time_zone"  # the setting of a front end that says when its day ends; UTC where it has none
ACCOUNT = ("settlement.name", "settlement.iban", "settlement.bic")  # settings of a front end: where it pays from


@implements(api.draw_up)
async def draw_up(ask: api.DrawUp, ctx: Context) -> api.Prepared:
    zone = ctx.plan.settings.get(ZONE, "UTC")
    found = await storage.candidates(ctx.session, ctx.front_end, ask, PAYEES_MAX, zone)
    if not found:
        return api.Prepared(items=())
    ids = [(ctx.new_id(), payee, currency) for payee, currency in found]
    sums = await storage.take(ctx.session, ctx.front_end, ask.cut_off, ids, zone)
    terms = await _terms(ctx)
    prepared = [(one, _paid(one, terms.get((one.payee, one.currency)))) for one in sums]
    await storage.write(ctx.session, ctx.front_end, ask.cut_off, prepared, (ctx.now, _who(ctx)))
    settled = await storage.by_ids(ctx.session, ctx.front_end, [one for one, _, _ in ids])
    for one in settled:
        _announce(one, ctx)
    return api.Prepared(items=tuple(settled))


async def _terms(ctx: Context) -> dict[tuple[str, str], api.Payee]:
    """Return the terms of all payees."""
    found: dict[tuple[str, str], api.Payee] = {}
    after = ("", "")
    while page := await storage_items.payees(ctx.session, ctx.front_end, after, PAYEES_MAX):
        found.update({(one.payee, one.currency): one for one in page})
        after = (page[-1].payee, page[-1].currency)
    return found


def _paid(one: storage.Sum, terms: api.Payee | None) -> rules.Paid:
    if terms is None:
        return rules.paid(one.due, 0, 0, 0, is_leaving=False)
    return rules.paid(one.due, terms.minimum_minor, terms.fee_minor, terms.reserve_minor, is_leaving=terms.is_leaving)


def _who(ctx: Context) -> str:
    """Return who calls: the person who is signed in, else the client."""
    return ctx.caller.person or ctx.caller.client


def _announce(one: api.Settlement, ctx: Context) -> None:
    ctx.emit(
        api.SettlementMoved(
            settlement_id=one.settlement_id,
            payee=one.payee,
            state=one.state,
            payout=one.payout,
            fee=one.fee,
            debit=one.debit,
            note=one.note,
        )
    )


@implements(api.get_settlement)
async def get_settlement(ask: api.GetSettlement, ctx: Context) -> api.Settlement:
    return await _found(ask.settlement_id, ctx)


@implements(api.list_settlements)
async def list_settlements(ask: api.ListSettlements, ctx: Context) -> api.SettlementPage:
    before = place_at(ask.cursor, UUID, api.BadCursor) if ask.cursor else None
    found = await storage.page(ctx.session, ctx.front_end, ask, before)
    shown = found[: ask.limit]
    cursor = cursor_at(shown[-1].settlement_id) if len(found) > ask.limit else None
    return api.SettlementPage(items=tuple(shown), next_cursor=cursor)


@implements(api.approve)
async def approve(ask: api.Approve, ctx: Context) -> api.Settlement:
    one = await _found(ask.settlement_id, ctx, is_locked=True)
    if one.state is api.SettlementState.APPROVED:
        return one
    _check_state(one, "approved", api.SettlementState.PREPARED)
    if _who(ctx) == one.prepared_by:
        raise api.SameEyes(who=one.prepared_by)
    return await _moved(one, api.SettlementState.APPROVED, ctx, by=_who(ctx))


@implements(api.cancel)
async def cancel(ask: api.Cancel, ctx: Context) -> api.Settlement:
    one = await _found(ask.settlement_id, ctx, is_locked=True)
    _check_state(one, "cancelled", api.SettlementState.PREPARED)
    if one.carried_to is not None:
        raise api.AlreadyCarried(settlement_id=str(one.settlement_id), carried_to=str(one.carried_to))
    cancelled = await _moved(one, api.SettlementState.CANCELLED, ctx, note=ask.reason)
    await storage.release(ctx.session, ctx.front_end, one.settlement_id)
    return cancelled


@implements(api.note_returned)
async def note_returned(ask: api.NoteReturned, ctx: Context) -> api.Settlement:
    one = await _found(ask.settlement_id, ctx, is_locked=True)
    if one.state is api.SettlementState.RETURNED:
        return one
    _check_state(one, "returned", api.SettlementState.SENT)
    again = api.DueItem(
        reference=f"payout/{one.settlement_id}/returned",
        payee=one.payee,
        kind="payout-returned",
        subject=str(one.settlement_id),
        gross=one.payout,
        commission=money(0, one.payout.currency),
    )
    await storage_items.note(ctx.session, ctx.front_end, [again], ctx.now)
    return await _moved(one, api.SettlementState.RETURNED, ctx, note=ask.reason)


@implements(api.make_payout_file)
async def make_payout_file(ask: api.MakePayoutFile, ctx: Context) -> api.PayoutFile:
    name, iban, bic = (ctx.plan.settings.get(one, "") for one in ACCOUNT)
    payer = rules.iban(iban)
    if not payer:
        remedy = f"write settings={{'{ACCOUNT[0]}': …, '{ACCOUNT[1]}': …}} into its FrontEnd"
        raise api.NoBankAccount(whose=f"the front end {ctx.front_end!r}", remedy=remedy)
    payouts = await storage.to_pay(ctx.session, ctx.front_end, ask.currency, PAYOUTS_MAX)
    if not payouts:
        raise api.NothingToPay(currency=ask.currency)
    if lacking := next((one.payee for one in payouts if not one.account.iban), None):
        raise api.NoBankAccount(whose=lacking, remedy="say where it is paid with settlement.put-payee")
    file_id = ctx.new_id()
    account = rules.Account(name=name or ctx.front_end, iban=payer, bic=bic)
    orders = [(one.settlement_id, one.account, one.amount) for one in payouts]
    file = api.PayoutFile(
        file_id=file_id,
        payouts=len(payouts),
        total=money(sum(one.amount.minor for one in payouts), ask.currency),
        content=rules.payout_file(file_id, ctx.now, ask.execute_on, account, orders),
        made_at=ctx.now,
        made_by=_who(ctx),
    )
    ids = [one.settlement_id for one in payouts]
    await storage.write_file(ctx.session, ctx.front_end, file, ids)
    for one in await storage.by_ids(ctx.session, ctx.front_end, ids):
        _announce(one, ctx)
    return file


@implements(api.get_payout_file)
async def get_payout_file(ask: api.GetPayoutFile, ctx: Context) -> api.PayoutFile:
    found = await storage.file(ctx.session, ctx.front_end, ask.file_id)
    if found is None:
        raise api.UnknownFile(file_id=str(ask.file_id))
    return found


@implements(api.get_statement)
async def get_statement(ask: api.GetStatement, ctx: Context) -> api.Statement:
    one = await _found(ask.settlement_id, ctx)
    wanted = api.ListItems(settlement_id=one.settlement_id)
    items = await storage_items.items(ctx.session, ctx.front_end, wanted, (EARLIEST, ""), LINES_MAX)
    name = f"settlement-{one.payee.replace('/', '-')}-{one.cut_off}"
    if ask.form == "csv":
        return api.Statement(name=f"{name}.csv", media_type="text/csv", content=rules.statement_csv(one, items))
    try:
        from .pdf import statement_pdf  # fonts and pictures are not loaded by whoever makes none
    except ModuleNotFoundError as missing:
        raise NotInstalled(missing, extra="finance") from None

    content = base64.b64encode(statement_pdf(one, items)).decode()
    return api.Statement(name=f"{name}.pdf", media_type="application/pdf", content=content)


def _check_state(one: api.Settlement, wanted: str, state: api.SettlementState) -> None:
    if one.state is not state:
        raise api.WrongState(settlement_id=str(one.settlement_id), state=one.state, wanted=wanted)


async def _moved(
    one: api.Settlement, state: api.SettlementState, ctx: Context, *, by: str | None = None, note: str = ""
) -> api.Settlement:
    await storage.move(ctx.session, ctx.front_end, one.settlement_id, state, by=by, note=note)
    moved = one.replace(state=state, note=note, approved_by=by or one.approved_by)
    _announce(moved, ctx)
    return moved


async def _found(settlement_id: UUID, ctx: Context, *, is_locked: bool = False) -> api.Settlement:
    found = await storage.find(ctx.session, ctx.front_end, settlement_id, is_locked=is_locked)
    if found is None:
        raise api.UnknownSettlement(settlement_id=str(settlement_id))
    return found
