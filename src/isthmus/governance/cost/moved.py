"""What a front end's answers cost and move: milliseconds, money that an order is cheaper or dearer by, orders vetoed.

Each question of recorded orders is asked twice, of the front end as it is and without the answer: the difference is
what the answer moves. Recorded calls are a sample; what they show is scaled to all calls that were counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from isthmus.governance import kept
from isthmus.governance.traffic import BY_HOUR, Traffic
from isthmus.kernel import Value
from isthmus.kernel.host import CompiledFrontEnd, Release, compile_answers
from isthmus.manifest import Paid, Step, brought
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import Function, Point, Raised, arguments_of, said_by
from isthmus.runtime.replay.differences import plain
from isthmus.runtime.replay.recorded import RecordedAsk, RecordedCall
from isthmus.store import Database
from isthmus.values import money

CALLS: Final = 1_000  # of each front end
KIND: Final = "answers"
UNREADABLE: Final = (msgspec.MsgspecError, TypeError, NameError)


class AnswerCost(Value):
    """What one answer of a front end costs and moves in 30 days, as its recorded calls show it.

    asked: how often it had something to say. took_us: each time. moved: minor units by currency, below zero where what
    the buyer pays falls: margin given away. vetoed: orders that it alone refuses. decided: other money that it says
    otherwise, such as a commission, a floor or a fee for cancelling; refused: calls but orders that it alone refuses.
    """

    front_end: str
    by: str
    point: str
    source: str
    asked: int
    took_us: float
    moved: dict[str, int]
    vetoed: int
    decided: dict[str, int] = {}
    refused: int = 0


class Moved(Value):
    """What all answers cost and move, those that give most away first. orders: recorded ones that were looked at."""

    at: datetime
    orders: int
    answers: tuple[AnswerCost, ...]


@dataclass(slots=True)
class _Tally:
    source: str = ""
    asked: int = 0
    took_ns: int = 0
    moved: dict[str, float] = field(default_factory=dict[str, float])
    vetoed: float = 0.0
    decided: dict[str, float] = field(default_factory=dict[str, float])
    refused: float = 0.0


async def last(database: Database) -> Moved | None:
    """Return the report that was kept last, or None."""
    return await kept.last(database, KIND, Moved)


async def measure(database: Database, release: Release, traffic: Traffic, now: datetime, limit: int = CALLS) -> Moved:
    """Ask recorded questions again, with and without each answer, and keep what that shows."""
    counted = {key: one.calls for key, one in (await traffic.of(over=BY_HOUR)).items()}
    sample = {(one.front_end, one.capability): one.calls for one in await recorded.counted(database)}
    scale = {key: max(1.0, counted.get(key, 0) / calls) for key, calls in sample.items()}
    ends, paid = order_calls(release), paid_points(release)
    found: list[AnswerCost] = []
    orders = 0
    for code, line in release.lines.items():
        looking = Looking(line, ends, paid)
        async for call in recorded.recent(database, code, limit=limit):
            orders += call.capability in ends
            looking.see(call, scale.get((code, call.capability), 1.0))
        found += looking.costs()
    found.sort(key=lambda one: (min(one.moved.values(), default=0), -one.vetoed, -one.took_us))
    moved = Moved(at=now, orders=orders, answers=tuple(found))
    await kept.keep(database, KIND, now, moved)
    return moved


def order_calls(release: Release) -> frozenset[str]:
    """Return the capabilities that end a basket: an answered call of one is an order."""
    steps = (step for step in brought(release.packs.values(), Step) if step.name == "basket")
    return frozenset(one.name for step in steps for one in step.ends)


def paid_points(release: Release) -> dict[str, tuple[str, ...]]:
    """Return the extension points whose answers are what a buyer pays, each with what stands where nobody says so."""
    return {point.name: one.instead for one in brought(release.packs.values(), Paid) for point in one.points}


def totals(release: Release) -> dict[str, tuple[str, ...]]:
    """Return where the answer of what ends a basket says what is paid, by capability."""
    steps = (step for step in brought(release.packs.values(), Step) if step.name == "basket" and step.total)
    return {one.name: tuple(step.total.split(".")) for step in steps for one in step.ends}


class Looking:
    """What one front end's answers said in recorded calls, and what it would be without each."""

    def __init__(self, line: CompiledFrontEnd, ends: frozenset[str], paid: Mapping[str, tuple[str, ...]]) -> None:
        self._line = line
        self._ends = ends
        self._paid = paid
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._without: dict[tuple[str, str, str], tuple[Point, Function, Function] | None] = {}

    def see(self, call: RecordedCall, scale: float) -> None:
        """Look at one call; `scale` is how many counted calls it stands for."""
        vetoing: set[tuple[str, str]] = set()
        for ask in call.asked:
            for said in ask.said:
                if said.passed or said.by == "default":
                    continue
                tally = self._tallies.setdefault((said.by, ask.point), _Tally(source=said.source))
                tally.asked += 1
                tally.took_ns += said.took_ns
                if self._moves(call, ask, said.by, tally, scale):
                    vetoing.add((said.by, ask.point))
        for key in vetoing:
            if call.capability in self._ends:
                self._tallies[key].vetoed += scale
            else:
                self._tallies[key].refused += scale

    def costs(self) -> Iterator[AnswerCost]:
        """Return what was seen of each answer."""
        for (by, point), tally in self._tallies.items():
            yield AnswerCost(
                front_end=self._line.front_end.code,
                by=by,
                point=point,
                source=tally.source,
                asked=tally.asked,
                took_us=tally.took_ns / tally.asked / 1_000,
                moved=_whole_ones(tally.moved),
                vetoed=round(tally.vetoed),
                decided=_whole_ones(tally.decided),
                refused=round(tally.refused),
            )

    def _moves(self, call: RecordedCall, ask: RecordedAsk, by: str, tally: _Tally, scale: float) -> bool:
        """Add the money that an answer moves; tell whether it alone refuses."""
        ready = self._compiled(call.box, ask.point, by)
        if ready is None:
            return False
        try:
            arguments = arguments_of(ready[0], ask.arguments)
        except UNREADABLE:  # recorded under another contract
            return False
        with_it, without = (said_by(function, arguments) for function in ready[1:])
        is_paid = ask.point in self._paid
        if not is_paid or call.capability in self._ends:  # a price that is only shown moves nothing
            into = tally.moved if is_paid else tally.decided
            for currency, minor in difference(arguments, without, with_it, self._paid.get(ask.point)).items():
                into[currency] = into.get(currency, 0.0) + minor * scale
        return refuses(with_it) and not refuses(without)

    def _compiled(self, box: str, name: str, by: str) -> tuple[Point, Function, Function] | None:
        key = (box, name, by)
        if key not in self._without:
            point = self._line.points.get(name)
            if point is None or point.is_async:
                self._without[key] = None
            else:
                ranked = self._line.plan_of_box(box).find(point)
                others = [one for one in ranked if one.label != by]
                compiled = [
                    compile_answers(point, some, [one.function for one in some], point.default)
                    for some in (ranked, others)
                ]
                self._without[key] = (point, compiled[0], compiled[1]) if len(others) < len(ranked) else None
        return self._without[key]


def _whole_ones(money_by_currency: Mapping[str, float]) -> dict[str, int]:
    return {currency: round(minor) for currency, minor in money_by_currency.items() if round(minor)}


def paid(call: RecordedCall, total: Sequence[str]) -> dict[str, int]:
    """Return what was paid by a recorded call's answer, in minor units by currency; total: the way to it."""
    values: list[object] = [msgspec.json.decode(call.answer)]
    for name in total:
        values = [part for value in values for part in _inside(value, name)]
    found: dict[str, int] = {}
    for currency, minor in _money(values):
        found[currency] = found.get(currency, 0) + minor
    return found


def _inside(value: object, name: str) -> Iterator[object]:
    inner = cast("Mapping[str, object]", value).get(name) if isinstance(value, Mapping) else None
    yield from cast("list[object]", inner) if isinstance(inner, list) else [inner]


def difference(arguments: tuple[Any, ...], before: Any, after: Any, instead: Sequence[str] | None) -> dict[str, int]:
    """Return the money by which an answer differs, in minor units by currency.

    instead: of what a buyer pays, which is of one unit: fields of a line with the amount that stands where there is no
    opinion. None: an amount of each line as a whole, such as a commission.
    """
    if isinstance(before, Raised) or isinstance(after, Raised):
        return {}
    lines = arguments[0] if arguments else None
    were, are = amounts(before, lines, instead), amounts(after, lines, instead)
    found = {currency: are.get(currency, 0) - were.get(currency, 0) for currency in {*were, *are}}
    return {currency: minor for currency, minor in found.items() if minor}


def amounts(value: Any, lines: object, instead: Sequence[str] | None) -> dict[str, int]:
    """Return the amounts of money in an answer, added up by currency; of one unit, times each line's quantity."""
    said: object = plain(value)
    items = cast("list[object]", said) if isinstance(said, list) else [said]
    asked = list(cast("Iterable[object]", lines)) if isinstance(lines, list | tuple) else []
    is_by_line = isinstance(said, list) and len(asked) == len(items)
    found: dict[str, float] = {}
    for place, item in enumerate(items):
        line = asked[place] if is_by_line else None
        if item == "PASS" and line is not None:
            standing = (getattr(line, name, None) for name in instead or ())
            amount: object = plain(next((one for one in standing if one is not None), None))
            per = getattr(line, "per", 1)
        else:
            amount, per = item, cast("Mapping[str, object]", item).get("per", 1) if isinstance(item, Mapping) else 1
        times = 1 if instead is None else _whole(getattr(line, "quantity", 1)) / _whole(per)
        for currency, minor in _money(amount):
            found[currency] = found.get(currency, 0) + minor * times
    return {currency: round(minor) for currency, minor in found.items()}


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def _money(value: object) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        if isinstance(fields.get("currency"), str) and isinstance(fields.get("minor"), int):
            yield str(fields["currency"]), cast(int, fields["minor"])
            return
        for part in fields.values():
            yield from _money(part)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in cast("Sequence[object]", value):
            yield from _money(part)


def refuses(value: Any) -> bool:
    """Tell whether an answer is a no: it raised, or there is a veto in it."""
    if isinstance(value, Raised):
        return True
    said: object = plain(value)
    parts = cast("list[object]", said) if isinstance(said, list) else [said]
    return any(isinstance(part, dict) and bool(cast("dict[str, object]", part).get("vetoes")) for part in parts)


def text(found: Moved) -> Iterator[str]:
    """Return what answers cost and move in lines."""
    if not found.answers:
        yield "no recorded call was answered by a front end"
        return
    yield f"of {found.orders} recorded orders, scaled to the calls of 30 days"
    for one in found.answers:
        parts = [f"{one.took_us / 1_000:.3f} ms each of {one.asked} times"]
        parts += [f"moves {money(minor, currency)}" for currency, minor in sorted(one.moved.items())]
        parts += [f"{one.vetoed} orders refused"] if one.vetoed else []
        parts += [
            f"decides {money(minor, currency)} that is no price" for currency, minor in sorted(one.decided.items())
        ]
        parts += [f"{one.refused} other calls refused"] if one.refused else []
        yield f"{one.front_end}: {one.by} on {one.point}: {', '.join(parts)}"
