"""Webhooks, as others may name them: events are sent to an address, signed as Standard Webhooks says.

    put-endpoint ──▶ active ──fails for too long, 410, pause──▶ paused ──resume──▶ active
    event ──▶ waiting ──2xx──▶ done
                 │  └─anything else: again, later each time─┐
                 ▼                                          │
               dead ──send-again──▶ waiting ◀───────────────┘

`webhook-id` is the id of the event, the same whenever it is sent; `webhook-signature` has one signature for each secret
that holds. Events of one subject keep their order where the endpoint is `ordered`.
"""

# pyright: reportUnusedImport=false

from __future__ import annotations

import enum
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.markings import Pii
from isthmus.values import Code, Moment, PageSize

ENDPOINTS_MAX = 50

EventType = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,60}\.(\*|[a-z][a-z0-9-]{0,60})\Z")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+(/[^\s#]*)?\Z", max_length=2_000)]
SigningSecret = Annotated[str, Pii("identifier")]  # whoever has it can sign: it is in no log and no recording


class EndpointState(enum.StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"


class DeliveryState(enum.StrEnum):
    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"


class PutEndpoint(Value):
    """An address that events are sent to. types: of which events; `PACK.*` is all of a pack's.

    ordered: those of one subject come in their order, so that one that fails holds up what follows. personal: personal
    data of one's own events is sent too; without it, and in events that others granted, it is masked.
    """

    name: Code
    url: Url
    types: Annotated[tuple[EventType, ...], Meta(min_length=1, max_length=50)]
    ordered: bool = False
    personal: bool = False


class Endpoint(PutEndpoint):
    """An address and how it fares. `failing_since`: nothing has got through since then."""

    state: EndpointState
    reason: str
    failing_since: Moment | None
    waiting: int
    dead: int


class PutAnswer(Value):
    """The endpoint; `secret` where it was made now, to be kept by who receives: it is never shown again."""

    endpoint: Endpoint
    secret: SigningSecret | None = None


class NamedEndpoint(Value):
    """Name an endpoint."""

    name: Code


class RotateSecret(Value):
    """Make a new secret; what is sent is signed with the old one too for so many hours."""

    name: Code
    keep_hours: Annotated[int, Meta(ge=0, le=168)] = 24


class NewSecret(Value):
    """The secret that what is sent is signed with from now on."""

    secret: SigningSecret


class ListEndpoints(Value):
    """List endpoints by name."""


class Endpoints(Value):
    """All endpoints of a front end."""

    items: tuple[Endpoint, ...]


class Delivery(Value):
    """An event on its way to an endpoint. status: of the last answer; 0 where there was none."""

    delivery_id: int
    endpoint: str
    event_id: str
    event_type: str
    subject: str
    state: DeliveryState
    attempts: int
    status: int
    reason: str
    made_at: Moment
    due_at: Moment
    ended_at: Moment | None


class Attempt(Value):
    """One time that an event was sent. took_ms: until the answer's head."""

    number: int
    at: Moment
    took_ms: int
    status: int
    reason: str


class ListDeliveries(Value):
    """List what was sent, the newest first. cursor: the id of the last delivery of the page before."""

    endpoint: Code | None = None
    state: DeliveryState | None = None
    limit: PageSize = 50
    before: Annotated[int, Meta(ge=1, le=2**62)] | None = None


class Deliveries(Value):
    """Deliveries; `next_before` goes on with those before."""

    items: tuple[Delivery, ...]
    next_before: int | None = None


class GetDelivery(Value):
    """Ask for a delivery by its id."""

    delivery_id: Annotated[int, Meta(ge=1, le=2**62)]


class DeliveryLog(Value):
    """A delivery, and each time that it was tried."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


class SendAgain(Value):
    """Send dead letters again: one, or all of an endpoint. One that is done is sent again too, where it is named."""

    delivery_id: Annotated[int, Meta(ge=1, le=2**62)] | None = None
    endpoint: Code | None = None


class SentAgain(Value):
    """How many will be sent again."""

    count: int


class TestSent(Value):
    """The delivery of a test event, which is sent in a moment."""

    delivery_id: int


class PauseFailing(Value):
    """Pause what has failed for too long."""


class Paused(Value):
    """The endpoints that were paused."""

    names: tuple[str, ...]


@event("webhooks.endpoint-paused", version="1.0", subject="name")
class EndpointPaused(Value):
    """Nothing is sent to an endpoint any more until somebody resumes it; its events wait for seven days."""

    name: str
    url: str
    reason: str


@event("webhooks.endpoint-changed", version="1.0", subject="name")
class EndpointChanged(Value):
    """An endpoint was made, changed, resumed, deleted, or got a new secret."""

    name: str
    what: str


class UnknownEndpoint(errors.NotFound):
    """There is no such endpoint."""

    slug = "webhooks.unknown-endpoint"

    def __init__(self, *, name: str) -> None:
        super().__init__(f"there is no endpoint {name!r}", remedy="list the endpoints", path="$.name")


class UnknownDelivery(errors.NotFound):
    """There is no such delivery that can be sent again."""

    slug = "webhooks.unknown-delivery"

    def __init__(self, *, what: str) -> None:
        super().__init__(f"there is no delivery {what}", remedy="list the deliveries", path="$.delivery_id")


class AddressRefused(errors.RuleBroken):
    """Events are not sent to such an address."""

    slug = "webhooks.address-refused"

    def __init__(self, *, url: str, because: str) -> None:
        super().__init__(
            f"{url!r} {because}", remedy="give an https address that everybody can reach", path="$.url", because=because
        )


class NoKey(errors.Fault):
    """The key under which secrets of endpoints are sealed cannot be used."""

    slug = "webhooks.no-key"

    def __init__(self, *, file: str, because: str) -> None:
        super().__init__(
            f"the key in {file} cannot be used: {because}",
            remedy="put back the file that was there, or have each endpoint make another secret",
        )


class TooManyEndpoints(errors.RuleBroken):
    """The front end has as many endpoints as it may have."""

    slug = "webhooks.too-many-endpoints"

    def __init__(self) -> None:
        super().__init__(f"you have {ENDPOINTS_MAX} endpoints", remedy="delete those that nobody needs", path="$.name")


@capability("webhooks.put-endpoint", version="1.0", effect=Effect.WRITE, raises=[AddressRefused, TooManyEndpoints])
def put_endpoint(ask: PutEndpoint) -> PutAnswer:
    """Send events to an address from now on, or change how.

    A new one gets a secret (`whsec_…`), which any library of Standard Webhooks verifies with.
    """
    ...


@capability("webhooks.rotate-secret", version="1.0", effect=Effect.WRITE, raises=[UnknownEndpoint])
def rotate_secret(ask: RotateSecret) -> NewSecret:
    """Make a new secret for an endpoint; both sign until the old one has run out."""
    ...


@capability("webhooks.list-endpoints", version="1.0", effect=Effect.READ)
def list_endpoints(ask: ListEndpoints) -> Endpoints:
    """List the endpoints and how they fare."""
    ...


@capability("webhooks.delete-endpoint", version="1.0", effect=Effect.WRITE, raises=[UnknownEndpoint])
def delete_endpoint(ask: NamedEndpoint) -> NamedEndpoint:
    """Send nothing to an endpoint any more; what waits for it and its log go with it."""
    ...


@capability("webhooks.pause-endpoint", version="1.0", effect=Effect.WRITE, raises=[UnknownEndpoint])
def pause_endpoint(ask: NamedEndpoint) -> Endpoint:
    """Let events wait until the endpoint is resumed. Safe to repeat."""
    ...


@capability("webhooks.resume-endpoint", version="1.0", effect=Effect.WRITE, raises=[UnknownEndpoint])
def resume_endpoint(ask: NamedEndpoint) -> Endpoint:
    """Send again what has waited, at once. Safe to repeat."""
    ...


@capability("webhooks.test-endpoint", version="1.0", effect=Effect.WRITE, raises=[UnknownEndpoint])
def test_endpoint(ask: NamedEndpoint) -> TestSent:
    """Send an event of the type `webhooks.test`, signed like any other; the delivery says how it went."""
    ...


@capability("webhooks.list-deliveries", version="1.0", effect=Effect.READ)
def list_deliveries(ask: ListDeliveries) -> Deliveries:
    """List deliveries, the newest first: those that are done for seven days, dead letters for thirty."""
    ...


@capability("webhooks.get-delivery", version="1.0", effect=Effect.READ, raises=[UnknownDelivery])
def get_delivery(ask: GetDelivery) -> DeliveryLog:
    """Show a delivery with each time that it was tried."""
    ...


@capability("webhooks.send-again", version="1.0", effect=Effect.WRITE, raises=[UnknownDelivery])
def send_again(ask: SendAgain) -> SentAgain:
    """Send dead letters again, as long as their events are kept; the receiver knows them by the same `webhook-id`."""
    ...


@capability("webhooks.pause-failing", version="1.0", effect=Effect.WRITE)
def pause_failing(ask: PauseFailing) -> Paused:
    """Pause the endpoints that have failed for too long, and say so by an event. A job calls it."""
    ...
