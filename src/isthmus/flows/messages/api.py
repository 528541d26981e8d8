"""Messages to buyers: what happens to an order, its parcels and its returns is written to whom it is for.

Each is caused by an event, once for it, and goes to the address of the order, else to the member's own. The front end
writes the words (`notification.compose`); what comes without them is short, in the member's language or the front end's
(its setting `language`) where the platform speaks it, else in English. By default these are sent:

    order.placed  order.paid  order.cancelled  order.expired
    parcel.shipped  parcel.delivered
    return.approved  return.rejected  return.refunded

All other states come with an empty text, which a front end may fill.
"""

from __future__ import annotations

from isthmus.kernel import Effect, Value, errors, flow
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order

LANGUAGE = "language"  # the setting that says what a front end writes in to who has said nothing, such as "zh-CN"


class Notified(Value):
    """The messages that were written down; none where nobody has an address."""

    messages: tuple[notification.Message, ...] = ()


class NotAnEvent(errors.NotPermitted):
    """Only the platform says that something happened."""

    slug = "messages.not-an-event"

    def __init__(self) -> None:
        super().__init__(
            "messages to buyers follow from events, and this call is none",
            remedy="cause what the message is about, or send one of your own with notification.send",
        )


_USES = (order.get_order, member.get_member, notification.send)


@flow("messages.notify-order-placed", version="1.0", effect=Effect.WRITE, uses=_USES, raises=[NotAnEvent])
def notify_order_placed(ask: order.OrderPlaced) -> Notified:
    """Write to a buyer that an order was placed, with its lines."""
    ...


@flow("messages.notify-order-moved", version="1.0", effect=Effect.WRITE, uses=_USES, raises=[NotAnEvent])
def notify_order_moved(ask: order.OrderMoved) -> Notified:
    """Write to a buyer that an order was paid, or will not come."""
    ...


@flow("messages.notify-parcel-moved", version="1.0", effect=Effect.WRITE, uses=_USES, raises=[NotAnEvent])
def notify_parcel_moved(ask: fulfilment.ParcelMoved) -> Notified:
    """Write to a buyer that a parcel is on its way, with carrier and tracking, or has come."""
    ...


@flow("messages.notify-return-moved", version="1.0", effect=Effect.WRITE, uses=_USES, raises=[NotAnEvent])
def notify_return_moved(ask: order.ReturnMoved) -> Notified:
    """Write to a buyer what becomes of a return."""
    ...


@flow(
    "messages.forget-member",
    version="1.0",
    effect=Effect.WRITE,
    uses=[notification.erase_address],
    is_internal=True,
)
def forget_member(ask: member.MemberErased) -> notification.AddressForgotten:
    """Forget where a member got messages, in the transaction that erases them: what waits is not sent any more."""
    ...
