"""What the data platform may read of messages: what was sent about what, and what became of it. No address, no text."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Value
from isthmus.markings import Count, Dimension, Key, Ratio, Time, Where, entity


@entity("notification.message", table="notification.message", fresh_hours=48)
class Message(Value):
    """A message to a person."""

    front_end: Annotated[str, Key(), Dimension()]
    message_id: Annotated[UUID, Key()]
    kind: Annotated[str, Dimension()]
    topic: Annotated[str, Dimension()]
    medium: Annotated[str, Dimension()]
    state: Annotated[Literal["waiting", "sent", "refused", "failed", "suppressed", "erased"], Dimension()]
    written_at: Annotated[datetime, Time()]


ENTITIES = (Message,)

METRICS = (
    Count(name="notification.messages", of="notification.message", doc="Messages to people.", unit="message"),
    Count(
        name="notification.sent", of="notification.message", where=Where("notification.message.state", "=", "sent"),
        doc="Messages that a provider has taken.", unit="message",
    ),
    Ratio(
        name="notification.sent-rate", numerator="notification.sent", denominator="notification.messages",
        doc="Share of messages that a provider has taken.",
    ),
)  # fmt: skip
