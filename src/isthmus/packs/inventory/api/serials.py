"""Serial numbers, as others may name them: goods of which each unit is told apart from the others.

    unit:  receive ──▶ stocked ──hold──▶ held ──ship──▶ shipped ──restock──▶ stocked
                          └──────────────ship─────────────┘
           stocked ──adjust──▶ gone

Units with a number are parts of a stock: what has none is the rest of it. A shipment takes the units that its
reservation holds by number, then those that came in first. Of lent stock the owner sees which unit went and who sold
it, and who sold it sees for which order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import SERIALS_MAX, Code, Moment, PageSize, Serial, SerialNumber, Sku

from .errors import BadCursor, SerialNotThere, TooManySerials
from .stock import Reference

SerialState = Literal["stocked", "held", "shipped", "gone"]


class HoldSerials(Value):
    """Hold units by their numbers for what a reservation holds: somebody chose them, or they lie in the parcel."""

    reference: Reference
    serials: Annotated[tuple[SerialNumber, ...], Meta(min_length=1, max_length=SERIALS_MAX)]


class SerialsHeld(Value):
    """All units that the reservation holds by number."""

    serials: tuple[SerialNumber, ...]


class ListSerials(Value):
    """Ask for the front end's own units by number, in the order of SKU and number."""

    sku: Sku | None = None
    location: Code | None = None
    state: SerialState | None = None
    limit: PageSize = 50
    cursor: str | None = None


class SerialAt(Value):
    """A unit, where it lies or last lay, and who holds or sold it."""

    sku: Sku
    serial: Serial
    location: Code
    state: SerialState
    seller: str | None
    came_at: Moment


class SerialPage(Value):
    """Units, and how to ask for the next."""

    items: tuple[SerialAt, ...]
    next_cursor: str | None


class ListSerialSteps(Value):
    """Ask what happened to a unit, or which units went for a reference; the latest first."""

    sku: Sku | None = None
    serial: Serial | None = None
    reference: Reference | None = None
    limit: PageSize = 50


class SerialStep(Value):
    """What happened to a unit. Of another's, and for its owner, only what is theirs to know: no reference."""

    sku: Sku
    serial: Serial
    kind: str
    location: Code
    reference: str
    seller: str | None
    at: Moment


class SerialSteps(Value):
    """What happened, the latest first."""

    items: tuple[SerialStep, ...]


def repeated(serials: Sequence[SerialNumber]) -> int | None:
    """Return the place of the first unit that is named a second time."""
    seen: set[tuple[str, str]] = set()
    for at, one in enumerate(serials):
        if (one.sku, one.serial) in seen:
            return at
        seen.add((one.sku, one.serial))
    return None


@capability("inventory.hold-serials", version="1.0", effect=Effect.WRITE, raises=[SerialNotThere, TooManySerials])
def hold_serials(ask: HoldSerials) -> SerialsHeld:
    """Hold units by their numbers for a reservation, all or none: they are shipped for it and for nobody else.

    No more than it holds of the goods at their place, of own stock and of lent stock. Released with it. Safe to repeat.
    """
    ...


@capability("inventory.list-serials", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_serials(ask: ListSerials) -> SerialPage:
    """List the front end's own units that have numbers, with where they are and who sold them."""
    ...


@capability("inventory.list-serial-steps", version="1.0", effect=Effect.READ)
def list_serial_steps(ask: ListSerialSteps) -> SerialSteps:
    """List what happened to a unit, or which units went for a reservation's reference, such as an order group."""
    ...
