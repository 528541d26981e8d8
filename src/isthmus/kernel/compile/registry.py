"""Collect packs and front ends, check everything, freeze; every problem is reported in one go."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ..declare.capability import Capability, event_kind
from ..declare.extension import Dimension
from ..declare.front_end import FrontEnd
from ..declare.pack import Pack
from ..errors import BuildProblems, kebab
from .answers import Point
from .binding import bind
from .front_ends import compile_front_ends
from .release import Release

_NAME = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")
POINTS_MAX = 12  # a pack with more questions than this leaves its domain to its callers


class Registry:
    """What is to run together. `freeze` gives a Release, or BuildProblems with all that is wrong."""

    def __init__(self) -> None:
        self._packs: list[Pack] = []
        self._front_ends: list[FrontEnd] = []

    def add(self, *parts: Pack | FrontEnd) -> Registry:
        """Add packs and front ends in any order; the result never depends on it."""
        self._packs += [part for part in parts if isinstance(part, Pack)]
        self._front_ends += [part for part in parts if isinstance(part, FrontEnd)]
        return self

    def freeze(self) -> Release:
        """Check everything and return a Release. Raises BuildProblems."""
        packs = sorted(self._packs, key=lambda pack: pack.name)
        problems = _repeated("pack", (pack.name for pack in packs))
        problems += _repeated("front end", (front_end.code for front_end in self._front_ends))
        for pack in packs:
            problems += _pack_problems(pack)
        points = {point.name: point for pack in packs for point in pack.extension_points().values()}
        dimensions, differing = _dimensions(points.values())
        declared = {found.name: found for pack in packs for found in pack.capabilities().values()}
        offered, unbound = bind(declared, [one for pack in packs for one in pack.implemented()], dimensions, declared)
        events = {event_kind(one).name: one for pack in packs for one in pack.events().values()}
        named = {pack.name: pack for pack in packs}
        release = Release(packs=named, events=events, offered=offered, points=points, lines={}, dimensions=dimensions)
        lines, wrong = compile_front_ends(release, sorted(self._front_ends, key=lambda front_end: front_end.code))
        if problems := [*problems, *differing, *unbound, *wrong]:
            raise BuildProblems(problems)
        return release.replacing(*lines)


def _pack_problems(pack: Pack) -> Iterator[str]:
    points = pack.extension_points()
    named: list[tuple[str, str, Capability[Any, Any] | Point]] = [
        *(("capability", name, found) for name, found in pack.capabilities().items()),
        *(("extension point", name, found) for name, found in points.items()),
    ]
    for kind, python_name, thing in named:
        if thing.name != f"{pack.name}.{kebab(python_name)}" or not _NAME.fullmatch(thing.name):
            yield (
                f"{kind} {thing.name!r} ({thing.source}) is called {python_name!r} in pack {pack.name!r}; "
                f"name it {pack.name}.{kebab(python_name)}"
            )
    for point in points.values():
        if not point.doc:
            yield f"extension point {point.name!r} ({point.source}) has no documentation; say what answers change"
    if len(points) > POINTS_MAX:
        yield f"pack {pack.name!r} has {len(points)} extension points; {POINTS_MAX} is the limit"


def _dimensions(points: Iterable[Point]) -> tuple[dict[str, Dimension], list[str]]:
    known: dict[str, Dimension] = {}
    problems: list[str] = []
    for point in points:
        for dimension in point.dimensions:
            if known.setdefault(dimension.name, dimension) != dimension:
                problems.append(
                    f"dimension {dimension.name!r} of {point.name!r} ({point.source}) has other values than elsewhere; "
                    "declare it once and import it"
                )
    return known, problems


def _repeated(kind: str, names: Iterable[str]) -> list[str]:
    counted = sorted(name for name, count in Counter(names).items() if count > 1)
    return [f"{kind} {name!r} is there twice; give one of them another name" for name in counted]
