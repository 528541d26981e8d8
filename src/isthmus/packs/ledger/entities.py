"""What the data platform may read of the books: accounts, entries and legs, and the numbers made of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Value
from isthmus.markings import Atomic, Count, Dimension, Key, Measure, Ref, Time, entity


@entity("ledger.account", table="ledger.account")
class Account(Value):
    """An account of a front end's books."""

    front_end: Annotated[str, Key(), Dimension()]
    account_id: Annotated[int, Key()]
    code: Annotated[str, Dimension()]
    owner: Annotated[str, Dimension()]
    currency: Annotated[str, Dimension()]


@entity("ledger.entry", table="ledger.entry", fresh_hours=48)
class Entry(Value):
    """Something that was booked."""

    front_end: Annotated[str, Key(), Dimension()]
    entry_id: Annotated[UUID, Key()]
    reference: str
    kind: Annotated[str, Dimension()]
    state: Annotated[Literal["pending", "posted", "voided", "expired"], Dimension()]
    subject: Annotated[str, Dimension()]
    value_date: date
    booked_at: Annotated[datetime, Time()]


@entity("ledger.leg", table="ledger.leg", fresh_hours=48)
class Leg(Value):
    """What an entry does to one account: a debit is positive, a credit negative. layer `=` counts."""

    front_end: Annotated[str, Key(), Dimension()]
    entry_id: Annotated[UUID, Key(), Ref("ledger.entry")]
    leg: Annotated[int, Key()]
    layer: Annotated[str, Dimension()]
    account_id: Annotated[int, Ref("ledger.account")]
    currency: Annotated[str, Dimension()]
    amount: Annotated[int, Measure(unit="minor", currency="currency")]
    value_date: date
    booked_at: Annotated[datetime, Time()]


ENTITIES = (Account, Entry, Leg)

METRICS = (
    Count(name="ledger.entries", of="ledger.entry", doc="Entries booked, whatever became of them.", unit="entry"),
    Atomic(
        name="ledger.moved", measure="ledger.leg.amount", unit="minor",
        doc="Debits less credits, by account: zero over all accounts.",
    ),
)  # fmt: skip
