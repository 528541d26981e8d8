"""Fulfilment, as others may name it: quoting a delivery, its slot, and the shipments that carry it out.

A shipment is what leaves one place for one order; its goods travel in parcels.

    shipment:  planned ──▶ part-shipped ──▶ shipped ──▶ delivered      (as its parcels and lines say)
                  │              │              └─────▶ returned       (a parcel came back, and none is on its way)
                  └──cancel──▶ cancelled        └ cancel: what has not left; then shipped

    parcel:    pack ──▶ packed ──ship──▶ shipped ──deliver──▶ delivered
                                  ▲         └──fail──▶ failed ──take-back──▶ returned
                                  └──────ship──────────┘  (tried again, by any carrier)

A parcel has a carrier if and only if it has left. No more is shipped than was planned and not cancelled.
"""

# pyright: reportUnusedImport=false

from .delivery import (
    METHODS_MAX,
    RATES_MAX,
    BadCursor,
    Count,
    DeliveryLine,
    DeliveryOption,
    DeliveryQuote,
    Fee,
    Grams,
    Guest,
    Guests,
    ListGuests,
    ListMethods,
    Method,
    MethodKind,
    MethodPage,
    MethodsPut,
    Minutes,
    Promise,
    PutMethods,
    QuoteDelivery,
    Rate,
    RatesUnknown,
    Reference,
    SlotClosed,
    SlotFull,
    SlotMismatch,
    Undeliverable,
    UnknownMethod,
    UnknownSlot,
    delivery_fee,
    delivery_options,
    delivery_promise,
    list_guests,
    list_methods,
    put_methods,
    quote_delivery,
    refuse_delivery,
)
from .errors import (
    IllegalStep,
    LeftAlready,
    OverShip,
    ParcelDiffers,
    PlaceNotLent,
    PlannedOtherwise,
    UnknownParcel,
    UnknownShipment,
)
from .forgetting import forget
from .services import (
    OWN_TABLES_ONLY,
    ForgetRates,
    LiveRate,
    RateAsk,
    RateLine,
    RateService,
    RateServices,
    RateSettings,
    RatesForgotten,
    connected,
    fitting_rates,
    forget_rates,
    request_quote,
)
from .shipments import (
    Cancel,
    Deliver,
    Fail,
    GetShipment,
    ListShipments,
    ListSteps,
    Pack,
    Parcel,
    ParcelLine,
    ParcelMoved,
    ParcelState,
    Plan,
    PlanLine,
    Planned,
    Redirect,
    Ship,
    Shipment,
    ShipmentLine,
    ShipmentPage,
    ShipmentsCancelled,
    ShipmentsPlanned,
    ShipmentState,
    Step,
    Steps,
    TakeBack,
    cancel,
    deliver,
    fail,
    get_shipment,
    list_shipments,
    list_steps,
    pack,
    plan,
    redirect,
    ship,
    shipment_key,
    take_back,
)
from .slots import (
    SLOTS_MAX,
    BadWindow,
    BookSlot,
    ListSlots,
    NewSlot,
    OpenSlots,
    OtherSlotBooked,
    ReleaseSlot,
    Slot,
    SlotBooked,
    SlotBooking,
    SlotPage,
    SlotReleased,
    SlotsOpened,
    SlotTaken,
    book_slot,
    list_slots,
    open_slots,
    release_slot,
)
