"""Who answers first: a strict partial order without priority numbers, decided before anything runs.

For two answers that can meet, in this sequence: the stage of a fold; the front end's explicit order; the
narrower condition; for the same condition the child before its parent, and a front end before its
products. What is left open, or contradicts itself, is a problem at build time with a witness and a remedy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..declare.extension import Answer, Dimension, ExtensionPoint

Dims = Mapping[str, str]
PRODUCT_RANK = 1_000  # behind every front end of a tree, however deep


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """All answers that one node of a front end's tree has for one point, and the orders that bind it."""

    node: str
    point: ExtensionPoint[..., Any]
    answers: tuple[Answer, ...]
    orders: tuple[tuple[Answer, ...], ...]
    dimensions: Mapping[str, Dimension]  # products' additions included
    fixed: Dims  # the dimension values that lead to this node
    elsewhere: tuple[Dims, ...]  # those that lead on to a child of it

    def ranked(self, dims: Dims) -> list[Answer]:
        """Return the answers for these dimension values, first to be asked first."""
        found = [answer for answer in self.answers if matches(answer, dims)]
        behind = {one: sum(self.precedes(other, one) for other in found) for one in found}
        return sorted(found, key=lambda one: (behind[one], one.label, one.source, sorted(one.when)))

    def precedes(self, one: Answer, other: Answer) -> bool:
        if one is other:
            return False
        stages = self.point.combine.stages
        if stages and one.stage != other.stage:
            return stages.index(one.stage) < stages.index(other.stage)
        said = [order.index(one) < order.index(other) for order in self.orders if one in order and other in order]
        if said:
            return any(said)
        if one.applies or other.applies:
            return False  # a predicate may overlap anything: only the explicit order counts
        if one.when != other.when:
            return _is_narrower(one, other)
        return one.rank < other.rank

    def situations(self) -> Iterator[Dims]:
        """Go through the dimension values that can reach this node, as far as they make a difference here."""
        used = {name for answer in self.answers for name in answer.when}
        used.update(name for leads in self.elsewhere for name in leads)
        names = sorted(name for name in used if name in self.dimensions)
        choices = [(self.fixed[name],) if name in self.fixed else self.dimensions[name].values for name in names]
        for combination in itertools.product(*choices):
            dims = dict(zip(names, combination, strict=True))
            if not any(leads.items() <= dims.items() for leads in self.elsewhere):
                yield dims


def matches(answer: Answer, dims: Dims) -> bool:
    """True where the condition of the answer holds for these dimension values."""
    return all(dims.get(name) in values for name, values in answer.when.items())


def problems_of(candidates: Candidates) -> list[str]:
    """Return what is wrong with the order of these answers: pairs left open, circles."""
    if not candidates.point.combine.is_ordered or len(candidates.answers) < 2:
        return []
    found: dict[frozenset[Answer], str] = {}
    for dims in candidates.situations():
        meeting = sorted((one for one in candidates.answers if matches(one, dims)), key=lambda one: one.label)
        for one, other in itertools.combinations(meeting, 2):
            pair = frozenset([one, other])
            if pair not in found and not candidates.precedes(one, other) and not candidates.precedes(other, one):
                found[pair] = _left_open(candidates, one, other, dims)
        if circle := _circle(candidates, meeting):
            found.setdefault(frozenset(circle), _in_a_circle(candidates, circle))
    return list(found.values())


def reached(candidates: Candidates) -> set[Answer]:
    """Return every answer that is asked in some situation, past no total one."""
    if len(candidates.answers) == 1 and not candidates.answers[0].when:
        return set(candidates.answers)
    asked: set[Answer] = set()
    for dims in candidates.situations():
        for answer in candidates.ranked(dims):
            asked.add(answer)
            if answer.is_total and candidates.point.combine.name == "first_answer":
                break
    return asked


def dead_answer(answer: Answer) -> str:
    return (
        f"{answer.label} ({answer.source}) can never answer {answer.point.name!r}: no ask leads to it, or earlier "
        "answers always speak; remove it, narrow the earlier one with when=, or let that one PASS (`-> … | Pass`)"
    )


def _is_narrower(one: Answer, other: Answer) -> bool:
    """True where every situation of `one` is one of `other`, and not the reverse."""
    return all(name in one.when and one.when[name] <= values for name, values in other.when.items())


def _circle(candidates: Candidates, meeting: Sequence[Answer]) -> list[Answer]:
    """Take away, again and again, the answers that nothing left precedes; what remains goes in a circle."""
    left = list(meeting)
    while left:
        behind = [one for one in left if any(candidates.precedes(other, one) for other in left)]
        if len(behind) == len(left):
            return left
        left = behind
    return []


def _in_a_circle(candidates: Candidates, circle: Sequence[Answer]) -> str:
    names = ", ".join(sorted(f"{one.label} ({one.source})" for one in circle))
    return (
        f"the order of {names} for {candidates.point.name!r} in {candidates.node!r} goes in a circle; "
        "take one of them out of order={...}"
    )


def _left_open(candidates: Candidates, one: Answer, other: Answer, dims: Dims) -> str:
    witness = ", ".join(f"{name}={value}" for name, value in sorted({**candidates.fixed, **dims}.items())) or "any ask"
    point = candidates.point
    python_name = point.name.partition(".")[2].replace("-", "_")
    return (
        f"{one.label} ({one.source}) and {other.label} ({other.source}) both answer {point.name!r} for "
        f"{candidates.node!r} with {witness}, and nothing says which goes first; write in the front end: "
        f"order={{{point.pack}.{python_name}: [{one.name}, {other.name}]}}"
    )
