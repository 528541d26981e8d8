"""Orders forget whose they are."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import Context, decode, encode, implements, ports
from isthmus.personal import Forget, Forgotten, erased_attributes, erasing_key
from isthmus.sealing import UNSEALED, Seals

from .. import api
from ..storage import contacts
from ..storage import forgetting as storage


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    hashes = await contacts.hashes(ask.emails, ctx.resource(Seals, UNSEALED))
    found = await storage.held(ctx.session, ctx.front_end, ask.member_ids, ask.emails, hashes)
    ids = [row["order_id"] for row in found]
    key = erasing_key()
    await storage.forget(ctx.session, ctx.front_end, ids, _without(found, "order.order", key, ctx), ask.renamed)
    lines = await storage.lines(ctx.session, ctx.front_end, ids)
    await storage.forget_lines(ctx.session, ctx.front_end, lines, _without(lines, "order.line", key, ctx))
    await storage.empty_baskets(ctx.session, ctx.front_end, ask.member_ids, ctx.now)
    returns = await storage.returns(ctx.session, ctx.front_end, ids)
    named = [str(row[of]) for row in found for of in ("order_id", "group_id")] + [str(one) for one in returns]
    return Forgotten(references=tuple(dict.fromkeys(named)))


def _without(rows: Sequence[ports.Row], entity: str, key: bytes, ctx: Context) -> list[bytes]:
    """Return the attributes of rows without what the front end marks as personal."""
    declared = ctx.plan.attributes.get(entity)
    given = (decode(row["attributes"], dict[str, object]) for row in rows)
    return [encode(erased_attributes(own, declared, key)) for own in given]
