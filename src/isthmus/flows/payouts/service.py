"""Paying out: settlements with their entries in the books."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.flows.bookkeeping import api as bookkeeping
from isthmus.kernel import Context, implements
from isthmus.packs.ledger import api as ledger
from isthmus.packs.settlement import api as settlement

from . import api, rules

_KINDS: Mapping[str, settlement.ItemKind] = {"goods-returned": "return", "chargeback-lost": "chargeback"}


@implements(api.note_due)
async def note_due(ask: bookkeeping.BecameDue, ctx: Context) -> settlement.Noted:
    items = tuple(
        settlement.DueItem(
            reference=one.reference,
            payee=one.owner,
            kind=_kind(one, ask.kind),
            subject=ask.about,
            gross=one.gross,
            commission=one.commission,
            line=one.line,
        )
        for one in ask.lines
    )
    return await ctx.call(settlement.note_due, settlement.NoteDue(items=items))


def _kind(one: bookkeeping.DueLine, kind: bookkeeping.Kind) -> settlement.ItemKind:
    if one.owner.startswith("front-end/"):
        return "between-front-ends"
    return _KINDS.get(kind, "sale")


@implements(api.book_settlement)
async def book_settlement(ask: settlement.SettlementMoved, ctx: Context) -> bookkeeping.Booked:
    legs = rules.legs(ask)
    if not legs:
        return bookkeeping.Booked(entries=0)
    draft = ledger.EntryDraft(
        reference=f"settlement/{ask.settlement_id}/{ask.state}",
        kind=f"settlement-{ask.state}",
        legs=legs,
        subject=str(ask.settlement_id),
        memo=ask.note,
    )
    await ctx.call(ledger.record, ledger.Post(entries=(draft,)))
    if ask.payee.startswith("front-end/"):
        await ctx.call(ledger.claim, ledger.ClaimEntry(reference=draft.reference))
    return bookkeeping.Booked(entries=1)
