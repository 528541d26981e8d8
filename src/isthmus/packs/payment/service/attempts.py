"""Attempts: begun before a provider is asked, ended after it has answered, and what follows from that.

Whoever writes of a payment locks it first, and reads in the next statement: so what is read is what is written on, and
each attempt ends once.
"""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import Context, implements
from isthmus.values import money

from .. import api, rules, storage

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
    return await _begun(standing, begin, ctx)


@implements(api.begin_attempt)
async def begin_attempt(ask: api.Begin, ctx: Context) -> api.Attempt:
    return await _begun(await _held(ask, ctx), ask, ctx)


@implements(api.end_attempt)
async def end_attempt(ask: api.End, ctx: Context) -> api.Attempt:
    await storage.hold(ctx.session, ctx.front_end, "key", ask.key)
    return (await _ended(await storage.standing(ctx.session, ctx.front_end, "key", ask.key), ask, ctx))[0]


@implements(api.hold_payments)
async def hold_payments(ask: api.HoldPayments, ctx: Context) -> api.Held:
    await storage.hold(ctx.session, ctx.front_end, "references", _references(ask.reference))
    return api.Held()


@implements(api.settle_attempt)
async def settle_attempt(ask: api.Settle, ctx: Context) -> api.Settled:
    references = _references(ask.reference)
    if not ask.is_held:
        await storage.hold(ctx.session, ctx.front_end, "references", references)
    standing = await storage.standing(ctx.session, ctx.front_end, "references", references)
    attempt = None
    if ask.ended is not None:
        attempt, standing = await _ended(standing, ask.ended, ctx)
    follows = await _following(standing, attempt, ask, ctx)
    return api.Settled(attempt=attempt, payments=tuple(one.kept.payment for one in standing), follows=follows)


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
    if payment.state is not api.PaymentState.AUTHORISED or found.under_way() or is_refused:
        return None
    due = api.dues([one.kept.payment for one in standing], wanted.minor if wanted else 0)[payment.payment_id]
    is_wanted = wanted is not None and (due > 0 or wanted.minor == 0)
    if not is_wanted:
        key = f"{payment.payment_id}/void"
        return await _begun(found, api.Begin(payment_id=payment.payment_id, kind=Kind.VOID, key=key), ctx)
    amount = money(due, payment.amount.currency) if due else None  # free goods: all of it
    key = f"{ctx.call_id}/capture"
    begin = api.Begin(payment_id=payment.payment_id, kind=Kind.CAPTURE, key=key, amount=amount)
    return await _begun(found, begin, ctx)


async def _held(ask: api.Begin | api.Authorise, ctx: Context) -> storage.Standing:
    await storage.hold(ctx.session, ctx.front_end, "payment_id", ask.payment_id)
    standing = await storage.standing(ctx.session, ctx.front_end, "payment_id", ask.payment_id)
    if not standing:
        raise api.UnknownPayment(what=str(ask.payment_id))
    return standing[0]


async def _begun(standing: storage.Standing, ask: api.Begin, ctx: Context) -> api.Attempt:
    """Write an attempt down, or return the one that its key has."""
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
    return await storage.begin(ctx.session, ctx.front_end, standing.kept, ask, begin)


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
    await storage.end(ctx.session, ctx.front_end, ask, ctx.now)
    ended = attempt.replace(
        state=outcome.state,
        provider_reference=outcome.provider_reference or attempt.provider_reference,
        reason=outcome.reason,
    )
    kept = standing[at].kept
    if outcome.state == "done":
        kept = await _applied(kept, ended, outcome.provider_reference, ctx)
    others = tuple(ended if one.key == ask.key else one for one in standing[at].attempts)
    after = storage.Standing(kept=kept, attempts=others)
    return ended, [*standing[:at], after, *standing[at + 1 :]]


async def _applied(kept: storage.Kept, attempt: api.Attempt, authorisation: str, ctx: Context) -> storage.Kept:
    """Change a payment by what an attempt has done, and tell."""
    payment = kept.payment
    after = rules.after(payment, attempt)
    await storage.apply(ctx.session, ctx.front_end, attempt, after.state, authorisation)
    if attempt.kind in (Kind.CAPTURE, Kind.REFUND):
        amount = attempt.amount if attempt.kind is Kind.CAPTURE else -attempt.amount
        moved = (attempt.kind.value, amount, payment.method or attempt.method)
        await storage.leg(ctx.session, ctx.front_end, ctx.new_id(), attempt.payment_id, moved, ctx.now)
    ctx.emit(
        api.PaymentMoved(
            payment_id=payment.payment_id,
            reference=payment.reference,
            state=after.state,
            kind=attempt.kind,
            amount=attempt.amount,
            cause=rules.cause_of(attempt),
            method=payment.method or attempt.method,
            provider=attempt.provider or kept.provider,
            key=attempt.key,
        )
    )
    held = authorisation if attempt.kind is Kind.AUTHORISE and authorisation else kept.authorisation
    return storage.Kept(payment=after, provider=attempt.provider or kept.provider, authorisation=held)


def _contradict(attempt: api.Attempt, said: str, ctx: Context) -> None:
    ctx.emit(
        api.OutcomeContradicted(
            payment_id=attempt.payment_id, kind=attempt.kind, amount=attempt.amount, was=attempt.state, said=said
        )
    )


def _references(reference: str) -> list[str]:
    return list(api.references_of(api.purpose_of(reference)))
