"""Run recorded calls of every front end again, observed: which code, capabilities, answers and options they use.

Calls run as a replay of whole calls runs them: on the rows there are, in transactions that are undone. Calls in steps
ask the outside world and are not run; the capabilities that they are made of are, where they were called by themselves.
"""

from __future__ import annotations

import ast
import enum
import sys
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import unwrap
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import msgspec

import isthmus
from isthmus.kernel import Pack, Platform, Value, decode, errors
from isthmus.kernel.host import Release
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.capabilities import run_again
from isthmus.runtime.replay.recorded import RecordedCall
from isthmus.store import Database

from .probes import Probes, Site, observing
from .written import compared

CALLS = 1_000  # of each front end: a decision that one in a hundred calls takes is seen with certainty

Files = Mapping[Path, str]  # whose a file is: a pack's, a product's, a front end's


@dataclass(frozen=True, slots=True)
class Named:
    """A front end that is named in the platform's code."""

    file: Path
    line: int
    front_end: str
    text: str


@dataclass(slots=True)
class Observed:
    """What the recorded calls of all front ends did."""

    probes: Probes
    platform: Files
    own: Files
    named: tuple[Named, ...] = ()
    calls: Counter[str] = field(default_factory=Counter[str])  # by front end: run again
    not_run: Counter[str] = field(default_factory=Counter[str])
    used: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # (front end, capability)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # (front end, point)
    said: Counter[tuple[str, str, bool]] = field(default_factory=Counter[tuple[str, str, bool]])  # by whom, an opinion
    options: dict[str, dict[str, set[str]]] = field(default_factory=dict[str, dict[str, set[str]]])
    unread: frozenset[str] = frozenset()  # settings of front ends that no code names
    facts: frozenset[str] = frozenset()  # settings that are read by what they begin with: who a front end is

    def sites(self, of: Files, kinds: Iterable[str] = ("condition", "body")) -> Iterator[tuple[int, Site]]:
        """Return the decisions in these files that a call came by."""
        reached = {site for arms in self.probes.taken.values() for site, _ in arms}
        for number, site in enumerate(self.probes.sites):
            if site.file in of and site.kind in kinds and number in reached:
                yield number, site


async def observe(
    database: Database,
    platform: Platform,
    *,
    counted: Mapping[tuple[str, str], int] | None = None,
    limit: int = CALLS,
    step: Callable[[str], None] = lambda _: None,
) -> Observed:
    """Run up to `limit` recorded calls of each front end again; `step` is called with whose call was run.

    counted: all calls of some weeks by front end and capability, where they are counted; recorded ones are a sample.
    """
    release = platform.release
    shared, own = files(release)
    found = Observed(probes=Probes(), platform=shared, own=own, named=tuple(_named(shared, release.lines)))
    found.unread, found.facts = _unread(release, [*shared, *own])
    found.used.update(counted or {})  # parts are not counted as calls; those of recorded ones are added
    with observing([*shared, *own], found.probes):
        for code in release.lines:
            found.probes.front_end = code
            async for call in recorded.recent(database, code, limit=limit):
                _count(call, found, release, is_counted=(code, call.capability) in (counted or {}))
                try:
                    await run_again(database, platform, call)
                    found.calls[code] += 1
                except errors.Refusal:  # in steps, or of another version than today's
                    found.not_run[code] += 1
                step(code)
    return found


def _count(call: RecordedCall, found: Observed, release: Release, *, is_counted: bool) -> None:
    code = call.front_end
    own = () if is_counted else (call.capability,)
    for name in {*own, *(part.capability for part in call.parts)}:
        found.used[code, name] += 1
    for asked in call.asked:
        found.asked[code, asked.point] += 1
        for said in asked.said:
            found.said[said.by, asked.point, not (said.passed or _passes(said.value))] += 1
    offered = release.offered.get(call.capability)
    if offered is None:
        return
    try:
        ask = decode(bytes(call.ask), offered.capability.ask)
    except errors.Refusal:
        return
    for name in options_of(offered.capability.ask):
        values = found.options.setdefault(f"{call.capability}:$.{name}", {})
        values.setdefault(code, set()).add(repr(getattr(ask, name)))


def _passes(value: msgspec.Raw) -> bool:
    """Tell whether an answer for several lines had no opinion of any: each is written as "PASS"."""
    said: object = msgspec.json.decode(value)
    return isinstance(said, list) and said != [] and all(one == "PASS" for one in cast("list[object]", said))


@cache
def options_of(ask: type[Value]) -> list[str]:
    """Return the fields of an ask that may be left out and have a closed set of values: its options."""
    hints = get_type_hints(ask)
    return [
        one.name
        for one in msgspec.structs.fields(cast("type[msgspec.Struct]", ask))
        if not one.required and _is_closed(hints[one.name])
    ]


def _is_closed(hint: Any) -> bool:
    if get_origin(hint) in (typing.Union, types.UnionType):
        return all(_is_closed(part) for part in get_args(hint) if part is not types.NoneType)
    is_enum = isinstance(hint, type) and issubclass(hint, enum.Enum)
    return hint is bool or is_enum or get_origin(hint) is Literal


def files(release: Release) -> tuple[dict[Path, str], dict[Path, str]]:
    """Return the files of packs and flows, and those of front ends and products, each with whose it is."""
    shared: dict[Path, str] = {}
    for name, pack in release.packs.items():
        shared |= dict.fromkeys(files_of(pack), name)
    own: dict[Path, str] = {}
    for code, line in release.lines.items():
        parts = [line.front_end, *line.front_end.children]
        for product in (one for part in parts for one in part.products):
            own |= dict.fromkeys(_sources([one.function for one in product.answers], ""), product.name)
        functions = [one.function for part in parts for one in (*part.answers, *part.implementations)]
        own |= dict.fromkeys(_sources(functions, ""), code)
    return shared, {file: whose for file, whose in own.items() if file not in shared}


def files_of(pack: Pack) -> set[Path]:
    """Return the files of a pack that are loaded."""
    functions = [one.function for one in pack.implemented()]
    functions += [point.default for point in pack.extension_points().values()]
    return _sources(functions, pack.api.__name__.rpartition(".api")[0])


def _sources(functions: Iterable[Any], package: str) -> set[Path]:
    """Return the files of functions, and those of a package that are loaded."""
    found = {
        Path(code.co_filename) for one in functions if (code := getattr(unwrap(one), "__code__", None)) is not None
    }
    if package:
        inside = [one for name, one in list(sys.modules.items()) if name == package or name.startswith(f"{package}.")]
        found |= {Path(file) for one in inside if (file := one.__file__) is not None}
    return {file for file in found if file.suffix == ".py" and file.exists()}


def _unread(release: Release, files: Iterable[Path]) -> tuple[frozenset[str], frozenset[str]]:
    """Return settings of front ends that nothing reads, and those that are read by what they begin with.

    No code, the platform's own included, says the name of an unread one, nor its beginning up to a dot.
    """
    keys = {key for line in release.lines.values() for node in line.nodes for key in node.settings}
    texts = [file.read_text() for file in (*files, *Path(isthmus.__file__).parent.rglob("*.py"))] if keys else []
    unnamed = {key for key in keys if not any(f'"{key}"' in text or f"'{key}'" in text for text in texts)}
    begun = {key for key in unnamed if (beginning := key[: key.rfind(".") + 1]) and _begins(beginning, texts)}
    return frozenset(unnamed - begun), frozenset(begun)


def _begins(beginning: str, texts: Iterable[str]) -> bool:
    return any(f"{quote}{beginning}{end}" in text for text in texts for quote in "\"'" for end in "\"'{")


def _named(files: Files, codes: Iterable[str]) -> Iterator[Named]:
    """Find where the platform's code compares with a front end's code, or looks one up."""
    wanted = set(codes)
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            for part in compared(node):
                if part.value in wanted:
                    yield Named(file, part.line, part.value, ast.unparse(node)[:80])
