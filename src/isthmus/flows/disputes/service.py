"""Chargebacks, from the provider to whom they concern."""

from __future__ import annotations

from isthmus.kernel import Context, decode, errors, implements
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.payment import api as payment
from isthmus.values import money

from . import api


@implements(api.receive_chargeback)
async def receive_chargeback(ask: payment.Notify, ctx: Context) -> chargeback.Chargeback:
    notice = _read(ask, ctx)
    attempt = await ctx.call(payment.get_attempt, payment.GetAttempt(key=notice.key))
    if (attempt.kind, attempt.state, attempt.provider) != (payment.Kind.CAPTURE, "done", ask.provider):
        raise payment.UnknownPayment(what=f"that {ask.provider!r} took as {notice.key!r}", path="$.payload")
    paid = await ctx.call(payment.get_payment, payment.GetPayment(payment_id=attempt.payment_id))
    currencies = {notice.amount.currency, notice.fee.currency if notice.fee else notice.amount.currency}
    if currencies != {paid.captured.currency} or notice.amount.minor <= 0:
        raise payment.BadNotification(provider=ask.provider)
    note = chargeback.NoteChargeback(
        provider=ask.provider,
        reference=notice.reference,
        state=notice.state,
        amount=notice.amount,
        payment_id=paid.payment_id,
        paid_for=payment.purpose_of(paid.reference),
        captured=paid.captured,
        refunded=paid.refunded,
        fee=notice.fee,
        reason=notice.reason,
    )
    noted = await ctx.call(chargeback.note, note)  # from here on nobody else notes one of this payment
    await _withhold(note, ctx)
    return noted


def _read(ask: payment.Notify, ctx: Context) -> chargeback.ChargebackNotice:
    """Return what a provider says. Raises BadNotification for what it did not say, or says nothing of a chargeback."""
    providers = ctx.resource(payment.Providers).by_name
    if ask.provider not in providers:
        raise payment.UnknownProvider(name=ask.provider, known=sorted(providers))
    provider = providers[ask.provider]
    try:
        if isinstance(provider, payment.Signing):
            return decode(provider.signed(ask.payload), api.Disputed).chargeback
    except errors.BadAsk:
        pass  # the same to who sends it as from a provider that says no such thing
    raise payment.BadNotification(provider=ask.provider)


async def _withhold(note: chargeback.NoteChargeback, ctx: Context) -> None:
    """Withhold of a payment what stands of all its chargebacks."""
    mine = chargeback.ListChargebacks(paid_for=note.paid_for, limit=chargeback.OF_ONE_MAX)
    standing = sum(
        one.amount.minor
        for one in (await ctx.call(chargeback.list_chargebacks, mine)).items
        if one.payment_id == note.payment_id and one.state is not chargeback.ChargebackState.WON
    )
    amount = money(standing, note.captured.currency)
    await ctx.call(payment.withhold, payment.Withhold(payment_id=note.payment_id, amount=amount))
