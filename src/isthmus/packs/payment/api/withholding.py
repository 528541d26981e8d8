"""What somebody else takes of a payment, as others may name it: no refund gives it again."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import Effect, Value, capability
from isthmus.values import Money

from .errors import UnknownPayment


class Withhold(Value):
    """Withhold so much of a payment from refunds, in all."""

    payment_id: UUID
    amount: Money


@capability("payment.withhold", version="1.0", effect=Effect.WRITE, raises=[UnknownPayment], is_internal=True)
def withhold(ask: Withhold) -> Withhold:
    """Withhold money from refunds that somebody else has taken, such as the payer's bank. It may be more than is left.

    What was withheld before is replaced: nothing lets all of it go.
    """
    ...
