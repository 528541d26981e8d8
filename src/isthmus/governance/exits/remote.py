"""A service in place of the pack that it was: the same contract, the same errors, the front ends' own answers.

What the service needs of a front end it asks back: the call is sent again with the answer. Events of its calls are
sent by the platform, with what else the call did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, cast

import msgspec

from isthmus.kernel import Capability, Context, Effect, FrontEnd, Pack, Registry, Value, decode, encode, errors
from isthmus.kernel.host import AnswerFailed, Call, CallContext, Implementation, Release
from isthmus.manifest import FrontEndCheck
from isthmus.runtime.adopt.request import Operation
from isthmus.runtime.adopt.service import Auth, Service
from isthmus.runtime.isolation.wire import wire_of

from .held import joins
from .messages import ATTRIBUTES, QUESTIONS_MAX, Forwarded, Known, Refused, Replied, Wanted, written
from .own import described

Sent = Callable[[Capability[Any, Any], Forwarded], Awaitable[Replied]]

_KERNELS: Final = {
    one.slug: one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.IsthmusError)
}


def in_place(pack: Pack, url: str, secret: str, *, is_undone: bool = False) -> Pack:
    """Return a pack whose capabilities a service answers; its rows are there, so the lake and the doctor see none.

    A front end's flow that has one of its writes in its own transaction is refused. secret: the environment variable
    that has the service's token. is_undone: nothing that a call does there stays.
    """
    service = Service(name=pack.name, url=url, auth=Auth(kind="bearer", secret=secret))

    def problems(front_end: FrontEnd, _: Sequence[Pack]) -> Iterator[str]:
        for one in joins(pack, front_end.capabilities):
            yield f"{one.why}, and {pack.name} is a service at {url}: declare the flow with Effect.SAGA"

    async def sent(capability: Capability[Any, Any], call: Forwarded) -> Replied:
        limit_s = capability.deadline_ms / 1000
        operation = Operation(
            method="POST",
            path=f"/v1/{capability.name}",
            places={},
            joined=frozenset(),
            body="json",
            is_wrapped=False,
        )
        return decode(
            await service.call(operation, {"body": call}, call.key or call.call_id, limit_s, call.front_end), Replied
        )

    placed = answered_by(pack, sent, url, is_undone=is_undone)
    return replace(placed, brings=(*pack.brings, FrontEndCheck(problems=problems)))


def answered_by(pack: Pack, sent: Sent, where: str, *, is_undone: bool) -> Pack:
    """Return a pack whose calls are answered elsewhere. sent: takes one there, and returns the reply to it."""
    place = _Place(pack, sent, is_undone=is_undone)
    functions = tuple(
        Implementation(
            capability=one.capability, function=place.function(one.capability), source=f"{where} ({one.source})"
        )
        for one in pack.implemented()
    )
    own: dict[str, Any] = {
        "service": (),
        "implementations": functions,
        "conditions": (),
        "entities": (),
        "metrics": (),
        "takes": tuple(pack.extendable()),
    }
    return _Placed(**{one.name: getattr(pack, one.name) for one in fields(Pack)} | own)


def replaced(release: Release, pack: Pack) -> Release:
    """Return a release with another pack in the place of the one of its name."""
    packs = [pack if one.name == pack.name else one for one in release.packs.values()]
    return Registry().add(*packs, *(line.front_end for line in release.lines.values())).freeze()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Placed(Pack):
    """A pack whose rows are elsewhere. takes: the entities that front ends give attributes all the same."""

    takes: tuple[str, ...] = ()

    def extendable(self) -> list[str]:
        return list(self.takes)


class _Place:
    def __init__(self, pack: Pack, sent: Sent, *, is_undone: bool) -> None:
        self._sent = sent
        self._points = pack.extension_points().values()
        self._events = {getattr(one, "__isthmus_event__").name: one for one in pack.events().values()}  # noqa: B009 - set by event()
        self._is_undone = is_undone

    def function(self, capability: Capability[Any, Any]) -> Any:
        async def forwarded(ask: Value, ctx: Context) -> Any:
            call = self._forwarded(capability, ask, ctx)
            for _ in range(QUESTIONS_MAX):
                replied = await self._sent(capability, call)
                if replied.wanted is None:
                    return self._answer(replied, capability, ctx)
                call = call.replace(known=(*call.known, await self._known(replied.wanted, ctx)))
            fact = f"{capability.name!r} asked {QUESTIONS_MAX} questions and had no answer yet"
            raise errors.Fault(fact, remedy="look for a question whose arguments are others each time")

        return forwarded

    def _forwarded(self, capability: Capability[Any, Any], ask: Value, ctx: Context) -> Forwarded:
        call, said = cast(CallContext, ctx)._call, encode(ask)  # pyright: ignore[reportPrivateUsage] - it is its place
        return Forwarded(
            ask=msgspec.Raw(said),
            key="" if capability.effect is Effect.READ else _key(call, capability.name, said),
            ids=call.ids,
            parts=call.parts,
            front_end=ctx.front_end,
            box=ctx.box,
            caller=ctx.caller,
            call_id=ctx.call_id,
            now=ctx.now,
            settings=dict(ctx.plan.settings),
            fingerprint=ctx.plan.fingerprint,
            asked=tuple(sorted(one.name for one in self._points if ctx.plan.find(one))),
            declares=tuple(sorted(ctx.plan.attributes)),
            attributes=described(ctx.plan.attributes),
            is_undone=self._is_undone,
        )

    async def _known(self, wanted: Wanted, ctx: Context) -> Known:
        arguments = bytes(wanted.arguments)
        if wanted.question.startswith(ATTRIBUTES):
            given, path = cast("tuple[dict[str, Any], str]", msgspec.json.decode(arguments))
            said: object = ctx.attributes(wanted.question.removeprefix(ATTRIBUTES), given, path)
        else:
            point = next(one for one in self._points if one.name == wanted.question)
            wire = wire_of(point)
            sold = (await ctx.as_of(wanted.plan)).acting_for(wanted.box or ctx.box)
            asked = sold.answer(point)(*wire.read_arguments(arguments))
            said = wire.worded(await asked if point.is_async else asked)
        return Known(
            question=wanted.question,
            arguments=wanted.arguments,
            answer=msgspec.Raw(written(said)),
            plan=wanted.plan,
            box=wanted.box,
        )

    def _answer(self, replied: Replied, capability: Capability[Any, Any], ctx: Context) -> Any:
        if replied.refused is not None:
            raise error_of(replied.refused, capability)
        for _ in range(replied.ids - len(replied.events)):
            ctx.new_id()
        for one in replied.events:
            ctx.emit(decode(bytes(one.data), self._events[one.name]))
        return decode(bytes(replied.answer), capability.answer)


def _key(call: Call, capability: str, ask: bytes) -> str:
    """Return the key of one write: the same where its call is run or sent again, another for each that is meant.

    It follows from what is asked, and how many equal ones the call has sent before: what a run of before has done
    stays, and a run that takes another way does not meet it.
    """
    claim = call.claim if call.saga is None else None  # what goes in steps has an id that follows from its key
    whose = f"key {call.parts} {claim.key}" if claim else f"call {call.id}"
    write = hashlib.sha256(b"\0".join((whose.encode(), capability.encode(), ask))).hexdigest()[:32]
    count = 0
    while (key := f"{write}/{count}") in call.made:
        count += 1
    call.made.add(key)  # beside its ids: both are forgotten where it begins again
    return key


def error_of(refused: Refused, capability: Capability[Any, Any]) -> errors.IsthmusError:
    """Return the error that a service refused with, of the class that the pack declares under its slug."""
    known: Mapping[str, type[errors.IsthmusError]] = {**_KERNELS, **dict(_declared(capability))}
    kind = known.get(refused.slug, AnswerFailed)
    error = kind.__new__(kind)
    facts = cast("dict[str, object]", refused.facts)
    errors.IsthmusError.__init__(error, refused.message, remedy=refused.remedy, path=refused.path, **facts)
    return error


def _declared(capability: Capability[Any, Any]) -> Iterator[tuple[str, type[errors.IsthmusError]]]:
    for one in capability.raises:
        yield one.slug, one
