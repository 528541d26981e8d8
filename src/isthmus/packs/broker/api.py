"""The broker, as others may name it: what an outside system said, taken in once.

    isthmus.event ──outlet──▶ stream of the platform ──▶ consumers outside
    streams of others ──outlet──▶ broker.take ──▶ broker.outside-event ──▶ subscribers of the front end

Where the settings name no broker nothing of this runs, and everything else works as it does with one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.markings import Pii

TEXT_MAX = 512
DATA_MAX = 262_144  # characters; a broker lets through 1 MB by default

Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]


class OutsideEventDraft(Value):
    """What an outside system said, as CloudEvents 1.0 names its parts. data: its JSON, as text."""

    id: Text
    source: Text
    type: Text
    subject: Annotated[str, Meta(max_length=TEXT_MAX)] = ""
    time: datetime | None = None
    data: Annotated[str, Meta(max_length=DATA_MAX), Pii("free-text")] = "null"


class Taken(Value):
    """That it is taken in."""

    id: str


@event("broker.outside-event", version="1.0", subject="subject")
class OutsideEvent(Value):
    """An outside system said something. The same `source` and `id` come once. data: its JSON, as text."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime | None
    data: Annotated[str, Pii("free-text")]


@capability("broker.take", version="1.0", effect=Effect.WRITE)
def take(ask: OutsideEventDraft) -> Taken:
    """Take in what an outside system said, for the subscribers of this front end."""
    ...
