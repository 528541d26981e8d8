"""What the data platform may read of loyalty."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from isthmus.kernel import Value
from isthmus.markings import Atomic, Dimension, Key, Measure, Time, entity


@entity("loyalty.stamp", table="loyalty.stamp")
class Stamp(Value):
    """The stamps of one purchase, without its card: nobody counts by it."""

    front_end: Annotated[str, Key(), Dimension()]
    reference: Annotated[str, Key()]
    stamps: Annotated[int, Measure(unit="stamp")]
    stamped_at: Annotated[datetime, Time()]


ENTITIES = (Stamp,)
METRICS = (Atomic(name="loyalty.stamps", measure="loyalty.stamp.stamps", doc="Stamps that were given.", unit="stamp"),)
