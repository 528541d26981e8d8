"""Claims: told to other front ends, and taken notice of here."""

from __future__ import annotations

from itertools import groupby

from isthmus.kernel import Context, implements
from isthmus.values import money

from .. import api
from ..storage import claims as storage


@implements(api.claim)
async def claim(ask: api.ClaimEntry, ctx: Context) -> api.Claimed:
    legs = await storage.claim(ctx.session, ctx.front_end, ask.reference, ask.kind_shown, ctx.now)
    if legs is None:
        raise api.UnknownEntry(reference=ask.reference, path="$.reference")
    return api.Claimed(legs=legs)


@implements(api.take_claims)
async def take_claims(ask: api.TakeClaims, ctx: Context) -> api.TakenClaims:
    rows = await storage.note(ctx.session, ctx.front_end, ctx.now, ask.limit)
    taken = 0
    for (front_end, entry_id, currency), legs in groupby(
        sorted(rows, key=lambda row: (row["claimed_at"], row["front_end"], row["entry_id"], row["currency"])),
        key=lambda row: (row["front_end"], row["entry_id"], row["currency"]),
    ):
        own = list(legs)
        claimed = tuple(
            api.EntryLeg(
                account=row["account"], amount=money(row["amount"], currency), owner=f"front-end/{ctx.front_end}"
            )
            for row in own
        )
        ctx.emit(
            api.ClaimMade(
                claim=f"{front_end}/{entry_id}/{currency}",
                from_front_end=front_end,
                kind=own[0]["kind"],
                value_date=own[0]["value_date"],
                legs=claimed,
            )
        )
        taken += 1
    return api.TakenClaims(claims=taken)
