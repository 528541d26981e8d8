"""The manifest of renewals."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Every, Job, Personal

from . import api, service

RENEWALS = Pack(
    name="renewals",
    owner="growth",
    api=api,
    service=(service,),
    brings=(
        Personal(
            because="it is passed on to the packs that keep it",
            purposes={
                "email": "to confirm each order",
                "address": "to send each order",
                "name": "to address each parcel",
                "phone": "for the carrier to reach who receives the parcel",
                "identifier": "to pay each order with what the member chose",
                "free-text": "to say why a period was left out",
            },
        ),
        # an order is placed, and its payment tried, at most so much later than it is due
        Job(name="renewals.place-due", when=Every(seconds=30), calls=api.place_due),
        Job(name="renewals.pay-due", when=Every(seconds=30), calls=api.pay_due),
    ),
    conditions=(
        Condition(
            name="renewals.a-period-has-one-order",
            sentence="Each period that was ordered has an order that is there, and no two have the same.",
            sql="""select front_end, subscription_id, due_at, group_id from subscription.period
                   where group_id is not null and not exists (
                        select from "order".orders where orders.front_end = period.front_end
                        and orders.group_id = period.group_id)""",
        ),
    ),
)
