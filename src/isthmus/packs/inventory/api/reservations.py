"""Reservations, as others may name them: what is promised of stock."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, errors, event, extension_point
from isthmus.values import CHANNEL, LINES_MAX, ORDER_KIND, Address, Code, Lines, Moment, Quantity, Serials, Sku

from .errors import NotOnHand, ReferenceUsed, SerialNotThere, TooManySerials
from .stock import Lent, Reference, StockAt, Units

EXPIRE_MAX = 200  # reservations let go in one transaction: it holds the lock of every stock that they touch


class ReservationState(enum.StrEnum):
    HELD = "held"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    RELEASED = "released"
    EXPIRED = "expired"


class Reserve(Value):
    """Ask to hold goods for a reference, all lines or none."""

    reference: Reference
    lines: Lines
    location: Code | None = None  # None: wherever `source_lines` says
    destination: Address | None = None  # a fact for `source_lines`
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None  # None: held until it is released
    order_kind: str = "standard"
    channel: str = "online"


class Extend(Reserve):
    """Ask to hold more goods for a reference that holds some: all of these lines or none."""


class Allocation(Value):
    """So much of a line from one location; `back_ordered` of it is not there yet."""

    line: int
    sku: Sku
    location: Code
    quantity: Quantity
    back_ordered: Units = 0
    shipped: Units = 0
    released: Units = 0
    lent: Lent | None = None  # whose it is, where it is another's


class Reservation(Value):
    """What is held for a reference, and where."""

    reference: Reference
    state: ReservationState
    allocations: tuple[Allocation, ...]
    expires_at: Moment | None = None


class Confirm(Value):
    """Keep a held reservation for good: it expires no more."""

    reference: Reference


class Release(Value):
    """Give back what a reservation still holds, or only so much of these lines."""

    reference: Reference
    lines: Lines | None = None


class Ship(Value):
    """Take goods out of stock: all that the reservation still holds, or only so much of these lines."""

    reference: Reference
    parcel: Code = "1"  # a parcel of a reservation is taken out once, however often this is sent
    location: Code | None = None  # only what is held there
    lines: Lines | None = None
    serials: Serials = ()  # the units that go, where the goods have numbers; else those held, then what came first


class Expire(Value):
    """Let held reservations go whose time is over, the longest over first."""

    limit: Annotated[int, Meta(ge=1, le=EXPIRE_MAX)] = EXPIRE_MAX


class ExpiredReservations(Value):
    """Which were let go; fewer than the limit means that none is left, or that others are being worked on."""

    references: tuple[Reference, ...]


class GetReservation(Value):
    """Ask what is held for a reference."""

    reference: Reference


class GetAvailability(Value):
    """Ask how much could be reserved now."""

    skus: Annotated[tuple[Sku, ...], Meta(min_length=1, max_length=LINES_MAX)]
    location: Code | None = None
    order_kind: str = "standard"
    channel: str = "online"


class AvailableAt(Value):
    """What one location could give."""

    location: Code
    available: Units
    back_order: Units


class Available(Value):
    """What could be reserved of an SKU: from stock, and beyond it as a back-order."""

    sku: Sku
    available: Units
    back_order: Units
    locations: tuple[AvailableAt, ...]


class Availability(Value):
    """The SKUs in the order asked; one that is nowhere has 0."""

    items: tuple[Available, ...]


class ListReservationSteps(Value):
    """Ask what happened to a reservation."""

    reference: Reference


class ReservationStep(Value):
    """What a reservation became, when, and by which client."""

    state: ReservationState
    at: Moment
    by: str


class ReservationSteps(Value):
    """All steps of a reservation, in their order."""

    items: tuple[ReservationStep, ...]


@event("inventory.goods-reserved", version="1.0", subject="reference")
class GoodsReserved(Value):
    """Goods are held for a reference."""

    reference: Reference
    allocations: tuple[Allocation, ...]


@event("inventory.reservation-confirmed", version="1.0", subject="reference")
class ReservationConfirmed(Value):
    """A reservation expires no more."""

    reference: Reference


@event("inventory.goods-released", version="1.0", subject="reference")
class GoodsReleased(Value):
    """Goods that were held can be sold again."""

    reference: Reference
    because: Literal["released", "expired"]


class StockShort(errors.Conflict):
    """Less can be reserved than is asked for; nothing was."""

    slug = "inventory.stock-short"

    def __init__(self, *, lines: Sequence[dict[str, object]]) -> None:
        first = lines[0]
        super().__init__(
            f"{len(lines)} line(s) ask for more than can be reserved: {first['quantity']} of {first['sku']!r}, "
            f"and {first['available']} are available",
            remedy="ask for no more than is available, or for another SKU",
            path=str(first["path"]),
            lines=list(lines),
        )


class UnknownReservation(errors.NotFound):
    """Nothing was reserved for the reference."""

    slug = "inventory.unknown-reservation"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"nothing was reserved for {reference!r}",
            remedy="reserve first with inventory.reserve, or fix the reference",
            path="$.reference",
            reference=reference,
        )


class ReservationEnded(errors.Conflict):
    """The reservation holds nothing any more."""

    slug = "inventory.reservation-ended"

    def __init__(self, *, reference: str, state: ReservationState) -> None:
        super().__init__(
            f"the reservation for {reference!r} is {state.value}",
            remedy="reserve again with a new reference",
            path="$.reference",
            reference=reference,
            state=state.value,
        )


class NotHeld(errors.Conflict):
    """The reservation holds less than is to be shipped or released."""

    slug = "inventory.not-held"

    def __init__(self, *, reference: str, lines: Sequence[dict[str, object]]) -> None:
        less = [f"{line['held']} of {line['sku']!r}, not {line['quantity']}" for line in lines[:1]]
        super().__init__(
            f"the reservation for {reference!r} holds {less[0] if less else 'nothing there'}",
            remedy="read it with inventory.get-reservation, and ask for no more than it holds",
            path=str(lines[0]["path"]) if lines else "$.location",
            lines=list(lines),
        )


class Offer(Value):
    """What a stock can give: from what is there, and beyond it as a back-order."""

    stock: StockAt
    available: Units
    back_order: Units


class SourcingLine(Value):
    """A line, and the stocks that could serve it."""

    line: int
    sku: Sku
    quantity: Quantity
    offers: tuple[Offer, ...]


class Sourcing(Value):
    """The locations to take from, best first; one that is not named gives nothing.

    may_split: take the rest from the next location; otherwise the first that can serve the whole line does.
    """

    locations: tuple[Code, ...]
    may_split: bool = True


@extension_point(
    "inventory.source-lines", combine=combine.first_answer, per_line=True, dimensions=[ORDER_KIND, CHANNEL]
)
def source_lines(lines: Sequence[SourcingLine], destination: Address | None) -> Sequence[Sourcing | Pass]:
    """Say for each line where its goods come from: the nearest shop, the fullest store, one place only.

    Unless the front end says otherwise, locations are taken by their priority, then the one with most available.
    What lies in stock goes before what is back-ordered.
    """
    return [Sourcing(locations=_by_priority(line.offers)) for line in lines]


def _by_priority(offers: Sequence[Offer]) -> tuple[Code, ...]:
    if len(offers) > 1:  # most goods lie in one place
        offers = sorted(offers, key=lambda offer: (offer.stock.priority, -offer.available, offer.stock.location))
    return tuple([offer.stock.location for offer in offers])


@extension_point(
    "inventory.sellable-quantity", combine=combine.first_answer, per_line=True, dimensions=[ORDER_KIND, CHANNEL]
)
def sellable_quantity(stocks: Sequence[StockAt]) -> Sequence[int | Pass]:
    """Say for each stock how many units more may be sold from what is there.

    Unless the front end says otherwise: on hand, less what has expired, what is reserved and the safety stock. An
    answer above what is there and free counts as what is there and free.
    """
    return [stock.on_hand - stock.expired - stock.reserved - stock.safety for stock in stocks]


@extension_point(
    "inventory.back-order-limit", combine=combine.first_answer, per_line=True, dimensions=[ORDER_KIND, CHANNEL]
)
def back_order_limit(stocks: Sequence[StockAt]) -> Sequence[int | Pass]:
    """Say for each stock how many units may be promised, all in all, beyond what can be sold of it.

    Unless the front end says otherwise, what inventory.set-limits set: 0 for a stock without limits.
    """
    return [stock.back_order_limit for stock in stocks]


@capability("inventory.reserve", version="1.0", effect=Effect.WRITE, raises=[StockShort, ReferenceUsed])
def reserve(ask: Reserve) -> Reservation:
    """Hold goods for a reference, all lines or none.

    A reference reserves once: the same ask again gets the same reservation as it stands now, another ask is refused.
    However many ask at once, no more is held than there is (and what the front end lets be back-ordered).
    """
    ...


@capability(
    "inventory.extend",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownReservation, ReservationEnded, StockShort],
    is_internal=True,
)
def extend(ask: Extend) -> Reservation:
    """Hold more goods under a reservation that stands; the answer has the new lines alone, behind those of before.

    They end with it: `expires_at` is not looked at. Not safe to repeat.
    """
    ...


class Kept(Value):
    """The goods stay reserved."""


@capability("inventory.keep", version="1.0", effect=Effect.WRITE, is_internal=True)
def keep(ask: Confirm) -> Kept:
    """Confirm a reservation that is held, without reading it. Where it is not, the whole transaction is broken off."""
    ...


@capability("inventory.confirm", version="1.0", effect=Effect.WRITE, raises=[UnknownReservation, ReservationEnded])
def confirm(ask: Confirm) -> Reservation:
    """Keep a held reservation until it is shipped or released. Safe to repeat."""
    ...


@capability(
    "inventory.release", version="1.0", effect=Effect.WRITE, raises=[UnknownReservation, NotHeld, ReservationEnded]
)
def release(ask: Release) -> Reservation:
    """Give back what a reservation holds, all or some of it.

    Releasing all is safe to repeat, also where it has ended; releasing some lines is not.
    """
    ...


@capability(
    "inventory.ship",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownReservation, NotHeld, ReservationEnded, NotOnHand, ReferenceUsed, SerialNotThere, TooManySerials],
)
def ship(ask: Ship) -> Reservation:
    """Take goods that a reservation holds out of stock, all or some of them; a held one is confirmed by it.

    A parcel is taken out once: sent again, it gets the reservation as it stands now. Refused with not-on-hand
    while back-ordered goods have not come in.
    """
    ...


@capability("inventory.expire", version="1.0", effect=Effect.WRITE)
def expire(ask: Expire) -> ExpiredReservations:
    """Let go of held reservations whose time is over, and of their goods.

    Several may run at once: each takes other reservations.
    """
    ...


@capability("inventory.get-reservation", version="1.0", effect=Effect.READ, raises=[UnknownReservation])
def get_reservation(ask: GetReservation) -> Reservation:
    """Return what was reserved for a reference, and what has become of it."""
    ...


@capability("inventory.list-reservation-steps", version="1.0", effect=Effect.READ, raises=[UnknownReservation])
def list_reservation_steps(ask: ListReservationSteps) -> ReservationSteps:
    """Return who did what to a reservation, and when; each release and parcel is a step."""
    ...


@capability("inventory.get-availability", version="1.0", effect=Effect.READ)
def get_availability(ask: GetAvailability) -> Availability:
    """Return what could be reserved now, by the same rules as reserving; the next buyer may be faster."""
    ...
