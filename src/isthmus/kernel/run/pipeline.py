"""The one pipeline that every call passes.

    permission → box → deadline → transaction and idempotency key → implementation → events, answer, commit

A READ takes no transaction. A WRITE is one transaction with its events and its key's record, and so are the
capabilities it calls. STEPS are several of those with calls to the outside in between: see `steps`.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from .. import errors
from ..compile.plan import BoundCapability, CompiledFrontEnd
from ..compile.release import Release
from ..contract import Value, check, decode, encode
from ..deadline import DeadlinePassed, within
from ..declare.capability import Capability, Effect
from ..declare.context import Caller
from ..errors import AlreadyAnswered, IsthmusError, near
from ..ports import Claim, Guard, Journal, Saga, Stepping, Store, Switches, Views, Writing
from ..trace import Trace, trace_now
from .call import NO_SESSION, Answered, Call, new_call_id
from .saga import OWN_KEY, run_saga

A = TypeVar("A")
R = TypeVar("R")

KEY_LENGTH_MAX = 255


class Outcome(Value):
    """What is known of a call when it has ended: what was called, where, by whom; how long it took, how it ended."""

    capability: str
    box: str
    client: str
    took_ns: int
    error: str  # slug, or nothing
    version: str = ""  # of the front end: the fingerprint of what answered


class Recorder(Protocol):
    """Keeps the traces of a share of the calls.

    wants: whether the call that is about to begin shall be traced; asked for each call, so it must be quick. metered:
    runs one that is traced, and may note in its trace what it used. keep: takes the trace of one that has ended; it
    returns at once and raises nothing.
    """

    def wants(self, capability: str, front_end: str) -> bool: ...
    def metered(self, trace: Trace, running: Coroutine[Any, Any, R]) -> Awaitable[R]: ...
    def keep(self, trace: Trace) -> None: ...


class Platform:
    """A release that runs on a store.

    clock gives the time of each call; resources are what implementations need from outside, by type, and the Guard,
    the Journal and the Views where there are; recorder and observe see the calls.
    """

    def __init__(
        self,
        release: Release,
        store: Store,
        *,
        clock: Callable[[], datetime] = partial(datetime.now, UTC),
        resources: Mapping[type, object] | None = None,
        recorder: Recorder | None = None,
        observe: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.release = release
        self.store = store
        self.clock = clock
        self.resources: dict[type, Any] = dict(resources or {})
        self.guard = cast("Guard | None", self.resources.get(Guard))
        self.journal = cast("Journal | None", self.resources.get(Journal))
        self.switches = cast("Switches | None", self.resources.get(Switches))
        self.views = cast("Views | None", self.resources.get(Views))
        self.recorder = recorder
        self.observe = observe
        self.waiting: dict[object, Any] = {}

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
        line = self.release.line(caller.front_end)
        call = await self._admitted(line, capability.name, ask, caller, now or self.clock(), key, "")
        call.asked_ms = deadline_ms
        try:
            return (await self._answered(call))[0]
        except AlreadyAnswered as already:
            return decode(already.answer, capability.answer)

    async def call_wire(
        self,
        name: str,
        body: bytes,
        caller: Caller,
        *,
        key: str | None = None,
        deadline_ms: int | None = None,
        call_id: str = "",
        on_trace: Callable[[Trace], None] | None = None,
    ) -> tuple[bytes, bool]:
        """Call a capability by name with a JSON ask; return the JSON answer, and whether it had been given before.

        A repeated key gives the first answer again, byte for byte. call_id: an id from `new_call_id` where the
        caller needs it before the answer. tell: is given the trace of the call, also where it is refused.
        """
        call = await self._admitted(self.release.line(caller.front_end), name, body, caller, self.clock(), key, call_id)
        call.asked_ms, call.given_id = deadline_ms, call_id
        views = self.views if caller.person or caller.roles else None
        try:
            view = await views.of(self, call.offered.capability, caller, body) if views else None
        except IsthmusError as refused:
            await self._keep_refused(call.offered.capability, call.ask, caller, call_id, refused)
            raise
        if on_trace:
            call.trace = _new_trace(call)
        try:
            answer, written = await self._answered(call)
            said, is_again = written or encode(answer), False
        except AlreadyAnswered as already:
            said, is_again = already.answer, True
        finally:
            if on_trace and call.trace:
                on_trace(call.trace)
        return (await view(said) if view else said), is_again

    async def go_on(self, saga: Saga) -> None:
        """Finish or undo what a flow in steps began whose caller is gone; raise as the flow does.

        Permission was asked for when it began. What it answers nobody hears, but whoever sends its key again.
        """
        caller = decode(saga.caller, Caller)
        line = self.release.line(caller.front_end)
        offered = line.find(saga.claim.capability)
        call = await self._begun(line, offered, decode(saga.ask, offered.capability.ask), caller, self.clock(), None)
        call.is_taken_over = True
        call.claim, call.given_id = (saga.claim, "") if saga.is_kept else (None, saga.claim.key.removeprefix(OWN_KEY))
        with suppress(AlreadyAnswered):
            await self._answered(call)

    async def beside(self, call: Call, capability: Capability[A, R], ask: A, limit_ms: int) -> R:
        """Call a capability for who made another call, as they could, in the version that theirs began with."""
        part = await self._admitted(call.plan.line, capability.name, ask, call.caller, call.now, None, "")
        part.asked_ms = limit_ms
        return (await self._answered(part))[0]

    def new_call_id(self) -> str:
        """Return an id for a call that begins now (UUID version 7)."""
        return new_call_id(self.clock())

    async def _admitted(
        self, line: CompiledFrontEnd, name: str, ask: Any, caller: Caller, now: datetime, key: str | None, call_id: str
    ) -> Call:
        """Begin a call that its front end and the guard permit; the ask is read where it is JSON."""
        offered = line.offered.get(name) or line.find(name)
        try:
            if name not in line.permitted or caller.scopes is not None:
                _check_permitted(line, offered, caller)
            own = await self.guard.check(caller, offered.capability, line.front_end.settings, ask) if self.guard else ""
            read = decode(ask, offered.capability.ask) if isinstance(ask, bytes) else ask
            call = await self._begun(line, offered, read, caller, now, key)
            call.parts = own
            return call
        except IsthmusError as refused:
            await self._keep_refused(offered.capability, ask, caller, call_id, refused)
            raise

    async def _keep_refused(
        self, capability: Capability[Any, Any], ask: Any, caller: Caller, call_id: str, error: Exception
    ) -> None:
        if self.journal is not None and capability.effect is not Effect.READ:
            await self.journal.refused(capability, ask, caller, call_id or self.new_call_id(), error)

    async def _begun(
        self, line: CompiledFrontEnd, offered: BoundCapability, ask: Any, caller: Caller, now: datetime, key: str | None
    ) -> Call:
        if offered.checked:
            check(ask)
        if line.choose:
            line, offered, ask = line.choose(offered, ask, caller)
        if line.switches and self.switches is not None and not caller.switched:  # a flow that goes on keeps its own
            found = await self.switches.values(line.switches, ask, caller, now)
            caller = caller.replace(switched=tuple(sorted(found.items())))
        claim = None if key is None else _claim(offered, ask, key)
        return Call(self, offered, line.plan_for(offered, ask, caller.switched), ask, caller, now, claim)

    async def run(self, call: Call) -> Answered:
        """Run a call or a step of one, traced or not, whatever has been checked before.

        It is run once more where the store undid its transaction for another one's sake.
        """
        effect, began, traced = call.offered.capability.effect, time.monotonic(), call.trace and call.trace.length()
        try:
            try:
                return await _BY_EFFECT[effect](call)
            except errors.Undone:
                if effect is Effect.SAGA:  # each of its steps was run again
                    raise
                call.begin_again(spent_ms=int(1_000 * (time.monotonic() - began)))
                if call.trace and traced:
                    call.trace.cut(traced)
                return await _BY_EFFECT[effect](call)
        except DeadlinePassed:
            undone = "its steps are undone" if effect is Effect.SAGA else "nothing was changed"
            fact = f"{call.offered.capability.name!r} had no answer within {call.limit_ms} ms, and {undone}"
            raise errors.DeadlineExceeded(fact, remedy="send it again with the same Idempotency-Key") from None
        except (IsthmusError, AlreadyAnswered):
            raise
        except Exception as error:
            raise _fault(call, error) from error

    async def _answered(self, call: Call) -> Answered:
        """Run a call with all that looks on: recorder, observer, the warning of undeclared refusals."""
        capability, recorder = call.offered.capability, self.recorder
        if recorder and call.trace is None and recorder.wants(capability.name, call.plan.front_end):
            call.trace = _new_trace(call)
        began = time.perf_counter_ns() if self.observe else 0
        error = ""
        try:
            return await (self.run(call) if call.trace is None else self._run_traced(call, call.trace))
        except IsthmusError as refused:
            error = refused.slug
            _warn_undeclared(capability, refused)
            await self._keep_refused(capability, call.ask, call.caller, call.id, refused)
            raise
        finally:
            if self.observe is not None:
                took, name, who = time.perf_counter_ns() - began, capability.name, call.caller.client
                box, version = call.plan.box, call.plan.fingerprint
                self.observe(Outcome(capability=name, box=box, client=who, took_ns=took, error=error, version=version))

    async def _run_traced(self, call: Call, trace: Trace) -> Answered:
        token, began = trace_now.set(trace), time.perf_counter_ns()
        try:
            running = self.run(call)
            trace.answer, _ = answered = await (self.recorder.metered(trace, running) if self.recorder else running)
            return answered
        except IsthmusError as refused:
            trace.error = f"{refused.slug}: {refused}"
            raise
        finally:
            trace.took_us = (time.perf_counter_ns() - began) // 1_000
            trace.call_id, trace.now = call.id, call.now.isoformat()  # a flow's second run has its first one's
            trace_now.reset(token)
            if self.recorder is not None:
                self.recorder.keep(trace)


def _check_permitted(line: CompiledFrontEnd, offered: BoundCapability, caller: Caller) -> None:
    asked, name = offered.capability, offered.capability.name
    if name not in line.permitted and not (caller.is_event_triggered and asked in line.front_end.subscribers()):
        if asked in line.front_end.capabilities:
            raise errors.NotPermitted(f"{name!r} is called by events or flows only", remedy="cause what it reacts to")
        fact = f"front end {caller.front_end!r} does not use {name!r}{near(name, line.permitted)}"
        raise errors.NotPermitted(fact, remedy=f"add {name!r} to uses=[...] of the front end")
    if caller.scopes is not None and name not in caller.scopes and f"{offered.capability.pack}.*" not in caller.scopes:
        fact = f"client {caller.client!r} is not allowed {name!r}"
        raise errors.NotPermitted(fact, remedy=f"use a key whose scopes have {name!r} or '{offered.capability.pack}.*'")


async def _read(call: Call) -> Answered:
    call.session = call.platform.store.read(call.plan.front_end, call.parts)
    try:
        return await within(call.limit_ms / 1000, call.answering()), None
    finally:
        await call.session.close()


def _write(call: Call) -> Coroutine[Any, Any, Answered]:
    together = call.offered.implementation.together
    return (together(call) if together else None) or write_alone(call)


async def write_alone(call: Call) -> Answered:
    """Answer a call in a transaction of its own."""
    try:
        answer = await within(call.limit_ms / 1000, _written(call))
        if call.rollback_only:
            fact = f"{call.rollback_only!r} refused inside {call.offered.capability.name!r}, which went on"
            raise errors.Fault(fact, remedy="call it with ctx.attempt where a refusal may be caught")
        answer_bytes = encode(answer) if call.claim else None
        # Outside the deadline: a commit that is cut would leave it unknown whether it was one.
        if call.step is not None:
            await call.step.commit(cast(Stepping, call.session), call.events, answer)
        else:
            if call.platform.journal is not None:
                await call.keep_entries(call.session, [(call, answer, call.events)])
            await cast(Writing, call.session).commit(call.events, answer_bytes)
        return answer, answer_bytes
    finally:
        if call.session is not NO_SESSION:
            await call.session.close()


async def _written(call: Call) -> Any:
    step, platform = call.step, call.platform
    call.session = step.open() if step else await platform.store.write(call.plan.front_end, call.claim, call.parts)
    if platform.journal is not None and (watching := platform.journal.watching(step.of if step else call)):
        await call.session.later(*watching)
    answer = await call.answering()
    if call.events:
        await call.react()
    return answer


_BY_EFFECT = {Effect.READ: _read, Effect.WRITE: _write, Effect.SAGA: run_saga}


def _new_trace(call: Call) -> Trace:
    capability, plan = call.offered.capability, call.plan
    at = (plan.front_end, plan.box, plan.fingerprint)
    return Trace(call.id, capability.name, capability.version, *at, call.ask, call.now.isoformat())


def _fault(call: Call, error: Exception) -> errors.Fault:
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        if who := call.plan.line.answerer(trace.tb_frame.f_code):
            return errors.AnswerFailed(f"{who} raised {error!r}", remedy="fix the answer, or roll the front end back")
        trace = trace.tb_next
    remedy = f"look at {place}, or report it with the call's id"
    return errors.Fault(f"{call.offered.capability.name!r} failed with {error!r}", remedy=remedy)


def _claim(offered: BoundCapability, ask: Any, key: str) -> Claim | None:
    if offered.capability.effect is Effect.READ:
        return None
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        remedy = f"send 1 to {KEY_LENGTH_MAX} printable characters, such as a UUID"
        raise errors.BadAsk(f"an Idempotency-Key of {len(key)} characters", remedy=remedy, path="Idempotency-Key")
    return Claim(key=key, capability=offered.capability.name, ask_hash=hashlib.sha256(encode(ask)).hexdigest())


def _warn_undeclared(capability: Capability[Any, Any], refused: IsthmusError) -> None:
    """Say so where a domain refuses in a way that its contract does not tell; the kernel's own need no telling."""
    is_kernels = type(refused).__module__ == IsthmusError.__module__
    if not is_kernels and isinstance(refused, errors.Refusal) and not isinstance(refused, capability.raises):
        warnings.warn(f"{capability.name!r} does not declare {type(refused).__name__}", RuntimeWarning, stacklevel=2)
