"""The second half of inventory's api: keeping stock. Named through `inventory.api`.

Everything that changes `on_hand` carries a reference, such as the number of a delivery note, and is booked once
under it: sent again, it answers again and changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Annotated, Literal

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, errors, event, extension_point
from isthmus.values import (
    LINES_MAX,
    ORDER_KIND,
    Code,
    Lines,
    Moment,
    PageSize,
    Quantity,
    Sku,
    check_place,
    put_in_form,
    region_in_form,
)

UNITS_MAX = 1_000_000_000  # of one stock; far from where 64 bits end

Units = Annotated[int, Meta(ge=0, le=UNITS_MAX)]
Delta = Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z", description="what it is done for")]


class MovementKind(enum.StrEnum):
    RECEIVE = "receive"
    ADJUST = "adjust"
    COUNT = "count"
    TRANSFER = "transfer"
    SHIP = "ship"
    RESTOCK = "restock"
    WRITE_OFF = "write-off"


class StockAt(Value):
    """How one stock stands."""

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


class Receipt(Value):
    """Units that come into a location."""

    sku: Sku
    quantity: Quantity
    location: Code


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


class Transfer(Value):
    """Move goods that nobody holds from one location to another. A reference is booked once."""

    reference: Reference
    from_location: Code
    to_location: Code
    lines: Lines


class RestockLine(Value):
    """Units that came back."""

    sku: Sku
    quantity: Quantity
    location: Code
    condition: Code = "new"


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


class ListStock(Value):
    """Ask for stocks in the order of SKU and location."""

    sku: Sku | None = None
    location: Code | None = None
    limit: PageSize = 50
    cursor: str | None = None


class StockPage(Value):
    """Stocks, and how to ask for the next."""

    items: tuple[StockAt, ...]
    next_cursor: str | None


class ListMovements(Value):
    """Ask what changed a stock, the latest first."""

    sku: Sku
    location: Code | None = None
    limit: PageSize = 50
    cursor: str | None = None


class Movement(Value):
    """Units that came (or, negative, went), why, when, and by which client."""

    sku: Sku
    location: Code
    kind: MovementKind
    quantity: Delta
    reference: Reference
    reason: str
    at: Moment
    by: str


class MovementPage(Value):
    """Movements, and how to ask for the next."""

    items: tuple[Movement, ...]
    next_cursor: str | None


@event("inventory.stock-changed", version="1.0", subject="reference")
class StockChanged(Value):
    """Units came or went; `depleted` are the SKUs of which no location named here has a unit left."""

    reference: Reference
    kind: MovementKind
    lines: tuple[Adjustment, ...]
    depleted: tuple[Sku, ...] = ()


class ReferenceUsed(errors.Conflict):
    """The reference already stands for something else."""

    slug = "inventory.reference-used"

    def __init__(self, *, reference: str, what: str) -> None:
        super().__init__(
            f"reference {reference!r} already stands for another {what}",
            remedy="send a new reference with a new ask, or the first ask with this reference",
            path="$.reference",
            reference=reference,
        )


class NotOnHand(errors.Conflict):
    """Fewer units are there than are to leave, or than must stay for reservations."""

    slug = "inventory.not-on-hand"

    def __init__(self, *, lines: Sequence[dict[str, object]]) -> None:
        first = lines[0]
        super().__init__(
            f"{len(lines)} line(s) would take more than is there and free: {first['sku']!r} at {first['location']!r} "
            f"has {first['on_hand']} on hand, {first['reserved']} of them reserved",
            remedy="receive or count the stock, or release reservations first",
            path=str(first["path"]),
            lines=list(lines),
        )


class CountBelowReserved(errors.Conflict):
    """Fewer units were counted than are promised."""

    slug = "inventory.count-below-reserved"

    def __init__(self, *, lines: Sequence[dict[str, object]]) -> None:
        first = lines[0]
        super().__init__(
            f"{len(lines)} count(s) are below what is reserved: {first['sku']!r} at {first['location']!r} "
            f"has {first['reserved']} reserved",
            remedy="release reservations, or send may_fall_short to have the gap back-ordered",
            path=str(first["path"]),
            lines=list(lines),
        )


class TooManyUnits(errors.RuleBroken):
    """A stock would hold more units than can be."""

    slug = "inventory.too-many-units"

    def __init__(self, *, sku: str, location: str, path: str) -> None:
        super().__init__(
            f"{sku!r} at {location!r} would hold more than {UNITS_MAX} units",
            remedy="check the quantity, or keep the SKU in a larger unit",
            path=path,
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that a list gave."""

    slug = "inventory.bad-cursor"

    def __init__(self, *, cursor: str) -> None:
        super().__init__(
            f"{cursor!r} is not a cursor of this list",
            remedy="send next_cursor of the page before, or none for the first page",
            path="$.cursor",
        )


RestockFate = Literal["sellable", "written-off"]


@extension_point("inventory.restock-as", combine=combine.first_answer, per_line=True, dimensions=[ORDER_KIND])
def restock_as(lines: Sequence[RestockLine]) -> Sequence[RestockFate | Pass]:
    """Say for each returned line whether it can be sold again.

    Unless the front end says otherwise, what comes back as `new` can, and everything else is written off.
    """
    return ["sellable" if line.condition == "new" else "written-off" for line in lines]


@capability("inventory.receive", version="1.0", effect=Effect.WRITE, raises=[ReferenceUsed, TooManyUnits])
def receive(ask: Receive) -> Booked:
    """Book goods into stock. A stock that was not known begins with them."""
    ...


@capability("inventory.adjust", version="1.0", effect=Effect.WRITE, raises=[ReferenceUsed, NotOnHand, TooManyUnits])
def adjust(ask: Adjust) -> Booked:
    """Correct stock by differences; all lines or none.

    Nothing that is reserved can be taken away: release it first.
    """
    ...


@capability("inventory.count", version="1.0", effect=Effect.WRITE, raises=[ReferenceUsed, CountBelowReserved])
def count(ask: Count) -> Booked:
    """Set stock to what was found; the differences become movements. Of two counts of one stock the last stands."""
    ...


@capability("inventory.transfer", version="1.0", effect=Effect.WRITE, raises=[ReferenceUsed, NotOnHand, TooManyUnits])
def transfer(ask: Transfer) -> Booked:
    """Move unreserved goods between two locations; no unit is in neither or in both at any moment."""
    ...


@capability("inventory.restock", version="1.0", effect=Effect.WRITE, raises=[ReferenceUsed, TooManyUnits])
def restock(ask: Restock) -> Booked:
    """Take returned goods in. What `restock_as` writes off is on record, and not in stock."""
    ...


@capability("inventory.set-limits", version="1.0", effect=Effect.WRITE)
def set_limits(ask: SetLimits) -> LimitsSet:
    """Set how much of a stock is kept back from sale, and how far it may be promised beyond what is there.

    What is promised already stays promised.
    """
    ...


@capability("inventory.put-locations", version="1.0", effect=Effect.WRITE)
def put_locations(ask: PutLocations) -> LocationsPut:
    """Set the facts of locations, whether they hold stock yet or not."""
    ...


@capability("inventory.list-stock", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_stock(ask: ListStock) -> StockPage:
    """List stocks in the order of SKU and location."""
    ...


@capability("inventory.list-movements", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_movements(ask: ListMovements) -> MovementPage:
    """List what changed a stock, the latest first. All movements of a stock add up to what is on hand."""
    ...
