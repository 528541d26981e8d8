"""What an outside system said, taken in."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from .. import api


@implements(api.take)
async def take(ask: api.OutsideEventDraft, ctx: Context) -> api.Taken:
    ctx.emit(
        api.OutsideEvent(id=ask.id, source=ask.source, type=ask.type, subject=ask.subject, time=ask.time, data=ask.data)
    )
    return api.Taken(id=ask.id)
