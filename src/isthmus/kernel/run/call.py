"""What an implementation works with: its front end's answers, its transaction, time, ids and the other parts."""

from __future__ import annotations

import hashlib
import os
import random
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from ..compile.plan import BoundCapability, Plan
from ..compile.release import Release
from ..contract import Value, check, decode, encode, fit
from ..declare.capability import Capability, Effect, event_kind
from ..declare.context import Caller
from ..errors import BadAsk, Fault, Refusal, RulesNotKept
from ..ports import Claim, EventRow, Journal, KeptRules, Session, Stepping, Store
from ..trace import Trace, tracing_part

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")
Ends = Callable[[Any], Any]
Answered = tuple[Any, bytes | None]  # the answer, and its bytes where they were written under a key

ATTRIBUTES_MAX = 4096  # bytes of one entity: a row stays within a page of PostgreSQL (8 kB) with its other columns

_MAY_CALL = {
    Effect.READ: (Effect.READ,),
    Effect.WRITE: (Effect.READ, Effect.WRITE),
    Effect.SAGA: (Effect.READ, Effect.WRITE, Effect.SAGA),
}


class Runner(Protocol):
    """What a call needs of the platform that runs it."""

    release: Release
    store: Store
    resources: dict[type, Any]
    journal: Journal | None
    waiting: dict[object, Any]  # what calls wait for together, of each `GroupCommit`

    async def run(self, call: Call) -> Answered: ...
    async def beside(self, call: Call, capability: Capability[A, R], ask: A, limit_ms: int) -> R: ...


class SagaPosition(Protocol):
    """How far a flow in steps has come, as its context needs to know it."""

    is_again: bool
    undo: list[tuple[BoundCapability, Any]]

    async def step(self, call: Call, offered: BoundCapability, ask: Any, ends: Ends | None = None) -> Any: ...


class StepTransaction(Protocol):
    """The transaction of one step of a call, which commits with its place in the saga's log."""

    of: Call

    def open(self) -> Stepping: ...
    async def commit(self, session: Stepping, events: Any, answer: Any) -> None: ...


class _NoSession:
    """Stands where a session would: the flow between its steps has no transaction."""

    def own(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        raise Fault("a flow in steps has no transaction of its own", remedy="put statements into a capability")


NO_SESSION = cast(Session, _NoSession())


@dataclass(slots=True)
class Call:
    """One capability on its way through the pipeline, and what the parts that it calls share with it."""

    platform: Runner
    offered: BoundCapability
    plan: Plan  # and with it the release that the call began with, whatever is deployed meanwhile
    ask: Any
    caller: Caller
    now: datetime
    claim: Claim | None = None
    given_id: str = ""
    trace: Trace | None = None
    asked_ms: int | None = None  # a deadline shorter than the capability's own
    session: Session = NO_SESSION
    events: list[EventRow] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)  # what each of them says, by its id, as others read it
    ids: int = 0
    made: set[str] = field(default_factory=set)  # the ids, as hex digits; `set[str]` takes ten times as long to make
    rollback_only: str = ""  # the part that refused inside this transaction and was caught
    saga: SagaPosition | None = None
    step: StepTransaction | None = None  # it is one of a flow's, and committed with its place in the log
    is_taken_over: bool = False  # by the platform: who had called it is gone
    generator: random.Random | None = None
    parts: str = ""  # of the front end, that the guard confines it to

    @property
    def id(self) -> str:
        """The id of the call, made when it is first asked for."""
        if not self.given_id:
            self.given_id = new_call_id(self.now)
        return self.given_id

    def next_id(self) -> str:
        """Return the hex digits of a new id; a call that begins again makes the same ones."""
        self.ids += 1
        randomness = hashlib.blake2b(f"{self.given_id or self.id}/{self.ids}".encode(), digest_size=8).digest()
        made = _uuid7(self.now, self.ids, randomness)
        self.made.add(made)
        return made

    @property
    def limit_ms(self) -> int:
        own_ms = self.offered.capability.deadline_ms
        return own_ms if self.asked_ms is None else min(self.asked_ms, own_ms)

    def answering(self) -> Coroutine[Any, Any, Any]:
        """Return the run of the implementation, ready to be awaited."""
        return self.offered.implementation.function(self.ask, CallContext(self, self.plan, self.offered.capability))

    def begin_again(self, *, spent_ms: int) -> None:
        """Forget what was done in a transaction that was undone: what is made anew has the same ids."""
        self.asked_ms = max(1, self.limit_ms - spent_ms)
        self.events.clear()
        self.made.clear()
        self.ids, self.rollback_only, self.generator = 0, "", None

    async def react(self) -> None:
        """Run the flows that react to the events of this call, in its transaction; one that refuses undoes the call."""
        reactions = self.plan.line.reactions
        for event in self.events:  # what a reaction emits comes behind them
            for offered in reactions.get(event.type, ()):
                ask, context = self.said[event.id], CallContext(self, self.plan, offered.capability)
                answering = offered.implementation.function(ask, context)
                await (answering if self.trace is None else self.traced(offered.capability.name, ask, answering))

    def traced(self, name: str, ask: Any, answering: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """Return the run of a part, written into the trace of this call where it has one."""
        return answering if self.trace is None else tracing_part(self.trace, name, ask, answering)

    async def keep_entries(self, session: Session, done: Sequence[tuple[Call, Any, Sequence[EventRow]]]) -> None:
        """Have the journal's entries of commands committed with what they did."""
        if (journal := self.platform.journal) is not None:
            await session.later(*journal.entries(done))

    def randomness(self) -> random.Random:
        self.generator = self.generator or random.Random(self.id)
        return self.generator


class CallContext:
    """The context of one call: what `declare/context.py` says, each from the call and its plan."""

    __slots__ = ("_call", "_capability", "answer", "front_end", "now", "plan", "session")

    def __init__(self, call: Call, plan: Plan, capability: Capability[Any, Any]) -> None:
        self._call = call
        self._capability = capability
        self.plan = plan
        self.answer = plan.answer if call.trace is None else plan.traced
        self.front_end = plan.front_end
        self.now = call.now
        self.session = call.session.own() if capability.name.startswith(plan.own) else call.session

    @property
    def box(self) -> str:
        return self.plan.box

    @property
    def call_id(self) -> str:
        return self._call.id

    @property
    def caller(self) -> Caller:
        return self._call.caller

    @property
    def is_taken_over(self) -> bool:
        return self._call.is_taken_over

    @property
    def random(self) -> random.Random:
        return self._call.randomness()

    def new_id(self) -> uuid.UUID:
        return uuid.UUID(int=int(self._call.next_id(), 16))  # half of what UUID(digits) costs

    def is_new(self, reference: str) -> bool:
        return reference.replace("-", "") in self._call.made

    def resource(self, type_: type[T], otherwise: T | None = None) -> T:
        if (found := self._call.platform.resources.get(type_, otherwise)) is None:
            raise Fault(f"nothing provides {type_.__name__}", remedy="pass it in the resources of the Platform")
        return found

    def attributes(self, entity: str, given: dict[str, Any], path: str) -> dict[str, Any]:
        declared = self.plan.line.front_end.attributes.get(entity)
        if declared is None and not given:
            return given
        if declared is None:
            fact = f"front end {self.front_end!r} has no attributes of {entity!r}, and {', '.join(sorted(given))} came"
            raise BadAsk(fact, remedy="leave them out, or declare them in FrontEnd(attributes={...})", path=path)
        fitting = fit(given, declared, path)
        check(fitting, path)
        written = encode(fitting)
        if len(written) > ATTRIBUTES_MAX:
            fact = f"attributes of {entity!r} have {len(written)} bytes, and {ATTRIBUTES_MAX} is the limit"
            raise BadAsk(fact, remedy="keep what is long in a table of your own, and its key here", path=path)
        return decode(written, dict[str, Any])

    def emit(self, event: Value) -> None:
        call, kind, data = self._call, event_kind(event), encode(event)
        if call.offered.capability.effect is not Effect.WRITE:
            raise Fault(f"{type(event).__name__} emitted outside a transaction", remedy="emit in a WRITE capability")
        contract = call.platform.release.events.get(kind.name) or next(
            (one for one in self.plan.line.front_end.events if event_kind(one).name == kind.name), None
        )
        if contract is None:
            fact = f"{self.front_end!r} emits {kind.name!r}, which neither a pack nor this front end declares"
            raise Fault(fact, remedy=f"write FrontEnd(events=({type(event).__name__},), …)")
        try:
            said = decode(data, contract)
        except BadAsk as wrong:
            fact = f"event {kind.name!r} breaks its contract: {wrong.message}"
            raise Fault(fact, remedy="emit what the contract says, or publish a new version", path=wrong.path) from None
        call.events.append(
            EventRow(
                id=_text(call.next_id()),
                type=kind.name,
                version=kind.version,
                subject=str(getattr(event, kind.subject)),
                front_end=self.plan.front_end,
                box=self.plan.box,
                time=call.now,
                trace=call.id,
                data=data,
            )
        )
        call.said[call.events[-1].id] = said
        if call.trace is not None:
            call.trace.events.append((kind.name, event))

    def acting_for(self, box: str) -> CallContext:
        if box == self.plan.box:
            return self
        if box.partition("?")[0].partition(".")[0] != self.front_end:
            raise Fault(f"box {box!r} is not of {self.front_end!r}", remedy="call the platform for that front end")
        return CallContext(self._call, self.plan.line.plan_of_box(box), self._capability)

    async def as_of(self, plan: str) -> CallContext:
        if plan in ("", self.plan.fingerprint):
            return self
        kept = cast("KeptRules | None", self._call.platform.resources.get(KeptRules))
        if kept is None:
            fact = f"it was sold under the rules {plan} of {self.front_end!r}, and nothing here keeps rules"
            raise RulesNotKept(fact, remedy="pass a KeptRules in the resources of the Platform")
        line = await kept.line(self.front_end, plan)
        return CallContext(self._call, line.plan_of_box(self.box), self._capability)

    @property
    def is_again(self) -> bool:
        return self._call.saga is not None and self._call.saga.is_again

    async def call(
        self, capability: Capability[A, R], ask: A, *, ends: Callable[[R], object | None] | None = None
    ) -> R:
        call, offered = self._call, self._part(capability)
        if call.saga is not None:
            return await call.saga.step(call, offered, ask, ends)
        answering = offered.implementation.function(ask, CallContext(call, self.plan, capability))
        try:
            return await (answering if call.trace is None else call.traced(capability.name, ask, answering))
        except BaseException:
            call.rollback_only = call.rollback_only if capability.effect is Effect.READ else capability.name
            raise

    async def beside(self, capability: Capability[A, R], ask: A, *, limit_ms: int, spent_ms: int) -> R:
        call, limit_ms = self._call, min(limit_ms, self._call.limit_ms - spent_ms)
        answering = call.platform.beside(call, self._part(capability).capability, ask, limit_ms)
        return await call.traced(capability.name, ask, answering)

    async def attempt(self, capability: Capability[A, R], ask: A) -> R:
        call = self._call
        if call.saga is not None:
            return await self.call(capability, ask)  # a step is a transaction of its own, undone where it refuses
        rollback_only, emitted = call.rollback_only, len(call.events)
        traced = len(call.trace.events) if call.trace else 0
        try:
            async with call.session.savepoint():
                return await self.call(capability, ask)
        except Refusal:
            call.rollback_only = rollback_only
            del call.events[emitted:]
            if call.trace is not None:
                del call.trace.events[traced:]
            raise

    def compensate_with(self, capability: Capability[A, Any], ask: A) -> None:
        if self._call.saga is None:
            fact = f"{capability.name!r} is to undo a step, and this call has none"
            raise Fault(fact, remedy="leave it out: a transaction undoes itself; or declare the flow with Effect.STEPS")
        self._call.saga.undo.append((self._part(capability), ask))

    def _part(self, capability: Capability[Any, Any]) -> BoundCapability:
        uses = self._capability.uses  # empty for a pack's own capability, which may call its pack's
        if uses and capability not in uses:
            raise Fault(f"this flow does not declare {capability.name!r}", remedy="add it to uses=[...]")
        within = self._call.offered.capability.effect
        if capability.effect not in _MAY_CALL[within]:
            fact = f"{capability.name!r} ({capability.effect.value}) cannot run inside a {within.value}"
            raise Fault(fact, remedy="call it from a flow in steps")
        line = self.plan.line
        return line.offered.get(capability.name) or line.find(capability.name)


def new_call_id(now: datetime) -> str:
    """Return an id for a call that begins now (UUID version 7)."""
    return _text(_uuid7(now, 0, os.urandom(8)))


def _uuid7(now: datetime, counter: int, randomness: bytes) -> str:
    """Write RFC 9562, 5.7: 48 bits of milliseconds, version, 12 bits of counter, variant, 62 random bits."""
    milliseconds = int(now.timestamp() * 1000) + (counter >> 12)  # a full counter borrows from the time
    low = int.from_bytes(randomness, "big") & ((1 << 62) - 1)
    return f"{(milliseconds << 80) | (7 << 76) | ((counter & 0xFFF) << 64) | (2 << 62) | low:032x}"


def _text(digits: str) -> str:
    """Write an id with its dashes; a UUID object would cost three times this."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
