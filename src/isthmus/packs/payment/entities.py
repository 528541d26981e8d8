"""What the data platform may read of payments: payments, what money moved, and attempts. No card, no key."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Atomic, Combined, Count, Dimension, Key, Measure, Ratio, Ref, Time, Where, entity

Minor = Annotated[int, Meta(ge=0), Measure(unit="minor", currency="payment.payment.currency")]


@entity("payment.payment", table="payment.payment", fresh_hours=48)
class Payment(Value):
    """What is to be paid at once, with how much of it was held, taken and given back."""

    front_end: Annotated[str, Key(), Dimension()]
    payment_id: Annotated[UUID, Key()]
    state: Annotated[Literal["open", "authorised", "captured", "part-refunded", "refunded", "voided"], Dimension()]
    currency: Annotated[str, Dimension()]
    method: Annotated[str, Dimension()]
    provider: Annotated[str, Dimension()]
    amount_minor: Minor
    authorised_minor: Minor
    captured_minor: Minor
    refunded_minor: Minor
    opened_at: Annotated[datetime, Time()]


@entity("payment.leg", table="payment.leg", fresh_hours=96)
class Leg(Value):
    """Money that moved: taken where positive, given back where negative."""

    front_end: Annotated[str, Key(), Dimension()]
    leg_id: Annotated[UUID, Key()]
    payment_id: Annotated[UUID, Ref("payment.payment")]
    kind: Annotated[Literal["capture", "refund"], Dimension()]
    method: Annotated[str, Dimension()]
    amount_minor: Annotated[int, Measure(unit="minor", currency="payment.payment.currency")]
    at: Annotated[datetime, Time()]


@entity("payment.attempt", table="payment.attempt", fresh_hours=48)
class Attempt(Value):
    """One request to a provider, and what came of it."""

    front_end: Annotated[str, Key(), Dimension()]
    attempt_id: Annotated[UUID, Key()]
    payment_id: Annotated[UUID, Ref("payment.payment")]
    kind: Annotated[Literal["authorise", "capture", "void", "refund"], Dimension()]
    provider: Annotated[str, Dimension()]
    state: Annotated[Literal["pending", "unknown", "done", "refused"], Dimension()]
    begun_at: Annotated[datetime, Time()]


ENTITIES = (Payment, Leg, Attempt)

METRICS = (
    Count(name="payment.payments", of="payment.payment", doc="Payments opened.", unit="payment"),
    Atomic(
        name="payment.captured", measure="payment.leg.amount_minor",
        where=Where("payment.leg.kind", "=", "capture"), doc="Money taken, by when it was.", unit="minor",
    ),
    Atomic(
        name="payment.net", measure="payment.leg.amount_minor", doc="Money taken less money given back.", unit="minor"
    ),
    Combined(
        name="payment.refunded", plus=("payment.captured",), minus=("payment.net",),
        doc="Money given back, by when it was.", unit="minor",
    ),
    Count(name="payment.attempts", of="payment.attempt", doc="Requests to providers.", unit="attempt"),
    Count(
        name="payment.refused-attempts", of="payment.attempt", where=Where("payment.attempt.state", "=", "refused"),
        doc="Requests that a provider refused.", unit="attempt",
    ),
    Ratio(
        name="payment.refusal-rate", numerator="payment.refused-attempts", denominator="payment.attempts",
        doc="Share of requests that providers refused.",
    ),
)  # fmt: skip
