"""What the data platform may read of invoices: amounts, tax, and no buyer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Value
from isthmus.markings import Atomic, Dimension, Key, Measure, Time, Where, entity


@entity("invoicing.invoice", table="invoicing.invoice", fresh_hours=48)
class Invoice(Value):
    """An invoice or a credit note."""

    front_end: Annotated[str, Key(), Dimension()]
    invoice_id: Annotated[UUID, Key()]
    entity: Annotated[str, Dimension()]
    number: str
    kind: Annotated[Literal["invoice", "credit-note"], Dimension()]
    currency: Annotated[str, Dimension()]
    net_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    tax_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    gross_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    issued_on: date
    issued_at: Annotated[datetime, Time()]


ENTITIES = (Invoice,)

METRICS = (
    Atomic(
        name="invoicing.invoiced", measure="invoicing.invoice.net_minor", unit="minor",
        where=Where("invoicing.invoice.kind", "=", "invoice"), doc="What was invoiced, without tax.",
    ),
    Atomic(
        name="invoicing.credited", measure="invoicing.invoice.net_minor", unit="minor",
        where=Where("invoicing.invoice.kind", "=", "credit-note"), doc="What credit notes took back, without tax.",
    ),
)  # fmt: skip
