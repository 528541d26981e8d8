"""Chargebacks: noted step by step, each once."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.values import Money, money

from . import api, storage

State = api.ChargebackState


@implements(api.note)
async def note(ask: api.NoteChargeback, ctx: Context) -> api.Chargeback:
    standing = await storage.held(ctx.session, ctx.front_end, ask.payment_id)
    known = await storage.find(ctx.session, ctx.front_end, ask.provider, ask.reference)
    if known is None:
        left = ask.captured - money(standing, ask.captured.currency)
        if ask.amount > left:
            raise api.ChargebackTooLarge(reference=ask.reference, amount=ask.amount, left=left)
        known = await storage.add(ctx.session, ctx.front_end, ask, ctx.now)
        is_twice = ask.amount + ask.refunded > left
        _emit(ask, State.OPENED, ctx, is_given_back=is_twice)
    _refuse_contradiction(known, ask)
    if ask.state is State.OPENED or known.state is not State.OPENED:
        return known
    ended = known.replace(state=ask.state, fee=known.fee + _fee(ask), ended_at=ctx.now)
    await storage.end(ctx.session, ctx.front_end, ended)
    _emit(ask, ask.state, ctx)
    return ended


@implements(api.list_chargebacks)
async def list_chargebacks(ask: api.ListChargebacks, ctx: Context) -> api.Chargebacks:
    return api.Chargebacks(items=tuple(await storage.page(ctx.session, ctx.front_end, ask)))


def _refuse_contradiction(known: api.Chargeback, said: api.NoteChargeback) -> None:
    """Refuse what differs from what was noted; a step that comes again, or late, changes nothing."""
    if (known.payment_id, known.amount) != (said.payment_id, said.amount):
        was, other = (f"{one.amount} of payment {one.payment_id}" for one in (known, said))
        raise api.ChargebackContradicted(reference=said.reference, was=was, said=other)
    if known.state is not State.OPENED and said.state not in (known.state, State.OPENED):
        raise api.ChargebackContradicted(reference=said.reference, was=known.state, said=said.state)


def _fee(said: api.NoteChargeback) -> Money:
    return said.fee or money(0, said.amount.currency)


def _emit(said: api.NoteChargeback, state: State, ctx: Context, *, is_given_back: bool = False) -> None:
    """Tell of a step, with the fee of the one that the provider told."""
    ctx.emit(
        api.ChargebackMoved(
            payment_id=said.payment_id,
            provider=said.provider,
            reference=said.reference,
            paid_for=said.paid_for,
            state=state,
            amount=said.amount,
            fee=_fee(said) if state is said.state else money(0, said.amount.currency),
            reason=said.reason,
            is_given_back=is_given_back,
        )
    )
