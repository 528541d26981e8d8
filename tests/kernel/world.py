"""A small world for tests of the kernel alone: packs made of parts, and a store in memory.

The store keeps the promises of `ports.Store` for keys, events and transactions, and has no tables: what
capabilities do against real rows is tested on PostgreSQL, in tests/store and tests/packs.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from isthmus.kernel import (
    Caller,
    Capability,
    Dimension,
    Effect,
    FrontEnd,
    Pack,
    Platform,
    Registry,
    Value,
    capability,
    decode,
    encode,
    errors,
    event,
    implements,
    ports,
)
from isthmus.kernel.host import ExtensionPoint, Plan, Release

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NORTH = Caller(front_end="north")

KIND = Dimension(name="kind", values=("plain", "presale", "gift"), default="plain")
CHANNEL = Dimension(name="channel", values=("web", "app", "till"), default="web")


class Number(Value):
    """Ask with a number."""

    number: int = 0


class Situated(Value):
    """Ask with dimension values."""

    kind: str | None = None
    channel: str | None = None
    number: int = 0


class Said(Value):
    """An answer of text."""

    text: str


@event("shop.noted", version="1.0", subject="text")
class Noted(Value):
    """Something was noted."""

    text: str


class Refused(errors.RuleBroken):
    """The shop says no."""

    slug = "shop.refused"


def a_pack(name: str = "shop", *parts: Any, **named: Any) -> Pack:
    """Make a pack of points, capabilities and implementations; what has a name stands under it in its api."""
    api, service = ModuleType(f"{name}_api", "A pack of a test."), ModuleType(f"{name}_service")
    for part in parts:
        if isinstance(part, Capability | ExtensionPoint):
            setattr(api, part.name.partition(".")[2].replace("-", "_"), part)
        else:
            setattr(service, f"part_{len(vars(service))}", part)
    for python_name, part in named.items():
        setattr(api, python_name, part)
    return Pack(name=name, owner="a team", api=api, service=(service,))


def a_front_end(code: str = "north", *answers: Any, **more: Any) -> FrontEnd:
    """Make a front end that may call all of the pack `shop`."""
    more.setdefault("uses", ("shop.*",))
    return FrontEnd(code=code, name=code, owner="a team", answers=answers, **more)


def a_release(points: Iterable[Any], *front_ends: FrontEnd, parts: Iterable[Any] = ()) -> Release:
    """Freeze one pack with these points and parts, and the front ends."""
    return Registry().add(a_pack("shop", *points, *parts, Noted=Noted), *front_ends).freeze()


def problems(points: Iterable[Any], *front_ends: FrontEnd, parts: Iterable[Any] = ()) -> list[str]:
    """Return what is wrong with a release that must not freeze."""
    try:
        a_release(points, *front_ends, parts=parts)
    except errors.BuildProblems as found:
        return list(found.problems)
    raise AssertionError("this froze")


def a_plan(point: Any, *answers: Any, dims: Mapping[str, str] | None = None, **more: Any) -> Plan:
    """Return the plan of one front end with these answers, in one situation."""
    return a_release([point], a_front_end("north", *answers, **more)).line("north").plan(dims or {})


def doing(name: str, effect: Effect, function: Any, *, ask: type = Number, answer: Any = Said, **more: Any) -> Any:
    """Declare `shop.<name>` and bind a function to it; return both."""

    def declaration(ask): ...

    declaration.__doc__ = "Do what the test says."
    declaration.__annotations__ = {"ask": ask, "return": answer}
    declared = capability(f"shop.{name}", version="1.0", effect=effect, **more)(declaration)
    return declared, implements(declared)(function)


def a_platform(*parts: Any, points: Iterable[Any] = (), front_ends: Iterable[FrontEnd] = (), **more: Any) -> Platform:
    """Make a platform on a store in memory; the clock stands still."""
    release = a_release(points, *(front_ends or [a_front_end()]), parts=parts)
    more.setdefault("clock", lambda: NOW)
    return Platform(release, more.pop("store", None) or MemoryStore(), **more)


class MemoryStore:
    """Keeps events and answers of committed transactions."""

    def __init__(self) -> None:
        self.events: list[ports.EventRow] = []
        self.answers: dict[tuple[str, str], tuple[ports.Claim, bytes]] = {}
        self.sagas: dict[tuple[str, str], KeptSaga] = {}
        self.commits = 0
        self.open = 0
        self.dies_after_commit = 0  # commits until the process is "killed" right after one
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    def read(self, front_end: str, parts: str = "") -> "MemorySession":
        return MemorySession(self, front_end, None)

    def step(self, front_end: str, saga: ports.Saga, version: int) -> "MemoryStep":
        return MemoryStep(self, front_end, saga, version)

    async def saga(self, front_end: str, claim: ports.Claim) -> ports.Superseded | None:
        if known := self.answers.get((front_end, claim.key)):
            first, answer = known
            if (first.capability, first.ask_hash) == (claim.capability, claim.ask_hash):
                return ports.Superseded(answer=answer)
            raise errors.KeyReused(f"key {claim.key!r} belongs to another ask", remedy="send a new key")
        if found := self.sagas.get((front_end, claim.key)):
            return ports.Superseded(version=found.version, log=encode(found.log))
        return None

    async def write(self, front_end: str, claim: ports.Claim | None, parts: str = "") -> "MemorySession":
        session = MemorySession(self, front_end, claim)
        if claim is not None:
            session.lock = self._locks.setdefault((front_end, claim.key), asyncio.Lock())
            await session.lock.acquire()
            if known := self.answers.get((front_end, claim.key)):
                session.lock.release()
                first, answer = known
                if (first.capability, first.ask_hash) == (claim.capability, claim.ask_hash):
                    raise errors.AlreadyAnswered(answer)
                raise errors.KeyReused(f"key {claim.key!r} belongs to another ask", remedy="send a new key")
        self.open += 1
        session.is_open = True
        return session


class Killed(BaseException):
    """The process ends here."""


class MemorySession:
    """A transaction in memory: savepoints count, statements are not understood."""

    def __init__(self, store: MemoryStore, front_end: str, claim: ports.Claim | None) -> None:
        self.store, self.front_end, self.claim = store, front_end, claim
        self.lock: asyncio.Lock | None = None
        self.is_open = False

    async def fetch_value(self, sql: str, *args: object) -> Any:
        await asyncio.sleep(0)
        return 1

    async def execute(self, sql: str, *args: object) -> str:
        await asyncio.sleep(0)
        return "OK"

    def own(self) -> "MemorySession":
        return self

    async def fetch(self, sql: str, *args: object) -> Sequence[Any]:
        return []

    async def fetch_row(self, sql: str, *args: object) -> Any:
        return None

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...

    async def later(self, sql: str, *args: object) -> None: ...

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        yield

    async def commit(self, events: Sequence[ports.EventRow], answer: bytes | None) -> None:
        assert (self.claim is None) == (answer is None), "an answer is kept under a key, and a key keeps an answer"
        if self.claim is not None and answer is not None:
            self.store.answers[(self.front_end, self.claim.key)] = (self.claim, answer)
        self._commit(events)

    def _commit(self, events: Sequence[ports.EventRow]) -> None:
        self.store.events += events
        self.store.commits += 1
        if self.store.dies_after_commit:
            self.store.dies_after_commit -= 1
            if not self.store.dies_after_commit:
                raise Killed

    async def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.store.open -= 1
            if self.lock is not None:
                self.lock.release()


@dataclass
class KeptSaga:
    """A saga in memory; left: who goes on with it by themselves, and none where its caller was told."""

    left: ports.Saga | None
    version: int = 0
    log: dict[str, Any] = field(default_factory=dict)


class MemoryStep(MemorySession):
    """A step of a saga in memory: waits for the one before it, and finds out whether that went on."""

    def __init__(self, store: MemoryStore, front_end: str, saga: ports.Saga, version: int) -> None:
        super().__init__(store, front_end, saga.claim)
        self.saga, self.version = saga, version

    async def begin(self) -> None:
        if self.is_open:
            return
        assert self.claim is not None
        self.lock = self.store._locks.setdefault((self.front_end, self.claim.key), asyncio.Lock())
        await self.lock.acquire()
        found = await self.store.saga(self.front_end, self.claim)
        if (found.version if found else 0) != self.version or (found and found.answer is not None):
            self.lock.release()
            raise found or ports.Superseded()
        self.store.open += 1
        self.is_open = True

    async def execute(self, sql: str, *args: object) -> str:
        await self.begin()
        return await super().execute(sql, *args)

    async def commit_step(self, events: Sequence[ports.EventRow], entries: bytes) -> None:
        await self.begin()
        assert self.claim is not None
        kept = self.store.sagas.setdefault((self.front_end, self.claim.key), KeptSaga(None))
        kept.left, kept.version = self.saga, kept.version + 1
        kept.log |= decode(entries, dict[str, Any])
        self._commit(events)

    async def end_saga(self, events: Sequence[ports.EventRow], answer: bytes | None) -> None:
        await self.begin()
        assert self.claim is not None
        self.store.sagas.pop((self.front_end, self.claim.key), None)
        if answer is not None:
            self.store.answers[(self.front_end, self.claim.key)] = (self.claim, answer)
        self._commit(events)

    async def leave_saga(self) -> None:
        await self.begin()
        assert self.claim is not None
        self.store.sagas[(self.front_end, self.claim.key)].left = None


def counting() -> Any:
    """Return what counts calls: `count()` gives 1, 2, 3 …"""
    numbers = itertools.count(1)
    return lambda: next(numbers)
