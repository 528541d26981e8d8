"""Stock that is lent and sold between front ends, as others may name it.

A location is lent by a grant of `inventory.location` (`grants.give`), all of it or one SKU (`part`). Its bounds:

    most         units that the front end may take of each SKU under the grant, held and shipped together
    share        how much of what lies there it may hold at once, in hundredths of a percent
    aside        units set aside for it: nobody else gets what it has not taken of them, until `aside_until`
    leave        units that it must leave: the owner's buffer, or who goes first when little is left

Without bounds: first come, first served, unless `leave_to_others` is answered. What is reserved when a grant ends or is
withdrawn stays reserved, and can be shipped and released.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, errors, event, extension_point
from isthmus.values import CHANNEL, LINES_MAX, ORDER_KIND, Code, Money, PageSize, Quantity, Serials, Sku

from . import errors as wrong
from .errors import BadCursor, NotLent
from .stock import Reference, StockAt, Units


class SoldLine(Value):
    """Units that change their owner, and what one of them costs."""

    sku: Sku
    quantity: Quantity
    unit_price: Money | None = None  # None: nothing is owed for it


class SellStock(Value):
    """Sell goods from one owner to another, where they lie. A reference is booked once.

    One of the two locations is the front end's own, and the other is lent to it.
    """

    reference: Reference
    from_location: Code
    to_location: Code
    lines: Annotated[tuple[SoldLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    serials: Serials = ()  # the units that are sold, where the goods have numbers

    def __repr__(self) -> str:
        """Say what was said: sales are told apart by it, also those from before there were numbers."""
        said = f"reference={self.reference!r}, from_location={self.from_location!r}, to_location={self.to_location!r}"
        return f"SellStock({said}, lines={self.lines!r}{f', serials={self.serials!r}' if self.serials else ''})"


class StockSale(Value):
    """Who sold to whom, and for how much in all; None where nothing is owed."""

    reference: Reference
    from_owner: str
    to_owner: str
    total: Money | None


class ListLent(Value):
    """Ask what was taken of stock that one lends, and of stock that is lent to one."""

    sku: Sku | None = None
    limit: PageSize = 50
    cursor: str | None = None


class LentStock(Value):
    """What a seller has taken of an owner's stock under one grant: held now, and shipped."""

    owner: str
    seller: str
    grant_id: UUID
    sku: Sku
    location: Code
    held: Units
    shipped: Units


class LentPage(Value):
    """Some of it in the order of SKU, and how to go on."""

    items: tuple[LentStock, ...]
    next_cursor: str | None


class LentUnits(Value):
    """Units of one owner."""

    owner: str
    sku: Sku
    location: Code
    quantity: Quantity


@event("inventory.lent-goods-shipped", version="1.0", subject="reference")
class LentGoodsShipped(Value):
    """Goods of other owners have left for an order of this front end."""

    reference: Reference
    lines: tuple[LentUnits, ...]


@event("inventory.stock-sold", version="1.0", subject="reference")
class StockSold(Value):
    """Goods have another owner, for a price that the one owes the other."""

    reference: Reference
    from_owner: str
    to_owner: str
    lines: tuple[SoldLine, ...]
    total: Money | None


class NotBetweenOwners(errors.RuleBroken):
    """Both locations are of one owner, so that nothing would be sold."""

    slug = "inventory.not-between-owners"

    def __init__(self, *, from_location: str, to_location: str) -> None:
        super().__init__(
            f"{from_location!r} and {to_location!r} are not one of yours and one that is lent to you",
            remedy="move goods between your own locations with inventory.transfer",
            path="$.to_location",
        )


@extension_point("inventory.leave-to-others", combine=combine.highest, per_line=True, dimensions=[ORDER_KIND, CHANNEL])
def leave_to_others(stocks: Sequence[StockAt]) -> Sequence[int | Pass]:
    """Say for each stock that is lent how many units this front end leaves to others: who goes first in scarcity.

    Asked of lent stock alone, once it is locked; what could be taken is `on_hand` less `reserved`, where the bounds
    of the grant are off already. Of several answers, that which leaves most counts. Unless somebody answers, nothing
    is left beyond what the grant says: first come, first served.
    """
    return [0] * len(stocks)


@capability(
    "inventory.sell-stock",
    version="1.0",
    effect=Effect.WRITE,
    raises=[
        NotBetweenOwners, NotLent, wrong.NotOnHand, wrong.ReferenceUsed, wrong.TooManyUnits, wrong.SerialNotThere,
        wrong.SerialsNeeded, wrong.TooManySerials,
    ],
)  # fmt: skip
def sell_stock(ask: SellStock) -> StockSale:
    """Let goods that nobody holds change their owner: no unit is in neither stock or in both at any moment.

    Units with numbers go by `serials`, and are the buyer's by the same. From a lent location no more can be bought than
    could be reserved there now. `inventory.stock-sold` tells what is owed.
    """
    ...


@capability("inventory.list-lent", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_lent(ask: ListLent) -> LentPage:
    """List what sellers have taken of stock that is lent: an owner's for all sellers, a seller's own."""
    ...
