"""What a change of a front end would have done to the calls of last week: orders, money and members that would differ.

Recorded questions are asked of the front end as it is and as it would be. Answers are pure, so this needs no second run
of a call and writes nothing; what an order would have led to beyond its own questions is not known, and not said.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, cast

import msgspec

from isthmus.governance.cost.moved import UNREADABLE, difference, order_calls, paid_points, refuses
from isthmus.kernel import FrontEnd, Product, Value, errors
from isthmus.kernel.host import Answer, CompiledFrontEnd, Release, compile_answers, compile_front_ends
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import Function, Point, arguments_of, said_by
from isthmus.runtime.replay.differences import is_equal
from isthmus.runtime.replay.recorded import RecordedAsk, RecordedCall
from isthmus.store import Database

from .sets import saying, with_products, with_said

WEEK: Final = timedelta(days=7)
CALLS: Final = 3_000  # asked again in a second or two
EXAMPLES_MAX: Final = 5


class NoSuchAnswer(errors.NotFound):
    """The front end has no answer, point or product of this name."""

    slug = "governance.no-such-answer"


class Change(Value):
    """What would be otherwise, at most one of each.

    products: the whole set by name, or None for as they are. point and first: the answers to a point, by label, the
    first to be asked first. answer and when: the condition of one of the front end's own answers, by dimension.
    question and said: all that answers it, own answers and products by name.
    """

    products: tuple[str, ...] | None = None
    point: str = ""
    first: tuple[str, ...] = ()
    answer: str = ""
    when: dict[str, tuple[str, ...]] = {}
    question: str = ""
    said: tuple[str, ...] = ()


class Outcome(Value):
    """What would differ of the recorded calls of a week.

    moved: what buyers would pay more or less, in minor units by currency. refused, allowed: orders that would be
    refused and were not, and the other way. problems: why it cannot be made, with a witness; then nothing was asked.
    """

    problems: tuple[str, ...] = ()
    calls: int = 0
    changed: int = 0
    orders: int = 0
    orders_changed: int = 0
    refused: int = 0
    allowed: int = 0
    members: int = 0
    moved: dict[str, int] = {}
    points: dict[str, int] = {}  # questions with another answer, by point
    examples: tuple[str, ...] = ()  # ids of calls
    took_ms: int = 0


def changed(front_end: FrontEnd, change: Change, products: Mapping[str, Product]) -> FrontEnd:
    """Return the front end as it would be. Raises NoSuchAnswer."""
    found = front_end
    if change.products is not None:
        if unknown := [name for name in change.products if name not in products]:
            raise NoSuchAnswer(f"no product is called {unknown[0]!r}", remedy=f"there are {', '.join(products)}")
        found = with_products(found, [products[name] for name in change.products])
    if change.question:
        may = saying(front_end, products).get(change.question, [])
        if unknown := [name for name in change.said if name not in may]:
            raise NoSuchAnswer(f"{unknown[0]!r} does not answer {change.question!r}", remedy=f"name {', '.join(may)}")
        found = with_said(found, change.question, change.said, products)
    if change.answer:
        found = replace(found, answers=tuple(_with_when(found.answers, change.answer, change.when)))
        named = {one.declaration for one in found.answers}
        listed = {one.name: one for one in found.answers}
        order = {
            point: tuple(listed.get(one.name, one) if one.declaration not in named else one for one in answers)
            for point, answers in found.order.items()
        }
        found = replace(found, order=order)
    if change.point:
        ordered = [_answer(found, change.point, name) for name in change.first]
        point = ordered[0].point if ordered else _point(found, change.point)
        found = replace(found, order={**found.order, point: tuple(ordered)})
    return found


def answers_of(front_end: FrontEnd) -> list[tuple[str, Answer]]:
    """Return a front end's answers and its products', each by whose it is and its name."""
    own = [(f"{front_end.code}.{one.name}", one) for one in front_end.answers]
    return own + [(f"{product.name}.{one.name}", one) for product in front_end.products for one in product.answers]


def _with_when(answers: Iterable[Answer], name: str, when: Mapping[str, Sequence[str]]) -> Iterator[Answer]:
    is_there = False
    for one in answers:
        if one.name == name:
            is_there = True
            yield replace(one, when={dimension: frozenset(values) for dimension, values in when.items()})
        else:
            yield one
    if not is_there:
        raise NoSuchAnswer(f"the front end has no answer {name!r} of its own", remedy="name one that it lists")


def _answer(front_end: FrontEnd, point: str, label: str) -> Answer:
    for name, one in answers_of(front_end):
        if name == label and one.point.name == point:
            return one
    raise NoSuchAnswer(f"{label!r} does not answer {point!r}", remedy="name answers as the page lists them")


def _point(front_end: FrontEnd, name: str) -> Point:
    for _, one in answers_of(front_end):
        if one.point.name == name:
            return one.point
    raise NoSuchAnswer(f"nobody answers {name!r} here", remedy="name a point that the front end answers")


async def what_if(
    database: Database, release: Release, variant: FrontEnd, now: datetime, limit: int = CALLS
) -> Outcome:
    """Ask the calls that were recorded in the week before `now` again, of the front end as it is and of the variant."""
    began = time.perf_counter()
    (line,), problems = compile_front_ends(release, [variant])
    if problems:
        return Outcome(problems=tuple(problems))
    asking = Asking(release.line(variant.code), line, order_calls(release), paid_points(release))
    async for call in recorded.recent(database, variant.code, limit=limit, since=now - WEEK):
        asking.see(call)
    return asking.outcome(round(1_000 * (time.perf_counter() - began)))


@dataclass(slots=True)
class Asking:
    """Two versions of a front end, and what would differ so far."""

    was: CompiledFrontEnd
    would_be: CompiledFrontEnd
    ends: frozenset[str]
    paid: Mapping[str, tuple[str, ...]]
    calls: int = 0
    changed: int = 0
    orders: int = 0
    orders_changed: int = 0
    refused: int = 0
    allowed: int = 0
    members: set[str] = field(default_factory=set[str])
    moved: dict[str, int] = field(default_factory=dict[str, int])
    points: dict[str, int] = field(default_factory=dict[str, int])
    examples: list[str] = field(default_factory=list[str])
    ready: dict[tuple[str, str], tuple[Point, Function, Function] | None] = field(
        default_factory=dict[tuple[str, str], tuple[Point, Function, Function] | None]
    )

    def see(self, call: RecordedCall) -> None:
        """Ask one call's questions of both."""
        is_order = call.capability in self.ends
        self.calls += 1
        self.orders += is_order
        differing = [found for ask in call.asked if (found := self._asked(call, ask)) is not None]
        if not differing:
            return
        self.changed += 1
        self.examples += [call.call_id] if len(self.examples) < EXAMPLES_MAX else []
        if (member := _member(call)) is not None:
            self.members.add(member)
        if not is_order:
            return
        self.orders_changed += 1
        were, are = (any(refuses(said[at]) for said in differing) for at in (1, 2))
        self.refused += are and not were
        self.allowed += were and not are
        for arguments, old, new, point in differing:
            moved = difference(arguments, old, new, self.paid[point]) if point in self.paid else {}
            for currency, minor in moved.items():
                self.moved[currency] = self.moved.get(currency, 0) + minor

    def outcome(self, took_ms: int) -> Outcome:
        return Outcome(
            calls=self.calls, changed=self.changed, orders=self.orders, orders_changed=self.orders_changed,
            refused=self.refused, allowed=self.allowed, members=len(self.members), moved=self.moved,
            points=dict(sorted(self.points.items(), key=lambda pair: -pair[1])), examples=tuple(self.examples),
            took_ms=took_ms,
        )  # fmt: skip

    def _asked(self, call: RecordedCall, ask: RecordedAsk) -> tuple[tuple[Any, ...], Any, Any, str] | None:
        key = (call.box, ask.point)
        if key not in self.ready:
            self.ready[key] = self._compiled(*key)
        pair = self.ready[key]
        if pair is None:
            return None
        try:
            arguments = arguments_of(pair[0], ask.arguments)
        except UNREADABLE:
            return None
        old, new = (said_by(function, arguments) for function in pair[1:])
        if is_equal(old, new):
            return None
        self.points[ask.point] = self.points.get(ask.point, 0) + 1
        return arguments, old, new, ask.point

    def _compiled(self, box: str, name: str) -> tuple[Point, Function, Function] | None:
        point = self.was.points.get(name)
        if point is None or point.is_async:
            return None
        ranked = [line.plan_of_box(box).find(point) for line in (self.was, self.would_be)]
        if [one.declaration for one in ranked[0]] == [one.declaration for one in ranked[1]]:
            return None  # the same answers in the same order say the same
        old, new = (compile_answers(point, some, [one.function for one in some], point.default) for some in ranked)
        return point, old, new


def _member(call: RecordedCall) -> str | None:
    """Return the member whom a call is about: the first that is named in what it asks, or is asked with."""
    for text in (call.ask, *(ask.arguments for ask in call.asked)):
        if (found := _named(msgspec.json.decode(bytes(text)))) is not None:
            return found
    return None


def _named(value: object) -> str | None:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        if isinstance(member := fields.get("member_id"), str):
            return member
        parts: Iterable[object] = fields.values()
    elif isinstance(value, list):
        parts = cast("list[object]", value)
    else:
        return None
    return next((found for part in parts if (found := _named(part)) is not None), None)
