"""Rows of shipments that forget where they went."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import ports

# What a plan was asked with is kept as a digest: of an address, who guesses it could tell that it is the one.
_FORGET = (
    """update fulfilment.shipment set sealed_address = null, address = jsonb_build_object(
           'country', address -> 'country', 'region', coalesce(address -> 'region', '""'))
       where front_end = $1 and reference = any($2) and address is not null""",
    "update fulfilment.plan set asked = '' where front_end = $1 and reference = any($2)",
    """update fulfilment.parcel set reason = '' from fulfilment.shipment
       where parcel.front_end = $1 and shipment.front_end = $1 and shipment.shipment_id = parcel.shipment_id
         and reference = any($2) and reason <> ''""",
    """update fulfilment.step set note = '' from fulfilment.shipment
       where step.front_end = $1 and shipment.front_end = $1 and shipment.shipment_id = step.shipment_id
         and reference = any($2) and note <> ''""",
)


_SHIPMENTS = "select shipment_id from fulfilment.shipment where front_end = $1 and reference = any($2) order by 1"


async def forget(session: ports.Session, front_end: str, references: Sequence[str]) -> tuple[str, ...]:
    """Take out of shipments what says whose they are, and return their ids."""
    for statement in _FORGET if references else ():
        await session.execute(statement, front_end, list(references))
    rows = await session.fetch(_SHIPMENTS, front_end, list(references))
    return tuple(str(row["shipment_id"]) for row in rows)
