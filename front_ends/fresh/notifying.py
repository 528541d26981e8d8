"""What the grocer's app hears of a delivery: when the van comes, once it is paid for, and that it is on its way."""

from __future__ import annotations

from isthmus.kernel import Context, Effect, Value, flow, implements
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.messaging import api as messaging
from isthmus.packs.order import api as order
from isthmus.packs.order.api import OrderState

PURPOSE = "delivery"  # as members consent to it in the app
KEPT_HOURS = 72  # slots are opened for the next days


class SlotNotice(Value):
    """Whether anything was said."""

    is_said: bool


@flow(
    "fresh.notify-of-slot",
    version="1.0",
    effect=Effect.WRITE,
    uses=[order.get_order, fulfilment.get_booking, messaging.notify],
)
def notify_of_slot(ask: order.OrderMoved) -> SlotNotice:
    """Say to whoever has ordered for a slot when the van comes, and that it is on its way; each once for an order."""
    ...


@implements(notify_of_slot)
async def notify(ask: order.OrderMoved, ctx: Context) -> SlotNotice:
    if ask.state not in (OrderState.PAID, OrderState.SHIPPED):
        return SlotNotice(is_said=False)
    sold = await ctx.call(order.get_order, order.GetOrder(order_id=ask.order_id))
    if sold.member_id is None or sold.delivery_method != "van":
        return SlotNotice(is_said=False)
    asked = fulfilment.GetBooking(reference=str(ask.group_id))
    try:
        slot = await ctx.call(fulfilment.get_booking, asked)
    except fulfilment.NothingBooked:  # given back meanwhile
        return SlotNotice(is_said=False)
    said = messaging.Notify(
        member_id=sold.member_id,
        reference=f"slot/{ask.group_id}/{ask.state}",
        draft=messaging.Draft(
            purpose=PURPOSE,
            title="Your delivery is booked" if ask.state is OrderState.PAID else "Your delivery is on its way",
            body=f"Order {sold.number}: {window(slot)}",
            link=f"/orders/{ask.order_id}",
            collapse_key=ask.group_id.hex,
            ttl_hours=KEPT_HOURS,
        ),
    )
    await ctx.call(messaging.notify, said)
    return SlotNotice(is_said=True)


def window(slot: fulfilment.SlotBooking) -> str:
    """Say when a slot is, as pages of the shop do: `Monday 6 May, 12:00 to 14:00 UTC`."""
    return f"{slot.starts_at:%A} {slot.starts_at.day} {slot.starts_at:%B, %H:%M} to {slot.ends_at:%H:%M} UTC"
