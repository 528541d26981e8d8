"""Shipments and their parcels, as others may name them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, event, extension_point
from isthmus.markings import Pii
from isthmus.values import LINES_MAX, ORDER_KIND, Address, Code, Lines, PageSize, Quantity, Serials, Sku

from .delivery import BadCursor, Count, Moment, Reference, UnknownSlot
from .errors import IllegalStep, LeftAlready, OverShip, ParcelDiffers, PlannedOtherwise, UnknownParcel, UnknownShipment


class ParcelState(enum.StrEnum):
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    FAILED = "failed"
    RETURNED = "returned"


class ShipmentState(enum.StrEnum):
    PLANNED = "planned"
    PART_SHIPPED = "part-shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class PlanLine(Value):
    """Goods that leave a location."""

    sku: Sku
    quantity: Quantity
    location: Code
    attributes: dict[str, str] = {}


class Plan(Value):
    """Plan the shipments of an order. A reference is planned once."""

    reference: Reference
    lines: Annotated[tuple[PlanLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    method: Code
    address: Address | None = None  # None: picked up, or taken along
    slot_id: UUID | None = None
    promise_from: Moment | None = None
    promise_to: Moment | None = None
    order_kind: str = "standard"
    channel: str = "online"


class ShipmentLine(Value):
    """What a shipment has of one line of the order."""

    line: int
    sku: Sku
    quantity: Quantity
    packed: Count = 0  # in parcels, whether they have left or not
    shipped: Count = 0
    cancelled: Count = 0


class ParcelLine(Value):
    """So much of an order's line in a parcel."""

    line: int
    sku: Sku
    quantity: Quantity


class Parcel(Value):
    """Goods that travel together. It has a carrier if and only if it has left."""

    parcel: Code
    state: ParcelState
    lines: tuple[ParcelLine, ...]
    carrier: str | None = None
    tracking: str | None = None
    reason: Annotated[str, Pii("free-text")] = ""  # of a failure
    attempts: int = 0
    serials: Serials = ()  # the units in it, where the goods have numbers


class Shipment(Value):
    """What leaves one place for one order, and how it stands."""

    shipment_id: UUID
    reference: Reference
    part: str  # what `shipment_key` said: a location, or cold goods of it
    location: Code
    method: Code
    state: ShipmentState
    lines: tuple[ShipmentLine, ...]
    parcels: tuple[Parcel, ...]
    planned_at: Moment
    address: Annotated[Address | None, Pii("address")] = None
    slot_id: UUID | None = None
    promise_from: Moment | None = None
    promise_to: Moment | None = None


class Planned(Value):
    """The shipments of a reference."""

    reference: Reference
    shipments: tuple[Shipment, ...]


class Pack(Value):
    """Put goods of a shipment into a new parcel: all that is left, or so much of these lines."""

    shipment_id: UUID
    parcel: Code = "1"
    lines: Lines | None = None


class Ship(Value):
    """Hand a parcel to a carrier; one that is not packed yet is packed by it."""

    shipment_id: UUID
    parcel: Code = "1"
    carrier: Code
    tracking: Annotated[str, Meta(max_length=64)] = ""
    lines: Lines | None = None  # of a new parcel; None: all that is left
    serials: Serials = ()  # the units in it, where the goods have numbers


class Deliver(Value):
    """Record that a parcel has arrived."""

    shipment_id: UUID
    parcel: Code = "1"


class Fail(Value):
    """Record that a parcel could not be delivered."""

    shipment_id: UUID
    parcel: Code = "1"
    reason: Annotated[str, Pii("free-text"), Meta(min_length=1, max_length=240)]


class TakeBack(Value):
    """Record that a parcel which could not be delivered is back."""

    shipment_id: UUID
    parcel: Code = "1"


class Cancel(Value):
    """Cancel what of a reference is not in a parcel yet: all of it, or so much of these lines."""

    reference: Reference
    lines: Lines | None = None


class Redirect(Value):
    """Send what of a reference has not left yet to another address."""

    reference: Reference
    address: Annotated[Address, Pii("address")]


class GetShipment(Value):
    """Ask for one shipment."""

    shipment_id: UUID


class ListShipments(Value):
    """Ask for shipments, the latest planned first."""

    reference: Reference | None = None
    state: ShipmentState | None = None
    location: Code | None = None
    limit: PageSize = 50
    cursor: str | None = None


class ShipmentPage(Value):
    """Shipments, and how to ask for the next."""

    items: tuple[Shipment, ...]
    next_cursor: str | None


class ListSteps(Value):
    """Ask what happened to a shipment."""

    shipment_id: UUID


class Step(Value):
    """What happened, when, and by which client; `parcel` is empty where it was the whole shipment."""

    parcel: str
    state: str
    at: Moment
    by: str
    note: Annotated[str, Pii("free-text")] = ""


class Steps(Value):
    """All steps of a shipment, in their order."""

    items: tuple[Step, ...]


@event("fulfilment.shipments-planned", version="1.0", subject="reference")
class ShipmentsPlanned(Value):
    """The shipments of an order are planned."""

    reference: Reference
    shipments: tuple[UUID, ...]


@event("fulfilment.parcel-moved", version="1.0", subject="reference")
class ParcelMoved(Value):
    """A parcel of a shipment has reached a state."""

    reference: Reference
    shipment_id: UUID
    parcel: Code
    state: ParcelState
    shipment_state: ShipmentState
    lines: tuple[ParcelLine, ...]
    carrier: str | None = None
    tracking: str | None = None
    serials: Serials = ()


@event("fulfilment.shipments-cancelled", version="1.0", subject="reference")
class ShipmentsCancelled(Value):
    """Goods of an order will not be shipped."""

    reference: Reference
    lines: tuple[ParcelLine, ...]


@extension_point("fulfilment.shipment-key", combine=combine.first_answer, per_line=True, dimensions=[ORDER_KIND])
def shipment_key(lines: Sequence[PlanLine]) -> Sequence[str | Pass]:
    """Say for each line which shipment it travels in: lines of one location with equal keys travel together.

    Unless the front end says otherwise, each location sends one shipment; cold goods can be kept apart here.
    """
    return [""] * len(lines)


@capability("fulfilment.plan", version="1.0", effect=Effect.WRITE, raises=[PlannedOtherwise, UnknownSlot])
def plan(ask: Plan) -> Planned:
    """Plan the shipments of an order: one for each location, and for each key within it.

    A reference is planned once: the same ask again gets the shipments as they stand now.
    """
    ...


@capability("fulfilment.pack", version="1.0", effect=Effect.WRITE, raises=[UnknownShipment, OverShip, ParcelDiffers])
def pack(ask: Pack) -> Shipment:
    """Put goods into a new parcel. The same parcel again stays as it is; other goods in it are refused."""
    ...


@capability(
    "fulfilment.ship",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownShipment, OverShip, ParcelDiffers, IllegalStep],
)
def ship(ask: Ship) -> Shipment:
    """Hand a parcel to a carrier. A parcel that failed can be shipped again, by any carrier.

    The same ask again changes nothing.
    """
    ...


@capability(
    "fulfilment.deliver", version="1.0", effect=Effect.WRITE, raises=[UnknownShipment, UnknownParcel, IllegalStep]
)
def deliver(ask: Deliver) -> Shipment:
    """Record that a parcel has arrived; only one that was shipped can. Safe to repeat."""
    ...


@capability("fulfilment.fail", version="1.0", effect=Effect.WRITE, raises=[UnknownShipment, UnknownParcel, IllegalStep])
def fail(ask: Fail) -> Shipment:
    """Record that a parcel could not be delivered: it can be shipped again, or taken back. Safe to repeat."""
    ...


@capability(
    "fulfilment.take-back", version="1.0", effect=Effect.WRITE, raises=[UnknownShipment, UnknownParcel, IllegalStep]
)
def take_back(ask: TakeBack) -> Shipment:
    """Record that a parcel is back where it came from. Safe to repeat."""
    ...


@capability("fulfilment.cancel", version="1.0", effect=Effect.WRITE, raises=[UnknownShipment, OverShip])
def cancel(ask: Cancel) -> Planned:
    """Cancel what is in no parcel yet. Cancelling all is safe to repeat; what has left stays on its way."""
    ...


@capability(
    "fulfilment.redirect",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownShipment, LeftAlready],
    is_internal=True,
)
def redirect(ask: Redirect) -> Planned:
    """Send what has not left yet to another address; what has left goes where it was sent. Safe to repeat."""
    ...


@capability("fulfilment.get-shipment", version="1.0", effect=Effect.READ, raises=[UnknownShipment])
def get_shipment(ask: GetShipment) -> Shipment:
    """Return a shipment with its lines and parcels."""
    ...


@capability("fulfilment.list-shipments", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_shipments(ask: ListShipments) -> ShipmentPage:
    """List shipments, the latest planned first."""
    ...


@capability("fulfilment.list-steps", version="1.0", effect=Effect.READ, raises=[UnknownShipment])
def list_steps(ask: ListSteps) -> Steps:
    """Return who did what to a shipment, and when."""
    ...
