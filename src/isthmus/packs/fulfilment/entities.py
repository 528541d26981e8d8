"""What the data platform may read of fulfilment: shipments with their lines, and booked windows. No address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Atomic, Count, Dimension, Key, Measure, Ratio, Ref, Time, Where, entity

Units = Annotated[int, Meta(ge=0), Measure(unit="unit")]


@entity("fulfilment.shipment", table="fulfilment.shipment", fresh_hours=96)
class Shipment(Value):
    """What leaves one location for one order."""

    front_end: Annotated[str, Key(), Dimension()]
    shipment_id: Annotated[UUID, Key()]
    location: Annotated[str, Dimension()]
    method: Annotated[str, Dimension()]
    state: Annotated[Literal["planned", "part-shipped", "shipped", "delivered", "returned", "cancelled"], Dimension()]
    slot_id: Annotated[UUID | None, Ref("fulfilment.slot")]
    promise_to: Annotated[datetime | None, Time(is_default=False, is_planned=True)]
    planned_at: Annotated[datetime, Time()]


@entity("fulfilment.shipment-line", table="fulfilment.shipment_line", time="fulfilment.shipment.planned_at")
class ShipmentLine(Value):
    """So much of one SKU in a shipment."""

    front_end: Annotated[str, Key(), Dimension()]
    shipment_id: Annotated[UUID, Key(), Ref("fulfilment.shipment")]
    line: Annotated[int, Key()]
    sku: Annotated[str, Ref("catalog.sku")]
    quantity: Units
    shipped: Units
    cancelled: Units


@entity("fulfilment.slot", table="fulfilment.slot")
class Slot(Value):
    """A window of delivery or pickup that can be booked."""

    front_end: Annotated[str, Key(), Dimension()]
    slot_id: Annotated[UUID, Key()]
    method: Annotated[str, Dimension()]
    zone: Annotated[str, Dimension()]
    capacity: Units
    booked: Units
    starts_at: Annotated[datetime, Time(is_planned=True)]


ENTITIES = (Shipment, ShipmentLine, Slot)

_STANDS = Where("fulfilment.shipment.state", "!=", "cancelled")

METRICS = (
    Count(
        name="fulfilment.shipments", of="fulfilment.shipment", where=_STANDS,
        doc="Shipments that are not cancelled.", unit="shipment",
    ),
    Count(
        name="fulfilment.delivered", of="fulfilment.shipment",
        where=Where("fulfilment.shipment.state", "=", "delivered"),
        doc="Shipments that arrived, by when they were planned.", unit="shipment",
    ),
    Atomic(name="fulfilment.units-shipped", measure="fulfilment.shipment-line.shipped", doc="Units sent.", unit="unit"),
    Atomic(
        name="fulfilment.slot-capacity", measure="fulfilment.slot.capacity",
        doc="Places in windows, by when these begin.", unit="booking",
    ),
    Atomic(
        name="fulfilment.slot-booked", measure="fulfilment.slot.booked",
        doc="Places taken in windows, by when these begin.", unit="booking",
    ),
    Ratio(
        name="fulfilment.slot-use", numerator="fulfilment.slot-booked", denominator="fulfilment.slot-capacity",
        doc="Share of the places in windows that is taken.",
    ),
)  # fmt: skip
