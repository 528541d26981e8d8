"""What the data platform may read of pricing: prices as they were put, and how they ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Count, Dimension, Distinct, Key, Measure, Ref, Time, Where, entity

_Price = Measure(agg="avg", unit="minor", currency="currency")


@entity("pricing.price", table="pricing.price")
class Price(Value):
    """What so many of one SKU cost, from when to when. `amount` is for `per` units."""

    front_end: Annotated[str, Key(), Dimension()]
    price_id: Annotated[UUID, Key()]
    price_list: Annotated[str, Dimension()]
    sku: Annotated[str, Ref("catalog.sku")]
    currency: Annotated[str, Dimension()]
    location: Annotated[str, Dimension()]
    min_quantity: Annotated[int, Meta(ge=1), Dimension()]
    per: Annotated[int, Meta(ge=1), Dimension()]
    amount: Annotated[int, Meta(ge=0), _Price]
    sale_amount: Annotated[int | None, _Price]
    ended_as: Annotated[Literal["", "superseded", "withdrawn"], Dimension()]
    valid_from: Annotated[datetime, Time(is_default=False, is_planned=True)]
    put_at: Annotated[datetime, Time()]


ENTITIES = (Price,)

_LIVE = Where("pricing.price.ended_as", "=", "")

METRICS = (
    Count(name="pricing.put", of="pricing.price", doc="Prices that were put, by when.", unit="price"),
    Count(name="pricing.live", of="pricing.price", where=_LIVE, doc="Prices that hold now.", unit="price"),
    Distinct(
        name="pricing.skus-priced",
        field="pricing.price.sku",
        where=_LIVE,
        doc="SKUs that have a price now.",
        unit="SKU",
    ),
)
