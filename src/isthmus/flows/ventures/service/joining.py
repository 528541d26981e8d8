"""What joining the platform would cost a venture, from its recorded calls: contracts, answers, and the hours of both.

What reads is asked again here, at the venture's seat, and answers are compared field by field; what writes is not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from isthmus.kernel import Caller, Effect, Platform, Value, decode, encode, errors
from isthmus.packs.venture import api as venture

from .. import api
from .mapping import Hours, Joining, Operation, fields_of, filled, sources_of
from .wire import Wire

CALLS_MAX: Final = 2_000  # of all operations: 95 % bounds are narrow enough then
Z_95: Final = 1.959964
UNMAPPED: Final = Operation()


class Recorded(Value):
    """A call as a venture recorded it."""

    number: int
    operation: str
    ask: dict[str, Any]
    answer: dict[str, Any]
    at: str = ""


class _Calls(Value):
    venture: str
    after: int
    items: tuple[Recorded, ...]
    is_last: bool


@dataclass(slots=True)
class Seen:
    """What was seen of one operation."""

    calls: int = 0
    fields: set[str] = field(default_factory=set[str])
    compared: int = 0
    agreed: int = 0
    differs: str = ""


async def recorded(wire: Wire) -> list[Recorded]:
    """Return the calls that a venture recorded, the first ones. Raises VentureDown where it shows none."""
    found: list[Recorded] = []
    while len(found) < CALLS_MAX:
        reply = await wire.obliged("GET", f"calls?after={found[-1].number if found else 0}")
        try:
            page = decode(reply.content, _Calls)
        except errors.BadAsk as wrong:
            raise api.VentureDown(what="GET /obligations/calls", because=f"{wrong.path}: {wrong.message}") from None
        found += page.items
        if page.is_last or not page.items:
            break
    return found[:CALLS_MAX]


async def price(platform: Platform, code: str, calls: Sequence[Recorded], mapping: Joining) -> venture.NoteEstimate:
    """Return what joining would cost. Raises WrongMapping where a capability that it names is not there."""
    seen: dict[str, Seen] = {name: Seen() for name in mapping.operations}
    for one in calls:
        mine = seen.setdefault(one.operation, Seen())
        mine.calls += 1
        mine.fields |= fields_of({"ask": one.ask, "answer": one.answer})
        chosen = mapping.operations.get(one.operation, UNMAPPED)
        if reads(platform, chosen):
            mine.compared += 1
            differs = await difference(platform, code, chosen, one)
            mine.agreed += not differs
            mine.differs = mine.differs or differs
    found = tuple(
        _priced(platform, code, name, mapping.operations.get(name, UNMAPPED), mine, mapping.hours)
        for name, mine in sorted(seen.items())
    )
    fields = sum(one.fields for one in found if not one.is_left)
    mapped = sum(one.mapped for one in found if not one.is_left)
    return venture.NoteEstimate(
        operations=found,
        distance=1 - mapped / fields if fields else 0.0,
        compared=sum(one.compared for one in found),
        agreed=sum(one.agreed for one in found),
        hours=sum(one.hours for one in found),
    )


def reads(platform: Platform, chosen: Operation) -> bool:
    """Say whether an operation is mapped to what only reads, so that it can be asked beside the venture."""
    if not chosen.capability:
        return False
    try:
        return platform.release.find(chosen.capability).capability.effect is Effect.READ
    except errors.IsthmusError as wrong:
        raise api.WrongMapping(file="joining.toml", problem=wrong.message) from None


async def asked(
    platform: Platform, code: str, chosen: Operation, given: Mapping[str, Any], key: str = "", who: Any = None
) -> dict[str, Any]:
    """Return what the capability answers, in the venture's words. Raises what the capability raises, and BadAsk.

    who: what the venture says of who is signed in. key: of what writes, so that it is done once.
    """
    capability = platform.release.find(chosen.capability).capability
    known: dict[str, Any] = {"ask": given, "who": who or {}}
    ask = decode(encode(filled(chosen.ask, known)), capability.ask)
    caller = Caller(front_end=code, client="joining", via="cli")
    said = await platform.call(capability, ask, caller, key=key or None)
    return filled(chosen.answer, {**known, "answer": json.loads(encode(said))})


async def difference(platform: Platform, code: str, chosen: Operation, call: Recorded) -> str:
    """Return where the platform answers a call otherwise than the venture did; nothing where it does not."""
    try:
        said = await asked(platform, code, chosen, call.ask)
    except errors.IsthmusError as refused:
        return f"call {call.number}: it is refused here with {refused.slug}"
    for place in chosen.answer:
        own, here = call.answer.get(place), said.get(place)
        if own != here:  # numbers are shown; what somebody wrote may name a person
            shown = [str(one) if isinstance(one, int | float) else "another value" for one in (own, here)]
            return f"call {call.number}: $.{place} is {shown[0]} there and {shown[1]} here"
    return ""


def _priced(
    platform: Platform, code: str, name: str, chosen: Operation, seen: Seen, hours: Hours
) -> venture.OperationEstimate:
    common: dict[str, Any] = {"operation": name, "capability": chosen.capability, "calls": seen.calls}
    if chosen.leave:
        return venture.OperationEstimate(
            **common, fields=len(seen.fields), is_left=True, because=f"left: {chosen.leave}"
        )
    if not chosen.capability:
        because = f"{hours.build:g} h to build: it maps to no capability"
        return venture.OperationEstimate(**common, fields=len(seen.fields), hours=hours.build, because=because)
    does_read = reads(platform, chosen)
    used = sources_of(chosen.ask) | {f"answer.{place}" for place in chosen.answer}
    lacking = sorted(seen.fields - used)
    needed = sorted(_needed(platform, chosen))
    low = lower_bound(seen.agreed, seen.compared)
    apart = hours.differ * (1 - low) if does_read else hours.attempt
    is_used = chosen.capability in platform.release.line(code).permitted
    unused = () if is_used else (f"{chosen.capability} among the uses of its seat",)
    lacks = (*lacking, *unused, *(f"{chosen.capability} needs {one}" for one in needed))
    tried = f"{hours.differ:g} h × {1 - low:.2f} not shown to agree" if does_read else f"{apart:g} h: it writes"
    return venture.OperationEstimate(
        **common,
        fields=len(seen.fields),
        mapped=len(seen.fields) - len(lacking),
        lacks=lacks[:50],
        compared=seen.compared,
        agreed=seen.agreed,
        low=low,
        differs=seen.differs,
        hours=round(hours.map + hours.field * len(lacks) + apart, 1),
        because=f"{hours.map:g} h to map + {hours.field:g} h × {len(lacks)} fields + {tried}",
    )


def _needed(platform: Platform, chosen: Operation) -> set[str]:
    """Return what the capability has to be asked and the mapping does not say."""
    kind = platform.release.find(chosen.capability).capability.ask
    given = {place.split(".")[0] for place in chosen.ask}
    return {one.encode_name for one in msgspec.structs.fields(kind) if one.required} - given


def lower_bound(agreed: int, compared: int) -> float:
    """Return the bound above which agreement lies with 95 % confidence (Wilson 1927); nothing seen, nothing shown."""
    if not compared or not agreed:
        return 0.0
    share, z2 = agreed / compared, Z_95 * Z_95
    spread = Z_95 * math.sqrt(share * (1 - share) / compared + z2 / (4 * compared * compared))
    return max(0.0, (share + z2 / (2 * compared) - spread) / (1 + z2 / compared))
