"""Messages forget whom they were for."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten

from .. import api, rules, storage


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    hashes = [rules.address_hash(ctx.front_end, "email", one) for one in ask.emails]
    await storage.forget_persons(ctx.session, ctx.front_end, ask.member_ids, hashes, ask.references, ctx.now)
    return Forgotten()
