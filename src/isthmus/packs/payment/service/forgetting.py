"""Payments forget what was written of a payer."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten

from .. import api
from ..storage import payments as storage


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    await storage.forget(ctx.session, ctx.front_end, ask.references)
    return Forgotten()
