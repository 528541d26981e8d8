"""Cards are sold, given, held for what is to be paid, and expire."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from isthmus.kernel import Context, implements
from isthmus.values import Money, money

from .. import api
from ..storage import credit as cards
from ..storage import payments as storage
from .attempts import begun, credit_moved, references

LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that is read for another
GROUPS: Final = 4  # of four letters: 79 bits, which nobody guesses


@implements(api.put_credit_programme)
async def put_credit_programme(ask: api.PutCreditProgramme, ctx: Context) -> api.CreditProgrammePut:
    if not await cards.put(ctx.session, ctx.front_end, ask):
        raise api.OtherCurrency(programme=ask.code, currency=ask.currency)
    return api.CreditProgrammePut(code=ask.code)


@implements(api.sell_credit)
async def sell_credit(ask: api.SellCredit, ctx: Context) -> api.IssuedCredit:
    card, code = await _issued(ask, ctx)
    reference = f"{api.PURCHASE}{cards.name_of(card)}"
    opening = api.OpenPayment(reference=reference, amount=ask.amount, received_as=ask.received_as)
    opened = await ctx.call(api.open_payment, opening)
    if ask.received_as:
        await credit_moved(cards.name_of(card), "sold", ask.amount, reference, ctx)
    has = ask.amount if ask.received_as else card.balance
    return _issue_of(card, code, has).replace(payment_id=opened.payment_id)


@implements(api.give_credit)
async def give_credit(ask: api.GiveCredit, ctx: Context) -> api.IssuedCredit:
    card, code = await _issued(ask, ctx)
    await credit_moved(cards.name_of(card), "given", ask.amount, ask.reference, ctx)
    return _issue_of(card, code, ask.amount)


async def _issued(ask: api.SellCredit | api.GiveCredit, ctx: Context) -> tuple[api.Credit, str]:
    """Write a card with nothing on it; return it with its code."""
    owner = ask.owner or ctx.front_end
    known = await cards.programme(ctx.session, owner, ask.programme, ctx.front_end)
    if known is None:
        raise api.UnknownCreditProgramme(programme=ask.programme)
    currency, valid_days = known
    if ask.amount.currency != currency or ask.amount.minor <= 0:
        raise api.WrongAmount(wanted=ask.amount, currency=currency)
    code = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(GROUPS))
    card = api.Credit(
        owner=owner,
        credit_id=ctx.new_id(),
        programme=ask.programme,
        last_letters=code[-4:],
        balance=money(0, currency),
        expires_at=None if valid_days is None else ctx.now + timedelta(days=valid_days),
    )
    await cards.issue(ctx.session, ctx.front_end, card, _digest(code), ctx.now)
    return card, code


def _issue_of(card: api.Credit, code: str, balance: Money) -> api.IssuedCredit:
    return api.IssuedCredit(credit_id=card.credit_id, code=code, balance=balance, expires_at=card.expires_at)


@implements(api.get_credit)
async def get_credit(ask: api.GetCredit, ctx: Context) -> api.Credit:
    return await _known(ask.code, ctx)


@implements(api.list_credit)
async def list_credit(ask: api.ListCredit, ctx: Context) -> api.CardsOnList:
    return api.CardsOnList(items=await cards.listed(ctx.session, ctx.front_end, ask.last_letters.upper(), ask.limit))


@implements(api.list_credit_programmes)
async def list_credit_programmes(ask: api.ListCreditProgrammes, ctx: Context) -> api.CreditProgrammes:
    return api.CreditProgrammes(items=await cards.programmes(ctx.session, ctx.front_end))


@implements(api.list_credit_moves)
async def list_credit_moves(ask: api.ListCreditMoves, ctx: Context) -> api.CreditMoves:
    found = await cards.moves(ctx.session, ctx.front_end, ask.credit_id, ask.limit)
    is_owner = {one.front_end for one in found} - {ctx.front_end}
    shown = (one.replace(reference="") if one.front_end in is_owner else one for one in found)
    return api.CreditMoves(items=tuple(shown))


@implements(api.pay_with_credit)
async def pay_with_credit(ask: api.PayWithCredit, ctx: Context) -> api.Payment:
    purpose = api.purpose_of(ask.reference)
    standing = await _standing(purpose, ctx)
    waiting = _not_begun(standing)
    card = await cards.lock(ctx.session, cards.name_of(await _known(ask.code, ctx)))
    currency = standing[0].kept.payment.amount.currency
    due = sum(one.kept.payment.amount.minor for one in waiting)
    wanted = min(due, ask.at_most.minor) if ask.at_most else due
    held = money(max(0, min(wanted, card.balance.minor)), currency)
    if why := _why_nothing(card, held, ask.at_most, ctx):
        raise api.NothingOnCard(last_letters=card.last_letters, why=why)
    taken = {one.kept.payment.reference for one in standing}
    free = [one for one in (f"{purpose}{part}" for part in api.CREDITS) if one not in taken]
    if not free:
        raise api.TooManyCards
    left = held.minor
    for one in reversed(waiting):  # the balance first: what is due at once is what the goods wait for
        part = min(left, one.kept.payment.amount.minor)
        left -= part
        if part:
            less = one.kept.payment.amount.minor - part
            await storage.expect(ctx.session, ctx.front_end, one.kept.payment.payment_id, less)
    opened = await ctx.call(api.open_payment, api.OpenPayment(reference=free[0], amount=held))
    empty = storage.Standing(
        kept=storage.Kept(payment=opened, provider=api.CREDIT, authorisation=cards.name_of(card)), attempts=()
    )
    key = f"{opened.payment_id}/authorise"
    begin = api.Begin(payment_id=opened.payment_id, kind=api.Kind.AUTHORISE, key=key)
    begin = begin.replace(provider=api.CREDIT, method=api.CREDIT)
    await begun(empty, begin, ctx)
    return opened.replace(state=api.PaymentState.AUTHORISED, authorised=held, method=api.CREDIT)


def _why_nothing(card: api.Credit, held: Money, at_most: Money | None, ctx: Context) -> str:
    """Return why a card pays nothing, or nothing where it does."""
    if card.balance.currency != held.currency or (at_most and at_most.currency != held.currency):
        return f"it is in {card.balance.currency}, and {held.currency} are to be paid"
    if card.expires_at is not None and card.expires_at <= ctx.now:
        return "it has expired"
    return "" if held.minor else f"{card.balance} are left on it"


@implements(api.let_go_of_credit)
async def let_go_of_credit(ask: api.LetGoOfCredit, ctx: Context) -> api.Payment:
    standing = await _standing(api.purpose_of(ask.reference), ctx)
    first = next(iter(_not_begun(standing)))
    due = first.kept.payment.amount.minor
    for one in standing:
        if one.kept.provider == api.CREDIT and one.kept.payment.state is api.PaymentState.AUTHORISED:
            payment = one.kept.payment
            due += payment.authorised.minor
            release = api.Begin(payment_id=payment.payment_id, kind=api.Kind.VOID, key=f"{payment.payment_id}/void")
            await begun(one, release, ctx)
            await storage.lessen(ctx.session, ctx.front_end, payment.payment_id, 0)
    await storage.expect(ctx.session, ctx.front_end, first.kept.payment.payment_id, due)
    return first.kept.payment.replace(amount=money(due, first.kept.payment.amount.currency))


async def _standing(purpose: str, ctx: Context) -> list[storage.Standing]:
    """Lock the payments of something and return them, the first due first."""
    await storage.hold(ctx.session, ctx.front_end, "references", references(purpose))
    standing = await storage.standing(ctx.session, ctx.front_end, "references", references(purpose))
    if not standing:
        raise api.UnknownPayment(what=f"for {purpose!r}")
    return standing


def _not_begun(standing: list[storage.Standing]) -> list[storage.Standing]:
    """Return the payments that nobody has begun; raises where there is none."""
    waiting = [one for one in standing if one.kept.payment.state is api.PaymentState.OPEN]
    if not waiting:
        raise api.IllegalStep(state=standing[0].kept.payment.state, wanted="paid with a card")
    for one in waiting:
        if under_way := one.under_way():
            raise api.StepUnderWay(kind=next(iter(under_way)), wanted="take a card")
    return waiting


async def _known(code: str, ctx: Context) -> api.Credit:
    card = await cards.by_code(ctx.session, ctx.front_end, _digest(code))
    if card is None:
        raise api.UnknownCredit
    return card


@implements(api.settle_credit)
async def settle_credit(ask: api.SettleCredit, ctx: Context) -> api.CreditSettled:
    due = await cards.due(ctx.session, ctx.front_end, ctx.now, ask.limit)
    for card in due:
        await credit_moved(cards.name_of(card), "expired", -card.balance, card.programme, ctx)
    noted = await cards.note(ctx.session, ctx.front_end, ctx.now, ask.limit)
    for one in noted:
        ctx.emit(one)
    return api.CreditSettled(expired=len(due), noted=len(noted))


def _digest(code: str) -> str:
    """Return what is kept of a code, however it was typed in."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
