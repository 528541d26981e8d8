"""Calls a minute that all servers together allow: of a key, of an address, of a person at the console.

A server leases a part of a minute's calls in one statement and gives them out of its memory, so most calls ask nobody;
what nobody limits is never asked about. Together they never give more than is allowed. What one has leased and does not
need is lost to the others for the rest of the minute: a twentieth for each server at most.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from isthmus.kernel import errors
from isthmus.store import Database

from .wire.body import Receive
from .wire.problem import CONTENT_TYPE, RateExceeded, problem

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Kind = Literal["key", "address", "person"]

PARTS: Final = 20  # of a minute's calls that one lease takes
KNOWN_MAX: Final = 10_000  # of whom a server remembers what it leased; beyond that it forgets those of past minutes
OPEN: Final = frozenset({"/health", "/ready"})  # asked for by what watches a server, and answered without a database
_LEASE: Final = "select granted, ends_s from isthmus.lease_calls($1, $2, $3, $4)"

log = logging.getLogger("isthmus.gateway")


@dataclass(slots=True)
class _Lease:
    """What one server may still give out in this minute."""

    left: int = 0
    ends: float = 0.0
    is_last: bool = False  # there is no more in this minute
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Allowances:
    """What is left of each minute. per_minute: by kind; a kind that is not there has no limit."""

    def __init__(
        self, database: Database, per_minute: Mapping[str, int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._per_minute = per_minute
        self._clock = clock
        self._leases: dict[tuple[str, str], _Lease] = {}

    async def take(self, kind: Kind, who: str, calls: int = 1) -> None:
        """Take calls from what somebody has left of this minute at all servers. Raises RateExceeded."""
        most = self._per_minute.get(kind)
        if most is None:
            return
        lease = self._lease_of(kind, who)
        if self._is_taken(lease, calls):
            return
        async with lease.asking:  # of many at once one asks
            if self._is_taken(lease, calls):
                return
            if not lease.is_last or self._clock() >= lease.ends:
                await self._ask(lease, kind, who, calls, most)
                if self._is_taken(lease, calls):
                    return
        wait_s = max(1, math.ceil(lease.ends - self._clock()))
        raise RateExceeded(
            f"this {kind} has made the {most} calls that it may make in a minute at all servers together",
            remedy=f"wait {wait_s} s, and spread calls over time",
            retry_after_s=wait_s,
        )

    def _lease_of(self, kind: str, who: str) -> _Lease:
        if len(self._leases) >= KNOWN_MAX:
            now = self._clock()
            self._leases = {name: one for name, one in self._leases.items() if one.ends > now or one.asking.locked()}
        return self._leases.setdefault((kind, who), _Lease())

    def _is_taken(self, lease: _Lease, calls: int) -> bool:
        if self._clock() >= lease.ends or lease.left < calls:
            return False
        lease.left -= calls
        return True

    async def _ask(self, lease: _Lease, kind: str, who: str, calls: int, most: int) -> None:
        if self._clock() >= lease.ends:
            lease.left = 0
        wanted = max(calls - lease.left, most // PARTS, 1)
        async with self._database.platform() as session:
            row = await session.fetch_row(_LEASE, kind, who, wanted, most)
        assert row is not None
        lease.left += row["granted"]
        lease.ends = self._clock() + row["ends_s"]
        lease.is_last = row["granted"] < wanted


class AddressLimit:
    """An application behind the question how often its caller's address may ask. Without a limit it is the same."""

    def __init__(self, app: App, allowances: Allowances, new_call_id: Callable[[], str]) -> None:
        self._app = app
        self._allowances = allowances
        self._new_call_id = new_call_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN and scope.get("client"):
            try:
                await self._allowances.take("address", scope["client"][0])
            except RateExceeded as refused:
                await self._refuse(refused, send)
                return
            except errors.Unavailable as away:  # whatever needs the database says so itself
                log.warning("addresses are not counted: %s", away)
        await self._app(scope, receive, send)

    async def _refuse(self, refused: RateExceeded, send: Send) -> None:
        found = problem(refused, self._new_call_id())
        headers = [(b"content-type", CONTENT_TYPE), (b"content-length", b"%d" % len(found.body)), *found.headers]
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        await send({"type": "http.response.body", "body": found.body})
