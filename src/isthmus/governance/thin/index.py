"""The thinness index: from 0 (fat) to 100 (thin), with the term that is weakest. Pure.

T = 100 · G^0.75 · (least term)^0.25, where G is the weighted geometric mean of the terms. So one bad term cannot be
hidden behind good ones. A term for which nothing was observed is left out, with its weight, and said so; a figure for
people's pay it is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal

from isthmus.kernel import Value
from isthmus.language import mark

Grade = Literal["thin", "watch", "fat", "unknown"]

WEIGHTS: Final = {
    "logic-out": 0.20,
    "neutrality": 0.25,
    "surface-used": 0.15,
    "options-live": 0.10,
    "no-queue": 0.20,
    "sub-linear": 0.10,
}
OUT_ENOUGH: Final = 0.60  # of the decisions that are taken: the front ends' own
CALLS_MIN: Final = 100  # run again in all: a decision that one in thirty takes is seen with 97 %
KNOWN_MIN: Final = 0.3  # of the weights, before what is known is an index: one term alone is none
LEAK: Final = 0.05  # decisions that one front end alone takes, of the platform's: neutrality falls to 1/e
THIN, WATCH = 80, 60


class Term(Value):
    """One term: between 0 and 1, with what it was computed from, or why it could not be."""

    name: str
    value: float | None
    evidence: str


class Index(Value):
    """The index over the terms that could be observed, and the weakest of them."""

    value: float | None
    grade: Grade
    weakest: str
    terms: tuple[Term, ...]


def index_of(terms: Mapping[str, Term]) -> Index:
    """Return the index over terms; those without a value count for nothing, and too few are no index."""
    known = {name: term.value for name, term in terms.items() if term.value is not None}
    whole = sum(WEIGHTS[name] for name in known)
    if whole < KNOWN_MIN:
        return Index(value=None, grade="unknown", weakest="", terms=tuple(terms.values()))
    least = min(known, key=lambda name: known[name])
    if known[least] <= 0:
        value = 0.0
    else:
        mean = math.exp(sum(WEIGHTS[name] / whole * math.log(value) for name, value in known.items()))
        value = 100 * mean**0.75 * known[least] ** 0.25
    ordered = sorted(terms.values(), key=lambda term: (term.value is None, term.value))
    return Index(value=round(value, 1), grade=grade(value), weakest=least, terms=tuple(ordered))


def grade(value: float) -> Grade:
    """Return the grade of an index."""
    return "thin" if value >= THIN else "watch" if value >= WATCH else "fat"


def logic_out(platform: int, front_ends: int, calls: int) -> Term:
    """Compare decisions that were taken in front ends and products with all that were taken."""
    total = platform + front_ends
    if not total or calls < CALLS_MIN:
        said = mark(f"{calls:,} recorded calls are too few to say whose decisions they come by")
        return Term(name="logic-out", value=None, evidence=said)
    value = min(1.0, front_ends / total / OUT_ENOUGH)
    evidence = mark(f"{front_ends} of {total} decisions that calls came by are front ends' or products' own")
    return Term(name="logic-out", value=value, evidence=evidence)


def neutrality(alone: int, platform: int, judged: int) -> Term:
    """Weigh decisions of the platform that one front end alone takes, and front ends that the platform names."""
    if not judged or not platform:
        said = mark("no function was called often enough by three front ends, so nobody's own logic can be told")
        return Term(name="neutrality", value=None, evidence=said)
    share = alone / platform
    evidence = mark(f"{alone} of {platform} decisions of the platform serve one front end alone; {judged} were judged")
    return Term(name="neutrality", value=math.exp(-share / LEAK), evidence=evidence)


def share(name: str, part: int, whole: int, evidence: str) -> Term:
    """Return a term that is a plain share."""
    return Term(name=name, value=part / whole if whole else None, evidence=evidence)


def sub_linear(decisions: tuple[int, int], front_ends: tuple[int, int], since: str) -> Term:
    """Compare the growth of the platform's decisions with the growth of its front ends, before and now."""
    (before, now), (some, many) = decisions, front_ends
    evidence = mark(f"{before} → {now} decisions, {some} → {many} front ends since {since}")
    if not decisions[0] or not front_ends[0]:
        return Term(name="sub-linear", value=None, evidence=mark(f"there was no platform or no front end yet: {since}"))
    if decisions[1] <= decisions[0]:
        return Term(name="sub-linear", value=1.0, evidence=evidence)
    grown = math.log(decisions[1] / decisions[0])
    spread = max(0.01, math.log(max(1, front_ends[1]) / front_ends[0]))
    return Term(name="sub-linear", value=1 / (1 + 0.25 * max(0.0, grown / spread - 1)), evidence=evidence)
