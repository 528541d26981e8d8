"""What the data platform may read of promotions: what runs, and what orders used. Coupons' codes are as good as money,
so they are marked as what nobody sees unmasked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Atomic, Count, Dimension, Key, Measure, Pii, Ref, Time, Where, entity


@entity("promotion.promotion", table="promotion.promotion")
class Promotion(Value):
    """A discount of one front end, as it is now."""

    front_end: Annotated[str, Key(), Dimension()]
    code: Annotated[str, Key(), Dimension()]
    is_running: Annotated[bool, Dimension()]
    needs_coupon: Annotated[bool, Dimension()]
    valid_from: Annotated[datetime, Time(is_planned=True)]


@entity("promotion.redemption", table="promotion.redemption")
class Redemption(Value):
    """All discounts of one order, as they were claimed."""

    front_end: Annotated[str, Key(), Dimension()]
    reference: Annotated[str, Key()]
    member_id: Annotated[UUID | None, Ref("member.membership")]
    redeemed_at: Annotated[datetime, Time()]
    returned_at: Annotated[datetime | None, Time(is_default=False)]


@entity("promotion.use", table="promotion.use", time="promotion.redemption.redeemed_at")
class Use(Value):
    """What one promotion took off one order. `extra:…` are discounts that a front end's own answer gave."""

    front_end: Annotated[str, Key(), Dimension()]
    reference: Annotated[str, Key(), Ref("promotion.redemption")]
    promotion: Annotated[str, Key(), Dimension()]
    coupon: Annotated[str, Key(), Pii("identifier")]
    currency: Annotated[str, Dimension()]
    amount: Annotated[int, Meta(ge=0), Measure(unit="minor", currency="currency")]
    returned_at: Annotated[datetime | None, Time(is_default=False)]


ENTITIES = (Promotion, Redemption, Use)

_STANDS = Where("promotion.use.returned_at", "is null")

METRICS = (
    Atomic(
        name="promotion.given", measure="promotion.use.amount", where=_STANDS,
        doc="What promotions took off orders, those given back left out.", unit="minor",
    ),
    Count(
        name="promotion.uses", of="promotion.use", where=_STANDS,
        doc="How often promotions were used, those given back left out.", unit="use",
    ),
    Count(
        name="promotion.running", of="promotion.promotion", where=Where("promotion.promotion.is_running", "=", True),
        doc="Promotions that run, by when they began.", unit="promotion",
    ),
)  # fmt: skip
