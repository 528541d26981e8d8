"""Fulfilment's api of methods and quotes. Named through `fulfilment.api`."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from isthmus import places
from isthmus.kernel import (
    ALLOW,
    Effect,
    Meta,
    Pass,
    Value,
    Verdict,
    capability,
    combine,
    errors,
    extension_point,
)
from isthmus.values import (
    CHANNEL,
    LINES_MAX,
    ORDER_KIND,
    Address,
    Applied,
    Code,
    CurrencyCode,
    Moment,
    Money,
    PageSize,
    Quantity,
    Sku,
    check_place,
    put_in_form,
    region_in_form,
)

from .errors import PlaceNotLent

METHODS_MAX = 100  # of one front end: all of them are weighed for each quote
RATES_MAX = 1_000  # of one method: zones finer than this belong into an answer to `delivery_fee`

Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Minutes = Annotated[int, Meta(ge=0, le=525_600, description="minutes, at most a year")]
Grams = Annotated[int, Meta(ge=0, le=100_000_000)]
Fee = Annotated[int, Meta(ge=0, le=10**12, description="minor units of the currency")]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z", description="what it is done for")]


class MethodKind(enum.StrEnum):
    DELIVERY = "delivery"
    PICKUP = "pickup"


class Rate(Value):
    """What a method costs and promises in a zone. The narrowest zone that holds the address counts."""

    zone: Code
    currency: CurrencyCode
    base_minor: Fee
    country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z", description="empty: every country")] = ""
    region: Annotated[str, Meta(max_length=80, description="empty: every region")] = ""
    postcode_prefix: Annotated[str, Meta(max_length=16, description="empty: every postcode")] = ""
    included_grams: Grams = 0
    kilogram_minor: Fee = 0  # for each kilogram begun above what is included
    free_from_minor: Fee | None = None  # goods for so much and more travel free
    after_minutes: Minutes = 0  # promised between so long after the order …
    within_minutes: Minutes | None = None  # … and so long; None: no promise

    def __post_init__(self) -> None:
        prefix = places.closed(self.postcode_prefix, self.country)
        put_in_form(self, region=region_in_form(self.country, self.region), postcode_prefix=prefix)

    def __check__(self, path: str) -> None:
        if self.country:
            check_place(self.country, self.region, path)


class Method(Value):
    """A way of delivery."""

    code: Code
    name: Annotated[str, Meta(max_length=120)]
    kind: MethodKind = MethodKind.DELIVERY
    needs_slot: bool = False
    max_grams: Annotated[Grams, Meta(description="0: no limit")] = 0
    is_active: bool = True
    lent_by: Code | None = None  # whose place it is that lends it under the same code; None: the front end's own
    rates: Annotated[tuple[Rate, ...], Meta(max_length=RATES_MAX)] = ()


class PutMethods(Value):
    """Set methods of delivery with all their rates; others stay as they are."""

    items: Annotated[tuple[Method, ...], Meta(min_length=1, max_length=METHODS_MAX)]


class MethodsPut(Value):
    """How many methods are as sent."""

    methods: int


class ListGuests(Value):
    """Ask who has goods waiting at places that this front end lends."""


class Guest(Value):
    """How many shipments of another front end wait at a place, or were collected there."""

    method: str
    seller: str
    waiting: int
    collected: int


class Guests(Value):
    """Guests by place and front end."""

    items: tuple[Guest, ...]


class ListMethods(Value):
    """Ask for the methods of delivery in the order of their codes."""

    limit: PageSize = 50
    cursor: str | None = None


class MethodPage(Value):
    """Methods with their rates, and how to ask for the next."""

    items: tuple[Method, ...]
    next_cursor: str | None


class DeliveryLine(Value):
    """Goods that are to be delivered; `weight_grams` is of one unit."""

    sku: Sku
    quantity: Quantity
    weight_grams: Grams = 0
    attributes: dict[str, str] = {}


class QuoteDelivery(Value):
    """Ask what delivering these goods costs, and when they arrive."""

    lines: Annotated[tuple[DeliveryLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    amount: Money  # of the goods, for rates that are free from an amount on
    address: Address | None = None  # None: only methods that go everywhere, and pickup
    method: Code | None = None  # None: the first of the options
    slot_id: UUID | None = None
    order_kind: str = "standard"
    channel: str = "online"


class DeliveryOption(Value):
    """One way in which the goods can be delivered."""

    method: Code
    name: str
    fee: Money
    kind: MethodKind = MethodKind.DELIVERY
    zone: str = ""
    promise_from: Moment | None = None
    promise_to: Moment | None = None
    needs_slot: bool = False
    applied: tuple[Applied, ...] = ()


class DeliveryQuote(Value):
    """The option chosen, and all that there are. `slot_id` is none where one is still to be chosen."""

    method: Code
    fee: Money
    promise_from: Moment | None
    promise_to: Moment | None
    applied: tuple[Applied, ...]
    options: tuple[DeliveryOption, ...]
    needs_slot: bool = False
    slot_id: UUID | None = None


class UnknownMethod(errors.NotFound):
    """The front end has no such method of delivery."""

    slug = "fulfilment.unknown-method"

    def __init__(self, *, method: str, known: Sequence[str], path: str = "$.method") -> None:
        super().__init__(
            f"there is no method of delivery {method!r}{errors.near(method, known)}",
            remedy=f"use one of {', '.join(known)}" if known else "set one with fulfilment.put-methods",
            path=path,
        )


class Undeliverable(errors.RuleBroken):
    """The goods cannot be delivered there, or not in that way."""

    slug = "fulfilment.undeliverable"

    def __init__(self, *, reasons: Sequence[str], path: str) -> None:
        super().__init__(
            f"no delivery: {'; '.join(reasons)}",
            remedy="choose another address or method, or leave the goods out that cannot travel",
            path=path,
            reasons=list(reasons),
        )


class UnknownSlot(errors.NotFound):
    """There is no such slot."""

    slug = "fulfilment.unknown-slot"

    def __init__(self, *, slot_id: UUID) -> None:
        super().__init__(
            f"there is no slot {slot_id}", remedy="choose one from fulfilment.list-slots", path="$.slot_id"
        )


class SlotMismatch(errors.RuleBroken):
    """The slot belongs to another method of delivery than the one asked for."""

    slug = "fulfilment.slot-mismatch"

    def __init__(self, *, slot_id: UUID, method: str, asked: str) -> None:
        super().__init__(
            f"slot {slot_id} is for {method!r}, not {asked!r}",
            remedy="choose a slot of the method with fulfilment.list-slots",
            path="$.slot_id",
        )


class SlotFull(errors.Conflict):
    """The slot has less room than is asked for."""

    slug = "fulfilment.slot-full"

    def __init__(self, *, slot_id: UUID, room: int, units: int) -> None:
        super().__init__(
            f"slot {slot_id} has room for {room}, not {units}",
            remedy="choose another from fulfilment.list-slots",
            path="$.slot_id",
            room=room,
        )


class SlotClosed(errors.Conflict):
    """The slot takes no more bookings: its time is too near."""

    slug = "fulfilment.slot-closed"

    def __init__(self, *, slot_id: UUID, closes_at: datetime) -> None:
        super().__init__(
            f"slot {slot_id} closed at {closes_at.isoformat()}",
            remedy="choose a later one from fulfilment.list-slots",
            path="$.slot_id",
        )


class RatesUnknown(errors.Unavailable):
    """A rate service says what these deliveries cost, and has not been asked, or does not answer."""

    slug = "fulfilment.rates-unknown"

    def __init__(self, *, service: str, methods: Sequence[str], why: str) -> None:
        super().__init__(
            f"{service!r} says what {', '.join(methods)} cost, and {why}",
            remedy="preview the order with the same lines and address, which asks it, and send this again",
            path="$.method",
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that a list gave."""

    slug = "fulfilment.bad-cursor"

    def __init__(self, *, cursor: str) -> None:
        super().__init__(
            f"{cursor!r} is not a cursor of this list",
            remedy="send next_cursor of the page before, or none for the first page",
            path="$.cursor",
        )


@extension_point("fulfilment.refuse-delivery", combine=combine.every, dimensions=[ORDER_KIND, CHANNEL])
def refuse_delivery(ask: QuoteDelivery, option: DeliveryOption) -> Verdict:
    """Say no to one way of delivery: frozen goods by mail, heavy goods to an island. Nobody does by default."""
    return ALLOW


@extension_point("fulfilment.delivery-fee", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL])
def delivery_fee(ask: QuoteDelivery, option: DeliveryOption) -> Money | Pass:
    """Replace the fee of one way of delivery; the option carries the fee of its zone and slot, which stands."""
    return option.fee


class Promise(Value):
    """Between when and when the goods arrive."""

    earliest: Moment | None
    latest: Moment | None


@extension_point("fulfilment.delivery-promise", combine=combine.first_answer, dimensions=[ORDER_KIND, CHANNEL])
def delivery_promise(ask: QuoteDelivery, option: DeliveryOption, now: datetime) -> Promise | Pass:
    """Replace when the goods arrive, for working days or cut-off times; the option carries what its zone promises."""
    return Promise(earliest=option.promise_from, latest=option.promise_to)


@extension_point("fulfilment.delivery-options", combine=combine.fold(), dimensions=[ORDER_KIND, CHANNEL])
def delivery_options(options: tuple[DeliveryOption, ...], ask: QuoteDelivery) -> tuple[DeliveryOption, ...]:
    """Hide, order or rename the ways of delivery that the buyer is offered; the first is taken where none is named.

    They come by fee, then by code.
    """
    return options


@capability("fulfilment.put-methods", version="1.0", effect=Effect.WRITE, raises=[PlaceNotLent])
def put_methods(ask: PutMethods) -> MethodsPut:
    """Set methods of delivery; the rates sent replace those that a method had.

    With `lent_by` goods are picked up at a place of another from now on, as long as its owner's grant stands.
    """
    ...


@capability("fulfilment.list-guests", version="1.0", effect=Effect.READ)
def list_guests(ask: ListGuests) -> Guests:
    """List who has how many shipments at the places that this front end lends; not for whom they are."""
    ...


@capability("fulfilment.list-methods", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_methods(ask: ListMethods) -> MethodPage:
    """List the methods of delivery with their rates."""
    ...


@capability(
    "fulfilment.quote-delivery",
    version="1.0",
    effect=Effect.READ,
    raises=[UnknownMethod, Undeliverable, UnknownSlot, SlotMismatch, SlotFull, SlotClosed, RatesUnknown],
)
def quote_delivery(ask: QuoteDelivery) -> DeliveryQuote:
    """Say what delivery costs and when the goods arrive, for every way that there is.

    For each method the narrowest zone that holds the address counts. The front end may then refuse a way, replace its
    fee and its promise, and last arrange the options. A front end without any method delivers free, as `standard`.
    A slot's window is the promise. Room in a slot is looked at, not taken. What a rate service says of a method is what
    it said to `request-quote`: nobody is asked here, since a transaction may be open.
    """
    ...
