"""One call for a screen: a capability of a front end whose implementation is a composition, declared and not written.

class Home(Screen):
    slots: fulfilment.SlotPage | None = None
    basket: order.Basket | None = None

@screen(
    "shop.home",
    version="1.0",
    slots=Part(fulfilment.list_slots, lambda ask: fulfilment.ListSlots(limit=3)),
    basket=Part(order.get_basket, lambda ask: order.GetBasket(basket_id=ask.basket_id) if ask.basket_id else None),
)
def home(ask: AskHome) -> Home:
    \"\"\"Show what the first page of the app needs.\"\"\"

FRONT_END = FrontEnd(capabilities=(home.capability,), implementations=(home,), …)

Each part is asked as its caller could ask for it by itself: with their permissions, and a box, deadline and records of
its own. What does not come is left out, and the answer says which part and why.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Final, Generic, TypeVar, cast, get_args, get_type_hints

import msgspec

from isthmus.kernel import Capability, Context, Effect, Meta, Value, capability, errors
from isthmus.kernel.host import Implementation

A = TypeVar("A")
R = TypeVar("R")

PARTS_MAX: Final = 16  # of one screen: each may hold a connection to the database while it is asked
PART_MS: Final = 1_000  # a person looks at the rest meanwhile
DEADLINE_MS: Final = 5_000
SPARE_MS: Final = 20  # of the screen's own time, to put together what came
PART_MISSING: Final = "part-missing"
PART_GONE: Final = "part-gone"

log = logging.getLogger("isthmus.screens")


class AskScreen(Value):
    """What every screen is asked with. fields: the parts that are wanted, by name; none named: all of them."""

    fields: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=PARTS_MAX)] = ()


class Missing(Value):
    """A part that did not come. slug: as the problem of its own call has it, or `part-missing`, `part-gone`."""

    part: str
    slug: str
    detail: str
    remedy: str


class Screen(Value):
    """What every screen answers: beside its parts, which of them did not come."""

    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class Part(Generic[A, R]):
    """A call that a screen makes.

    asks: from the screen's ask to this one's; None: it is not needed now. A further parameter is named as another part,
    whose answer it is given: it waits for that, and is missing where that did not come, unless it has a default.
    shows: what of the answer the screen has. within_ms: how long the screen waits for it.
    """

    capability: Capability[A, R]
    asks: Callable[..., A | None]
    shows: Callable[[R], Any] | None = field(default=None, kw_only=True)
    within_ms: int = field(default=PART_MS, kw_only=True)


@dataclass(frozen=True, slots=True)
class Gone:
    """A part that was there once: who still asks for it is told so, and gets the rest. instead: what to ask for now."""

    instead: str


Parts = Mapping[str, "Part[Any, Any] | Gone"]
Needs = Mapping[str, Mapping[str, bool]]  # by part, the parts whose answers it is given, and whether it needs them


GapKey = tuple[str, str, str, str]  # front end, screen, part, slug


class Gaps:
    """Counts what did not come, until it is taken."""

    def __init__(self) -> None:
        self._found: Counter[GapKey] = Counter()

    def see(self, front_end: str, name: str, missing: Sequence[Missing]) -> None:
        """Count what one answer lacks."""
        self._found.update((front_end, name, one.part, one.slug) for one in missing)

    def take(self) -> Mapping[GapKey, int]:
        """Return what was counted, and begin anew."""
        found, self._found = self._found, Counter()
        return found

    def put_back(self, found: Mapping[GapKey, int]) -> None:
        """Count again what was taken and could not be kept."""
        self._found.update(found)


def screen(
    name: str, *, version: str, deadline_ms: int = DEADLINE_MS, **parts: Part[Any, Any] | Gone
) -> Callable[[Callable[[A], R]], Implementation]:
    """Declare a screen: a capability that reads, and what it is made of. The function gives types and documentation.

    The fields of its answer are its parts and `missing`. Raises TypeError for what does not fit together.
    """

    def declare(function: Callable[[A], R]) -> Implementation:
        declared = capability(name, version=version, effect=Effect.READ, deadline_ms=deadline_ms)(function)
        needs = {part: _needs(one) for part, one in parts.items() if isinstance(one, Part)}
        if wrong := [*_contract_faults(declared, parts), *_part_faults(declared, parts, needs)]:
            raise TypeError(f"screen {name!r} ({declared.source}) {'; '.join(wrong)}")
        order = tuple(TopologicalSorter(needs).static_order())

        async def show(ask: Any, ctx: Context) -> Any:
            wanted = _wanted(parts, needs, ask.fields)
            found = await _found(parts, needs, [one for one in order if one in wanted], ask, ctx)
            views = {one: _view(one, parts[one], found.get(one), ctx) for one in parts if one in (ask.fields or needs)}
            missing = tuple(one for one in views.values() if isinstance(one, Missing))
            if missing:
                ctx.resource(Gaps, otherwise=Gaps()).see(ctx.front_end, name, missing)
            shown = {one: view for one, view in views.items() if not isinstance(view, Missing)}
            return cast(Any, declared.answer)(**shown, missing=missing)

        show.parts = parts  # pyright: ignore[reportFunctionMemberAccess]
        used = dict.fromkeys(one.capability for one in parts.values() if isinstance(one, Part))
        declared = replace(declared, uses=tuple(used))
        return Implementation(capability=declared, function=show, source=declared.source)

    return declare


def parts_of(implementation: Implementation) -> Parts:
    """Return what a capability is composed of; nothing where it is no screen."""
    return getattr(implementation.function, "parts", {})


def _wanted(parts: Parts, needs: Needs, fields: Sequence[str]) -> set[str]:
    """Return the parts that are to be asked for: those that are named, and what they need."""
    for place, one in enumerate(fields):
        if one not in parts:
            raise errors.BadAsk(
                f"this screen has no part {one!r}{errors.near(one, parts)}",
                remedy=f"its parts are {', '.join(needs)}",
                path=f"$.fields[{place}]",
            )
    wanted, left = set[str](), [*(fields or needs)]
    while left:
        if (one := left.pop()) in needs and one not in wanted:
            wanted.add(one)
            left += needs[one]
    return wanted


async def _found(parts: Parts, needs: Needs, order: Sequence[str], ask: Any, ctx: Context) -> dict[str, Any]:
    """Return what each part answered, all of them asked at once; `Missing` where one did not."""
    began, tasks = time.monotonic(), dict[str, asyncio.Task[Any]]()
    async with asyncio.TaskGroup() as group:
        for name in order:
            waits_for = {other: (tasks[other], is_needed) for other, is_needed in needs[name].items()}
            tasks[name] = group.create_task(_asked(name, cast(Any, parts[name]), waits_for, ask, ctx, began))
    return {name: task.result() for name, task in tasks.items()}


async def _asked(
    name: str,
    part: Part[Any, Any],
    waits_for: Mapping[str, tuple[asyncio.Task[Any], bool]],
    ask: Any,
    ctx: Context,
    began: float,
) -> Any:
    given: dict[str, Any] = {}
    for other, (task, is_needed) in waits_for.items():
        answer = await task
        if is_needed and isinstance(answer, Missing):
            return Missing(
                part=name,
                slug=PART_MISSING,
                detail=f"it is asked with what {other!r} answers, which did not come",
                remedy=answer.remedy,
            )
        if answer is not None and not isinstance(answer, Missing):
            given[other] = answer
        elif is_needed:
            return None
    try:
        if (asked := part.asks(ask, **given)) is None:
            return None
        spent_ms = int((time.monotonic() - began) * 1000) + SPARE_MS
        return await ctx.beside(part.capability, asked, limit_ms=part.within_ms, spent_ms=spent_ms)
    except Exception as error:
        return _reason(name, error, ctx)


def _view(name: str, part: Part[Any, Any] | Gone, found: Any, ctx: Context) -> Any:
    """Return what the screen has of a part."""
    if isinstance(part, Gone):
        return Missing(part=name, slug=PART_GONE, detail="this screen has it no more", remedy=part.instead)
    if found is None or part.shows is None or isinstance(found, Missing):
        return found
    try:
        return part.shows(found)
    except Exception as error:
        return _reason(name, error, ctx)


def _reason(name: str, error: Exception, ctx: Context) -> Missing:
    """Return why a part is missing, as much as its own call would say of it."""
    if isinstance(error, errors.Refusal | errors.DeadlineExceeded):
        return Missing(part=name, slug=error.slug, detail=error.message, remedy=error.remedy)
    if isinstance(error, errors.Trouble):
        log.warning("call %s is without its part %s: %s", ctx.call_id, name, error)
        detail, remedy = "a part that the answer needs does not respond", "ask again in a moment"
        return Missing(part=name, slug=error.slug, detail=detail, remedy=remedy)
    log.error("call %s is without its part %s: %s", ctx.call_id, name, error, exc_info=error)
    slug = error.slug if isinstance(error, errors.Fault) else errors.Fault.slug
    remedy = f"report call {ctx.call_id}: its fault is logged"
    return Missing(part=name, slug=slug, detail="the platform failed to answer", remedy=remedy)


def _needs(part: Part[Any, Any]) -> dict[str, bool]:
    _, *others = inspect.signature(part.asks).parameters.values()
    return {one.name: one.default is one.empty for one in others}


def _contract_faults(declared: Capability[Any, Any], parts: Parts) -> Iterator[str]:
    """Its types are what a screen's are, with a field for each part that holds what the part shows, or nothing."""
    if not issubclass(declared.ask, AskScreen):
        yield f"asks with {declared.ask.__name__}; write `class {declared.ask.__name__}(AskScreen)`"
    if not issubclass(declared.answer, Screen):
        yield f"answers with {declared.answer.__name__}; write `class {declared.answer.__name__}(Screen)`"
        return
    hints = get_type_hints(declared.answer, include_extras=True)
    fields = {one.name: one for one in msgspec.structs.fields(cast(Any, declared.answer)) if one.name != "missing"}
    for name in sorted(fields.keys() ^ parts.keys()):
        yield f"has {name!r} in its {'answer' if name in fields else 'parts'} only; name it in both, or in neither"
    for name in sorted(fields.keys() & parts.keys()):
        part, held = parts[name], get_args(hints[name])
        if fields[name].default is not None or type(None) not in held:
            yield f"has no `= None` for {name!r}, which may be missing"
        elif isinstance(part, Part) and part.shows is None and part.capability.answer not in held:
            shown = part.capability.answer.__name__
            yield f"shows {part.capability.name!r} as {name!r}: declare it `{shown} | None`, or say what it shows"


def _part_faults(declared: Capability[Any, Any], parts: Parts, needs: Needs) -> Iterator[str]:
    if len(parts) > PARTS_MAX:
        yield f"has {len(parts)} parts, and {PARTS_MAX} is the limit; make two screens of it"
    for name, part in parts.items():
        if isinstance(part, Part) and part.capability.effect is not Effect.READ:
            yield f"has {part.capability.name!r} as {name!r}, which writes; a screen only reads"
    unknown = sorted({(name, other) for name, others in needs.items() for other in others if other not in needs})
    for name, other in unknown:
        yield f"asks {name!r} with {other!r}, which is none of its parts{errors.near(other, needs)}"
    try:
        order = [*TopologicalSorter(needs).static_order()]
    except CycleError as circle:
        yield f"has parts that wait for each other: {', '.join(circle.args[1])}"
        return
    ends = dict[str, int]()
    for name in () if unknown else order:
        ends[name] = cast(Any, parts[name]).within_ms + max((ends[other] for other in needs[name]), default=0)
    if ends and max(ends.values()) > declared.deadline_ms:
        fact = f"waits up to {max(ends.values())} ms for its parts, and has {declared.deadline_ms} ms"
        yield f"{fact}; give deadline_ms, or less to its parts (within_ms)"
