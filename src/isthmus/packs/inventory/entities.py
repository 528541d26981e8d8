"""What the data platform may read of inventory: stock as it is, and the movements that made it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from isthmus.kernel import Meta, Value
from isthmus.markings import Atomic, Cumulative, Dimension, Key, Measure, Ref, Time, entity


@entity("inventory.location", table="inventory.location")
class Location(Value):
    """A place that stock lies at."""

    front_end: Annotated[str, Key(), Dimension()]
    code: Annotated[str, Key()]
    name: Annotated[str, Dimension()]
    country: Annotated[str, Dimension()]
    region: Annotated[str, Dimension()]


@entity("inventory.stock", table="inventory.stock")
class Stock(Value):
    """What lies of one SKU at one place, now."""

    front_end: Annotated[str, Key(), Dimension()]
    sku: Annotated[str, Key(), Ref("catalog.sku")]
    location: Annotated[str, Key(), Ref("inventory.location")]
    on_hand: Annotated[int, Meta(ge=0), Measure(unit="unit")]
    reserved: Annotated[int, Meta(ge=0), Measure(unit="unit")]


@entity("inventory.movement", table="inventory.movement", fresh_hours=48)
class Movement(Value):
    """What came or went."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Dimension()]
    sku: Annotated[str, Ref("catalog.sku")]
    location: Annotated[str, Ref("inventory.location")]
    kind: Annotated[Literal["receive", "adjust", "count", "transfer", "ship", "restock", "write-off"], Dimension()]
    quantity: Annotated[int, Measure(unit="unit")]
    at: Annotated[datetime, Time()]
    seller: Annotated[str | None, Dimension()]  # who sold it, where that was not the owner


ENTITIES = (Location, Stock, Movement)

METRICS = (
    Atomic(name="inventory.on-hand", measure="inventory.stock.on_hand", doc="Units in stock now.", unit="unit"),
    Atomic(name="inventory.reserved", measure="inventory.stock.reserved", doc="Units held for orders.", unit="unit"),
    Atomic(name="inventory.moved", measure="inventory.movement.quantity", doc="Units in, less units out.", unit="unit"),
    Cumulative(name="inventory.stock-by-date", of="inventory.moved",
        doc="Units in stock at the end of each period, as its movements made it."),
)  # fmt: skip
