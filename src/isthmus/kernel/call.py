"""The one pipeline that every call passes, and the Context that an implementation works with.

    permission → box → deadline → transaction and idempotency key → implementation → events, answer, commit

A READ takes no transaction. A WRITE is one transaction with its events and its key's record, and so are the
capabilities it calls. STEPS are several of those and calls to the outside in between, each exactly once in
effect: run again with the same key, they go on where they stopped.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
import uuid
import warnings
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from .capability import Capability, Effect, event_kind
from .contract import Value, decode, encode
from .errors import (
    AlreadyAnswered,
    AnswerFailed,
    BadAsk,
    DeadlineExceeded,
    Fault,
    IsthmusError,
    NotPermitted,
    Refusal,
    near,
)
from .extension import ExtensionPoint
from .plan import Plan
from .ports import Claim, EventRow, Session, Store, Writing
from .release import Offered, Release
from .story import Part, Story, story_now

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")
P = ParamSpec("P")

KEY_LENGTH_MAX = 255


class Ask(Protocol):
    """`ctx.answer(point)(…)`: the plan's answer to an extension point, with the point's own signature."""

    def __call__(self, point: ExtensionPoint[P, R], /) -> Callable[P, R]: ...


class Caller(Value):
    """Who calls, as the credential says: never taken from an ask."""

    front_end: str
    client: str = ""
    scopes: tuple[str, ...] | None = None  # capabilities the client is limited to; None: all of its front end
    trace: str = ""


class Outcome(Value):
    """What is known of a call when it has ended."""

    capability: str
    box: str
    client: str
    took_ns: int
    error: str  # slug, or nothing


class Recorder(Protocol):
    """Keeps the stories of a share of the calls."""

    def wants(self, capability: str, front_end: str) -> bool: ...
    def keep(self, story: Story) -> None: ...


class _Nothing:
    """Stands where a session would: the flow between its steps has no transaction."""

    def __getattr__(self, name: str) -> Any:
        raise Fault("a flow in steps has no transaction of its own", remedy="put statements into a capability")


@dataclass(slots=True)
class _Work:
    """What all parts of one call share."""

    call_id: str
    caller: Caller
    now: datetime
    effect: Effect
    session: Session
    story: Story | None = None
    events: list[EventRow] = field(default_factory=list[EventRow])
    ids: int = 0
    steps: int = 0
    undo: list[tuple[Capability[Any, Any], Any]] = field(default_factory=list[tuple[Capability[Any, Any], Any]])
    doomed: str = ""  # the part that refused inside this transaction and was caught


class Context:
    """What an implementation is given: its front end's answers, its transaction, time, ids and the other parts."""

    __slots__ = ("_platform", "_random", "_uses", "_work", "answer", "plan")

    def __init__(
        self, platform: Platform, work: _Work, plan: Plan, uses: tuple[Capability[Any, Any], ...] | None
    ) -> None:
        self._platform = platform
        self._work = work
        self._uses = uses
        self._random: random.Random | None = None
        self.plan = plan
        self.answer: Ask = cast(Ask, plan.answer if work.story is None else plan.told)

    @property
    def front_end(self) -> str:
        """The front end on whose behalf this runs, which every row carries."""
        return self.plan.front_end

    @property
    def box(self) -> str:
        """Front end and dimension values; store it with an entity to act in its box later."""
        return self.plan.box

    @property
    def session(self) -> Session:
        return self._work.session

    @property
    def now(self) -> datetime:
        """The time of this call, in UTC: the same wherever it is asked."""
        return self._work.now

    @property
    def call_id(self) -> str:
        return self._work.call_id

    @property
    def caller(self) -> Caller:
        return self._work.caller

    @property
    def random(self) -> random.Random:
        """Chance that a replay of the call meets again: seeded by the call's id."""
        if self._random is None:
            self._random = random.Random(self.call_id)
        return self._random

    def new_id(self) -> uuid.UUID:
        """Return an id (UUID version 7, RFC 9562): ordered by time, and the same in a replay of the call."""
        self._work.ids += 1
        chance = hashlib.blake2b(f"{self.call_id}/{self._work.ids}".encode(), digest_size=8).digest()
        return _uuid7(self._work.now, self._work.ids, chance)

    def resource(self, type_: type[T]) -> T:
        """Return what the composition root provides under this type, such as payment providers."""
        found = self._platform.resources.get(type_)
        if found is None:
            raise Fault(f"nothing provides {type_.__name__}", remedy="pass it in the resources of the Platform")
        return cast(T, found)

    def emit(self, event: Value) -> None:
        """Put an event into the outbox with the transaction of this call; it is sent if and only if that commits."""
        if self._work.effect is not Effect.WRITE:
            raise Fault(f"{type(event).__name__} emitted outside a transaction", remedy="emit in a WRITE capability")
        kind = event_kind(event)
        self._work.events.append(
            EventRow(
                id=str(self.new_id()),
                type=kind.name,
                version=kind.version,
                subject=str(getattr(event, kind.subject)),
                front_end=self.plan.front_end,
                box=self.plan.box,
                time=self._work.now,
                trace=self._work.call_id,
                data=encode(event),
            )
        )
        if self._work.story is not None:
            self._work.story.events.append(event)

    def acting_for(self, box: str) -> Context:
        """Return this context with the answers of a stored entity's box, so that it is treated as it was sold.

        Raises Fault for another front end's box: its rows are not in this transaction.
        """
        if box == self.plan.box:
            return self
        plan = self._platform.release.plan_of_box(box)
        if plan.front_end != self.plan.front_end:
            raise Fault(
                f"box {box!r} is not of {self.plan.front_end!r}",
                remedy="call the platform for that front end",
            )
        return Context(self._platform, self._work, plan, self._uses)

    async def call(self, capability: Capability[A, R], ask: A) -> R:
        """Call another capability as part of this call: in its transaction, or as its next step."""
        offered = self._part(capability)
        if self._work.effect is Effect.STEPS:
            return await self._platform.step(self._work, self.plan, offered, ask)
        ctx = (
            Context(self._platform, self._work, self.plan, capability.uses or None)
            if self._differs(capability)
            else self
        )
        if self._work.story is not None:
            return await _told_part(self._work.story, capability, ask, offered.implementation.function(ask, ctx))
        if capability.effect is Effect.READ:
            return await offered.implementation.function(ask, ctx)
        try:
            return await offered.implementation.function(ask, ctx)
        except BaseException:
            self._work.doomed = capability.name
            raise

    async def attempt(self, capability: Capability[A, R], ask: A) -> R:
        """Call a capability so that its refusal can be caught: what it wrote is undone, the rest goes on."""
        doomed = self._work.doomed
        emitted = len(self._work.events)
        try:
            async with self._work.session.savepoint():
                return await self.call(capability, ask)
        except Refusal:
            self._work.doomed = doomed
            del self._work.events[emitted:]
            raise

    def undo_with(self, capability: Capability[A, Any], ask: A) -> None:
        """Have this capability called, last first, if a later step of this flow fails."""
        self._part(capability)
        self._work.undo.append((capability, ask))

    def _part(self, capability: Capability[Any, Any]) -> Offered:
        if self._uses is not None and capability not in self._uses:
            raise Fault(f"this flow does not declare {capability.name!r}", remedy="add it to uses=[...]")
        if capability.effect.value not in _MAY_CALL[self._work.effect]:
            raise Fault(
                f"{capability.name!r} ({capability.effect.value}) cannot run inside a {self._work.effect.value}",
                remedy="call it from a flow in steps",
            )
        return self._platform.release.find(capability.name)

    def _differs(self, capability: Capability[Any, Any]) -> bool:
        return self._uses is not None or bool(capability.uses)


_MAY_CALL = {
    Effect.READ: {"read"},
    Effect.WRITE: {"read", "write"},
    Effect.STEPS: {"read", "write", "steps"},
}


class Platform:
    """A release at work on a store.

    clock gives the time of each call; resources are what implementations need from outside, by type;
    recorder and observe see the calls.
    """

    def __init__(
        self,
        release: Release,
        store: Store,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        resources: Mapping[type, object] | None = None,
        recorder: Recorder | None = None,
        observe: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.release = release
        self.store = store
        self.clock = clock
        self.resources = dict(resources or {})
        self.recorder = recorder
        self.observe = observe

    async def call(
        self,
        capability: Capability[A, R],
        ask: A,
        caller: Caller,
        *,
        key: str | None = None,
        deadline_ms: int | None = None,
        now: datetime | None = None,
    ) -> R:
        """Call a capability for a front end and return its answer, or raise what it declares.

        key makes a write exactly-once in effect. now sets the time of the call, for work that
        happened earlier. Also raises NotPermitted, UnknownDimensionValue, KeyReused, DeadlineExceeded.
        """
        offered = self.release.find(capability.name)
        try:
            answer, _ = await self._answered(offered, ask, caller, key, deadline_ms, now, None)
        except AlreadyAnswered as already:
            return decode(already.answer, capability.answer)
        return answer

    async def call_wire(
        self,
        name: str,
        body: bytes,
        caller: Caller,
        *,
        key: str | None = None,
        deadline_ms: int | None = None,
        call_id: str = "",
        tell: Callable[[Story], None] | None = None,
    ) -> tuple[bytes, bool]:
        """Call a capability by name with a JSON ask; return the JSON answer, and whether it had been given before.

        A repeated key gives the first answer again, byte for byte. call_id: an id from `new_call_id` where the
        caller needs it before the answer. tell: is given the story of the call, also where it is refused.
        """
        offered = self.release.find(name)
        self._permit(offered, caller)
        ask = decode(body, offered.capability.ask)
        story = self._story(offered, ask) if tell else None
        try:
            answer, written = await self._answered(offered, ask, caller, key, deadline_ms, None, story, call_id)
        except AlreadyAnswered as already:
            return already.answer, True
        finally:
            if tell and story and story.call_id:  # it has none where the ask led to no plan
                tell(story)
        return written or encode(answer), False

    def new_call_id(self) -> str:
        """Return an id for a call that begins now (UUID version 7)."""
        return _call_id(self.clock())

    def _permit(self, offered: Offered, caller: Caller) -> None:
        name = offered.capability.name
        permitted = self.release.line(caller.front_end).permitted
        if name not in permitted:
            raise NotPermitted(
                f"front end {caller.front_end!r} does not use {name!r}{near(name, permitted)}",
                remedy=f"add {name!r} to uses=[...] of the front end",
            )
        if caller.scopes is not None and name not in caller.scopes:
            pack = offered.capability.pack
            if f"{pack}.*" not in caller.scopes:
                raise NotPermitted(
                    f"client {caller.client!r} is not allowed {name!r}",
                    remedy=f"use a key whose scopes have {name!r} or '{pack}.*'",
                )

    async def _answered(
        self,
        offered: Offered,
        ask: Any,
        caller: Caller,
        key: str | None,
        deadline_ms: int | None,
        now: datetime | None,
        story: Story | None,
        call_id: str = "",
    ) -> tuple[Any, bytes | None]:
        self._permit(offered, caller)
        began = time.perf_counter_ns()
        plan = self.release.plan_for(caller.front_end, offered, ask)
        if story is None and self.recorder and self.recorder.wants(offered.capability.name, caller.front_end):
            story = self._story(offered, ask)
        at = now or self.clock()
        work = _Work(call_id or _call_id(at), caller, at, offered.capability.effect, cast(Session, _NOTHING), story)
        error = ""
        try:
            return await self._told(work, plan, offered, ask, _claim(offered, ask, key), deadline_ms)
        except IsthmusError as refused:
            error = refused.slug
            _warn_undeclared(offered.capability, refused)
            raise
        finally:
            if self.observe is not None:
                took = time.perf_counter_ns() - began
                self.observe(_outcome(offered, plan, caller, took, error))

    async def _told(
        self,
        work: _Work,
        plan: Plan,
        offered: Offered,
        ask: Any,
        claim: Claim | None,
        deadline_ms: int | None,
    ) -> tuple[Any, bytes | None]:
        if work.story is None:
            return await self._run(work, plan, offered, ask, claim, deadline_ms)
        story = work.story
        story.call_id, story.front_end, story.box = work.call_id, plan.front_end, plan.box
        story.fingerprint, story.now = plan.fingerprint, work.now.isoformat()
        token = story_now.set(story)
        began = time.perf_counter_ns()
        try:
            answer, written = await self._run(work, plan, offered, ask, claim, deadline_ms)
            story.answer = answer
        except IsthmusError as refused:
            story.error = f"{refused.slug}: {refused}"
            raise
        finally:
            story.took_us = (time.perf_counter_ns() - began) // 1_000
            story_now.reset(token)
            if self.recorder is not None:
                self.recorder.keep(story)
        return answer, written

    async def _run(
        self,
        work: _Work,
        plan: Plan,
        offered: Offered,
        ask: Any,
        claim: Claim | None,
        deadline_ms: int | None,
    ) -> tuple[Any, bytes | None]:
        capability = offered.capability
        limit_ms = min(capability.deadline_ms, deadline_ms or capability.deadline_ms)
        by_effect = {Effect.READ: self._read, Effect.WRITE: self._write, Effect.STEPS: self._steps}
        ctx = Context(self, work, plan, capability.uses or None)
        try:
            return await by_effect[capability.effect](ctx, work, offered, ask, claim, limit_ms / 1000)
        except TimeoutError:
            raise DeadlineExceeded(
                f"{capability.name!r} had no answer within {limit_ms} ms, and nothing was changed",
                remedy="send it again with the same Idempotency-Key",
            ) from None
        except (IsthmusError, AlreadyAnswered):
            raise
        except Exception as error:
            raise self._fault(capability, error) from error

    async def _read(
        self, ctx: Context, work: _Work, offered: Offered, ask: Any, claim: Claim | None, limit: float
    ) -> tuple[Any, bytes | None]:
        work.session = self.store.read(ctx.front_end)
        try:
            async with asyncio.timeout(limit):
                return await offered.implementation.function(ask, ctx), None
        finally:
            await work.session.close()

    async def _write(
        self, ctx: Context, work: _Work, offered: Offered, ask: Any, claim: Claim | None, limit: float
    ) -> tuple[Any, bytes | None]:
        writing: Writing | None = None
        try:
            async with asyncio.timeout(limit):
                writing = await self.store.write(ctx.front_end, claim)
                work.session = writing
                answer = await offered.implementation.function(ask, ctx)
            if work.doomed:
                raise Fault(
                    f"{work.doomed!r} refused inside {offered.capability.name!r}, which went on",
                    remedy="call it with ctx.attempt where a refusal may be caught",
                )
            written = encode(answer) if claim else None
            await writing.commit(work.events, written)  # outside the deadline: a cut commit would leave it unknown
            return answer, written
        finally:
            if writing is not None:
                await writing.close()

    async def _steps(
        self, ctx: Context, work: _Work, offered: Offered, ask: Any, claim: Claim | None, limit: float
    ) -> tuple[Any, bytes | None]:
        if claim is not None:
            work.call_id = str(
                uuid.uuid5(uuid.NAMESPACE_OID, f"{ctx.front_end}/{claim.key}")
            )  # a retry finds its steps
            await (await self.store.write(ctx.front_end, claim)).close()  # raises where it was answered before
        try:
            async with asyncio.timeout(limit):
                answer = await offered.implementation.function(ask, ctx)
        except BaseException:
            await self._undo(ctx, work)
            raise
        if claim is None:
            return answer, None
        written = encode(answer)
        writing = await self.store.write(ctx.front_end, claim)
        try:
            await writing.commit([], written)
        finally:
            await writing.close()
        return answer, written

    async def _undo(self, ctx: Context, work: _Work) -> None:
        while work.undo:
            capability, ask = work.undo.pop()
            await self.step(work, ctx.plan, self.release.find(capability.name), ask)

    async def step(self, outer: _Work, plan: Plan, offered: Offered, ask: Any) -> Any:
        """Run one step of a flow: in a transaction and with a key of its own, derived from the flow's."""
        outer.steps += 1
        key = f"{outer.call_id}/{outer.steps}"
        claim = Claim(key=key, capability=offered.capability.name, ask_hash="step")
        work = _Work(key, outer.caller, outer.now, offered.capability.effect, cast(Session, _NOTHING), outer.story)
        needs_key = offered.capability.effect is not Effect.READ
        try:
            answer, _ = await self._run(work, plan, offered, ask, claim if needs_key else None, None)
        except AlreadyAnswered as already:
            return decode(already.answer, offered.capability.answer)
        return answer

    def _story(self, offered: Offered, ask: Any) -> Story:
        capability = offered.capability
        return Story("", capability.name, capability.version, "", "", "", ask, "")

    def _fault(self, capability: Capability[Any, Any], error: Exception) -> Fault:
        trace = error.__traceback__
        while trace is not None:
            if who := self.release.answerer(trace.tb_frame.f_code):
                return AnswerFailed(f"{who} raised {error!r}", remedy="mend the answer, or roll the front end back")
            trace = trace.tb_next
        return Fault(f"{capability.name!r} failed with {error!r}", remedy="report it with the call's id")


_NOTHING = _Nothing()


def _outcome(offered: Offered, plan: Plan, caller: Caller, took_ns: int, error: str) -> Outcome:
    return Outcome(capability=offered.capability.name, box=plan.box, client=caller.client, took_ns=took_ns, error=error)


async def _told_part(story: Story, capability: Capability[Any, Any], ask: Any, answering: Awaitable[R]) -> R:
    part = Part(capability.name, ask)
    story.parts.append(part)
    began = time.perf_counter_ns()
    try:
        part.answer = await answering
    except IsthmusError as refused:
        part.error = f"{refused.slug}: {refused}"
        raise
    finally:
        part.took_us = (time.perf_counter_ns() - began) // 1_000
    return part.answer


def _claim(offered: Offered, ask: Any, key: str | None) -> Claim | None:
    if key is None or offered.capability.effect is Effect.READ:
        return None
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise BadAsk(
            f"an Idempotency-Key of {len(key)} characters",
            remedy=f"send 1 to {KEY_LENGTH_MAX} printable characters, such as a UUID",
            path="Idempotency-Key",
        )
    return Claim(key=key, capability=offered.capability.name, ask_hash=hashlib.sha256(encode(ask)).hexdigest())


def _warn_undeclared(capability: Capability[Any, Any], refused: IsthmusError) -> None:
    """Say so where a domain refuses in a way that its contract does not tell; the kernel's own need no telling."""
    is_kernels = type(refused).__module__ == IsthmusError.__module__
    if not is_kernels and isinstance(refused, Refusal) and not isinstance(refused, capability.raises):
        warnings.warn(f"{capability.name!r} does not declare {type(refused).__name__}", RuntimeWarning, stacklevel=2)


def _call_id(now: datetime) -> str:
    return str(_uuid7(now, 0, os.urandom(8)))


def _uuid7(now: datetime, counter: int, chance: bytes) -> uuid.UUID:
    """Lay out RFC 9562, 5.7: 48 bits of milliseconds, version, 12 bits of counter, variant, 62 bits of chance."""
    milliseconds = int(now.timestamp() * 1000)
    low = int.from_bytes(chance, "big") & ((1 << 62) - 1)
    return uuid.UUID(int=(milliseconds << 80) | (7 << 76) | ((counter & 0xFFF) << 64) | (2 << 62) | low)
