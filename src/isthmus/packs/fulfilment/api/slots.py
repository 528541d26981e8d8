"""Fulfilment's api of slots: time windows with room for so many deliveries. Named through `fulfilment.api`.

book-slot ──▶ booked ──release-slot──▶ released ──book-slot──▶ booked
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.values import Code, PageSize

from .delivery import BadCursor, Count, Fee, Moment, Reference, SlotClosed, SlotFull, UnknownMethod, UnknownSlot

SLOTS_MAX = 1_000  # of one ask


class NewSlot(Value):
    """A time window with room for so many deliveries of a method."""

    method: Code
    starts_at: Moment
    ends_at: Moment
    capacity: Count
    zone: Annotated[str, Meta(max_length=64, description="for people and answers; empty: everywhere")] = ""
    closes_at: Moment | None = None  # None: when it starts
    fee_minor: Fee = 0  # on top of the method's, in the currency of the quote


class OpenSlots(Value):
    """Open slots, or change the capacity, closing and fee of those of the same method, zone and start."""

    items: Annotated[tuple[NewSlot, ...], Meta(min_length=1, max_length=SLOTS_MAX)]


class Slot(Value):
    """A slot, and how much of it is taken."""

    slot_id: UUID
    method: Code
    zone: str
    starts_at: Moment
    ends_at: Moment
    closes_at: Moment
    capacity: Count
    booked: Count
    fee_minor: Fee

    @property
    def room(self) -> int:
        return self.capacity - self.booked


class SlotsOpened(Value):
    """The slots as they stand now, in the order of the ask."""

    items: tuple[Slot, ...]


class ListSlots(Value):
    """Ask for slots in the order of their start."""

    method: Code | None = None
    zone: Annotated[str, Meta(max_length=64)] | None = None
    starts_from: Moment | None = None  # None: now
    starts_before: Moment | None = None
    only_with_room: bool = True
    limit: PageSize = 50
    cursor: str | None = None


class SlotPage(Value):
    """Slots, and how to ask for the next."""

    items: tuple[Slot, ...]
    next_cursor: str | None


class BookSlot(Value):
    """Take room in a slot for a reference."""

    reference: Reference
    slot_id: UUID
    units: Annotated[int, Meta(ge=1, le=1_000)] = 1


class SlotBooking(Value):
    """The room that a reference has taken."""

    reference: Reference
    slot_id: UUID
    units: int
    starts_at: Moment
    ends_at: Moment


class ReleaseSlot(Value):
    """Give back the room that a reference has taken."""

    reference: Reference


class GetBooking(Value):
    """Ask what room a reference holds."""

    reference: Reference


class SlotReleased(Value):
    """The slot that has room again; none where the reference held none."""

    reference: Reference
    slot_id: UUID | None


@event("fulfilment.slot-booked", version="1.0", subject="reference")
class SlotBooked(Value):
    """A reference has taken room in a slot."""

    reference: Reference
    slot_id: UUID
    units: int


class OtherSlotBooked(errors.Conflict):
    """The reference has booked something else already."""

    slug = "fulfilment.other-slot-booked"

    def __init__(self, *, reference: str, slot_id: UUID, units: int) -> None:
        super().__init__(
            f"{reference!r} has already booked {units} in slot {slot_id}",
            remedy="release it with fulfilment.release-slot, then book again",
            path="$.reference",
        )


class NothingBooked(errors.NotFound):
    """The reference holds no room in any slot."""

    slug = "fulfilment.nothing-booked"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"{reference!r} holds no room in a slot",
            remedy="book it with fulfilment.book-slot, or ask for the group of an order that comes in a slot",
            path="$.reference",
        )


class SlotTaken(errors.Conflict):
    """More room is booked in the slot than its new capacity has."""

    slug = "fulfilment.slot-taken"

    def __init__(self, *, booked: int, capacity: int, path: str) -> None:
        super().__init__(
            f"{booked} are booked in the slot, more than the {capacity} that it shall have room for",
            remedy="keep the capacity at what is booked or more, or release bookings first",
            path=path,
        )


class BadWindow(errors.BadAsk):
    """A slot ends before it starts, or closes after it has ended."""

    slug = "fulfilment.bad-window"

    def __init__(self, *, path: str) -> None:
        super().__init__(
            "a slot ends after it starts, and closes before it ends",
            remedy="fix starts_at, ends_at and closes_at",
            path=path,
        )


@capability("fulfilment.open-slots", version="1.0", effect=Effect.WRITE, raises=[UnknownMethod, SlotTaken, BadWindow])
def open_slots(ask: OpenSlots) -> SlotsOpened:
    """Open slots, or change those that are open. What is booked stays booked."""
    ...


@capability("fulfilment.list-slots", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_slots(ask: ListSlots) -> SlotPage:
    """List slots in the order of their start; only those that can still be booked, unless asked otherwise."""
    ...


@capability(
    "fulfilment.book-slot",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownSlot, SlotFull, SlotClosed, OtherSlotBooked],
)
def book_slot(ask: BookSlot) -> SlotBooking:
    """Take room in a slot. However many ask at once, no more is booked than there is room for.

    A reference books once: the same ask again gets the same booking.
    """
    ...


@capability("fulfilment.get-booking", version="1.0", effect=Effect.READ, raises=[NothingBooked])
def get_booking(ask: GetBooking) -> SlotBooking:
    """Return the slot that a reference holds room in; of an order, the reference is its group's id."""
    ...


@capability("fulfilment.release-slot", version="1.0", effect=Effect.WRITE)
def release_slot(ask: ReleaseSlot) -> SlotReleased:
    """Give room back. Safe to repeat, and for a reference that holds none."""
    ...
