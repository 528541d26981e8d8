"""The manifest of matching."""

from typing import Final

from isthmus.kernel import Pack
from isthmus.language import mark
from isthmus.manifest import After, Job, Personal
from isthmus.packs.payment import api as payment

from . import api, rules, service

SHOWN: Final = (  # kinds of entries, as pages show them
    *(mark("provider payout"), mark("provider fees"), mark("difference resolved")),
)

MATCHING = Pack(
    name="matching",
    owner="finance",
    api=api,
    service=(service,),
    brings=(
        Personal(because="it passes on keys of payments and amounts, and no person"),
        # of servers that still moved payments without noting it; since 1.1 it is noted where a payment moves
        Job(
            name="matching.expect-payment",
            when=After(event=payment.PaymentMoved, days=0, only=rules.is_expected, below="1.1"),
            calls=api.expect_payment,
        ),
    ),
)
