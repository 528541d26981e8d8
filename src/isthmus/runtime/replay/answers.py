"""Ask recorded questions again, of two versions of a front end: which answers change, and by which rule?

Answers are pure, so this is exact and needs no database but to read the recordings. Both versions are asked now,
with the arguments as recorded: what is compared is old with new, never new with a masked past. Where they differ the
old one is asked again, and what differs from itself is noise.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

import msgspec

from isthmus.kernel import PASS, errors
from isthmus.kernel.host import (
    Asked,
    CompiledFrontEnd,
    ExtensionPoint,
    Plan,
    Release,
    Trace,
    compile_answers,
    trace_now,
)
from isthmus.store import Database

from . import recorded
from .differences import SHOWN_MAX, Difference, differences, is_equal, plain, short
from .recorded import RecordedAsk, RecordedCall
from .report import Example, FrontEndReport, Report, Tally, Unrepeated, report

Point = ExtensionPoint[..., Any]
Function = Callable[..., Any]

LIMIT: Final = 10_000  # answers of one front end: a difference in one of a thousand shows with near certainty
EXAMPLES_MAX: Final = 3  # of one point; the next ones mostly say the same
NOISE_MAX: Final = 10
NOTES_MAX: Final = 5
POINTS_REMEMBERED: Final = 4096


async def replay_answers(
    database: Database, old: Release, new: Release, front_end: str, *, limit: int = LIMIT
) -> Report:
    """Ask both releases what a front end was asked in recorded calls, and report where they differ.

    limit: answers, taken from each capability in turn, newest first.
    """
    began = time.process_time_ns()
    calls = recorded.recent(database, front_end, limit=limit)
    found = await compare_answers(calls, old.line(front_end), new.line(front_end), limit=limit)
    await recorded.note_replay(database, front_end, found.calls, time.process_time_ns() - began)
    return report("answers", [found])


async def compare_answers(
    calls: AsyncIterable[RecordedCall], old: CompiledFrontEnd, new: CompiledFrontEnd, *, limit: int = LIMIT
) -> FrontEndReport:
    """Ask two lines the questions in recorded calls, at most `limit` of them."""
    comparison = Comparison(old, new)
    async for call in calls:
        comparison.see(call)
        if comparison.asked >= limit:
            break
    return comparison.report()


@dataclass(slots=True)
class Count:
    """A tally while it is counted."""

    same: int = 0
    differing: int = 0
    failing: int = 0
    refused: int = 0
    unreadable: int = 0
    unrepeated: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    noise: dict[str, None] = field(default_factory=dict[str, None])
    notes: dict[str, None] = field(default_factory=dict[str, None])
    examples: list[Example] = field(default_factory=list[Example])

    @classmethod
    def of(cls, tally: Tally) -> Count:
        """Go on where a tally ended."""
        return cls(
            same=tally.same,
            differing=tally.differing,
            failing=tally.failing,
            refused=tally.refused,
            unreadable=tally.unreadable,
            unrepeated={one.error: (one.calls, one.unproved) for one in tally.unrepeated},
            noise=dict.fromkeys(tally.noise),
            notes=dict.fromkeys(tally.notes),
            examples=list(tally.examples),
        )

    def note(self, sentence: str) -> None:
        if len(self.notes) < NOTES_MAX:
            self.notes[sentence] = None

    def differ(self, shown: Example | None, *, is_failing: bool) -> None:
        """Count a difference, and keep it as an example while there are few."""
        self.failing += is_failing
        self.differing += not is_failing
        if shown is not None and len(self.examples) < EXAMPLES_MAX:
            self.examples.append(shown)

    def unrepeatable(self, error: str, *, is_proved: bool) -> None:
        """Count a call that both refuse today, with an error, and that was answered when it was recorded."""
        calls, unproved = self.unrepeated.get(error, (0, 0))
        self.unrepeated[error] = (calls + 1, unproved + (not is_proved))

    def quiet(self, found: Sequence[Difference], noisy: Sequence[Difference]) -> list[Difference]:
        """Return the differences that are none of the old version with itself, and remember those by their place."""
        paths = {one.path for one in noisy}
        self.noise |= dict.fromkeys(sorted(paths)[: NOISE_MAX - len(self.noise)])
        return [one for one in found if one.path not in paths]

    def tally(self, name: str) -> Tally:
        return Tally(
            name=name,
            same=self.same,
            differing=self.differing,
            failing=self.failing,
            refused=self.refused,
            unreadable=self.unreadable,
            noise=tuple(self.noise),
            examples=tuple(self.examples),
            notes=tuple(self.notes),
            unrepeated=tuple(
                Unrepeated(error=error, calls=calls, unproved=unproved)
                for error, (calls, unproved) in self.unrepeated.items()
            ),
        )


class Comparison:
    """Two versions of one front end, and what has been found so far."""

    def __init__(self, old: CompiledFrontEnd, new: CompiledFrontEnd) -> None:
        self._old = old
        self._new = new
        self._counts: dict[str, Count] = {}
        self._ready: dict[tuple[str, str], _Pair | str] = {}
        self._calls = 0
        self._changed = 0
        self.asked = 0

    def see(self, call: RecordedCall, asked: tuple[RecordedAsk, ...] | None = None) -> None:
        """Ask both versions everything that was asked in a call, or some of it."""
        self._calls += 1
        is_changed = False
        for ask in call.asked if asked is None else asked:
            self.asked += 1
            if not self._see(call, ask):
                is_changed = True
        self._changed += is_changed

    def of_one(self, call: RecordedCall, asked: tuple[RecordedAsk, ...]) -> FrontEndReport:
        """Ask both versions some of what was asked in one call, and report that alone."""
        one = Comparison(self._old, self._new)
        one._ready = self._ready
        one.see(call, asked)
        return one.report()

    def report(self) -> FrontEndReport:
        found = [count.tally(name) for name, count in sorted(self._counts.items())]
        ordered = sorted(found, key=lambda one: (-one.changed.low, one.name))
        return FrontEndReport(
            front_end=self._new.front_end.code,
            calls=self._calls,
            changed_calls=self._changed,
            tallies=tuple(ordered),
        )

    def _see(self, call: RecordedCall, ask: RecordedAsk) -> bool:
        """Return whether both say the same; also where they cannot be asked, which is counted apart."""
        count = self._counts.get(ask.point)
        if count is None:
            count = self._counts[ask.point] = Count()
        pair = self._ready.get((call.box, ask.point))
        if pair is None:
            pair = self._ready[call.box, ask.point] = self._pair(call.box, ask.point)
        if isinstance(pair, str):
            count.unreadable += 1
            count.note(pair)
            return True
        try:
            arguments = _read(pair.decoder, ask.arguments)
        except msgspec.MsgspecError as error:
            count.unreadable += 1
            count.note(f"recorded under another contract of {ask.point}: {error}")
            return True
        old, new = said_by(pair.old, arguments), said_by(pair.new, arguments)
        if is_equal(old, new):
            count.same += 1
            return True
        return self._differ(call, ask, count, pair, arguments, (old, new))

    def _differ(
        self,
        call: RecordedCall,
        ask: RecordedAsk,
        count: Count,
        pair: _Pair,
        arguments: tuple[Any, ...],
        said: tuple[Any, Any],
    ) -> bool:
        old, new = plain(said[0]), plain(said[1])
        noisy = differences(old, plain(said_by(pair.old, arguments)))
        found = count.quiet(differences(old, new), noisy)
        if not found:
            count.same += 1
            return True
        shown = None
        if len(count.examples) < EXAMPLES_MAX:
            cause = _cause(pair, arguments)
            shown = example(call, found, cause=cause, asked=short(msgspec.json.decode(ask.arguments)))
        count.differ(shown, is_failing=isinstance(said[1], Raised) and not isinstance(said[0], Raised))
        return False

    def _pair(self, box: str, name: str) -> _Pair | str:
        point, was = self._new.points.get(name), self._old.points.get(name)
        if point is None or was is None:
            return f"{name} is asked no more" if point is None else f"the old version is not asked {name}"
        if point.is_async:
            return f"{name} may be answered outside, so it is not asked again; replay capabilities instead"
        try:
            decoder = _decoder(point)
        except (TypeError, NameError) as error:
            return f"the arguments of {name} cannot be read back: {error}"
        old, new = self._old.plan_of_box(box), self._new.plan_of_box(box)
        return _Pair(old=_bare(old, was), new=_bare(new, point), plans=(old, new), points=(was, point), decoder=decoder)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One point in one box, ready to be asked of both versions."""

    old: Function
    new: Function
    plans: tuple[Plan, Plan]
    points: tuple[Point, Point]
    decoder: msgspec.json.Decoder[tuple[Any, ...]]


def arguments_of(point: Point, arguments: msgspec.Raw) -> tuple[Any, ...]:
    """Return the recorded arguments of a question as values.

    Raises MsgspecError where they do not fit its contract any more, and TypeError where they have no JSON.
    """
    return _read(_decoder(point), arguments)


def _read(decoder: msgspec.json.Decoder[tuple[Any, ...]], arguments: msgspec.Raw) -> tuple[Any, ...]:
    """Return recorded arguments as values. Raises MsgspecError where they do not fit the contract any more.

    What was asked with may have known more than the contract of the point says: no rule can name that.
    """
    try:
        return decoder.decode(arguments)
    except msgspec.ValidationError:
        kind = decoder.type
        return msgspec.convert(_known(msgspec.json.decode(arguments), kind), kind)


def _known(value: Any, hint: Any) -> Any:
    """Return a JSON value without the fields that a type does not have."""
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    inner = get_args(kind)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        kinds = inner if inner and inner[-1] is not Ellipsis else inner[:1] * len(items)
        return [_known(*pair) for pair in zip(items, kinds, strict=True)] if len(kinds) == len(items) else items
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    structs = [one for one in (kind, *inner) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    if len(structs) != 1:
        return fields
    hints = get_type_hints(structs[0], include_extras=True)
    return {name: _known(part, hints[name]) for name, part in fields.items() if name in structs[0].__struct_fields__}


class Raised(str):
    """What stands for the answer where asking raised."""

    __slots__ = ()

    @property
    def slug(self) -> str:
        return self.removeprefix("raised ").partition(":")[0]


def said_by(function: Function, arguments: tuple[Any, ...]) -> Any:
    """Return an answer, or the error that it raised."""
    try:
        return function(*arguments)
    except Exception as error:
        return raised(error)


def raised(error: Exception) -> Raised:
    """Return an error as two versions can be compared by it: its kind and its sentence."""
    if isinstance(error, errors.IsthmusError):
        return Raised(f"raised {error.slug}: {error.message}")
    return Raised(f"raised {type(error).__name__}: {error}")


def example(call: RecordedCall, found: Sequence[Difference], *, cause: str = "", asked: str = "") -> Example:
    """Return a difference as it is shown."""
    return Example(
        call_id=call.call_id,
        box=call.box,
        differences=tuple(found[:SHOWN_MAX]),
        more=max(0, len(found) - SHOWN_MAX),
        cause=cause,
        asked=asked,
    )


def _cause(pair: _Pair, arguments: tuple[Any, ...]) -> str:
    """Ask both once more, traced, and return the first rule that says something else."""
    before, after = (_traced(plan, point, arguments) for plan, point in zip(pair.plans, pair.points, strict=True))
    return cause_of(before, after)


def cause_of(before: Asked | None, after: Asked | None) -> str:
    """Return the first rule that spoke otherwise in two tellings of a question, in words."""
    was = {one.by: one for one in before.said} if before else {}
    now = {one.by: one for one in after.said} if after else {}
    for by in dict.fromkeys((*now, *was)):
        old, new = was.get(by), now.get(by)
        if old and new and is_equal(_word(old.value), _word(new.value)):
            continue
        spoken = new or old
        if spoken is None or (_word(spoken.value) == "PASS" and not (old and new)):
            continue  # who only passed is no cause
        if old is None or new is None:
            return f"{by} ({spoken.source}) {'speaks now' if old is None else 'speaks no more'}"
        return f"{by} ({new.source}) says {_text(new.value)}, and said {_text(old.value)}"
    return "the order of the answers, or how they are combined, has changed"


def _bare(plan: Plan, point: Point) -> Function:
    """Compile a point's answers so that one that raises is seen: in a live call a default may stand in and hide it."""
    ranked = plan.find(point)
    bare = dataclasses.replace(point, on_failure="refuse")
    return compile_answers(bare, ranked, [answer.function for answer in ranked], point.default)


def _traced(plan: Plan, point: Point, arguments: tuple[Any, ...]) -> Asked | None:
    trace = Trace("", "", "", plan.front_end, plan.box, "", None, "")
    token = trace_now.set(trace)
    try:
        said_by(plan.traced(point), arguments)
    finally:
        trace_now.reset(token)
    return trace.asked[0] if trace.asked else None


def _word(value: object) -> Any:
    if value is PASS:
        return "PASS"
    return raised(value) if isinstance(value, Exception) else value


def _text(value: object) -> str:
    word = _word(value)
    return word if word == "PASS" or isinstance(word, Raised) else short(plain(word))


@lru_cache(maxsize=POINTS_REMEMBERED)
def _decoder(point: Point) -> msgspec.json.Decoder[tuple[Any, ...]]:
    """Return what reads the recorded arguments of a point. Raises TypeError where their types have no JSON."""
    hints = get_type_hints(point.default, include_extras=True)
    kinds = tuple(_as_asked(hints.get(name, Any)) for name in point.parameters)
    return cast("msgspec.json.Decoder[tuple[Any, ...]]", msgspec.json.Decoder(tuple.__class_getitem__(kinds)))


def _as_asked(hint: Any) -> Any:
    """Read a sequence as the tuple that it was: no rule may change what another one sees."""
    origin = get_origin(hint)
    if origin is not None and getattr(origin, "__module__", "") == "collections.abc" and origin.__name__ == "Sequence":
        return tuple[get_args(hint)[0], ...]
    return hint
