"""What a provider says of a chargeback is noted, and withheld from refunds, in one transaction.

a provider's notification ──▶ receive-chargeback ──▶ chargeback.note ──▶ the books, settlement, what its file is to say
                                               └──▶ payment.withhold
"""

from __future__ import annotations

from isthmus.kernel import Effect, Value, flow
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.payment import api as payment


class Disputed(Value):
    """A provider's notification of a chargeback, without its signature."""

    chargeback: chargeback.ChargebackNotice


@flow(
    "disputes.receive-chargeback",
    version="1.0",
    effect=Effect.WRITE,
    uses=[payment.get_attempt, payment.get_payment, chargeback.note, chargeback.list_chargebacks, payment.withhold],
    raises=[payment.BadNotification, payment.UnknownProvider],
)
def receive_chargeback(ask: payment.Notify) -> chargeback.Chargeback:
    """Take in what a provider says of a chargeback, as it sent it; each step counts once.

    What is taken back is gone from when it is opened, and can be given back again only once it is won.
    """
    ...
