"""What carries events of all front ends out of the platform: webhooks, a broker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from isthmus.kernel import Capability, Value
    from isthmus.store import Consumer, Event


class Events(Protocol):
    """The events of all front ends, as the platform gives them to an outlet."""

    async def follow(self, consumer: Consumer) -> None:
        """Give events to a consumer, each at least once, until cancelled; they are kept until it has had them."""
        ...

    async def call(self, capability: Capability[Any, Any], ask: Value, front_end: str, *, key: str) -> Any:
        """Call a capability for a front end with what came from outside; a key that was answered is answered again."""
        ...

    def shown(self, event: Event, *, is_personal: bool) -> bytes:
        """Return an event as JSON of CloudEvents 1.0; where it is not `is_personal`, personal data is masked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Work of a pack on the events of all front ends, in every server process as long as it runs.

    run: is given the resource of the kind `of`, and the events; it works until cancelled, in several processes at once,
    and is started again where it fails. takes: SQL of who takes which types of events there, over all front ends
    (`who`, `types`: `PACK.*` is a pack's, `*` all); without it, somebody takes all.
    """

    name: str
    of: type[Any]
    run: Callable[[Any, Events], Awaitable[None]]
    takes: str = ""
