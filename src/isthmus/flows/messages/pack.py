"""The manifest of messages to buyers."""

from isthmus.kernel import Pack
from isthmus.manifest import After, Job, Personal
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.order import api as order

from . import api, service

MESSAGES = Pack(
    name="messages",
    owner="notifications",
    api=api,
    service=(service,),
    brings=(
        Personal(
            because="it is passed on to the packs that keep it",
            purposes={
                "identifier": "to write to who ordered",
                "free-text": "to say in the message what happened to the order",
            },
        ),
        Job(name="messages.order-placed", when=After(event=order.OrderPlaced, days=0), calls=api.notify_order_placed),
        Job(name="messages.order-moved", when=After(event=order.OrderMoved, days=0), calls=api.notify_order_moved),
        Job(
            name="messages.parcel-moved",
            when=After(event=fulfilment.ParcelMoved, days=0),
            calls=api.notify_parcel_moved,
        ),
        Job(name="messages.return-moved", when=After(event=order.ReturnMoved, days=0), calls=api.notify_return_moved),
    ),
)
