"""Messages to buyers: which event sends which message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from isthmus.kernel import Context, implements
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order

from . import api, rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whom a message is for."""

    address: str
    member_id: UUID | None = None
    language: str = ""


@implements(api.notify_order_placed)
async def notify_order_placed(ask: order.OrderPlaced, ctx: Context) -> api.Notified:
    return await _notified("order.placed", ask.order_id, f"order/{ask.order_id}/placed", {}, ctx)


@implements(api.notify_order_moved)
async def notify_order_moved(ask: order.OrderMoved, ctx: Context) -> api.Notified:
    reference = f"order/{ask.order_id}/{ask.state}"
    return await _notified(f"order.{ask.state}", ask.order_id, reference, {"note": ask.note}, ctx)


@implements(api.notify_parcel_moved)
async def notify_parcel_moved(ask: fulfilment.ParcelMoved, ctx: Context) -> api.Notified:
    try:
        order_id = UUID(ask.reference)
    except ValueError:  # a shipment of something else than an order
        return api.Notified()
    reference = f"parcel/{ask.shipment_id}/{ask.parcel}/{ask.state}"
    return await _notified(f"parcel.{ask.state}", order_id, reference[:128], rules.parcel_facts(ask), ctx)


@implements(api.notify_return_moved)
async def notify_return_moved(ask: order.ReturnMoved, ctx: Context) -> api.Notified:
    reference = f"return/{ask.return_id}/{ask.state}"
    return await _notified(f"return.{ask.state}", ask.order_id, reference, {"refund": str(ask.refund)}, ctx)


@implements(api.forget_member)
async def forget_member(ask: member.MemberErased, ctx: Context) -> notification.AddressForgotten:
    forgotten = 0
    for one in (ask.member_id, *ask.merged_ids):
        erased = await ctx.call(notification.erase_address, notification.EraseAddress(member_id=one))
        forgotten += erased.messages
    return notification.AddressForgotten(messages=forgotten)


async def _notified(kind: str, order_id: UUID, reference: str, facts: Mapping[str, str], ctx: Context) -> api.Notified:
    """Write a message about an order down, in the words of the box that it was sold in."""
    if not ctx.caller.is_event_triggered:
        raise api.NotAnEvent()
    try:
        sold = await ctx.call(order.get_order, order.GetOrder(order_id=order_id))
    except order.UnknownOrder:  # a shipment of something else than an order
        return api.Notified()
    reader = await _reader(sold, ctx)
    if reader is None:
        return api.Notified()
    language = reader.language or ctx.plan.settings.get(api.LANGUAGE, "")
    draft = rules.order_draft(kind, sold, language, facts)
    asked = {name: getattr(draft, name) for name in draft.__struct_fields__}
    send = notification.Send(**asked, reference=reference, address=reader.address, member_id=reader.member_id)
    return api.Notified(messages=(await ctx.acting_for(sold.box).call(notification.send, send),))


async def _reader(sold: order.Order, ctx: Context) -> Reader | None:
    """Return who is written to: the address of the order, else the member's own; nobody who is forgotten."""
    if sold.member_id is None:
        return Reader(address=sold.contact_email) if sold.contact_email else None
    try:
        known = await ctx.call(member.get_member, member.GetMember(member_id=sold.member_id))
    except member.NotAMember:  # erased since
        return None
    mails = sorted((one for one in known.identities if one.kind == "email"), key=lambda one: not one.is_verified)
    address = sold.contact_email or next((one.value for one in mails), "")
    return Reader(address=address, member_id=known.member_id, language=known.profile.language) if address else None
