"""Messages: written down in a transaction, delivered outside of any."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from isthmus.kernel import Context, decode, implements
from isthmus.values import cursor_at, place_at

from .. import api, storage

SENDER_LIMIT_S = 20.0  # of one letter; the deadline of a delivery leaves room to write down what came of it
REASON_MAX = 500

log = logging.getLogger("isthmus.packs.notification")


@implements(api.send)
async def send(ask: api.Send, ctx: Context) -> api.Message:
    senders = ctx.resource(api.Senders)
    if senders.taking(ask.medium) is None:
        raise api.UnknownMedium(medium=ask.medium, known=senders.media())
    draft = api.Draft(**{name: getattr(ask, name) for name in api.Draft.__struct_fields__})
    content = ctx.answer(api.compose)(draft)
    content = content if isinstance(content, api.Content) else api.Content(subject=ask.subject, text=ask.text)
    await storage.write(ctx.session, ctx.front_end, ctx.new_id(), ask, content, ctx.now)
    return await _found(None, ask.reference, ctx)


@implements(api.get_message)
async def get_message(ask: api.GetMessage, ctx: Context) -> api.MessageLog:
    if ask.message_id is None and ask.reference is None:
        raise api.UnknownMessage(what="without message_id or reference")
    found = await _found(ask.message_id, ask.reference, ctx)
    tries = await storage.tries(ctx.session, ctx.front_end, found.message_id)
    return api.MessageLog(message=found, tries=tries)


@implements(api.list_messages)
async def list_messages(ask: api.ListMessages, ctx: Context) -> api.MessagePage:
    before = place_at(ask.cursor, UUID, api.BadCursor) if ask.cursor else None
    found = await storage.list_messages(ctx.session, ctx.front_end, ask.state, before, ask.limit + 1)
    items = tuple(found[: ask.limit])
    return api.MessagePage(items=items, next_cursor=cursor_at(items[-1].message_id) if len(found) > ask.limit else None)


@implements(api.has_due)
async def has_due(ask: api.HasDue, ctx: Context) -> api.Due:
    return api.Due(is_any=await storage.has_due(ctx.session, ctx.front_end, ctx.now))


@implements(api.claim_messages)
async def claim_messages(ask: api.ClaimMessages, ctx: Context) -> api.Claimed:
    rows = await storage.claim(ctx.session, ctx.front_end, ctx.now, ask.limit)
    for row in rows:
        if row["is_suppressed"]:
            _emit_end(row["message_id"], row["reference"], row["kind"], api.MessageState.SUPPRESSED, ctx)
    return api.Claimed(
        items=tuple(
            api.ClaimedMessage(
                message_id=row["message_id"],
                medium=row["medium"],
                address=row["address"],
                subject=row["subject"],
                text=row["body"],
                html=row["html"],
                attempt=row["attempts"],
                attachments=decode(row["attachments"], tuple[api.Attachment, ...]),
            )
            for row in rows
            if not row["is_suppressed"]
        )
    )


@implements(api.end_deliveries)
async def end_deliveries(ask: api.EndDeliveries, ctx: Context) -> api.Ended:
    rows = await storage.end(ctx.session, ctx.front_end, ask.results, ctx.now)
    for row in rows:
        _emit_end(row["message_id"], row["reference"], row["kind"], api.MessageState(row["state"]), ctx)
    return api.Ended(ended=len(rows))


@implements(api.deliver_messages)
async def deliver_messages(ask: api.DeliverMessages, ctx: Context) -> api.Delivered:
    nothing = api.Delivered(tried=0, ended=0)
    if ctx.is_taken_over:  # what a killed process had taken is due again by itself
        return nothing
    if not (await ctx.call(api.has_due, api.HasDue())).is_any:
        return nothing
    claimed = (await ctx.call(api.claim_messages, api.ClaimMessages(limit=ask.limit))).items
    if not claimed:
        return nothing
    senders = ctx.resource(api.Senders)
    results = await asyncio.gather(*(_sent(one, senders, ctx) for one in claimed))
    ended = await ctx.call(api.end_deliveries, api.EndDeliveries(results=tuple(results)))
    return api.Delivered(tried=len(claimed), ended=ended.ended)


@implements(api.forget_content)
async def forget_content(ask: api.ForgetContent, ctx: Context) -> api.Forgotten:
    before = ctx.now - timedelta(days=ctx.resource(api.Senders).kept_days)
    return api.Forgotten(messages=await storage.forget(ctx.session, ctx.front_end, before))


async def _sent(message: api.ClaimedMessage, senders: api.Senders, ctx: Context) -> api.Result:
    """Have a letter sent; whatever goes wrong on the way, it is tried again. Nothing logged names its reader."""
    sender = senders.taking(message.medium)
    if sender is None:
        receipt = api.Receipt(state="again", reason=f"no provider sends by {message.medium!r}")
    else:
        letter = api.Letter(
            id=str(message.message_id),
            medium=message.medium,
            address=message.address,
            subject=message.subject,
            text=message.text,
            html=message.html,
            at=ctx.now,
            attachments=message.attachments,
        )
        try:
            async with asyncio.timeout(SENDER_LIMIT_S):
                receipt = await sender.send(letter)
        except Exception as wrong:  # its own words may hold the address
            log.warning("message %s is not sent by %r: %s", letter.id, sender.name, type(wrong).__name__)
            receipt = api.Receipt(state="again", reason=type(wrong).__name__)
    return api.Result(
        message_id=message.message_id,
        attempt=message.attempt,
        provider=sender.name if sender else "",
        outcome=receipt.state,
        provider_reference=receipt.provider_reference,
        reason=receipt.reason[:REASON_MAX],
    )


async def _found(message_id: UUID | None, reference: str | None, ctx: Context) -> api.Message:
    found = await storage.find(ctx.session, ctx.front_end, message_id, reference)
    if found is None:
        raise api.UnknownMessage(what=str(message_id or reference))
    return found


def _emit_end(message_id: UUID, reference: str, kind: str, state: api.MessageState, ctx: Context) -> None:
    ctx.emit(api.MessageEnded(message_id=message_id, reference=reference, kind=kind, state=state))
