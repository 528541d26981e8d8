"""What the data platform may read of sync: how often two devices wrote the same unseen. No member, no value."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from isthmus.kernel import Value
from isthmus.markings import Count, Dimension, Key, Time, Where, entity


@entity("sync.conflict", table="sync.conflict")
class ConflictMet(Value):
    """What two wrote without knowing of each other. settled: `kept` or `lost`, and nothing while it is open."""

    front_end: Annotated[str, Key(), Dimension()]
    conflict_id: Annotated[int, Key()]
    collection: Annotated[str, Dimension()]
    field: Annotated[str, Dimension()]
    settled: Annotated[str, Dimension()]
    at: Annotated[datetime, Time()]


ENTITIES = (ConflictMet,)

METRICS = (
    Count(name="sync.conflicts", of="sync.conflict", doc="Fields that two devices wrote unseen.", unit="conflict"),
    Count(
        name="sync.conflicts-open", of="sync.conflict", where=Where("sync.conflict.settled", "=", ""),
        doc="Conflicts that nobody has settled.", unit="conflict",
    ),
)  # fmt: skip
