"""What the data platform may read of settlements: what is due, and what was paid. No bank account."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Value
from isthmus.markings import Atomic, Dimension, Key, Measure, Time, Where, entity


@entity("settlement.settlement", table="settlement.settlement", fresh_hours=48)
class Settlement(Value):
    """A settlement with a payee."""

    front_end: Annotated[str, Key(), Dimension()]
    settlement_id: Annotated[UUID, Key()]
    payee: Annotated[str, Dimension()]
    currency: Annotated[str, Dimension()]
    cut_off: date
    state: Annotated[Literal["prepared", "approved", "sent", "returned", "cancelled"], Dimension()]
    payout_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    fee_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    prepared_at: Annotated[datetime, Time()]


@entity("settlement.item", table="settlement.item", fresh_hours=48)
class Item(Value):
    """What one line made due."""

    front_end: Annotated[str, Key(), Dimension()]
    reference: Annotated[str, Key()]
    payee: Annotated[str, Dimension()]
    kind: Annotated[str, Dimension()]
    subject: str
    currency: Annotated[str, Dimension()]
    amount_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    commission_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    happened_at: Annotated[datetime, Time()]


ENTITIES = (Settlement, Item)

METRICS = (
    Atomic(
        name="settlement.due", measure="settlement.item.amount_minor", unit="minor",
        doc="What became due to payees, less what went back.",
    ),
    Atomic(
        name="settlement.paid-out", measure="settlement.settlement.payout_minor", unit="minor",
        where=Where("settlement.settlement.state", "=", "sent"), doc="Payouts that were sent and did not come back.",
    ),
)  # fmt: skip
