"""What the data platform may read of flags: who was exposed to which variant and what came of it; no name, no key."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from isthmus.kernel import Value
from isthmus.markings import Atomic, Count, Dimension, Key, Measure, Ratio, Ref, Time, entity


@entity("flags.exposure", table="flags.exposure")
class Exposure(Value):
    """Somebody who met a variant of an experiment, first of all. subject: a hash, which names nobody."""

    front_end: Annotated[str, Key(), Dimension()]
    flag: Annotated[str, Key(), Dimension()]
    experiment: Annotated[str, Key(), Dimension()]
    subject: Annotated[str, Key()]
    variant: Annotated[str, Dimension()]
    exposed_at: Annotated[datetime, Time()]


@entity("flags.outcome", table="flags.outcome")
class Outcome(Value):
    """An event that an experiment counts, of somebody who met it before. value: 1, or the amount that it compares."""

    front_end: Annotated[str, Key(), Dimension()]
    flag: Annotated[str, Key(), Dimension()]
    experiment: Annotated[str, Key(), Dimension()]
    event_id: Annotated[str, Key()]
    subject: Annotated[str, Ref("flags.exposure", also=("flag", "experiment"))]
    variant: Annotated[str, Dimension()]
    value: Annotated[float, Measure(unit="value")]
    happened_at: Annotated[datetime, Time()]


ENTITIES = (Exposure, Outcome)

METRICS = (
    Count(name="flags.exposures", of="flags.exposure", doc="Who met a variant of an experiment.", unit="subject"),
    Count(name="flags.outcomes", of="flags.outcome", doc="Events that experiments count.", unit="event"),
    Atomic(
        name="flags.outcome-value", measure="flags.outcome.value", doc="What outcomes of experiments add up to.",
        unit="value",
    ),
    Ratio(
        name="flags.outcomes-each", numerator="flags.outcomes", denominator="flags.exposures",
        doc="Outcomes for each who met the variant.",
    ),
)  # fmt: skip
