"""The process that runs a version in the shadow: each recorded live call by both versions, in one transaction, undone.

It stands apart from the servers, so that a loop, a leak or a crash is its own. A call that does not come back ends it
by an alarm that even a loop in C cannot keep; then it is started again and leaves that call out. Rows that a run locks
are locked for at most half a second. Nothing is reached from here but the database.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlsplit

import msgspec

from isthmus.kernel import Effect, Platform, errors
from isthmus.kernel.host import CompiledFrontEnd, new_call_id
from isthmus.store import Database

from ..deploy import rollout as switches
from ..deploy import versions
from ..deploy.context import DeployContext
from ..deploy.deploy import checked
from ..replay.answers import Count
from ..replay.capabilities import Versions, compared
from ..replay.recorded import RecordedCall
from ..replay.report import FrontEndReport
from . import shadow as shadows
from .shadow import Shadow

READ_MS: Final = 2_000  # a run of a call that only reads
WRITE_MS: Final = 500  # a run that holds rows, which live calls may be waiting for
LOCK_MS: Final = 100  # a run never queues long for a live call's rows
BACK_WITHIN_S: Final = 10  # three runs, and as much again: what takes longer hangs
LOADED_WITHIN_S: Final = 60
LATE_S: Final = 10  # calls older than this have left too much behind that has changed since
SETTLE_S: Final = 0.5  # rows of a batch that began earlier may be committed later
PAGE: Final = 100
LOOK_EVERY_S: Final = 0.5
MEMORY: Final = 1 << 30  # bytes beyond what it starts with
BEHIND: Final = 10  # nice: live calls come first

SETTINGS: Final = {"lock_timeout": f"{LOCK_MS}ms", "idle_in_transaction_session_timeout": f"{WRITE_MS}ms"}
_LATE: Final = """
    select count(*) from runtime.recorded_call
    where front_end = $1 and (recorded_at, call_id) > ($2, $3) and recorded_at < now() - make_interval(secs => $4)"""
_NEXT: Final = """
    select recorded_at, call_id, story from runtime.recorded_call
    where front_end = $1 and (recorded_at, call_id) > ($2, $3) and recorded_at < now() - make_interval(secs => $4)
      and recorded_at >= now() - make_interval(secs => $5)
    order by recorded_at, call_id limit $6"""

log = logging.getLogger("isthmus.runtime")

_decoder = msgspec.json.Decoder(RecordedCall)


class SandboxViolation(errors.Fault):
    """A version in the shadow tried to reach something outside."""

    slug = "runtime.outside"


async def run_shadow(context: DeployContext, code: str, resources: Mapping[type, object]) -> None:
    """Run what is declared for a front end until that ends, is replaced, or the live version is another one.

    Says on standard output which call is about to run, for whoever tends it. resources: what calls may take from
    outside; they must have no effect of their own.
    """
    parent = os.getppid()
    held = await switches.current(context.database, code)
    live = (held and held.stable) or ""
    shadow = await shadows.begin(context.database, code, live)
    if shadow.ended:
        return
    if live == shadow.hash:
        await shadows.end(context.database, code, "it was deployed")
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, whatever it is in
    signal.setitimer(signal.ITIMER_REAL, LOADED_WITHIN_S)
    try:
        lines = (await _live(context, code, live), await _line(context, code, shadow.hash))
    except (errors.IsthmusError, errors.BuildProblems) as error:
        await shadows.end(context.database, code, f"it cannot be loaded: {error}")
        return
    signal.setitimer(signal.ITIMER_REAL, 0)
    async with await Database.open(context.database.url, connections_max=2, settings=SETTINGS) as database:
        platforms = [Platform(context.release.replacing(line), database, resources=resources) for line in lines]
        running = _Running(context.database, database, shadow, Versions.of(platforms[0], platforms[1], code))
        _stand_apart(context.database.url, running.wanted)
        print(flush=True)  # ready
        try:
            while await running.look():
                now = await switches.current(context.database, code)
                if (now and now.id) != (held and held.id) or os.getppid() != parent:
                    return  # started again beside what is live by now
                await asyncio.sleep(LOOK_EVERY_S)
        except errors.Trouble as away:  # no call's fault: started again, and the same calls once more
            log.warning("the shadow of %s cannot go on for now: %s", code, away)


async def _live(context: DeployContext, code: str, hash_: str) -> CompiledFrontEnd:
    return await _line(context, code, hash_) if hash_ else context.release.line(code)


async def _line(context: DeployContext, code: str, hash_: str) -> CompiledFrontEnd:
    return checked(context.release, await versions.load(context.database, code, hash_, context.cache, context.load))


class _Running:
    """One running shadow. wanted: what was tried to be reached, by whatever ran last."""

    def __init__(self, own: Database, database: Database, shadow: Shadow, versions: Versions) -> None:
        self.wanted: set[str] = set()
        self._own = own
        self._database = database
        self._shadow = shadow
        self._versions = versions
        self._through = (shadow.through_at, shadow.through_id)
        self._lost = {one.partition(" ")[0] for one in shadow.lost}
        found = shadow.report
        self._calls, self._changed = (found.calls, found.changed_calls) if found else (0, 0)
        self._counts = {one.name: Count.of(one) for one in found.tallies} if found else {}

    async def look(self) -> bool:
        """Run what was recorded since the last look; false where there is no more to do."""
        code = self._shadow.front_end
        async with self._own.platform() as session:
            skipped = await session.fetch_value(_LATE, code, *self._through, float(LATE_S))
            rows = await session.fetch(_NEXT, code, *self._through, SETTLE_S, float(LATE_S), PAGE)
        for row in rows:
            call = _decoder.decode(row["story"])
            self._through = (row["recorded_at"], row["call_id"])
            if call.now >= self._shadow.made_at:  # not one that was loaded from a file, or is from before
                await self._see(call)
        if not rows and not skipped:
            return not (await shadows.find(self._own, code)).ended
        if not rows:
            self._through = (await self._late_until(), "")
        print(flush=True)
        return await shadows.keep(self._own, self._shadow, self._report(), self._through, skipped)

    async def _late_until(self) -> datetime:
        async with self._own.platform() as session:
            return await session.fetch_value("select now() - make_interval(secs => $1)", float(LATE_S))

    async def _see(self, call: RecordedCall) -> None:
        if call.call_id in self._lost:
            return
        count = self._counts.setdefault(call.capability, Count())
        self._calls += 1
        print(call.call_id, call.capability, flush=True)
        offered = self._versions.before.release.line(call.front_end).offered.get(call.capability)
        is_write = offered is not None and offered.capability.effect is Effect.WRITE
        signal.setitimer(signal.ITIMER_REAL, BACK_WITHIN_S)
        same = await compared(
            self._database,
            self._versions,
            call,
            count,
            as_id=new_call_id(call.now),
            limit_ms=WRITE_MS if is_write else READ_MS,
        )
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._changed += not same
        for where in sorted(self.wanted):
            count.note(f"{where} was to be reached, and a version in the shadow reaches nothing outside")
        self.wanted.clear()

    def _report(self) -> FrontEndReport:
        tallies = sorted(
            (count.tally(name) for name, count in self._counts.items()), key=lambda one: (-one.changed.low, one.name)
        )
        code = self._shadow.front_end
        return FrontEndReport(front_end=code, calls=self._calls, changed_calls=self._changed, tallies=tuple(tallies))


def _stand_apart(url: str, wanted: set[str]) -> None:
    """Limit this process to what a shadow may take, and its sockets to the database. No wall against malice."""
    os.nice(BEHIND)
    if sys.platform == "linux":  # elsewhere nobody tells what it has
        most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    hosts = reachable(url)

    def look(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            where = str(args[0])
        elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
            where = str(cast("tuple[Any, ...]", args[1])[0])  # a path, which is no tuple, is this machine's own
        else:
            return
        if where not in hosts:
            wanted.add(where)
            raise SandboxViolation(
                f"{where} is outside", remedy="leave it: a version in the shadow reaches nothing outside"
            )

    sys.addaudithook(look)


def reachable(url: str) -> frozenset[str]:
    """Return names and addresses of a database's hosts; none where it listens on a socket of this machine."""
    place = urlsplit(url)
    placed = place.netloc.rpartition("@")[2].split(",")
    named = [one.partition("]")[0] if one.startswith("[") else one.partition(":")[0] for one in placed]
    named += dict(parse_qsl(place.query)).get("host", "").split(",")
    hosts = {one.lstrip("[") for one in named if one and not one.startswith("/")} or {"localhost"}
    found = [each for one in hosts for each in socket.getaddrinfo(one, None)]
    return frozenset({*hosts, *(str(each[4][0]) for each in found)})
