"""A release: everything checked and frozen. Calls read it; putting a new one in its place is one assignment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from .capability import Capability, Implementation
from .contract import Value
from .errors import NotPermitted, UnknownCapability, UnknownDimensionValue, near
from .extension import Answer, Dimension
from .front_end import FrontEnd
from .ordering import Candidates, Dims
from .pack import Pack
from .plan import Compiler, Plan, Point, code_hash

Read = Callable[[Any], tuple[str | None, ...]]


class Candidate(Value):
    """One answer that could speak, and how it fares."""

    by: str
    source: str
    when: dict[str, tuple[str, ...]]
    has_predicate: bool
    is_total: bool
    place: int  # 1 is asked first
    fate: str  # "answers", "asked first, may pass", "behind …"


class Explanation(Value):
    """Who answers a point for a front end, in one situation."""

    front_end: str
    point: str
    rule: str
    situation: dict[str, str]
    candidates: tuple[Candidate, ...]
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One place in a front end's tree, with all answers that can speak there, by point."""

    code: str
    when: Dims
    candidates: Mapping[Point, Candidates]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One front end of a release, compiled box by box as boxes are met."""

    front_end: FrontEnd
    nodes: tuple[Node, ...]  # children before their parents, so that the first that fits is the deepest
    permitted: frozenset[str]
    dimensions: Mapping[str, Dimension]  # with the values that its products add
    fingerprint: str
    compiler: Compiler
    _plans: dict[tuple[tuple[str, str], ...], Plan] = field(default_factory=dict[tuple[tuple[str, str], ...], Plan])

    def plan(self, dims: Dims) -> Plan:
        """Return the plan for dimension values that differ from their defaults."""
        key = tuple(sorted(dims.items()))
        found = self._plans.get(key)
        return found if found is not None else self._plans.setdefault(key, self._planned(dict(key)))

    def _planned(self, dims: Dims) -> Plan:
        full = {name: dims.get(name, dimension.default) for name, dimension in self.dimensions.items()}
        node = next(node for node in self.nodes if all(full.get(name) == value for name, value in node.when.items()))
        query = "&".join(f"{name}={value}" for name, value in sorted(dims.items()))

        def find(point: Point) -> list[Answer]:
            candidates = node.candidates.get(point)
            return candidates.ranked(full) if candidates else []

        return Plan(
            front_end=self.front_end.code,
            box=f"{node.code}?{query}" if query else node.code,
            dims=full,
            permitted=self.permitted,
            settings=self.front_end.settings,
            fingerprint=self.fingerprint,
            find=find,
            compiler=self.compiler,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A capability with its implementation and the dimensions that its ask carries."""

    capability: Capability[Any, Any]
    implementation: Implementation
    dimensions: tuple[str, ...]
    read: Read | None  # ask → dimension values; None where the ask carries none


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Packs, lines and their plans; immutable but for what is compiled on first use."""

    packs: Mapping[str, Pack]
    offered: Mapping[str, Offered]
    points: Mapping[str, Point]
    lines: Mapping[str, Line]
    dimensions: Mapping[str, Dimension]

    def line(self, code: str) -> Line:
        """Return a front end's line; codes are compared for equality and nothing else."""
        found = self.lines.get(code)
        if found is None:
            raise NotPermitted(
                f"front end {code!r} is not known here{near(code, self.lines)}",
                remedy="deploy the front end, or use a credential of one that is deployed",
            )
        return found

    def find(self, name: str) -> Offered:
        found = self.offered.get(name)
        if found is None:
            raise UnknownCapability(
                f"no capability is called {name!r}{near(name, self.offered)}",
                remedy="see the API document for what this front end may call",
            )
        return found

    def plan_for(self, code: str, offered: Offered, ask: Any) -> Plan:
        """Return the plan for a front end and the dimension values in its ask.

        Raises UnknownDimensionValue with the allowed values where the ask names another.
        """
        line = self.line(code)
        if offered.read is None:
            return line.plan({})
        dims: dict[str, str] = {}
        for name, value in zip(offered.dimensions, offered.read(ask), strict=True):
            dimension = line.dimensions[name]
            if value is None or value == dimension.default:
                continue
            if value not in dimension.values:
                raise UnknownDimensionValue(
                    f"{name} {value!r} is not known to {code!r}{near(value, dimension.values)}",
                    remedy=f"use one of {', '.join(dimension.values)}",
                    path=f"$.{name}",
                )
            dims[name] = value
        return line.plan(dims)

    def plan_of_box(self, box: str) -> Plan:
        """Return the plan of a stored box, such as `north.outlet?order_kind=presale`."""
        node, _, query = box.partition("?")
        pairs = [pair.partition("=") for pair in query.split("&")] if query else []
        line = self.line(node.partition(".")[0])
        return line.plan({name: value for name, _, value in pairs if name in line.dimensions})

    def replacing(self, *lines: Line) -> Release:
        """Return a release in which these lines are new and every other one is the very same."""
        merged = {**self.lines, **{line.front_end.code: line for line in lines}}
        return Release(
            packs=self.packs,
            offered=self.offered,
            points=self.points,
            lines=merged,
            dimensions=self.dimensions,
        )

    def explain(self, code: str, point_name: str, dims: Dims | None = None) -> Explanation:
        """Say who answers a point for a front end, in which order, and why.

        Raises NotFound where there is no such point.
        """
        if point_name not in self.points:
            raise UnknownCapability(
                f"no extension point is called {point_name!r}{near(point_name, self.points)}",
                remedy="list the points with `isthmus catalogue`",
            )
        point = self.points[point_name]
        plan = self.line(code).plan(dims or {})
        ranked = plan.find(point)
        return Explanation(
            front_end=plan.box,
            point=point_name,
            rule=point.combine.name,
            situation={dimension.name: plan.dims[dimension.name] for dimension in point.dimensions},
            candidates=tuple(_candidate(answer, place, ranked) for place, answer in enumerate(ranked, 1)),
            default=f"{point.doc.splitlines()[0]} ({point.source})",
        )

    def answerer(self, code: CodeType) -> str:
        """Return `owner.answer (file:line)` of the answer whose code this is, or nothing."""
        for line in self.lines.values():
            for node in line.nodes:
                for candidates in node.candidates.values():
                    for answer in candidates.answers:
                        if answer.function.__code__ is code:
                            return f"{answer.label} ({answer.source})"
        return ""


def _candidate(answer: Answer, place: int, ranked: list[Answer] | tuple[Answer, ...] | Any) -> Candidate:
    earlier = [one for one in ranked[: place - 1] if one.is_total]
    if not answer.point.combine.is_ordered:
        fate = "asked with the others"
    elif answer.point.combine.name == "fold":
        fate = f"step {place}"
    elif earlier:
        fate = f"behind {earlier[0].label}"
    else:
        fate = "answers" if answer.is_total else "asked, may pass"
    return Candidate(
        by=answer.label,
        source=answer.source,
        when={name: tuple(sorted(values)) for name, values in answer.when.items()},
        has_predicate=answer.applies is not None,
        is_total=answer.is_total,
        place=place,
        fate=fate,
    )


def fingerprint_of(front_end: FrontEnd, candidates: Mapping[Point, Candidates]) -> str:
    """Hash the answers of a line, their order and the code they reach: equal means that nothing can differ."""
    digest = hashlib.sha256(front_end.code.encode())
    for point in sorted(candidates, key=lambda point: point.name):
        digest.update(point.name.encode())
        digest.update(code_hash(point.default).encode())
        for answer in sorted(candidates[point].answers, key=lambda one: (one.rank, one.label, one.stage)):
            conditions = sorted((name, sorted(values)) for name, values in answer.when.items())
            predicate = code_hash(answer.applies) if answer.applies else ""
            digest.update(repr((answer.label, answer.stage, conditions, predicate)).encode())
            digest.update(code_hash(answer.function).encode())
        for order in candidates[point].orders:
            digest.update(repr([answer.label for answer in order]).encode())
    digest.update(repr(sorted(front_end.settings.items())).encode())
    return digest.hexdigest()[:16]
