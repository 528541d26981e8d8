"""Stock as it is listed: how it stands, and what changed it. Named through `inventory.api`."""

from __future__ import annotations

from isthmus.kernel import Effect, Value, capability
from isthmus.values import Code, Moment, PageSize, Sku

from .errors import BadCursor
from .stock import Delta, MovementKind, Reference, StockAt


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
    seller: str | None = None  # who sold it, where that was another front end


class MovementPage(Value):
    """Movements, and how to ask for the next."""

    items: tuple[Movement, ...]
    next_cursor: str | None


@capability("inventory.list-stock", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_stock(ask: ListStock) -> StockPage:
    """List stocks in the order of SKU and location."""
    ...


@capability("inventory.list-movements", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_movements(ask: ListMovements) -> MovementPage:
    """List what changed a stock, the latest first. All movements of a stock add up to what is on hand."""
    ...
