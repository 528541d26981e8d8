"""Attempts: begun before a provider is asked, ended after it has answered, and what follows from that.

Whoever writes of a payment locks it first, and reads in the next statement: so what is read is what is written on, and
each attempt ends once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from uuid import UUID

from isthmus.checks import NOBODY, Watching
from isthmus.kernel import Context, implements
from isthmus.values import Money, money

from .. import api, rules
from ..storage import credit as cards
from ..storage import payments as storage

Kind = api.Kind


@implements(api.begin_authorisation)
async def begin_authorisation(ask: api.Authorise, ctx: Context) -> api.Attempt:
    standing = await _held(ask, ctx)
    amount = standing.kept.payment.amount
    providers = ctx.resource(api.Providers)
    allowed = ctx.answer(api.methods)(providers.methods(), amount)
    if ask.method not in allowed:
        raise api.MethodRefused(method=ask.method, allowed=allowed)
    taking = providers.taking(ask.method)
    if not taking:
        raise api.UnknownProvider(name=ask.method, known=sorted(providers.by_name))
    answered = ctx.answer(api.choose_provider)(ask.method, amount, taking)
    chosen = answered if isinstance(answered, str) else taking[0]
    if chosen not in taking:
        raise api.UnknownProvider(name=chosen, known=taking)
    key = f"{ctx.call_id}/authorise"
    begin = api.Begin(payment_id=ask.payment_id, kind=Kind.AUTHORISE, key=key, provider=chosen, method=ask.method)
    attempt = await begun(standing, begin, ctx)
    if await ctx.resource(Watching, NOBODY).is_on(ctx.front_end, "payment"):
        ctx.emit(_said(standing.kept.payment, attempt, begin, ask.token))
    return attempt


def _said(payment: api.Payment, attempt: api.Attempt, begin: api.Begin, token: str) -> api.PaymentBegun:
    return api.PaymentBegun(
        payment_id=payment.payment_id,
        reference=payment.reference,
        attempt_id=attempt.attempt_id,
        amount=attempt.amount,
        method=begin.method,
        provider=begin.provider,
        card=hashlib.sha256(token.encode()).hexdigest() if token else "",
    )


@implements(api.begin_attempt)
async def begin_attempt(ask: api.Begin, ctx: Context) -> api.Attempt:
    standing = await _held(ask, ctx)
    if standing.is_card and ask.kind in (Kind.CAPTURE, Kind.VOID):  # with what else is paid, or all together
        raise api.IllegalStep(state="held on a card", wanted=f"asked to {ask.kind} by itself")
    return await begun(standing, ask, ctx)


@implements(api.end_attempt)
async def end_attempt(ask: api.End, ctx: Context) -> api.Attempt:
    await storage.hold(ctx.session, ctx.front_end, "key", ask.key)
    return (await _ended(await storage.standing(ctx.session, ctx.front_end, "key", ask.key), ask, ctx))[0]


@implements(api.hold_payments)
async def hold_payments(ask: api.HoldPayments, ctx: Context) -> api.Held:
    await storage.hold(ctx.session, ctx.front_end, "references", references(ask.reference))
    return api.Held()


@implements(api.settle_attempt)
async def settle_attempt(ask: api.Settle, ctx: Context) -> api.Settled:
    together = references(ask.reference)
    if not ask.is_held:
        await storage.hold(ctx.session, ctx.front_end, "references", together)
    standing = await storage.standing(ctx.session, ctx.front_end, "references", together)
    attempt = None
    if ask.ended is not None:
        attempt, standing = await _ended(standing, ask.ended, ctx)
    follows = await _following(standing, attempt, ask, ctx)
    standing = standing if ask.waits else await _with_cards(standing, ask.wanted, ctx)
    return api.Settled(attempt=attempt, payments=tuple([one.kept.payment for one in standing]), follows=follows)


async def _following(
    standing: Sequence[storage.Standing], ended: api.Attempt | None, ask: api.Settle, ctx: Context
) -> api.Attempt | None:
    """Begin to take what is due of a payment that is held, or to let it go; nothing while something is under way."""
    wanted, payment_id = ask.wanted, ended.payment_id if ended else ask.payment_id
    found = next((one for one in standing if one.kept.payment.payment_id == payment_id), None)
    if found is None:
        raise api.UnknownPayment(what=str(payment_id))
    payment = found.kept.payment
    is_refused = ended is not None and (ended.kind, ended.state) == (Kind.CAPTURE, "refused")
    is_at_rest = payment.state is not api.PaymentState.AUTHORISED or found.under_way() or is_refused or found.is_card
    if ask.waits or is_at_rest:
        return None
    due = api.dues([one.kept.payment for one in standing], wanted.minor if wanted else 0)[payment.payment_id]
    is_wanted = wanted is not None and (due > 0 or wanted.minor == 0)
    if not is_wanted:
        key = f"{payment.payment_id}/void"
        return await begun(found, api.Begin(payment_id=payment.payment_id, kind=Kind.VOID, key=key), ctx)
    amount = money(due, payment.amount.currency) if due else None  # free goods: all of it
    key = f"{ctx.call_id}/capture"
    begin = api.Begin(payment_id=payment.payment_id, kind=Kind.CAPTURE, key=key, amount=amount)
    return await begun(found, begin, ctx)


async def _held(ask: api.Begin | api.Authorise, ctx: Context) -> storage.Standing:
    await storage.hold(ctx.session, ctx.front_end, "payment_id", ask.payment_id)
    standing = await storage.standing(ctx.session, ctx.front_end, "payment_id", ask.payment_id)
    if not standing:
        raise api.UnknownPayment(what=str(ask.payment_id))
    return standing[0]


async def _with_cards(
    standing: Sequence[storage.Standing], wanted: Money | None, ctx: Context
) -> Sequence[storage.Standing]:
    """Take what cards hold once the rest is held too; let go what is not wanted of it. Nobody has to be asked."""
    held = [one for one in standing if one.is_card and one.kept.payment.state is api.PaymentState.AUTHORISED]
    if not held:
        return standing
    waits = any(one.kept.payment.amount.minor and one.kept.payment.state not in rules.HELD for one in standing)
    if waits and wanted is not None:
        return standing
    dues = api.dues([one.kept.payment for one in standing], wanted.minor if wanted else 0)
    after = {one.kept.payment.payment_id: await _taken(one, dues, ctx) for one in held}
    return [after.get(one.kept.payment.payment_id, one) for one in standing]


async def _taken(card: storage.Standing, dues: Mapping[UUID, int], ctx: Context) -> storage.Standing:
    """Take from a card what is due, and let go the rest."""
    payment = card.kept.payment
    due = dues[payment.payment_id]
    if not due:
        await begun(
            card, api.Begin(payment_id=payment.payment_id, kind=Kind.VOID, key=f"{payment.payment_id}/void"), ctx
        )
        return card.of(payment.replace(state=api.PaymentState.VOIDED))
    if due < payment.authorised.minor:
        less = money(due, payment.amount.currency)
        await credit_moved(card.kept.authorisation, "released", payment.authorised - less, payment.reference, ctx)
        await storage.lessen(ctx.session, ctx.front_end, payment.payment_id, due)
        payment = payment.replace(amount=less, authorised=less)
    key = f"{payment.payment_id}/capture"
    await begun(card.of(payment), api.Begin(payment_id=payment.payment_id, kind=Kind.CAPTURE, key=key), ctx)
    return card.of(payment.replace(state=api.PaymentState.CAPTURED, captured=payment.authorised))


async def begun(standing: storage.Standing, ask: api.Begin, ctx: Context) -> api.Attempt:
    """Write an attempt down, or return the one that its key has; what a card pays is done at once."""
    payment = standing.kept.payment
    keys = rules.tries(ask.key) if ask.kind in (Kind.VOID, Kind.REFUND) else (ask.key,)
    known = [one for key in keys for one in standing.attempts if one.key == key]
    if known and (known[-1].state != "refused" or len(known) == len(keys)):
        if ask.amount is not None and known[-1].amount != ask.amount:
            raise api.ReferenceUsed(reference=ask.key, known=known[-1].amount, wanted=ask.amount)
        return known[-1]
    if not rules.leads_on(ask.kind, payment):
        raise api.IllegalStep(state=payment.state, wanted=f"asked to {ask.kind}")
    under_way = standing.under_way()
    if first := rules.in_the_way(ask.kind, under_way):
        raise api.StepUnderWay(kind=first, wanted=ask.kind)
    promised = await _promised(ask, ctx) if ask.kind is Kind.REFUND else 0
    free = rules.left_for(ask.kind, payment) - under_way.get(ask.kind, 0) - promised
    left = money(max(0, free), payment.amount.currency)
    wanted = left if ask.amount is None else ask.amount
    if wanted.currency != left.currency or (ask.amount is not None and wanted.minor <= 0):
        raise api.WrongAmount(wanted=wanted, currency=left.currency)
    if wanted > left:
        raise api.AmountExceeded(wanted=wanted, left=left)
    begin = storage.Beginning(attempt_id=ctx.new_id(), key=keys[len(known)], minor=wanted.minor, at=ctx.now)
    attempt = await storage.begin(ctx.session, ctx.front_end, standing.kept, ask, begin)
    if ask.kind is Kind.REFUND and payment.reference.startswith(api.PURCHASE):
        await _take_off_card(payment, wanted, ctx)
    return await _with_card(standing, attempt, ctx) if standing.is_card else attempt


async def _with_card(standing: storage.Standing, attempt: api.Attempt, ctx: Context) -> api.Attempt:
    """Do at once what is attempted with a card: hold, take, let go or give back what is on it."""
    name, payment = standing.kept.authorisation, standing.kept.payment
    if attempt.kind is Kind.AUTHORISE:
        await credit_moved(name, "held", -attempt.amount, payment.reference, ctx)
    if attempt.kind in (Kind.CAPTURE, Kind.VOID):
        await credit_moved(name, "released", attempt.amount, payment.reference, ctx)
    if attempt.kind is Kind.CAPTURE:
        await credit_moved(name, "redeemed", -attempt.amount, payment.reference, ctx)
    if attempt.kind is Kind.REFUND:
        await credit_moved(name, "returned", attempt.amount, payment.reference, ctx)
    begun_now = storage.Standing(kept=standing.kept, attempts=(attempt,))
    done = api.Outcome(state="done", provider_reference=name)
    return (await _ended([begun_now], api.End(key=attempt.key, outcome=done), ctx))[0]


async def _take_off_card(bought: api.Payment, amount: Money, ctx: Context) -> None:
    """Take off a card what is given back of its price, before anybody is asked to give it back."""
    name = bought.reference.removeprefix(api.PURCHASE)
    card = await cards.lock(ctx.session, name)
    if card.balance < amount:
        raise api.CardIsUsed(wanted=amount, left=card.balance)
    await credit_moved(name, "taken-back", -amount, bought.reference, ctx)


async def credit_moved(name: str, kind: api.CreditKind, amount: Money, reference: str, ctx: Context) -> None:
    """Move something on a card, and tell what is owed on it then; what is only held or let go is owed as before."""
    days = api.RETURNED_DAYS if kind in ("released", "returned") else 0
    move = cards.Move(kind=kind, minor=amount.minor, reference=reference)
    await cards.move(ctx.session, ctx.front_end, ctx.new_id(), name, move, ctx.now, days)
    if kind in ("held", "released"):
        return
    owner, _, credit_id = name.rpartition("/")
    where = {"owner": owner, "front_end": ctx.front_end, "reference": reference}
    ctx.emit(api.CreditMoved(credit_id=UUID(credit_id), kind=kind, amount=amount, **where))


async def _promised(ask: api.Begin, ctx: Context) -> int:
    """Return what others were promised of a payment and have not been given yet: nobody else has that."""
    known = await storage.refund_parts(ctx.session, ctx.front_end, [ask.payment_id])
    keys = {one.reference: f"{ask.payment_id}/refund/{one.reference}" for one in known}
    return sum(one.minor for one in known if not one.is_begun and keys[one.reference] != ask.key)


async def _ended(
    standing: Sequence[storage.Standing], ask: api.End, ctx: Context
) -> tuple[api.Attempt, list[storage.Standing]]:
    """Write down how an attempt ended; return it, and the payments as they are then."""
    at, attempt = next(
        ((at, attempt) for at, one in enumerate(standing) for attempt in one.attempts if attempt.key == ask.key),
        (0, None),
    )
    if attempt is None:
        raise api.UnknownPayment(what=f"with an attempt {ask.key!r}", path="$.payload")
    outcome = ask.outcome
    if attempt.state not in ("pending", "unknown"):
        if outcome.state not in ("unknown", attempt.state):
            _contradict(attempt, outcome.state, ctx)
        return attempt, list(standing)
    ended = attempt.replace(
        state=outcome.state,
        provider_reference=outcome.provider_reference or attempt.provider_reference,
        reason=outcome.reason,
    )
    kept = standing[at].kept
    if outcome.state == "done":
        kept = await _applied(kept, ended, ask, ctx)
    else:
        await storage.end(ctx.session, ctx.front_end, ask, ctx.now)
    if kept.payment.reference.startswith(api.PURCHASE):
        await _fill_card(kept.payment, ended, ctx)
    others = tuple([ended if one.key == ask.key else one for one in standing[at].attempts])
    after = storage.Standing(kept=kept, attempts=others)
    return ended, [*standing[:at], after, *standing[at + 1 :]]


async def _fill_card(bought: api.Payment, ended: api.Attempt, ctx: Context) -> None:
    """Put onto a card what was paid for it, and what could not be given back of that."""
    name = bought.reference.removeprefix(api.PURCHASE)
    if (ended.kind, ended.state) == (Kind.CAPTURE, "done"):
        await credit_moved(name, "sold", ended.amount, bought.reference, ctx)
    if (ended.kind, ended.state) == (Kind.REFUND, "refused"):
        await credit_moved(name, "taken-back", ended.amount, bought.reference, ctx)


async def _applied(kept: storage.Kept, attempt: api.Attempt, ask: api.End, ctx: Context) -> storage.Kept:
    """Change a payment by what an attempt has done, and tell."""
    payment, method = kept.payment, kept.payment.method or attempt.method
    provider, said = attempt.provider or kept.provider, ask.outcome.provider_reference
    held = said if attempt.kind is Kind.AUTHORISE and said else kept.authorisation
    after = storage.Kept(payment=rules.after(payment, attempt), provider=provider, authorisation=held)
    leg_id = ctx.new_id() if attempt.kind in (Kind.CAPTURE, Kind.REFUND) else None
    await storage.done(ctx.session, ctx.front_end, ask, attempt, after, (leg_id, method), ctx.now)
    ctx.emit(
        api.PaymentMoved(
            payment_id=payment.payment_id,
            reference=payment.reference,
            state=after.payment.state,
            kind=attempt.kind,
            amount=attempt.amount,
            cause=rules.cause_of(attempt),
            method=method,
            provider=provider,
            key=attempt.key,
        )
    )
    return after


def _contradict(attempt: api.Attempt, said: str, ctx: Context) -> None:
    ctx.emit(
        api.OutcomeContradicted(
            payment_id=attempt.payment_id, kind=attempt.kind, amount=attempt.amount, was=attempt.state, said=said
        )
    )


def references(reference: str) -> list[str]:
    """Return what the payments are called that one belongs with."""
    return list(api.references_of(api.purpose_of(reference)))
