"""Lots of stock, as others may name them: what came in together, and until when it is good.

A lot is a part of a stock. Whatever leaves the stock leaves the lot that expires first; what has expired is not sold
any more, and leaves with an adjustment for the reason `expired`. Goods that are moved to another location keep theirs.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, event
from isthmus.values import Code, Moment, PageSize, Sku

from .stock import Delta, Reference, Units

EXPIRE_LOTS_MAX = 500  # in one transaction: it holds the lock of each of their stocks


class LotAt(Value):
    """What is left of a lot at a location."""

    sku: Sku
    location: Code
    lot: Code
    expires_on: date | None  # the last day on which it is good; none: it does not expire
    on_hand: Units
    is_expired: bool


class ListLots(Value):
    """Ask for lots of which something is left, those that expire first first."""

    sku: Sku | None = None
    location: Code | None = None
    expires_until: date | None = None
    limit: PageSize = 50


class Lots(Value):
    """Lots, those that expire first first."""

    items: tuple[LotAt, ...]


class ListLotMovements(Value):
    """Ask where the units of a lot went, the latest first: whom to call when it has to come back."""

    sku: Sku
    lot: Code
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class LotMovement(Value):
    """Units of a lot that came (or, negative, went), and for what."""

    location: Code
    kind: str
    quantity: Delta
    reference: Reference
    at: Moment


class LotMovements(Value):
    """What happened to a lot, the latest first."""

    items: tuple[LotMovement, ...]


class ExpireLots(Value):
    """Take what is not good any more from sale."""

    limit: Annotated[int, Meta(ge=1, le=EXPIRE_LOTS_MAX)] = EXPIRE_LOTS_MAX


class LotsExpired(Value):
    """How many lots went from sale."""

    lots: int


@event("inventory.lot-expired", version="1.0", subject="sku")
class LotExpired(Value):
    """The last day of a lot is over: so many units of it are not for sale any more."""

    sku: Sku
    location: Code
    lot: Code
    quantity: Units


@capability("inventory.list-lots", version="1.0", effect=Effect.READ)
def list_lots(ask: ListLots) -> Lots:
    """List what is left of lots, those that expire first first."""
    ...


@capability("inventory.list-lot-movements", version="1.0", effect=Effect.READ)
def list_lot_movements(ask: ListLotMovements) -> LotMovements:
    """List for what the units of a lot left, and where they came in; a reservation's reference is its order group."""
    ...


@capability("inventory.expire-lots", version="1.0", effect=Effect.WRITE)
def expire_lots(ask: ExpireLots) -> LotsExpired:
    """Take lots from sale whose last day is over. Safe to run in several places at once."""
    ...
