"""The manifest of invoices of orders."""

from isthmus.kernel import Pack
from isthmus.manifest import After, Job, Personal
from isthmus.packs.order import api as order

from . import api, rules, service

INVOICES = Pack(
    name="invoices",
    owner="finance",
    api=api,
    service=(service,),
    brings=(
        Personal(
            because="it is passed on to invoicing, which keeps it as the law says",
            purposes={
                "name": "an invoice has to name who buys",
                "address": "an invoice has to say where who buys is",
                "identifier": "an invoice to a business has its VAT id",
                "email": "to send the invoice",
                "free-text": "to know from a note what has to be invoiced",
            },
        ),
        # after the commit: who sends goods does not wait for a number
        Job(
            name="invoices.order-moved",
            when=After(event=order.OrderMoved, days=0, only=rules.is_invoiced),
            calls=api.order_moved,
        ),
        Job(
            name="invoices.return-moved",
            when=After(event=order.ReturnMoved, days=0, only=rules.is_credited),
            calls=api.return_moved,
        ),
    ),
)
