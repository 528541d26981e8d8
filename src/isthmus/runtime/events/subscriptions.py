"""Subscriptions: which capabilities get which events, and one delivery enqueued for each.

An event reaches the front end that it happened at and no other. It is enqueued once for each capability that is to
be called with it; `durable` calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from isthmus.kernel import Effect, FrontEnd, Platform
from isthmus.kernel.host import Release, event_kind
from isthmus.store import Consumer, Database, Event

from . import timers

CONSUMER: Final = "subscriptions"

_PUT_DOWN: Final = """
    insert into runtime.delivery (front_end, capability, event_id, event_type, subject, ask)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::json[])
    on conflict (front_end, capability, event_id) do nothing"""


def problems_of(front_end: FrontEnd) -> Iterator[str]:
    """Say what is wrong with a front end's subscriptions."""
    for event, called in front_end.subscriptions.items():
        if not hasattr(event, "__isthmus_event__"):
            yield f"front end {front_end.code!r} subscribes to {event.__name__}, which is not declared with @event"
        for found in called:
            where = f"front end {front_end.code!r} has {event.__name__} told to {found.name!r}"
            if found not in front_end.capabilities:
                yield f"{where}, which is not its own; name one of capabilities=(...)"
            if found.ask is not event:
                yield f"{where}, which asks with {found.ask.__name__}; make its ask {event.__name__}"
            if found.effect is Effect.READ:
                yield f"{where}, which has no effect; declare it with Effect.WRITE or Effect.STEPS"


def subscribed(front_end: FrontEnd) -> dict[str, tuple[str, ...]]:
    """Return the names of the capabilities to call, by type of event."""
    return {
        event_kind(event).name: tuple(one.name for one in called) for event, called in front_end.subscriptions.items()
    }


def called(release: Release) -> list[tuple[str, str]]:
    """Return who is called with events and by timers: front end and capability."""
    subscribers = {(code, one.name) for code, line in release.lines.items() for one in line.front_end.subscribers()}
    return sorted(subscribers | {(code, job.calls.name) for code, job in timers.timed(release)})


def consumer(platform: Platform, database: Database, ring: Callable[[], None]) -> Consumer:
    """Return who puts events down for the front ends of the running release; `ring` is called when there are some."""

    async def deliver(events: Sequence[Event]) -> None:
        release, now = platform.release, datetime.now(UTC)
        lines = release.lines
        wanted = {
            event.front_end: subscribed(lines[event.front_end].front_end)
            for event in events
            if event.front_end in lines
        }
        rows = [
            (event.front_end, name, event.id, event.type, event.subject, event.data)
            for event in events
            for name in wanted.get(event.front_end, {}).get(event.type, ())
        ]
        follows = timers.following(release, events)
        rows += timers.due_now(follows, now)
        await timers.arm_after(database, follows, now)
        if rows:
            async with database.platform() as session:
                await session.execute(_PUT_DOWN, *map(list, zip(*rows, strict=True)))
            ring()

    return Consumer(name=CONSUMER, deliver=deliver, is_from_start=False)
