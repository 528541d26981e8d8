"""What the data platform may read of ventures: what they sold, beside what front ends sold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from isthmus.kernel import Value
from isthmus.markings import AllOf, Atomic, Combined, Count, Dimension, Distinct, Key, Measure, Pii, Time, Where, entity


@entity("venture.sale", table="venture.sale")
class Sale(Value):
    """What a venture sold, or what went back: then it is negative."""

    front_end: Annotated[str, Key(), Dimension()]
    sale_id: Annotated[str, Key()]
    kind: Annotated[Literal["sale", "refund"], Dimension()]
    order_id: str
    member: Annotated[str, Pii("identifier")]
    item: Annotated[str, Dimension()]
    currency: Annotated[str, Dimension()]
    net_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    tax_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    sold_at: Annotated[datetime, Time()]


ENTITIES = (Sale,)

METRICS = (
    Atomic(
        name="venture.net-sales", measure="venture.sale.net_minor", unit="minor",
        doc="What ventures sold, without tax, less what went back.",
    ),
    Atomic(
        name="venture.tax", measure="venture.sale.tax_minor", unit="minor",
        doc="Tax on what ventures sold, less tax on what went back.",
    ),
    Combined(
        name="venture.gross-sales", plus=("venture.net-sales", "venture.tax"), unit="minor",
        doc="What buyers of ventures paid, with tax, less what went back.",
    ),
    Distinct(
        name="venture.buyers", field="venture.sale.member", unit="member",
        where=AllOf((Where("venture.sale.kind", "=", "sale"), Where("venture.sale.member", "!=", ""))),
        doc="Members who bought at ventures; who never signed in there is not known apart.",
    ),
    Count(
        name="venture.sales", of="venture.sale", unit="order", where=Where("venture.sale.kind", "=", "sale"),
        doc="Orders that ventures took.",
    ),
)  # fmt: skip
