"""Coupons of a person's own forget what they were called."""

from __future__ import annotations

import secrets

from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten, Renamed

from .. import api
from ..storage import forgetting as storage

ERASED = "erased-"  # what a coupon of nobody's is called by


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    codes = await storage.codes_of(ctx.session, ctx.front_end, ask.member_ids)
    renamed = tuple(
        Renamed(was=code, now=f"{ERASED}{secrets.token_hex(12)}") for code in codes if not code.startswith(ERASED)
    )
    await storage.rename(ctx.session, ctx.front_end, renamed)
    return Forgotten(renamed=renamed)
