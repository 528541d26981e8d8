"""The manifest of disputes, with the condition that lies between payments and their chargebacks."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Personal, Step

from . import api, service

DISPUTES = Pack(
    name="disputes",
    owner="finance",
    api=api,
    service=(service,),
    brings=(
        Step(name="pay", calls=(), complaints=(api.receive_chargeback,)),
        Personal(because="it passes on the provider's names of payments and amounts, and no person"),
    ),
    conditions=(
        Condition(
            name="disputes.withheld-is-charged-back",
            sentence="What is withheld of a payment is what was charged back of it and not won again.",
            sql="""select payment.front_end, payment.payment_id, withheld_minor, sum(chargeback.amount_minor)
                   from payment.payment left join chargeback.chargeback
                       on chargeback.front_end = payment.front_end and chargeback.payment_id = payment.payment_id
                       and chargeback.state <> 'won'
                   group by payment.front_end, payment.payment_id, withheld_minor
                   having withheld_minor <> coalesce(sum(chargeback.amount_minor), 0) limit 20""",
        ),
    ),
)
