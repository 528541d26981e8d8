"""The manifest of matching."""

from isthmus.kernel import Pack
from isthmus.manifest import After, Job, Personal
from isthmus.packs.payment import api as payment

from . import api, rules, service

MATCHING = Pack(
    name="matching",
    owner="finance",
    api=api,
    service=(service,),
    brings=(
        Personal(because="it passes on keys of payments and amounts, and no person"),
        # after the commit: who pays does not wait for it
        Job(
            name="matching.expect-payment",
            when=After(event=payment.PaymentMoved, days=0, only=rules.is_expected),
            calls=api.expect_payment,
        ),
    ),
)
