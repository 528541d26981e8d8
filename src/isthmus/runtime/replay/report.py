"""What a replay found: rates per front end with their bounds, and examples that can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from isthmus.kernel import Value

from .differences import Difference, Rate, rate

Kind = Literal["answers", "capabilities"]


class Example(Value):
    """One recorded call that comes out differently. cause: the rule that says something else, old and new."""

    call_id: str
    box: str
    differences: tuple[Difference, ...]
    more: int = 0
    cause: str = ""
    asked: str = ""


class Unrepeated(Value):
    """Calls that both versions refuse today and that were answered then, since what they did has happened.

    unproved: those of them whose questions cannot be asked again, of which nothing is concluded.
    """

    error: str
    calls: int
    unproved: int = 0


class Tally(Value):
    """How one point or capability of a front end fared."""

    name: str
    same: int = 0
    differing: int = 0
    failing: int = 0
    refused: int = 0  # of the same: both refused, with the same error
    unreadable: int = 0  # recorded under a contract that has changed since
    noise: tuple[str, ...] = ()  # places that differ from themselves on a second run of the old version
    examples: tuple[Example, ...] = ()
    notes: tuple[str, ...] = ()
    unrepeated: tuple[Unrepeated, ...] = ()  # compared by what they had asked then, where they had asked anything

    @property
    def unproved(self) -> int:
        return sum(one.unproved for one in self.unrepeated)

    @property
    def compared(self) -> int:
        return self.same + self.differing + self.failing

    @property
    def changed(self) -> Rate:
        return rate(self.differing + self.failing, self.compared)


class FrontEndReport(Value):
    """How one front end fared. calls: recorded calls looked at; changed: those with at least one difference."""

    front_end: str
    calls: int
    changed_calls: int
    tallies: tuple[Tally, ...]

    @property
    def same(self) -> int:
        return sum(one.same for one in self.tallies)

    @property
    def differing(self) -> int:
        return sum(one.differing for one in self.tallies)

    @property
    def failing(self) -> int:
        return sum(one.failing for one in self.tallies)

    @property
    def unreadable(self) -> int:
        return sum(one.unreadable for one in self.tallies)

    @property
    def unproved(self) -> int:
        return sum(one.unproved for one in self.tallies)

    @property
    def changed(self) -> Rate:
        return rate(self.changed_calls, self.calls)

    @property
    def is_same(self) -> bool:
        return self.differing == 0 and self.failing == 0


class Report(Value):
    """What a replay found, the front end with the largest certain change first, however few its calls are."""

    kind: Kind
    front_ends: tuple[FrontEndReport, ...]

    @property
    def is_same(self) -> bool:
        return all(one.is_same for one in self.front_ends)

    def __str__(self) -> str:
        return "\n".join(line for one in self.front_ends for line in _lines(one))


def report(kind: Kind, front_ends: Iterable[FrontEndReport]) -> Report:
    """Order the front ends by the share that changed for certain: size does not count."""
    ordered = sorted(front_ends, key=lambda one: (-one.changed.low, -one.changed.share, one.front_end))
    return Report(kind=kind, front_ends=tuple(ordered))


def _lines(one: FrontEndReport) -> Iterator[str]:
    if one.calls == 0:
        yield f"{one.front_end}: nothing is recorded, so nothing is proved"
        return
    verdict = "as before" if one.is_same else f"{one.changed_calls} come out otherwise: {one.changed}"
    but = f"; of {one.unproved} nothing is proved" if one.unproved else ""
    yield f"{one.front_end}: {one.calls} recorded calls, {verdict}{but}"
    for tally in one.tallies:
        yield from _tally_lines(tally)


def _tally_lines(tally: Tally) -> Iterator[str]:
    counts = [f"{tally.same} same"]
    counts += [f"{tally.refused} of them refused by both"] * bool(tally.refused)
    counts += [f"{tally.differing} differ"] * bool(tally.differing)
    counts += [f"{tally.failing} fail"] * bool(tally.failing)
    counts += [f"{tally.unreadable} recorded under another contract"] * bool(tally.unreadable)
    changed = f", {tally.changed}" if tally.differing or tally.failing else ""
    yield f"  {tally.name}: {', '.join(counts)}{changed}"
    for gone in tally.unrepeated:
        yield f"    {_gone(gone)}"
    for note in tally.notes:
        yield f"    note: {note}"
    for path in tally.noise:
        yield f"    noise: {path} differs from itself when the old version runs twice"
    for example in tally.examples:
        yield f"    call {example.call_id} ({example.box})"
        yield from (f"      {found}" for found in example.differences)
        if example.more:
            yield f"      and {example.more} more places"
        if example.cause:
            yield f"      because {example.cause}"
        if example.asked:
            yield f"      asked {example.asked}"


def _gone(one: Unrepeated) -> str:
    """Say why calls were not compared whole, and what was done instead."""
    asked = one.calls - one.unproved
    parts = [f"{asked} compared by what they had asked then"] * bool(asked)
    parts += [f"{one.unproved} had asked nothing that can be asked again, so nothing is proved"] * bool(one.unproved)
    return f"{one.calls} were answered then, and are refused by both today ({one.error}): {'; '.join(parts)}"
