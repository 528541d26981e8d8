"""Proof that a change of code changes nobody's result: recorded calls, run by both, each in processes of its own.

The old code runs twice: where it differs from itself, that is noise and no proof either way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from isthmus.kernel import Value
from isthmus.runtime.replay.differences import ABSENT, Difference, differences, rate

EXAMPLES_MAX: Final = 3


class Said(Value):
    """What one recorded call said when it was run again: its answer or error, its events, and what its parts said.

    A write that worked once may be refused now, for its goods are gone; its parts tell how far both came alike.
    """

    front_end: str
    capability: str
    call_id: str
    said: Any
    events: Any = ()
    parts: Any = ()
    is_refused: bool = False


class Fared(Value):
    """How the recorded calls of a front end fared."""

    front_end: str
    calls: int
    refused: int  # of them, by both with the same error
    differing: int
    noisy: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        share = rate(self.differing, self.calls)
        end = "as before" if not self.differing else f"{self.differing} come out otherwise"
        bound = f"with 95 % confidence less than {share.high:.2%} of all calls differ" if not self.differing else ""
        refused = f"{self.refused:,} refused by both, compared as far as they came" if self.refused else ""
        noisy = f"{self.noisy} differ from themselves in part" if self.noisy else ""
        said = "; ".join(one for one in (bound, refused, noisy) if one)
        return f"{self.front_end}: {self.calls:,} recorded calls, {end}" + (f" ({said})" if said else "")


class Proof(Value):
    """How all front ends fared."""

    front_ends: tuple[Fared, ...]

    @property
    def is_equal(self) -> bool:
        """True where calls were run and none came out otherwise."""
        return any(one.calls for one in self.front_ends) and not any(one.differing for one in self.front_ends)

    def lines(self) -> Iterator[str]:
        for one in self.front_ends:
            yield str(one)
            yield from (f"  {example}" for example in one.examples)


def compared(
    old: Iterable[Said],
    new: Iterable[Said],
    again: Iterable[Said],
    lost: Collection[str] = (),
    unsent: Collection[str] = (),
) -> Proof:
    """Compare what old and new code said of the same calls. lost, unsent: fields and events that are to be gone."""
    old, again = ([_without(one, unsent) for one in said] for said in (old, again))
    after, noise = ({one.call_id: one for one in said} for said in (new, again))
    by_front_end: dict[str, list[tuple[Said, list[Difference], bool]]] = {}
    for was in old:
        now = after.get(was.call_id)
        own = {one.path for one in _differences(was, noise.get(was.call_id))}
        found = [one for one in _differences(was, now) if one.path not in own and not _is_lost(one, lost)]
        by_front_end.setdefault(was.front_end, []).append((was, found, bool(own)))
    return Proof(front_ends=tuple(_fared(code, calls) for code, calls in sorted(by_front_end.items())))


def read(lines: Iterable[bytes]) -> list[Said]:
    """Read what a run wrote, one call a line."""
    return [msgspec.json.decode(line, type=Said) for line in lines if line.strip()]


def _without(said: Said, unsent: Collection[str]) -> Said:
    return said.replace(events=[one for one in said.events if one[0] not in unsent]) if unsent else said


def _is_lost(one: Difference, lost: Collection[str]) -> bool:
    return one.new == ABSENT and one.path.rpartition(".")[2] in lost


def _fared(code: str, calls: list[tuple[Said, list[Difference], bool]]) -> Fared:
    differing = [(was, found) for was, found, _ in calls if found]
    return Fared(
        front_end=code,
        calls=len(calls),
        refused=sum(was.is_refused for was, found, _ in calls if not found),
        differing=len(differing),
        noisy=sum(noisy for _, _, noisy in calls),
        examples=tuple(f"{was.capability} {was.call_id}: {found[0]}" for was, found in differing[:EXAMPLES_MAX]),
    )


def _differences(was: Said, now: Said | None) -> list[Difference]:
    before: Mapping[str, Any] = {"answer": was.said, "events": was.events, "parts": was.parts}
    after = {} if now is None else {"answer": now.said, "events": now.events, "parts": now.parts}
    return differences(before, after)
