"""Adopted services are told who is forgotten, by the operation that the settings name, until they take it.

    [adopted.erp]
    forgets = { call = "delete-customer", member = "id", reference = "order" }
    # or, where it keeps nothing of anybody:
    forgets = { because = "it counts stock" }
    # and what answers all that it keeps of somebody, for who exports a person:
    exports = { call = "get-customer", member = "id" }

`member` and `reference` are the fields of the operation's ask that take an id of a member, or a reference such as the
id of an order; it is called once for each. What it does not have (404) is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from isthmus.kernel import Caller, Capability, Pack, Platform, Value, decode
from isthmus.kernel.host import event_kind
from isthmus.manifest import Gives
from isthmus.store import Consumer, Event

from .service import NotThere

CONSUMER: Final = "forgotten-by-"
FIELDS: Final = ("member", "reference")  # what an id may be sent as
Forgets = Mapping[str, str]


def exported_by(exports: Forgets, pack: Pack) -> tuple[Gives, ...]:
    """Return how an adopted service gives what it keeps of somebody, by each field that its setting names."""
    named = {one.name.partition(".")[2]: one for one in pack.capabilities().values()}
    return tuple(Gives(call=named[exports["call"]], field=exports[kind]) for kind in FIELDS if kind in exports)


def forgets_problems(forgets: Forgets, pack: Pack, setting: str = "forgets") -> Iterator[str]:
    """Say what of such a setting cannot be followed."""
    where = f"[adopted.{pack.name}] {setting}"
    if "because" in forgets and setting == "forgets":
        if set(forgets) != {"because"} or not forgets["because"].strip():
            yield f"{where} says because of what there is nothing to forget, and so nothing else"
        return
    named = {one.name.partition(".")[2]: one for one in pack.capabilities().values()}
    if unknown := sorted(set(forgets) - {"call", *FIELDS}):
        yield f"{where} has {', '.join(unknown)}; it has call, member and reference, or because"
    elif (call := forgets.get("call")) not in named:
        yield f"{where} calls {call!r}; its operations are {', '.join(sorted(named))}"
    elif not set(forgets) & set(FIELDS):
        yield f"{where} sends nothing; name the field of {call!r} that takes the id of a member, or a reference"
    else:
        for kind in (one for one in FIELDS if one in forgets):
            try:
                _ask(named[call], forgets[kind], "0")
            except msgspec.ValidationError as wrong:
                yield f"{where}.{kind} = {forgets[kind]!r} makes no ask of {call!r}: {wrong}"


def consumer(platform: Platform, name: str, forgets: Forgets, event_type: type[Value]) -> Consumer:
    """Return who tells an adopted service whom to forget, for the front ends that use it."""

    async def deliver(events: Sequence[Event]) -> None:
        failed: list[Exception] = []
        for event in events:
            line = platform.release.lines.get(event.front_end)
            if line is None or called not in line.permitted:
                continue  # it is given nothing by this front end
            try:
                await send(event, line.offered[called].capability)
            except Exception as error:  # all are told before the first failure has them told again
                failed.append(error)
        if failed:
            raise failed[0]

    async def send(event: Event, capability: Capability[Any, Any]) -> None:
        gone: Any = decode(event.data, event_type)
        caller = Caller(front_end=event.front_end, client=f"{CONSUMER}{name}", is_event_triggered=True, via="event")
        for field, id_ in _named(forgets, gone):
            with suppress(NotThere):
                key = f"{CONSUMER}{name}/{event.id}/{field}/{id_}"
                await platform.call(capability, _ask(capability, field, id_), caller, key=key)

    called = f"{name}.{forgets['call']}"
    return Consumer(name=f"{CONSUMER}{name}", deliver=deliver, types=(event_kind(event_type).name,))


def _named(forgets: Forgets, gone: Any) -> Iterator[tuple[str, str]]:
    """Yield each id with the field that it is sent as."""
    for kind, ids in (("member", map(str, gone.member_ids)), ("reference", gone.references)):
        if kind in forgets:
            yield from ((forgets[kind], one) for one in ids)


def _ask(capability: Capability[Any, Any], field: str, id_: str) -> Any:
    known = {one.encode_name for one in msgspec.structs.fields(capability.ask)}
    if field not in known:
        raise msgspec.ValidationError(f"it has the fields {', '.join(sorted(known)) or 'none'}")
    return msgspec.convert({field: id_}, capability.ask, strict=False)
