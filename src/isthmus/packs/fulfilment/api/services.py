"""Rate services: what a carrier asks for a delivery, said by itself; the contract that one has to keep.

A service is asked by `request-quote`, outside of any transaction, and its answer is kept for a while: `quote-delivery`
takes it from there, so that an order costs what was shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Protocol

from isthmus.kernel import Effect, Meta, Value, capability, errors
from isthmus.kernel.host import check
from isthmus.manifest import Place
from isthmus.store import Database, KeptAnswers
from isthmus.values import LINES_MAX, Address, CurrencyCode

from .delivery import (
    METHODS_MAX,
    DeliveryQuote,
    Fee,
    Minutes,
    QuoteDelivery,
    RatesUnknown,
    SlotClosed,
    SlotFull,
    SlotMismatch,
    Undeliverable,
    UnknownMethod,
    UnknownSlot,
)

REQUEST_DEADLINE_MS = 15_000  # a service has ten seconds at most; who previews an order waits no longer


class RateLine(Value):
    """Goods that are to be delivered; `weight_grams` is of one unit."""

    sku: str
    quantity: int
    weight_grams: int


class RateAsk(Value):
    """What a rate service is asked: what these ways of delivery cost for these goods, there."""

    methods: Annotated[tuple[str, ...], Meta(min_length=1, max_length=METHODS_MAX)]
    currency: CurrencyCode
    amount_minor: int
    lines: Annotated[tuple[RateLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    destination: Address | None = None


class LiveRate(Value):
    """What one way of delivery costs, and after how many minutes the goods arrive; no end: no promise."""

    method: str
    fee_minor: Fee
    after_minutes: Minutes = 0
    within_minutes: Minutes | None = None


class RateService(Protocol):
    """Says what deliveries cost. One that raises, or does not answer in time, has not answered."""

    name: str

    def covers(self, method: str) -> bool:
        """Say whether it is to be asked about a method of delivery, by its code."""
        ...

    async def rates(self, *, key: str, ask: RateAsk) -> Sequence[LiveRate]:
        """Return what the ways of delivery cost; one that is left out does not go there. The same key: the same ask."""
        ...


class RateSettings(Value):
    """`[settings.fulfilment]`, for where a rate service is chosen.

    fallback: what counts where it has not answered: the platform's `own-tables`, or `refuse`. valid_s: for how long an
    answer counts. kept_days: for how long it is kept, so that a replay finds it.
    """

    fallback: Literal["own-tables", "refuse"] = "own-tables"
    valid_s: Annotated[int, Meta(ge=60, le=86_400)] = 3_600
    kept_days: Annotated[int, Meta(ge=1, le=3650)] = 90


class RateServices:
    """The services that are connected, and the answers that they gave."""

    def __init__(
        self, services: Iterable[RateService], database: Database | None = None, settings: RateSettings = RateSettings()
    ) -> None:
        self.services = tuple(sorted(services, key=lambda one: one.name))
        self.is_strict = settings.fallback == "refuse"
        self.answers = database and KeptAnswers(
            database=database, table="fulfilment.rate_answer", valid_s=settings.valid_s, kept_days=settings.kept_days
        )

    def covering(self, methods: Iterable[str]) -> list[tuple[RateService, tuple[str, ...]]]:
        """Return who is asked about which methods: of several services the first by name."""
        found: dict[str, list[str]] = {}
        for method in methods:
            if service := next((one for one in self.services if one.covers(method)), None):
                found.setdefault(service.name, []).append(method)
        return [(one, tuple(found[one.name])) for one in self.services if one.name in found]


OWN_TABLES_ONLY = RateServices(())


class ForgetRates(Value):
    """Forget what services said long ago."""


class RatesForgotten(Value):
    """How many answers are forgotten."""

    answers: int


@capability(
    "fulfilment.request-quote",
    version="1.0",
    effect=Effect.READ,
    raises=[UnknownMethod, Undeliverable, UnknownSlot, SlotMismatch, SlotFull, SlotClosed, RatesUnknown],
    deadline_ms=REQUEST_DEADLINE_MS,
)
def request_quote(ask: QuoteDelivery) -> DeliveryQuote:
    """Quote a delivery as `quote-delivery` does, and have rate services say what they say, where some are chosen.

    Call it before, outside of any transaction; previewing an order does. The same ask is sent to a service once.
    """
    ...


@capability("fulfilment.forget-rates", version="1.0", effect=Effect.WRITE)
def forget_rates(ask: ForgetRates) -> RatesForgotten:
    """Forget answers older than `[settings.fulfilment] kept_days`; the platform does so by itself."""
    ...


def fitting_rates(ask: RateAsk, said: Sequence[LiveRate]) -> None:
    """Raise BadAsk where an answer cannot be one to this ask."""
    for at, one in enumerate(said):
        check(one, f"$.rates[{at}]")
        if one.method not in ask.methods:
            raise errors.BadAsk(f"{one.method!r} was not asked about", remedy="answer what was", path=f"$.rates[{at}]")


def connected(place: Place) -> RateServices:
    """Connect the services that the settings chose."""
    return RateServices(place.providers.values(), place.database, place.settings)
