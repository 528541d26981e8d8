"""Shipments forget where they went."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten

from .. import api
from ..storage import forgetting as storage


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    return Forgotten(references=await storage.forget(ctx.session, ctx.front_end, ask.references))
