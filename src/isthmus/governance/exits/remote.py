"""A service in place of the pack that it was: the same contract, the same errors, the front ends' own answers.

What the service needs of a front end it asks back: the call is sent again with the answer. Events of its calls are
sent by the platform, with what else the call did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

import msgspec

from isthmus.kernel import Capability, Context, FrontEnd, Pack, Value, decode, encode, errors
from isthmus.kernel.host import AnswerFailed, Implementation
from isthmus.manifest import FrontEndCheck
from isthmus.runtime.adopt.request import Operation
from isthmus.runtime.adopt.service import Auth, Service
from isthmus.runtime.isolation.wire import wire_of

from .held import joins
from .messages import ATTRIBUTES, QUESTIONS_MAX, Forwarded, Known, Refused, Replied, Wanted, written
from .own import described

_KERNELS: Final = {
    one.slug: one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.IsthmusError)
}


def in_place(pack: Pack, url: str, secret: str, *, is_undone: bool = False) -> Pack:
    """Return a pack whose capabilities a service answers; its rows are there, so the lake and the doctor see none.

    A front end's flow that has one of its writes in its own transaction is refused. secret: the environment variable
    that has the service's token. is_undone: nothing that a call does there stays.
    """
    service = Service(name=pack.name, url=url, auth=Auth(kind="bearer", secret=secret))
    place = _Place(pack, service, is_undone=is_undone)

    def problems(front_end: FrontEnd, _: Sequence[Pack]) -> Iterator[str]:
        for one in joins(pack, front_end.capabilities):
            yield f"{one.why}, and {pack.name} is a service at {url}: declare the flow with Effect.SAGA"

    functions = tuple(
        Implementation(
            capability=one.capability, function=place.function(one.capability), source=f"{url} ({one.source})"
        )
        for one in pack.implemented()
    )
    return replace(
        pack,
        service=(),
        implementations=functions,
        conditions=(),
        entities=(),
        metrics=(),
        brings=(*pack.brings, FrontEndCheck(problems=problems)),
    )


class _Place:
    def __init__(self, pack: Pack, service: Service, *, is_undone: bool) -> None:
        self._service = service
        self._points = pack.extension_points().values()
        self._events = {getattr(one, "__isthmus_event__").name: one for one in pack.events().values()}  # noqa: B009 - set by event()
        self._is_undone = is_undone

    def function(self, capability: Capability[Any, Any]) -> Any:
        operation = Operation(
            method="POST",
            path=f"/v1/{capability.name}",
            places={},
            joined=frozenset(),
            body="json",
            is_wrapped=False,
        )

        async def forwarded(ask: Value, ctx: Context) -> Any:
            call = self._forwarded(ask, ctx)
            for _ in range(QUESTIONS_MAX):
                replied = await self._sent(operation, call, capability, ctx)
                if replied.wanted is None:
                    return self._answer(replied, capability, ctx)
                call = call.replace(known=(*call.known, await self._known(replied.wanted, ctx)))
            fact = f"{capability.name!r} asked {QUESTIONS_MAX} questions and had no answer yet"
            raise errors.Fault(fact, remedy="look for a question whose arguments are others each time")

        return forwarded

    def _forwarded(self, ask: Value, ctx: Context) -> Forwarded:
        return Forwarded(
            ask=msgspec.Raw(encode(ask)),
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

    async def _sent(
        self, operation: Operation, call: Forwarded, capability: Capability[Any, Any], ctx: Context
    ) -> Replied:
        limit_s = capability.deadline_ms / 1000
        body = await self._service.call(operation, {"body": call}, call.call_id, limit_s, ctx.front_end)
        return decode(body, Replied)

    async def _known(self, wanted: Wanted, ctx: Context) -> Known:
        arguments = bytes(wanted.arguments)
        if wanted.question.startswith(ATTRIBUTES):
            given, path = cast("tuple[dict[str, Any], str]", msgspec.json.decode(arguments))
            said: object = ctx.attributes(wanted.question.removeprefix(ATTRIBUTES), given, path)
        else:
            point = next(one for one in self._points if one.name == wanted.question)
            wire = wire_of(point)
            asked = ctx.answer(point)(*wire.read_arguments(arguments))
            said = wire.worded(await asked if point.is_async else asked)
        return Known(question=wanted.question, arguments=wanted.arguments, answer=msgspec.Raw(written(said)))

    def _answer(self, replied: Replied, capability: Capability[Any, Any], ctx: Context) -> Any:
        if replied.refused is not None:
            raise error_of(replied.refused, capability)
        for _ in range(replied.ids - len(replied.events)):
            ctx.new_id()
        for one in replied.events:
            ctx.emit(decode(bytes(one.data), self._events[one.name]))
        return decode(bytes(replied.answer), capability.answer)


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
