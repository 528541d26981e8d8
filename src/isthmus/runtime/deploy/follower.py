"""A server process follows what is switched: it loads versions beforehand, and puts them in place in one assignment.

Word comes by NOTIFY; whoever misses it (a node that was away, a connection that was lost) looks once a second, and
when it starts. A call keeps the line that it began with, so no call sees two versions.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg

from isthmus.kernel import Caller, Platform, errors
from isthmus.kernel.host import CompiledFrontEnd, compile_front_ends
from isthmus.manifest.actions import Doer
from isthmus.store import Database, connect

from . import declared, rules, versions
from . import rollout as switches
from .canary import beside
from .guardrails import WATCH_S, RolloutMonitor, bounds_of, reason_to_go_back
from .loading import Load, load_front_end
from .rollout import APPLICATION, CHANNEL, LIVE_S, Rollout

POLL_S: Final = 1.0
KEPT_MAX: Final = 4  # versions of one front end that stay loaded, beside those in place: to go back to, and of returns
BY: Final = "isthmus"

_BEAT: Final = f"""
    insert into runtime.worker (id, node, pid) values ($1, $2, $3)
    on conflict (id) do update set seen_at = now()
    where runtime.worker.seen_at < now() - make_interval(secs => {POLL_S / 2})"""
_FORGET: Final = f"delete from runtime.worker where seen_at < now() - make_interval(secs => {100 * LIVE_S})"
_FORGET_COUNTS: Final = """
    delete from runtime.watched w using runtime.switch s
    where s.id = w.switch and s.made_at < now() - interval '7 days'"""
_READY: Final = """
    insert into runtime.ready (worker, front_end, hash, trouble) values ($1, $2, $3, $4)
    on conflict (worker, front_end, hash) do update set trouble = excluded.trouble"""
_APPLIED: Final = """
    insert into runtime.applied (worker, front_end, switch, trouble)
    select $1, front_end, switch, trouble
    from unnest($2::text[], $3::bigint[], $4::text[]) as a (front_end, switch, trouble)
    on conflict (worker, front_end) do update set switch = excluded.switch, trouble = excluded.trouble"""

log = logging.getLogger("isthmus.runtime")


class Follower:
    """Keeps the release of one platform as it was decided. cache: a folder for unpacked versions. load: loads one."""

    def __init__(
        self,
        platform: Platform,
        database: Database,
        cache: Path,
        watch: RolloutMonitor | None = None,
        load: Load = load_front_end,
    ) -> None:
        self.id = uuid4()
        self._platform = platform
        self._database = database
        self._cache = cache
        self._load = load
        self._watch = watch or RolloutMonitor()
        self._base = platform.release  # what the folder on disk holds
        self._lines: dict[tuple[str, str], CompiledFrontEnd] = {}  # those used last are last
        self._in_place: dict[str, tuple[str | None, str | None]] = {}  # hashes, stable and staged
        self._applied: dict[str, tuple[int, str]] = {}
        self._reported: dict[str, tuple[int, str]] = {}
        self._seen = 0
        self._has_forgotten = False
        self._turn = asyncio.Lock()
        self._bell = asyncio.Event()
        self._preparing: set[asyncio.Task[None]] = set()

    @property
    def troubles(self) -> dict[str, str]:
        """What does not run as it was decided, by front end, with the reason."""
        return {code: trouble for code, (_, trouble) in self._applied.items() if trouble}

    async def catch_up(self) -> None:
        """Put in place whatever was decided since the last look."""
        async with self._turn:
            for made in sorted(await switches.since(self._database, self._seen), key=lambda one: one.id):
                await self._apply(made)
                self._seen = made.id

    async def run(self) -> None:
        """Follow until cancelled, as a worker that deploys wait for. Outlives a database that is away for a while."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._keep_up())
            tasks.create_task(self._judge())

    async def line_of(self, code: str, hash_: str) -> CompiledFrontEnd:
        """Return a version's line, loaded where it is not yet. Raises NotAFrontEnd, BuildProblems."""
        found = self._lines.pop((code, hash_), None)
        if found is None:
            front_end = await versions.load(self._database, code, hash_, self._cache, self._load)
            (found,), problems = await asyncio.to_thread(compile_front_ends, self._base, [front_end])
            if problems:
                raise errors.BuildProblems(problems)
            await asyncio.to_thread(declared.check_here, front_end, self._base.packs.values())
            await asyncio.to_thread(lambda: found.fingerprint)  # made here, not while a call waits
        self._lines[code, hash_] = found
        in_place = self._in_place.get(code, ())
        for old in [key for key in self._lines if key[0] == code and key[1] not in in_place][:-KEPT_MAX]:
            del self._lines[old]
            versions.forget(old[1])
        return found

    async def line(self, front_end: str, fingerprint: str) -> CompiledFrontEnd:
        """Return what answered under a fingerprint, with today's capabilities. Raises RulesNotKept."""
        hash_ = await rules.found(self._database, front_end, fingerprint)
        try:
            async with self._turn:
                return await self.line_of(front_end, hash_)
        except (errors.BadAsk, errors.NotFound, errors.BuildProblems) as wrong:
            raise errors.RulesNotKept(
                f"the rules {fingerprint} of {front_end!r} are kept and cannot be loaded any more: {wrong}",
                remedy=f"isthmus rules {front_end} --lost {fingerprint} --are FINGERPRINT --broken",
            ) from wrong

    async def _apply(self, made: Rollout) -> None:
        code = made.front_end
        trouble, line = "", None
        try:
            line = await self._decided(made)
        except errors.Trouble:
            raise  # the database is away: the same again, later
        except (errors.IsthmusError, errors.BuildProblems) as error:
            trouble = str(error)
            log.error("front end %s cannot be switched as decided: %s", code, trouble)
            line = self._platform.release.lines.get(code) if code in self._applied else None
        release = self._platform.release
        if line is not None:
            self._platform.release = release.replacing(line)
        else:  # nothing runs in place of what was decided: another version's prices would be wrong prices
            lines = {name: one for name, one in release.lines.items() if name != code}
            self._platform.release = dataclasses.replace(release, lines=lines)
        self._applied[code] = made.id, trouble
        self._begin_watch(made, line)

    async def _decided(self, made: Rollout) -> CompiledFrontEnd | None:
        code = made.front_end
        self._in_place[code] = made.stable, made.staged
        stable = await self._answering(code, made.stable) if made.stable else self._base.lines.get(code)
        if made.staged is None:
            return stable
        staged = await self._answering(code, made.staged)
        return beside(stable, staged, made.staged, made.percent) if stable else None

    async def _answering(self, code: str, hash_: str) -> CompiledFrontEnd:
        """Return a version's line, with its rules kept before anything is sold under them."""
        line = await self.line_of(code, hash_)
        await rules.keep(self._database, code, line.fingerprint, hash_)
        return line

    def _begin_watch(self, made: Rollout, line: CompiledFrontEnd | None) -> None:
        left_s = WATCH_S - (datetime.now(UTC) - made.made_at).total_seconds()
        new = self._lines.get((made.front_end, made.staged or made.stable or ""))
        self._watch.end(made.front_end)
        if line is None or new is None or left_s <= 0 or made.kind in ("rollback", "automatic-rollback"):
            return
        with suppress(errors.IsthmusError):  # refused at the deploy; here it is too late to say so
            bounds = bounds_of(new.front_end.settings)
            self._watch.begin(made.front_end, made.id, new.fingerprint, bounds, left_s)

    async def _keep_up(self) -> None:
        """Be seen, look, and say what is in place."""
        while True:
            self._bell.clear()
            try:
                await self._forget()
                await self._look()
            except Exception as error:
                log.warning("the state of front ends cannot be read, again in %g s: %r", POLL_S, error)
                await asyncio.sleep(POLL_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._bell.wait()

    async def _forget(self) -> None:
        """Forget once what workers that are no more left behind."""
        if self._has_forgotten:
            return
        async with self._database.platform() as session:
            await session.execute(_FORGET)
            await session.execute(_FORGET_COUNTS)
        self._has_forgotten = True

    async def _look(self) -> None:
        await self.catch_up()
        async with self._database.platform() as session:
            await session.execute(_BEAT, self.id, socket.gethostname(), os.getpid())
            if new := {code: one for code, one in self._applied.items() if self._reported.get(code) != one}:
                ids, troubles = zip(*new.values(), strict=True)
                await session.execute(_APPLIED, self.id, list(new), list(ids), list(troubles))
                self._reported |= new

    async def _judge(self) -> None:
        """Look at how switched front ends fare, and take back what leaves its bounds."""
        while True:
            await asyncio.sleep(POLL_S)
            for code, watched in self._watch.in_flight().items():
                try:
                    if reason := await reason_to_go_back(self._database, self.id, watched):
                        log.error("front end %s is rolled back: %s", code, reason)
                        by = Doer(caller=Caller(front_end=code, client=BY, via="job"), journal=self._platform.journal)
                        await switches.roll_back(self._database, code, by, reason=reason, unless=watched.switch)
                        self._watch.end(code)
                except switches.NothingBefore:
                    self._watch.end(code)
                except Exception as error:
                    log.warning("front end %s cannot be judged, again in %g s: %r", code, POLL_S, error)

    async def _listen(self) -> None:
        while True:
            try:
                connection = await connect(self._database.url, application_name=f"{APPLICATION} {self.id}")
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(POLL_S)
                continue
            is_lost = asyncio.Event()
            try:
                connection.add_termination_listener(partial(_note, is_lost))
                await connection.add_listener(CHANNEL, self._heard)
                self._bell.set()
                await is_lost.wait()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(POLL_S)
            finally:
                connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, word: Any) -> None:
        kind, *what = str(word).split()
        if kind == "switch":
            self._bell.set()
        elif kind == "prepare" and len(what) == 2:
            task = asyncio.create_task(self._prepare(*what))
            self._preparing.add(task)
            task.add_done_callback(self._preparing.discard)

    async def _prepare(self, code: str, hash_: str) -> None:
        """Load a version before it is decided on, and say whether that went well."""
        trouble = ""
        try:
            async with self._turn:
                await self.line_of(code, hash_)
        except errors.Trouble:
            return  # the word comes again
        except (errors.IsthmusError, errors.BuildProblems) as error:
            trouble = str(error)
        with suppress(errors.IsthmusError):  # not known as a worker yet, or the database is away: the word comes again
            async with self._database.platform() as session:
                await session.execute(_READY, self.id, code, hash_, trouble)


def _note(fact: asyncio.Event, _: object) -> None:
    fact.set()
