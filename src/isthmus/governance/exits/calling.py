"""Calls of a pack that stands alone: each in a transaction of its own, with what a platform would have given it.

One in steps has a log in the pack's own database, the kernel's as everywhere: who sends it again goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import msgspec

from isthmus.kernel import Caller, Capability, Effect, Pack, Platform, Value, decode, encode, errors, ports
from isthmus.kernel.host import (
    Answer,
    BoundCapability,
    Call,
    CallContext,
    DeadlinePassed,
    ExtensionPoint,
    Implementation,
    Plan,
    check,
    event_kind,
    new_call_id,
    within,
)
from isthmus.runtime.isolation.wire import wire_of
from isthmus.store import Database

from .given import in_shadow
from .messages import ATTRIBUTES, Emitted, Forwarded, Refused, Replied, Wanted, written
from .own import declared_by

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")


_OF_STEPS: Final = """
    select type, data::text as data from isthmus.outbox
    where front_end = $1 and (trace = $2 or starts_with(trace, $2 || '/')) order by seq"""


class Asking(BaseException):
    """A question has to be answered first; no implementation catches it."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted.question)
        self.wanted = wanted


class Calls:
    """Answers forwarded calls by a pack's own code on its own database, with what it makes of its own settings."""

    def __init__(self, pack: Pack, database: Database, resources: Mapping[type, object] | None = None) -> None:
        self.resources = dict(resources or {})
        self.in_shadow = in_shadow(pack, self.resources)
        self._database = database
        self._platform = Platform(cast(Any, None), database, resources=self.resources)
        self._implementations = {one.capability.name: one for one in pack.implemented()}

    async def reply(self, name: str, forwarded: Forwarded) -> Replied:
        """Run a capability and return its answer, its refusal, or the question that it waits for.

        A write is committed once for each key, or call id, and says the same again to the same ask. Raises what is
        nobody's refusal: a defect, or a database that does not answer.
        """
        found = self._implementations.get(name)
        try:
            if found is None:
                known = self._implementations
                raise errors.UnknownCapability(
                    f"there is no {name!r} here{errors.near(name, known)}", remedy="see the README"
                )
            return await self._replied(found, forwarded)
        except Asking as asking:
            return Replied(wanted=asking.wanted)
        except errors.AlreadyAnswered as already:
            return decode(already.answer, Replied)
        except DeadlinePassed:
            refused = errors.DeadlineExceeded(f"{name!r} had no answer in time", remedy="send it again")
            return Replied(refused=_refused(refused))
        except (errors.Refusal, errors.AnswerFailed) as refused:
            return Replied(refused=_refused(refused))

    async def _replied(self, found: Implementation, forwarded: Forwarded) -> Replied:
        capability = found.capability
        ask = decode(bytes(forwarded.ask), capability.ask)
        check(ask)
        now = forwarded.now or datetime.now(UTC)
        caller = forwarded.caller or Caller(front_end=forwarded.front_end, via="http")
        call_id = forwarded.call_id or new_call_id(now)
        bound = BoundCapability(capability=capability, implementation=found, dimensions=(), read=None)
        situation = Alone(
            front_end=forwarded.front_end,
            box=forwarded.box or forwarded.front_end,
            settings=forwarded.settings,
            fingerprint=forwarded.fingerprint,
            attributes=declared_by(forwarded.attributes),
            line=_Line(self._implementations, forwarded),
        )
        call = Call(cast(Any, self), bound, cast(Plan, situation), ask, caller, now, given_id=call_id)
        call.ids = forwarded.ids
        if capability.effect is Effect.SAGA:
            return await self._stepped(call, forwarded)
        if capability.effect is Effect.READ:
            call.session = self._database.read(forwarded.front_end, forwarded.parts)
        else:
            claim = None if forwarded.is_undone else _claim(call, forwarded)
            call.session = await self._database.write(forwarded.front_end, claim, forwarded.parts)
        answering = AloneContext(call, situation, capability, forwarded, self._implementations)
        try:
            answer = await within(capability.deadline_ms / 1000, found.function(ask, answering))
            ids, events = call.ids - forwarded.ids, tuple(answering.emitted)
            replied = Replied(answer=msgspec.Raw(encode(answer)), events=events, ids=ids)
            if capability.effect is not Effect.READ and not forwarded.is_undone:
                await cast(ports.Writing, call.session).commit((), encode(replied))
            return replied
        finally:
            await call.session.close()

    async def _stepped(self, call: Call, forwarded: Forwarded) -> Replied:
        """Run what goes in steps. Their events are in the outbox with them, so they come with each answer alike."""
        capability = call.offered.capability
        if forwarded.is_undone:
            fact = f"{capability.name!r} goes in steps and asks the outside world, so nothing of it can be undone"
            raise errors.RuleBroken(fact, remedy="send it as a call that stays")
        call.platform, call.offered = self._platform, call.plan.line.find(capability.name)
        call.claim = _claim(call, forwarded)
        try:
            answer = encode((await self._platform.run(call))[0])
        except errors.AlreadyAnswered as already:
            answer = already.answer
        async with self._database.platform() as session:
            rows = await session.fetch(_OF_STEPS, forwarded.front_end, call.id)
        events = tuple(Emitted(name=row["type"], data=msgspec.Raw(row["data"].encode())) for row in rows)
        return Replied(answer=msgspec.Raw(answer), events=events, ids=len(events))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """The front end of a call, as far as the call brings it along."""

    front_end: str
    box: str
    settings: Mapping[str, str]
    fingerprint: str
    attributes: Mapping[str, type[Any]]
    line: _Line

    @property
    def own(self) -> str:
        """What names of the front end's own capabilities begin with; none of them is here."""
        return f"{self.front_end}."

    def find(self, point: ExtensionPoint[..., Any], /) -> Sequence[Answer]:
        raise errors.Fault(f"{point.name!r} is answered elsewhere", remedy="ask it, and do not look for its answers")

    def answer(self, point: ExtensionPoint[..., Any], /) -> Callable[..., Any]:
        return point.default


class _Line:
    """The pack's capabilities as steps of one of them: each with the context of a pack that stands alone."""

    reactions: Final[Mapping[str, Sequence[BoundCapability]]] = {}  # to its events somebody else reacts
    offered: Final[Mapping[str, BoundCapability]] = {}  # each is made when it is found

    def __init__(self, implementations: Mapping[str, Implementation], forwarded: Forwarded) -> None:
        self._implementations = implementations
        self._forwarded = forwarded

    def find(self, name: str) -> BoundCapability:
        found = self._implementations[name]

        async def run(ask: Any, ctx: CallContext) -> Any:
            own = AloneContext(
                ctx._call, cast(Alone, ctx.plan), found.capability, self._forwarded, self._implementations
            )
            return await found.function(ask, own)

        implementation = replace(found, function=run)
        return BoundCapability(capability=found.capability, implementation=implementation, dimensions=(), read=None)

    def answerer(self, _code: object) -> str | None:
        return None  # front ends' answers are elsewhere


class AloneContext(CallContext):
    """What an implementation is given: time, ids and answers are the caller's, the statements are the pack's own."""

    __slots__ = ("_forwarded", "_implementations", "_known", "emitted")

    def __init__(
        self,
        call: Call,
        situation: Alone,
        capability: Capability[Any, Any],
        forwarded: Forwarded,
        implementations: Mapping[str, Implementation],
    ) -> None:
        super().__init__(call, cast(Plan, situation), capability)
        self.answer = cast(Any, self._asked)
        self.emitted: list[Emitted] = []
        self._forwarded = forwarded
        self._implementations = implementations
        self._known = {
            (one.question, bytes(one.arguments), one.plan, one.box): bytes(one.answer) for one in forwarded.known
        }

    def resource(self, type_: type[T], otherwise: T | None = None) -> T:
        provided = self._call.platform
        if self._forwarded.is_undone and isinstance(provided, Calls):
            found = provided.in_shadow.get(type_, otherwise)
        else:
            found = provided.resources.get(type_, otherwise)
        if found is None:
            raise errors.Fault(f"nothing here provides {type_.__name__}", remedy="look at what the README says of it")
        return cast(T, found)

    def attributes(self, entity: str, given: dict[str, Any], path: str) -> dict[str, Any]:
        if entity in self._forwarded.declares:
            return msgspec.json.decode(self._answered(f"{ATTRIBUTES}{entity}", (given, path)))
        if given:
            fact = f"front end {self.front_end!r} has no attributes of {entity!r}, and {', '.join(sorted(given))} came"
            raise errors.BadAsk(fact, remedy="leave them out", path=path)
        return given

    def emit(self, event: Value) -> None:
        event_id, kind, data = str(self.new_id()), event_kind(event), encode(event)
        self.emitted.append(Emitted(name=kind.name, data=msgspec.Raw(data)))
        if self._call.step is not None:
            subject, trace = str(getattr(event, kind.subject)), self._call.id
            self._call.events.append(
                ports.EventRow(
                    id=event_id, type=kind.name, version=kind.version, subject=subject, front_end=self.front_end,
                    box=self.box, time=self.now, trace=trace, data=data,
                )
            )  # fmt: skip

    def acting_for(self, box: str) -> AloneContext:
        return self._like(replace(self._situation, box=box), self._capability)

    async def as_of(self, plan: str) -> AloneContext:
        return self if not plan else self._like(replace(self._situation, fingerprint=plan), self._capability)

    async def call(
        self, capability: Capability[A, R], ask: A, *, ends: Callable[[R], object | None] | None = None
    ) -> R:
        if self._call.saga is not None:
            return await super().call(capability, ask, ends=ends)
        return await self._implementations[capability.name].function(ask, self._like(self._situation, capability))

    @property
    def _situation(self) -> Alone:
        return cast(Alone, self.plan)

    def _like(self, situation: Alone, capability: Capability[Any, Any]) -> AloneContext:
        other = AloneContext(self._call, situation, capability, self._forwarded, self._implementations)
        other.emitted = self.emitted
        return other

    def _asked(self, point: ExtensionPoint[..., Any], /) -> Callable[..., Any]:
        if not self._is_asked(point.name):
            return point.default
        wire = wire_of(point)

        def ask(*args: Any, **kwargs: Any) -> Any:
            in_order = (*args, *(kwargs[name] for name in point.parameters[len(args) :]))
            return wire.read_json(self._answered(point.name, in_order), self.front_end)

        async def ask_later(*args: Any, **kwargs: Any) -> Any:
            return ask(*args, **kwargs)

        return ask_later if point.is_async else ask

    def _is_asked(self, point: str) -> bool:
        """Say whether who calls may answer a point otherwise: in another box, or by rules of before, nobody here knows.

        What was sold while this stood alone was sold by the defaults, in each box.
        """
        plan, box = self._elsewhere()
        return point in self._forwarded.asked or bool(plan) or (bool(box) and bool(self._situation.fingerprint))

    def _elsewhere(self) -> tuple[str, str]:
        """Return the rules and the box by which is acted, as far as they are not those of the call."""
        at, forwarded = self._situation, self._forwarded
        plan = at.fingerprint if at.fingerprint != forwarded.fingerprint else ""
        return plan, at.box if plan or at.box != (forwarded.box or forwarded.front_end) else ""

    def _answered(self, question: str, arguments: tuple[Any, ...]) -> bytes:
        said, (plan, box) = written(arguments), self._elsewhere()
        if question.startswith(ATTRIBUTES):
            plan = box = ""  # they are the front end's, in each of its boxes
        if (found := self._known.get((question, said, plan, box))) is None:
            raise Asking(Wanted(question=question, arguments=msgspec.Raw(said), plan=plan, box=box))
        return found


def _claim(call: Call, forwarded: Forwarded) -> ports.Claim:
    digest = hashlib.sha256(bytes(forwarded.ask)).hexdigest()
    return ports.Claim(key=forwarded.key or call.id, capability=call.offered.capability.name, ask_hash=digest)


def _refused(error: errors.IsthmusError) -> Refused:
    facts = msgspec.to_builtins(error.facts, enc_hook=str)
    return Refused(slug=error.slug, message=error.message, remedy=error.remedy, path=error.path, facts=facts)
