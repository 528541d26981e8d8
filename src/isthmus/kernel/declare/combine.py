"""Combine rules: how the answers of several owners to one question become one.

    rule          result                                   order matters
    first_answer  the first that is not PASS               yes
    fold          each gets the value the one before left  yes (within a stage)
    collect       all, flattened                           no: a set, or sorted by a declared key
    merge         one mapping; a key given twice is named  no
    every         allowed unless someone vetoes            no
    any_of        True if someone says so                  no
    total         the sum                                  no
    lowest        the least                                no
    highest       the greatest                             no

Rules free of order never conflict. A rule belongs to the extension point, never to the call.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..contract import Value
from ..errors import AnswerFailed


class Pass:
    """The type of PASS."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PASS"

    def __reduce__(self) -> str:
        return "PASS"  # one PASS in every process: it is compared by identity


PASS = Pass()  # "no opinion"; None stays free to mean something


class Veto(Value):
    """One no: who says it, why, and about which part of the ask."""

    reason: str
    by: str = ""
    path: str | None = None


class Verdict(Value):
    """The answer to a question that `every` combines: allowed where nobody vetoes."""

    vetoes: tuple[Veto, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether nobody vetoed."""
        return not self.vetoes


ALLOW = Verdict()


def veto(reason: str, *, path: str | None = None) -> Verdict:
    """Say no, with the reason that the caller gets."""
    return Verdict(vetoes=(Veto(reason=reason, path=path),))


# Gets what was said, as (who, value) without PASS, never empty.
Combine = Callable[[Sequence[tuple[str, Any]]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How answers combine. `combine` is None for the two rules that run answers one after the other."""

    name: str
    combine: Combine | None = None
    stages: tuple[str, ...] = ()

    @property
    def is_ordered(self) -> bool:
        """Whether answers are run one after the other, so that it matters which goes first."""
        return self.combine is None


def _collected(said: Sequence[tuple[str, Any]], *, key: Callable[[Any], Any] | None) -> tuple[Any, ...]:
    """Sort by the key, or by the written form where none is declared, so that order of registration never shows."""
    items = [item for _, answer in said for item in answer]
    if key is not None:
        return tuple(sorted(items, key=key))
    return tuple(sorted(dict.fromkeys(items), key=repr))


def _merged(said: Sequence[tuple[str, Any]]) -> Mapping[Any, Any]:
    merged: dict[Any, Any] = {}
    givers: dict[Any, str] = {}
    for who, answer in said:
        for key, value in answer.items():
            if key in givers:
                fact = f"key {key!r} is given by both {givers[key]} and {who}"
                raise AnswerFailed(fact, remedy="let only one of them answer for this key")
            givers[key] = who
            merged[key] = value
    return merged


def _judged(said: Sequence[tuple[str, Any]]) -> Verdict:
    vetoes = [Veto(reason=no.reason, by=no.by or who, path=no.path) for who, verdict in said for no in verdict.vetoes]
    return Verdict(vetoes=tuple(sorted(vetoes, key=lambda no: (no.path or "", no.by, no.reason)))) if vetoes else ALLOW


def _added(values: Iterable[Any]) -> Any:
    return functools.reduce(operator.add, values)  # not sum(): it would start from 0, which no amount of money is


def _values(reduce: Callable[[Iterable[Any]], Any]) -> Combine:
    return lambda said: reduce([value for _, value in said])


first_answer = Rule(name="first_answer")
every = Rule(name="every", combine=_judged)
merge = Rule(name="merge", combine=_merged)
any_of = Rule(name="any_of", combine=_values(any))
total = Rule(name="total", combine=_values(_added))
lowest = Rule(name="lowest", combine=_values(min))
highest = Rule(name="highest", combine=_values(max))


def fold(*stages: str) -> Rule:
    """Pass the first argument through every answer, stage by stage; each gets what the one before returned."""
    return Rule(name="fold", stages=stages)


def collect(*, key: Callable[[Any], Any] | None = None) -> Rule:
    """Gather the items of all answers: sorted by `key`, or as a set in a stable order."""
    return Rule(name="collect", combine=functools.partial(_collected, key=key))
