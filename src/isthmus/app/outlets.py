"""What carries events out of the platform, run in each server process: outlets that packs bring."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from isthmus.kernel import Caller, Capability, Platform, Value
from isthmus.manifest import Outlet, brought
from isthmus.runtime.events.contracts import EventContracts
from isthmus.runtime.schedule import Periodic
from isthmus.store import Consumer, Database, Event, Relay

from .platform import Running

AGAIN_S: Final = 5.0  # an outlet that failed starts again after so long


class LeavingEvents:
    """The events of a platform, as outlets are given them."""

    def __init__(self, platform: Platform, database: Database) -> None:
        self._platform = platform
        self._database = database
        self._contracts = EventContracts(lambda: platform.release)

    async def follow(self, consumer: Consumer) -> None:
        await Relay(self._database, [consumer]).run()

    async def call(self, capability: Capability[Any, Any], ask: Value, front_end: str, *, key: str) -> Any:
        pack = capability.name.partition(".")[0]
        caller = Caller(front_end=front_end, client=pack, via="event")
        return await self._platform.call(capability, ask, caller, key=key)

    def shown(self, event: Event, *, is_personal: bool) -> bytes:
        return self._contracts.cloud_event(event, is_personal=is_personal)


def outlets(running: Running) -> list[Periodic]:
    """Return the outlets of the packs that are plugged in; each runs until it fails, and then again."""
    events = LeavingEvents(running.platform, running.database)
    return [
        Periodic(name=one.name, every_s=AGAIN_S, run=partial(one.run, running.resource(one.of), events))
        for one in brought(running.packs, Outlet)
    ]
