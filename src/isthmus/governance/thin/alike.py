"""Answers of several front ends that do the same, whatever they are called: proved by what they say, never by names.

Candidates are all answers to one question, those of products among them: they have one shape. Each is asked what the
others were asked in recorded calls. Questions on which neither has an opinion tell nothing and are left out: one
answers PASS, or what the default says. Agreement is the share of the others on which both say
the same, with its Wilson bound.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from isthmus.kernel import PASS, Value
from isthmus.kernel.host import Answer, CompiledFrontEnd, ExtensionPoint, Release
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import arguments_of, said_by
from isthmus.runtime.replay.differences import Rate, plain, rate, short
from isthmus.store import Database

from .probes import Probes, observing, untried

CALLS: Final = 2_000  # of each front end
ALIKE: Final = 0.98  # of questions of each: the bound of the agreement must be above it, which takes some 190 of them
OPINIONS_MIN: Final = 30  # on which one of two has an opinion; fewer are told as they are
CONSUMERS_MIN: Final = 3  # below it, sharing costs more than two copies do: the rule of three

Point = ExtensionPoint[..., Any]


class Pair(Value):
    """Two answers to one question. agreed: on the questions of both; differs: the first on which they do not."""

    point: str
    one: str
    other: str
    agreed: Rate
    of_one: Rate  # on what `one` was asked
    of_other: Rate
    differs: str = ""

    @property
    def is_alike(self) -> bool:
        """True where it is proved on the questions of both."""
        return min(self.of_one.low, self.of_other.low) >= ALIKE

    @property
    def is_known(self) -> bool:
        """True where `one` may say what `other` says: proved on its own questions, and no question of both differs.

        The other's results do not change by it, so its questions need not be as many.
        """
        return self.of_one.low >= ALIKE and not self.differs


class Alike(Value):
    """Answers that are proved to do the same, each with each."""

    point: str
    answers: tuple[str, ...]
    low: float  # the least bound of the agreement of two of them
    questions: int

    @property
    def is_to_sink(self) -> bool:
        return len(self.answers) >= CONSUMERS_MIN


class Known(Value):
    """A front end's answer that is proved to do what a product's does. low: of their agreement."""

    point: str
    answer: str
    product: str  # the product's answer, by its label
    low: float
    questions: int


class Found(Value):
    """What was found: groups that do the same, pairs that look alike and differ or are not proved, idle answers.

    known: front ends' answers that say what a product's says. untried: as idle ones, but a decision never came one
    way, so that nobody can tell. Pairs with products are listed where they are not alike.
    """

    alike: tuple[Alike, ...]
    pairs: tuple[Pair, ...]
    idle: tuple[tuple[str, str, int], ...]  # answer, point, and questions: all answered as the default does
    known: tuple[Known, ...] = ()
    untried: tuple[tuple[str, str, int, str], ...] = ()


@dataclass(slots=True)
class Owned:
    """An answer of a front end of its own, and what it was asked."""

    answer: Answer
    is_product: bool = False
    questions: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])

    @property
    def label(self) -> str:
        return self.answer.label


async def look(database: Database, release: Release, limit: int = CALLS) -> Found:
    """Ask the front ends' own answers, and those of products, what the others were asked."""
    owned = own_answers(release) | product_answers(release)
    for code, line in release.lines.items():
        async for call in recorded.recent(database, code, limit=limit):
            for asked in call.asked:
                point = line.points.get(asked.point)
                if point is None:
                    continue
                for said in asked.said:
                    if (one := owned.get(said.by)) is not None and one.answer.point is point:
                        _ask(one, point, asked.arguments)
    return judged(owned.values())


def own_answers(release: Release) -> dict[str, Owned]:
    """Return what front ends answer by themselves, by its label; products are shared already."""
    found = [answer for code, line in release.lines.items() for answer in _held(line) if _owner(answer) == code]
    return {one.label: Owned(one) for one in found if not one.point.is_async}


def product_answers(release: Release) -> dict[str, Owned]:
    """Return what products answer at any front end, by its label."""
    found = [answer for code, line in release.lines.items() for answer in _held(line) if _owner(answer) != code]
    return {one.label: Owned(one, is_product=True) for one in found if not one.point.is_async}


def judged(owned: Iterable[Owned]) -> Found:
    """Compare all answers to the same question, each with each."""
    by_point: dict[Point, list[Owned]] = {}
    for one in owned:
        by_point.setdefault(one.answer.point, []).append(one)
    pairs, alike, known = list[Pair](), list[Alike](), list[Known]()
    for point, answers in sorted(by_point.items(), key=lambda pair: pair[0].name):
        own = [one for one in answers if not one.is_product]
        code = [pair for pair in itertools.combinations(own, 2) if _owner(pair[0].answer) != _owner(pair[1].answer)]
        found = [_pair(point, one, other) for one, other in code]
        pairs += [one for one in found if one.agreed.of]
        alike += _groups(point, [one for one in found if one.is_alike])
        shared = [_pair(point, one, other) for one in own for other in answers if other.is_product]
        known += [_known(one) for one in shared if one.is_known]
        pairs += [one for one in shared if one.agreed.of and not one.is_known]
    named = {(one.point, label) for one in alike for label in one.answers}
    left = [one for one in pairs if not {(one.point, one.one), (one.point, one.other)} <= named]
    own = {point: [one for one in answers if not one.is_product] for point, answers in by_point.items()}
    quiet = [(one.label, one.answer.point.name, len(one.questions), _untried(one)) for one in _quiet(own)]
    return Found(
        alike=tuple(alike),
        pairs=tuple(left),
        idle=tuple((label, point, count) for label, point, count, untaken in quiet if not untaken),
        known=tuple(known),
        untried=tuple((label, point, count, untaken) for label, point, count, untaken in quiet if untaken),
    )


def _known(pair: Pair) -> Known:
    return Known(point=pair.point, answer=pair.one, product=pair.other, low=pair.of_one.low, questions=pair.agreed.of)


def lines(found: Found) -> Iterator[str]:
    """Return what was found in lines."""
    for one in found.alike:
        said = f"{len(one.answers)} front ends answer {one.point} the same: {', '.join(one.answers)}"
        yield f"{'sink' if one.is_to_sink else 'wait for a third'}: {said}"
        yield f"  each says what each other says, above {one.low:.1%} for certain, of {one.questions:,} questions"
    for same in found.known:
        yield f"sink: {same.answer} says what {same.product} says on {same.point}, and that is a product already"
        yield f"  above {same.low:.1%} for certain, of {same.questions:,} questions"
    for pair in sorted(found.pairs, key=lambda one: -one.agreed.low):
        verdict = "not proved" if not pair.differs else "differ"
        count = f"{pair.agreed} of {pair.agreed.of:,} questions"
        yield f"{verdict}: {pair.one} and {pair.other} on {pair.point} agree on {count}"
        if pair.differs:
            yield f"  {pair.differs}"
    for label, point, count in found.idle:
        yield f"idle: {label} says what the default of {point} says, on all of {count:,} questions; delete it"
    for label, point, count, untaken in found.untried:
        yield f"untried: {label} says what the default of {point} says, on all of {count:,} questions"
        yield f"  and of these `{untaken}` never came one way, so it may say another thing yet; look again when it did"


def _ask(one: Owned, point: Point, arguments: msgspec.Raw) -> None:
    try:
        one.questions.append(arguments_of(point, arguments))
    except (msgspec.MsgspecError, TypeError, NameError):  # recorded under another contract, or not as JSON
        return


def _pair(point: Point, one: Owned, other: Owned) -> Pair:
    first, second = (_agreed(point, one, other, who.questions) for who in (one, other))
    differs = next((text for _, _, text in (first, second) if text), "")
    return Pair(
        point=point.name,
        one=one.label,
        other=other.label,
        agreed=rate(first[0] + second[0], first[1] + second[1]),
        of_one=rate(first[0], first[1]),
        of_other=rate(second[0], second[1]),
        differs=differs,
    )


def _agreed(point: Point, one: Owned, other: Owned, questions: Sequence[tuple[Any, ...]]) -> tuple[int, int, str]:
    """Return on how many questions both agree, of how many where one has an opinion, and the first that differs."""
    same = asked = 0
    differs = ""
    for arguments in questions:
        default = _said(point.default, arguments)
        words = [_opinion(_said(who.answer.function, arguments), default) for who in (one, other)]
        if words == [None, None]:
            continue
        asked += 1
        same += words[0] == words[1]
        if words[0] != words[1] and not differs:
            said = [short(word) if word is not None else "no opinion" for word in words]
            differs = f"asked {short(plain(arguments))}: {said[0]}, and {said[1]}"
    return same, asked, differs


def _opinion(said: Any, default: Any) -> Any:
    """Return what was said where that is more than nothing and another thing than the default; else None."""
    each: list[object] = cast("list[object]", said) if isinstance(said, list) else [said]
    is_none = said == default or all(one == "PASS" for one in each)
    return None if is_none else cast(Any, said)


def _said(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    said = said_by(function, arguments)
    return "PASS" if said is PASS else plain(said)


def _groups(point: Point, pairs: Sequence[Pair]) -> Iterator[Alike]:
    """Return the largest sets of answers of which each is proved to do what each other does."""
    proved = {frozenset((one.one, one.other)): one for one in pairs}
    groups: list[list[str]] = []
    for label in dict.fromkeys(label for one in pairs for label in (one.one, one.other)):
        home = next((group for group in groups if all(frozenset((label, one)) in proved for one in group)), None)
        if home is None:
            groups.append([label])
        else:
            home.append(label)
    for group in (one for one in groups if len(one) > 1):
        inner = [proved[frozenset(two)] for two in itertools.combinations(group, 2)]
        low = min(min(one.of_one.low, one.of_other.low) for one in inner)
        yield Alike(point=point.name, answers=tuple(group), low=low, questions=max(one.agreed.of for one in inner))


def _quiet(by_point: Mapping[Point, Sequence[Owned]]) -> Iterator[Owned]:
    """Find answers that only said what the default says anyway."""
    for point, answers in by_point.items():
        for one in answers:
            said = [(_said(one.answer.function, asked), _said(point.default, asked)) for asked in one.questions]
            if len(said) >= OPINIONS_MIN and all(word == default != "PASS" for word, default in said):
                yield one


def _untried(one: Owned) -> str:
    """Return a decision of an answer that its questions never came by one way; empty where there is none."""
    function = inspect.unwrap(one.answer.function)
    file, probes = Path(function.__code__.co_filename), Probes()
    with observing([file], probes):
        for asked in one.questions:
            _said(one.answer.function, asked)
    return next(iter(untried(probes, probes.front_end, file, function.__qualname__)), "")


def _held(line: CompiledFrontEnd) -> list[Answer]:
    return [answer for node in line.nodes for one in node.candidates.values() for answer in one.answers]


def _owner(answer: Answer) -> str:
    return answer.owner.partition(".")[0]
