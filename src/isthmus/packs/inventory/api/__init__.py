"""Inventory, as others may name it: stock by SKU and location, and what is promised of it.

A stock is one SKU at one location. `on_hand` is what lies there: the sum of its movements. `reserved` is what is
promised of it: the sum of what reservations still hold. `0 <= reserved <= on_hand + back_ordered` always.

A reservation:

    reserve ──▶ held ──confirm──▶ confirmed ──ship──▶ shipped (when nothing is held any more)
                 │ └──────────ship──────────────────▲
                 ├──expire──▶ expired      confirmed, held ──release──▶ released (shipped, where some had left)

`released`, `expired` and `shipped` are the ends. Time alone ends nothing: a held reservation can be confirmed until
`expire` has let it go, so a payment that comes a moment late still finds its goods.
"""

# pyright: reportUnusedImport=false

from .errors import (
    UNITS_MAX,
    AnothersStock,
    BadCursor,
    CountBelowReserved,
    LocationTaken,
    NotLent,
    NotOnHand,
    ReferenceUsed,
    TooManyUnits,
)
from .lending import (
    LentGoodsShipped,
    LentPage,
    LentStock,
    LentUnits,
    ListLent,
    NotBetweenOwners,
    SellStock,
    SoldLine,
    StockSale,
    StockSold,
    list_lent,
    sell_stock,
)
from .reservations import (
    EXPIRE_MAX,
    Allocation,
    Availability,
    Available,
    AvailableAt,
    Confirm,
    Expire,
    ExpiredReservations,
    Extend,
    GetAvailability,
    GetReservation,
    GoodsReleased,
    GoodsReserved,
    Kept,
    ListReservationSteps,
    NotHeld,
    Offer,
    Release,
    Reservation,
    ReservationConfirmed,
    ReservationEnded,
    ReservationState,
    ReservationStep,
    ReservationSteps,
    Reserve,
    Ship,
    Sourcing,
    SourcingLine,
    StockShort,
    UnknownReservation,
    back_order_limit,
    confirm,
    expire,
    extend,
    get_availability,
    get_reservation,
    keep,
    list_reservation_steps,
    release,
    reserve,
    sellable_quantity,
    ship,
    source_lines,
)
from .stock import (
    Adjust,
    Adjustment,
    Booked,
    Count,
    Counted,
    Delta,
    Lent,
    Limits,
    LimitsSet,
    ListMovements,
    ListStock,
    Location,
    LocationsPut,
    Movement,
    MovementKind,
    MovementPage,
    PutLocations,
    Receipt,
    Receive,
    Reference,
    Restock,
    RestockFate,
    RestockLine,
    SetLimits,
    StockAt,
    StockChanged,
    StockPage,
    Transfer,
    Units,
    adjust,
    count,
    list_movements,
    list_stock,
    put_locations,
    receive,
    restock,
    restock_as,
    set_limits,
    transfer,
)
