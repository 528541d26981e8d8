"""One entry of what happened, by the front end's rule."""

from __future__ import annotations

import logging
from typing import Final

from isthmus.kernel import Context
from isthmus.packs.ledger import api as ledger
from isthmus.values import Money

from .. import api, rules

NOTHING: Final = api.Booked(entries=0)
log = logging.getLogger("isthmus.flows.bookkeeping")


async def book(
    happening: api.Happening,
    of: str,
    ctx: Context,
    *,
    is_once: bool = False,
    claims: bool = False,
    kind_shown: str | None = None,
) -> api.Booked:
    """Book what a happening moves by the front end's rule; by the default where that does not balance.

    claims: other front ends on whose accounts it stands book their side of it. kind_shown: the kind that they are told.
    """
    default = rules.postings(happening)
    if not default:
        return NOTHING  # it comes to nothing, whatever the rule
    answered = ctx.answer(api.postings)(happening)
    legs = answered if isinstance(answered, tuple) else default
    metadata: dict[str, str] = {}
    if wrong := ledger.fault_of(legs):
        log.warning("the rule of %s for %s is refused: %s", ctx.box, happening.kind, wrong)
        legs, metadata = default, {"refused": str(wrong)[:240]}
    draft = ledger.EntryDraft(
        reference=f"{of}/{happening.kind}" if is_once else f"{of}/{happening.kind}/{ctx.new_id()}",
        kind=happening.kind,
        legs=legs,
        subject=happening.reference,
        value_date=happening.value_date,
        when_closed="next-open-day",
        metadata=metadata,
    )
    await ctx.call(ledger.record, ledger.Post(entries=(draft,)))
    if claims:
        await ctx.call(ledger.claim, ledger.ClaimEntry(reference=draft.reference, kind_shown=kind_shown))
    if due := rules.due(happening, legs, draft.reference):
        became = api.BecameDue(reference=draft.reference, kind=happening.kind, about=happening.reference, lines=due)
        ctx.emit(became)
    return api.Booked(entries=1)


def between(kind: api.Kind, amount: Money, other: str, reference: str) -> api.Happening:
    """Return what passes between this front end and another."""
    owed = (api.Owed(owner=f"front-end/{other}", amount=amount),)
    return api.Happening(kind=kind, amount=amount, reference=reference, owed=owed)
