"""Plans: all answers of one front end in one situation, compiled into a flat table.

A plan is an immutable value with a table from extension point to a callable. Each entry is compiled when it
is first asked, and shared wherever the same answers meet the same point, so a table costs what is used.
Conditions on dimensions are gone after compiling: the box has decided them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, cast

from ..contract import json_schema
from ..declare.capability import Capability
from ..declare.context import Ask
from ..declare.extension import Answer, Dimension
from ..declare.front_end import FrontEnd
from ..declare.implementation import Implementation
from ..errors import UnknownCapability, UnknownDimensionValue, near
from .answers import Compiler, Function, Point, traced
from .fingerprint import code_hash
from .ordering import Candidates, Dims

Read = Callable[[Any], tuple[str | None, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One place in a front end's tree, with all answers that can speak there, by point."""

    code: str
    when: Dims
    settings: Mapping[str, str]
    candidates: Mapping[Point, Candidates]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCapability:
    """A capability with its implementation and the dimensions that its ask carries."""

    capability: Capability[Any, Any]
    implementation: Implementation
    dimensions: tuple[str, ...]
    read: Read | None  # ask → dimension values; None where the ask carries none
    checked: bool = True  # whether an ask can hold anything that `check` refuses


class Table(dict[Point, Function]):
    """Extension point → compiled answer; `__getitem__` of this is the whole hot path of `ctx.answer`."""

    __slots__ = ("_compiled", "_plan")

    def __init__(self, plan: Plan, compiled: Callable[[Point, Sequence[Answer]], Function]) -> None:
        super().__init__()
        self._plan = plan
        self._compiled = compiled

    def __missing__(self, point: Point) -> Function:
        function = self[point] = self._compiled(point, self._plan.find(point))
        return function


class Plan:
    """What one box of a front end answers; `line` is the front end, as released."""

    __slots__ = ("_candidates", "_traced", "answer", "box", "dims", "front_end", "line", "own", "settings")

    def __init__(self, line: CompiledFrontEnd, box: str, dims: Dims, node: Node) -> None:
        self.line = line
        self.front_end = line.front_end.code
        self.own = f"{self.front_end}."  # what names of its own capabilities begin with
        self.box = box
        self.dims = dims
        self.settings = node.settings
        self._candidates = node.candidates
        self.answer = cast(Ask, Table(self, line.compiler.compiled).__getitem__)
        self._traced: Ask | None = None

    def find(self, point: Point) -> Sequence[Answer]:
        """Return the answers to a point, first to be asked first."""
        candidates = self._candidates.get(point)
        return candidates.ranked(self.dims) if candidates else ()

    @property
    def traced(self) -> Ask:
        """As `answer`, with every word written into the trace of the call."""
        if self._traced is None:
            self._traced = cast(Ask, Table(self, traced).__getitem__)
        return self._traced

    @property
    def fingerprint(self) -> str:
        return self.line.fingerprint

    @property
    def attributes(self) -> Mapping[str, type[Any]]:
        return self.line.front_end.attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledFrontEnd:
    """One front end of a release, compiled box by box as boxes are met."""

    front_end: FrontEnd
    nodes: tuple[Node, ...]  # children before their parents, so that the first that fits is the deepest
    permitted: frozenset[str]
    offered: Mapping[str, BoundCapability]  # the release's, and the front end's own
    points: Mapping[str, Point]
    dimensions: Mapping[str, Dimension]  # with the values that its products add
    switches: Mapping[str, Sequence[str]]  # flags that answers are conditional on, with what makes a difference
    compiler: Compiler
    # of two versions one, for each call
    choose: Callable[[BoundCapability, Any, Any], tuple[CompiledFrontEnd, BoundCapability, Any]] | None = None
    _plans: dict[tuple[tuple[str, str], ...], Plan] = field(default_factory=dict)
    _met: dict[tuple[object, ...], Plan] = field(default_factory=dict)
    _kept: dict[str, Any] = field(default_factory=dict, init=False)  # what is worked out when it is first asked for

    @property
    def fingerprint(self) -> str:
        """Hash answers, order, defaults and the code they reach: equal means that nothing can differ."""
        return self._kept.get("fingerprint") or self._kept.setdefault("fingerprint", _fingerprint(self))

    @property
    def reactions(self) -> Mapping[str, Sequence[BoundCapability]]:
        """Return the internal flows whose ask is an event, by its name: each runs where the event is emitted."""
        if (kept := self._kept.get("reactions")) is not None:
            return kept
        found: dict[str, list[BoundCapability]] = defaultdict(list)
        for _, one in sorted(self.offered.items()):
            reacts_to = getattr(one.capability.ask, "__isthmus_event__", None)
            if reacts_to is not None and one.capability.is_internal:
                found[reacts_to.name].append(one)
        return self._kept.setdefault("reactions", found)

    def find(self, name: str) -> BoundCapability:
        """Return a capability, a shared one or the front end's own. Raises UnknownCapability."""
        return find_capability(self.offered, name)

    def plan_for(self, offered: BoundCapability, ask: Any, switched: Sequence[tuple[str, str]] = ()) -> Plan:
        """Return the plan for the dimension values in an ask, and what flags are.

        Raises UnknownDimensionValue with the allowed values where the ask names another.
        """
        values = offered.read(ask) if offered.read else ()
        met = (offered.dimensions, values, switched) if values or switched else ()
        found = self._met.get(met)
        if found is None:
            named = {name: value for name, value in zip(offered.dimensions, values, strict=True) if value is not None}
            flags = {name: value for name, value in switched if value in self.switches.get(name, ())}
            found = self._met[met] = self.plan({**self.checked(named), **flags})
        return found

    def checked(self, dims: Dims) -> Dims:
        """Return dimension values that this front end knows. Raises UnknownDimensionValue with the allowed ones."""
        for name, value in dims.items():
            known = self.dimensions[name].values if name in self.dimensions else ()
            if value not in known:
                raise UnknownDimensionValue(
                    f"{name} {value!r} is not known to {self.front_end.code!r}{near(value, known)}",
                    remedy=f"use one of {', '.join(known)}" if known else "leave it out",
                    path=f"$.{name}",
                )
        return dims

    def plan(self, dims: Dims) -> Plan:
        """Return the plan for dimension values; a dimension that is not named has its default."""
        key = tuple(sorted((name, value) for name, value in dims.items() if value != self.dimensions[name].default))
        return self._plans.get(key) or self._plans.setdefault(key, self._planned(dict(key)))

    def plan_of_box(self, box: str) -> Plan:
        """Return the plan of a stored box, such as `north.outlet?order_kind=presale`."""
        query = box.partition("?")[2]
        pairs = [pair.partition("=") for pair in query.split("&")] if query else []
        return self.plan({name: value for name, _, value in pairs if name in self.dimensions})

    def answerer(self, code: CodeType) -> str:
        """Return `owner.answer (file:line)` of the answer whose code this is, or nothing."""
        for node in self.nodes:
            for candidates in node.candidates.values():
                for answer in candidates.answers:
                    if answer.function.__code__ is code:
                        return f"{answer.label} ({answer.source})"
        return ""

    def _planned(self, dims: Dims) -> Plan:
        full = {name: dims.get(name, dimension.default) for name, dimension in self.dimensions.items()}
        node = next(node for node in self.nodes if node.when.items() <= full.items())
        query = "&".join(f"{name}={value}" for name, value in sorted(dims.items()))
        return Plan(self, f"{node.code}?{query}" if query else node.code, full, node)


def find_capability(offered: Mapping[str, BoundCapability], name: str) -> BoundCapability:
    if (found := offered.get(name)) is None:
        fact = f"no capability is called {name!r}{near(name, offered)}"
        raise UnknownCapability(fact, remedy="see the API document for what this front end may call")
    return found


def _fingerprint(line: CompiledFrontEnd) -> str:
    digest = hashlib.sha256(line.front_end.code.encode())
    for entity, declared in sorted(line.front_end.attributes.items()):
        digest.update(repr((entity, json_schema((declared,), "{name}"))).encode())
    for name, point in sorted(line.points.items()):
        digest.update(f"{name}={code_hash(point.default)}".encode())
    for node in sorted(line.nodes, key=lambda node: node.code):
        digest.update(repr((node.code, sorted(node.when.items()), sorted(node.settings.items()))).encode())
        for candidates in sorted(node.candidates.values(), key=lambda one: one.point.name):
            written = [_written(answer) for answer in candidates.answers]
            ordered = [[_written(answer) for answer in order] for order in candidates.orders]
            digest.update(repr((candidates.point.name, sorted(written), sorted(ordered))).encode())
    return digest.hexdigest()[:16]


def _written(answer: Answer) -> tuple[str, ...]:
    conditions = repr(sorted((name, sorted(values)) for name, values in answer.when.items()))
    predicate = code_hash(answer.applies) if answer.applies else ""
    return answer.label, str(answer.rank), answer.stage, conditions, predicate, code_hash(answer.function)
