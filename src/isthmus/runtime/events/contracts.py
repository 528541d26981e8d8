"""Events as they leave the platform: CloudEvents, personal data masked by contract for who may not see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from isthmus.kernel import FrontEnd, decode, encode, errors
from isthmus.kernel.host import Release, event_kind
from isthmus.personal import Own, masked
from isthmus.store import Event
from isthmus.store.feed import ALL

NOTHING: Final = b"{}"  # of data that no contract can read
NO_OWN: Final[Own] = {}


@dataclass(frozen=True, slots=True)
class EventContracts:
    """What the events of the running release are made of."""

    release: Callable[[], Release]

    def of(self, front_end: str) -> Mapping[str, type[Any]]:
        """Return the contract of each event that can happen at a front end, by name."""
        release = self.release()
        line = release.lines.get(front_end)
        return {**release.events, **own_events(line.front_end)} if line else release.events

    def cloud_event(self, event: Event, *, is_personal: bool) -> bytes:
        """Return an event as JSON of CloudEvents 1.0; where it is not `is_personal`, marked fields are masked.

        One that is to be left says until when it is sent.
        """
        contract = self.release().events.get(event.type)
        leaving = event_kind(contract).deprecated if contract else None
        more = {"sunset": leaving.sunset.isoformat()} if leaving else {}
        return (event if is_personal else self.masked(event)).cloud_event(**more)

    def masked(self, event: Event) -> Event:
        """Return an event with what its contract marks as personal masked; without data where nothing can read it."""
        line = self.release().lines.get(event.front_end)
        contract = self.of(event.front_end).get(event.type)
        data = without_persons(event.data, contract, line.front_end.attributes if line else NO_OWN)
        return event if data is event.data else event.replace(data=data)

    def streams(self) -> Iterator[tuple[str, str]]:
        """Yield the types of events of each front end, as (front end, type), and that for all of them."""
        for code in self.release().lines:
            yield code, ALL
            yield from ((code, name) for name in self.of(code))


def own_events(front_end: FrontEnd) -> dict[str, type[Any]]:
    """Return the events that a front end declares itself, by name."""
    return {event_kind(one).name: one for one in front_end.events}


def without_persons(copy: bytes, contract: type[Any] | None, own: Own) -> bytes:
    """Return a copy with what its contract marks masked, or nothing of it where it cannot be read."""
    if contract is None:
        return NOTHING
    try:
        found = decode(copy, contract)
    except errors.BadAsk:
        return NOTHING
    after = masked(found, own)
    return copy if after is found else encode(after)
