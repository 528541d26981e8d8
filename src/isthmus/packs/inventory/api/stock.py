"""The second half of inventory's api: keeping stock. Named through `inventory.api`.

Everything that changes `on_hand` carries a reference, such as the number of a delivery note, and is booked once
under it: sent again, it answers again and changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, errors, event, extension_point
from isthmus.values import (
    LINES_MAX,
    ORDER_KIND,
    SERIALS_MAX,
    Code,
    Lines,
    Moment,
    Quantity,
    Serial,
    Serials,
    Sku,
    check_place,
    put_in_form,
    region_in_form,
)

from .errors import (
    UNITS_MAX,
    AnothersStock,
    CountBelowReserved,
    LocationTaken,
    LotDiffers,
    NotLent,
    NotOnHand,
    ReferenceUsed,
    SerialNotThere,
    SerialsNeeded,
    SerialTaken,
    TooManySerials,
    TooManyUnits,
)

Units = Annotated[int, Meta(ge=0, le=UNITS_MAX)]
Delta = Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z", description="what it is done for")]


Numbers = Annotated[tuple[Serial, ...], Meta(max_length=SERIALS_MAX)]


class MovementKind(enum.StrEnum):
    RECEIVE = "receive"
    ADJUST = "adjust"
    COUNT = "count"
    TRANSFER = "transfer"
    SHIP = "ship"
    RESTOCK = "restock"
    WRITE_OFF = "write-off"


class Lent(Value):
    """Whose stock this is, where it is another's, and the grant under which it is sold."""

    owner: str
    grant_id: UUID | None = None


class StockAt(Value):
    """How one stock stands. Of what is another's: what this front end holds of it, and what it could take now."""

    sku: Sku
    location: Code
    on_hand: Units
    reserved: Units
    back_ordered: Units = 0  # declared: how far `reserved` may be above `on_hand`
    safety: Units = 0  # kept back from sale
    back_order_limit: Units = 0  # how many may be promised beyond what is there, where the front end has no other rule
    country: str = ""
    region: str = ""
    priority: int = 0  # of the location: lower is taken first
    lent: Lent | None = None  # None: it is the front end's own
    expired: Units = 0  # of `on_hand`: of lots whose last day is over, and so not for sale
    aside: Units = 0  # of its own: set aside for others to whom it lends


class Receipt(Value):
    """Units that come into a location."""

    sku: Sku
    quantity: Quantity
    location: Code
    lot: Code | None = None  # what came in together; None: it is told apart from nothing
    expires_on: date | None = None  # the last day on which the lot is good
    serials: Numbers = ()  # of each unit, where the goods have numbers

    def __repr__(self) -> str:
        """Say what was said: bookings are told apart by it, also those from before there were lots and numbers."""
        of_lot = "" if self.lot is None else f", lot={self.lot!r}, expires_on={self.expires_on!r}"
        of_lot += f", serials={self.serials!r}" if self.serials else ""
        return f"Receipt(sku={self.sku!r}, quantity={self.quantity!r}, location={self.location!r}{of_lot})"

    def __check__(self, path: str) -> None:
        if self.expires_on is not None and self.lot is None:
            raise errors.BadAsk("what expires has a lot", remedy="name its lot", path=f"{path}.lot")
        if len(self.serials) not in (0, self.quantity):
            said = f"{len(self.serials)} serial numbers for {self.quantity} units"
            raise errors.BadAsk(said, remedy="name each unit, or none", path=f"{path}.serials")


class Receive(Value):
    """Book goods in. A reference is booked once, however often this is sent."""

    reference: Reference
    lines: Annotated[tuple[Receipt, ...], Meta(min_length=1, max_length=LINES_MAX)]


class Adjustment(Value):
    """So many more units at a location, or (negative) fewer."""

    sku: Sku
    quantity: Delta
    location: Code


class Adjust(Value):
    """Correct stock by a difference, with a reason such as `damaged`. A reference is booked once."""

    reference: Reference
    reason: Code
    lines: Annotated[tuple[Adjustment, ...], Meta(min_length=1, max_length=LINES_MAX)]
    serials: Serials = ()  # the units that leave, where the goods have numbers


class Counted(Value):
    """What was found at a location."""

    sku: Sku
    quantity: Units
    location: Code


class Count(Value):
    """Set stock to what was counted. A reference is booked once."""

    reference: Reference
    lines: Annotated[tuple[Counted, ...], Meta(min_length=1, max_length=LINES_MAX)]
    may_fall_short: bool = False  # True: what is reserved beyond the count becomes back-ordered, instead of a refusal
    as_of: Moment | None = None  # when it was counted: what came and went since is not lost; None: now


class Transfer(Value):
    """Move goods that nobody holds from one location to another. A reference is booked once."""

    reference: Reference
    from_location: Code
    to_location: Code
    lines: Lines
    serials: Serials = ()  # the units that move, where the goods have numbers


class RestockLine(Value):
    """Units that came back."""

    sku: Sku
    quantity: Quantity
    location: Code
    condition: Code = "new"
    serials: Numbers = ()  # of the units that are told apart by one

    def __repr__(self) -> str:
        """Say what was said: bookings are told apart by it, also those from before there were numbers."""
        said = f"sku={self.sku!r}, quantity={self.quantity!r}, location={self.location!r}, condition={self.condition!r}"
        return f"RestockLine({said}{f', serials={self.serials!r}' if self.serials else ''})"

    def __check__(self, path: str) -> None:
        if len(self.serials) > self.quantity:
            said = f"{len(self.serials)} serial numbers for {self.quantity} units"
            raise errors.BadAsk(said, remedy="name each unit once", path=f"{path}.serials")


class Restock(Value):
    """Take returned goods in: for sale again or written off, as `restock_as` says. A reference is booked once."""

    reference: Reference
    lines: Annotated[tuple[RestockLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    order_kind: str = "standard"


class Booked(Value):
    """The stocks that were touched, as they stand now, in the order of SKU and location."""

    reference: Reference
    stocks: tuple[StockAt, ...]


class Limits(Value):
    """What one stock keeps back, and how far beyond what is there it may be promised."""

    sku: Sku
    location: Code
    safety: Units = 0
    back_order_limit: Units = 0
    channels: Annotated[
        dict[Code, Units], Meta(max_length=20)
    ] = {}  # what is kept back of a channel instead of `safety`


class SetLimits(Value):
    """Set the limits of stocks."""

    items: Annotated[tuple[Limits, ...], Meta(min_length=1, max_length=LINES_MAX)]


class LimitsSet(Value):
    """How many stocks have the limits now."""

    stocks: int


class Location(Value):
    """Where stock lies. A location needs no entry to hold stock; its facts serve sourcing."""

    code: Code
    name: Annotated[str, Meta(max_length=120)] = ""
    country: Annotated[str, Meta(max_length=2)] = ""
    region: Annotated[str, Meta(max_length=80)] = ""
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    is_open: bool = True  # False: what lies there is not sold
    lent_by: Code | None = None  # who owns it and lends it under the same code; None: the front end's own

    def __post_init__(self) -> None:
        put_in_form(self, region=region_in_form(self.country, self.region))

    def __check__(self, path: str) -> None:
        if self.country:
            check_place(self.country, self.region, path)


class PutLocations(Value):
    """Set the facts of locations."""

    items: Annotated[tuple[Location, ...], Meta(min_length=1, max_length=LINES_MAX)]


class LocationsPut(Value):
    """How many locations have these facts now."""

    locations: int


@event("inventory.stock-changed", version="1.0", subject="reference")
class StockChanged(Value):
    """Units came or went; `depleted` are the SKUs of which no location named here has a unit left."""

    reference: Reference
    kind: MovementKind
    lines: tuple[Adjustment, ...]
    depleted: tuple[Sku, ...] = ()


RestockFate = Literal["sellable", "written-off"]


@extension_point("inventory.restock-as", combine=combine.first_answer, per_line=True, dimensions=[ORDER_KIND])
def restock_as(lines: Sequence[RestockLine]) -> Sequence[RestockFate | Pass]:
    """Say for each returned line whether it can be sold again.

    Unless the front end says otherwise, what comes back as `new` can, and everything else is written off.
    """
    return ["sellable" if line.condition == "new" else "written-off" for line in lines]


@capability(
    "inventory.receive",
    version="1.0",
    effect=Effect.WRITE,
    raises=[ReferenceUsed, TooManyUnits, AnothersStock, LotDiffers, SerialTaken, TooManySerials],
)
def receive(ask: Receive) -> Booked:
    """Book goods into stock, with their lots where they have any. A stock that was not known begins with them."""
    ...


@capability(
    "inventory.adjust",
    version="1.0",
    effect=Effect.WRITE,
    raises=[ReferenceUsed, NotOnHand, TooManyUnits, AnothersStock, SerialNotThere, SerialsNeeded, TooManySerials],
)
def adjust(ask: Adjust) -> Booked:
    """Correct stock by differences; all lines or none.

    Nothing that is reserved can be taken away: release it first.
    """
    ...


@capability(
    "inventory.count",
    version="1.0",
    effect=Effect.WRITE,
    raises=[ReferenceUsed, CountBelowReserved, AnothersStock, SerialsNeeded],
)
def count(ask: Count) -> Booked:
    """Set stock to what was found; the differences become movements. Of two counts of one stock the last stands.

    Selling goes on while it is counted: with `as_of` the difference is to what was there at that time.
    """
    ...


@capability(
    "inventory.transfer",
    version="1.0",
    effect=Effect.WRITE,
    raises=[ReferenceUsed, NotOnHand, TooManyUnits, AnothersStock, SerialNotThere, SerialsNeeded, TooManySerials],
)
def transfer(ask: Transfer) -> Booked:
    """Move unreserved goods between two locations; no unit is in neither or in both at any moment."""
    ...


@capability(
    "inventory.restock",
    version="1.0",
    effect=Effect.WRITE,
    raises=[ReferenceUsed, TooManyUnits, NotLent, SerialTaken, TooManySerials],
)
def restock(ask: Restock) -> Booked:
    """Take returned goods in. What `restock_as` writes off is on record, and not in stock."""
    ...


@capability("inventory.set-limits", version="1.0", effect=Effect.WRITE, raises=[AnothersStock])
def set_limits(ask: SetLimits) -> LimitsSet:
    """Set how much of a stock is kept back from sale, and how far it may be promised beyond what is there.

    What is promised already stays promised.
    """
    ...


@capability("inventory.put-locations", version="1.0", effect=Effect.WRITE, raises=[NotLent, LocationTaken])
def put_locations(ask: PutLocations) -> LocationsPut:
    """Set the facts of locations, whether they hold stock yet or not.

    With `lent_by` the front end sells from another's location from now on: what the owner's grant lets it take is
    available here too, and comes last or first as `priority` says.
    """
    ...
