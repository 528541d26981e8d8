"""What the data platform may read of taxes: jurisdictions, and rates as they were put."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from isthmus.kernel import Meta, Value
from isthmus.markings import Atomic, Count, Dimension, Key, Measure, Ref, Time, Where, entity


@entity("tax.jurisdiction", table="tax.jurisdiction")
class Jurisdiction(Value):
    """Where tax is owed, and how it is rounded there."""

    front_end: Annotated[str, Key(), Dimension()]
    code: Annotated[str, Key(), Dimension()]
    prices_include_tax: Annotated[bool, Dimension()]
    rounding: Annotated[Literal["half-up", "half-even", "down", "up"], Dimension()]
    put_at: Annotated[datetime, Time()]


@entity("tax.rate", table="tax.rate")
class Rate(Value):
    """So many millionths of the net, for one category of goods in one jurisdiction."""

    front_end: Annotated[str, Key(), Dimension()]
    seq: Annotated[int, Key()]
    jurisdiction: Annotated[str, Ref("tax.jurisdiction")]
    name: Annotated[str, Dimension()]
    tax_category: Annotated[str, Dimension()]
    rate_ppm: Annotated[int, Meta(ge=0), Measure(agg="max", unit="ppm")]
    valid_from: Annotated[datetime, Time(is_default=False, is_planned=True)]
    put_at: Annotated[datetime, Time()]
    superseded_at: Annotated[datetime | None, Time(is_default=False)]


ENTITIES = (Jurisdiction, Rate)

_LIVE = Where("tax.rate.superseded_at", "is null")

METRICS = (
    Count(name="tax.rates", of="tax.rate", where=_LIVE, doc="Rates that nothing has superseded.", unit="rate"),
    Atomic(name="tax.highest-rate", measure="tax.rate.rate_ppm", where=_LIVE, doc="The highest rate.", unit="ppm"),
)
