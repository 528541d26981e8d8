"""Members are reached at devices, choose what they are told, are told it, and read it."""

from __future__ import annotations

from datetime import timedelta

from isthmus.kernel import Context, implements
from isthmus.manifest.public_addresses import refused_url
from isthmus.personal import Forget, Forgotten
from isthmus.sealing import UNSEALED, Seals

from .. import api, rules
from ..storage import members
from .pushers import Pushers
from .web import key_bytes


@implements(api.get_push_key)
async def get_push_key(ask: api.GetPushKey, ctx: Context) -> api.PushKey:
    pushers = ctx.resource(Pushers)
    return api.PushKey(key="" if pushers.web is None else pushers.web.public_key(), kinds=tuple(pushers.kinds))


@implements(api.add_endpoint)
async def add_endpoint(ask: api.AddEndpoint, ctx: Context) -> api.Endpoint:
    pushers = ctx.resource(Pushers)
    if pushers.taking(ask.kind) is None:
        raise api.UnknownKind(kind=ask.kind, known=pushers.kinds)
    if rules.zone(ask.zone) is None:
        raise api.UnknownZone(zone=ask.zone)
    if pushers.web is not None and ask.kind == "web":
        if because := refused_url(ask.address, pushers.web.caller.allowed):
            raise api.WrongEndpoint(because=because, path="$.address")
        try:
            key_bytes(ask.p256dh, ask.auth)
        except ValueError:
            raise api.WrongEndpoint(because="has no keys of a subscription", path="$.p256dh") from None
    if await pushers.cut_off(ctx.session, ctx.front_end, [ask.device_id]):
        raise api.WrongEndpoint(because="is of a device that was cut off", path="$.device_id")
    return await members.add_endpoint(ctx.session, ctx.front_end, ctx.new_id(), ask)


@implements(api.remove_endpoint)
async def remove_endpoint(ask: api.RemoveEndpoint, ctx: Context) -> api.Removed:
    return api.Removed(is_removed=await members.remove_endpoint(ctx.session, ctx.front_end, ask.endpoint_id))


@implements(api.set_topic)
async def set_topic(ask: api.SetTopic, ctx: Context) -> api.Topics:
    return api.Topics(topics=tuple(await members.set_topic(ctx.session, ctx.front_end, ask)))


@implements(api.opt_out)
async def opt_out(ask: api.Choose, ctx: Context) -> api.Choices:
    return api.Choices(opted_out=tuple(await members.opt_out(ctx.session, ctx.front_end, ask, ctx.now)))


@implements(api.opt_in)
async def opt_in(ask: api.Choose, ctx: Context) -> api.Choices:
    return api.Choices(opted_out=tuple(await members.opt_in(ctx.session, ctx.front_end, ask)))


@implements(api.notify)
async def notify(ask: api.Notify, ctx: Context) -> api.InboxMessage:
    rules.check_size(ask.draft)
    seals = ctx.resource(Seals, UNSEALED)
    known = await members.of_reference(ctx.session, ctx.front_end, ask.reference, seals)
    if known is not None:
        return known
    await members.replace(ctx.session, ctx.front_end, [ask.member_id], ask.draft.collapse_key, ctx.now)
    expires_at = ctx.now + timedelta(hours=ask.draft.ttl_hours)
    await members.add_message(ctx.session, ctx.front_end, ctx.new_id(), ask, expires_at, ctx.now, seals)
    made = await members.of_reference(ctx.session, ctx.front_end, ask.reference, seals)
    assert made is not None
    return made


@implements(api.list_inbox)
async def list_inbox(ask: api.ListInbox, ctx: Context) -> api.Inbox:
    found = await members.inbox(ctx.session, ctx.front_end, ask, ctx.resource(Seals, UNSEALED))
    items = tuple(found[: ask.limit])
    return api.Inbox(
        items=items,
        unread=await members.unread(ctx.session, ctx.front_end, ask.member_id),
        next_before=items[-1].message_id if len(found) > ask.limit else None,
    )


@implements(api.mark_read)
async def mark_read(ask: api.MarkRead, ctx: Context) -> api.Unread:
    await members.mark_read(ctx.session, ctx.front_end, ask.member_id, ask.message_ids or None, ctx.now)
    return api.Unread(unread=await members.unread(ctx.session, ctx.front_end, ask.member_id))


@implements(api.note_receipt)
async def note_receipt(ask: api.NoteReceipt, ctx: Context) -> api.Unread:
    if not await members.has_message(ctx.session, ctx.front_end, ask.member_id, ask.message_id):
        raise api.UnknownMessage(message_id=ask.message_id)
    await members.note_receipt(ctx.session, ctx.front_end, ask)
    if ask.what == "opened":
        await members.mark_read(ctx.session, ctx.front_end, ask.member_id, [ask.message_id], ctx.now)
    return api.Unread(unread=await members.unread(ctx.session, ctx.front_end, ask.member_id))


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    await members.forget(ctx.session, ctx.front_end, ask.member_ids)
    return Forgotten()
