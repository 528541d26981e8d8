"""What the data platform may read of messaging: what was pushed, and what came of it. No member, no words."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from isthmus.kernel import Value
from isthmus.markings import Count, Dimension, Key, Ratio, Ref, Time, Where, entity


@entity("messaging.message", table="messaging.message")
class Message(Value):
    """A message in an inbox. purpose: what it is for, as members consent to it."""

    front_end: Annotated[str, Key(), Dimension()]
    message_id: Annotated[UUID, Key()]
    purpose: Annotated[str, Dimension()]
    made_at: Annotated[datetime, Time()]


@entity("messaging.delivery", table="messaging.delivery")
class Delivery(Value):
    """A push of a message to one device. receipt: what the app said of it: shown, opened, or nothing."""

    front_end: Annotated[str, Key(), Dimension()]
    message_id: Annotated[UUID, Key(), Ref("messaging.message")]
    endpoint_id: Annotated[UUID, Key()]
    state: Annotated[str, Dimension()]
    receipt: Annotated[str, Dimension()]
    due_at: Annotated[datetime, Time()]


ENTITIES = (Message, Delivery)

METRICS = (
    Count(name="messaging.messages", of="messaging.message", doc="Messages in inboxes.", unit="message"),
    Count(name="messaging.pushes", of="messaging.delivery", doc="Pushes, one for each device.", unit="push"),
    Count(
        name="messaging.pushes-sent", of="messaging.delivery", where=Where("messaging.delivery.state", "=", "sent"),
        doc="Pushes that a push service has taken.", unit="push",
    ),
    Count(
        name="messaging.pushes-opened", of="messaging.delivery",
        where=Where("messaging.delivery.receipt", "=", "opened"), doc="Pushes that somebody has opened.", unit="push",
    ),
    Ratio(
        name="messaging.open-rate", numerator="messaging.pushes-opened", denominator="messaging.pushes-sent",
        doc="Share of the pushes that were taken that somebody has opened.",
    ),
)  # fmt: skip
