"""Consumers: which front ends use a capability, a point or an event, and how much of their traffic that is.

Whoever is granted `pricing.*` may never call `pricing.quote`. So where calls were counted, a front end is a consumer of
a capability that it called in the period or names itself. All calls are counted, by capability; which points a call
asks is known of the recorded ones, so the share of a point is counted calls times what recorded ones of the same
capability asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from isthmus.kernel import Value
from isthmus.kernel.host import CompiledFrontEnd, Release, event_kind

from .contracts import Contracts

Kind = Literal["capability", "point", "event"]
Users = Callable[[Kind, str], Sequence[str]]
Key = tuple[str, str]  # front end and capability


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What front ends called over some days. asked: of recorded calls, the share that asked each point."""

    days: int
    counted: Mapping[Key, int]
    asked: Mapping[Key, Mapping[str, float]]

    def of(self, front_end: str) -> int:
        """Return how many calls a front end made."""
        return sum(count for (code, _), count in self.counted.items() if code == front_end)

    def share(self, kind: Kind, name: str, front_end: str) -> float | None:
        """Return which part of a front end's calls a contract has to do with; None where that is not known."""
        total = self.of(front_end)
        if not total or kind == "event":
            return None
        if kind == "capability":
            return self.counted.get((front_end, name), 0) / total
        known = {key: count for key, count in self.counted.items() if key[0] == front_end and key in self.asked}
        if not known:
            return None
        return sum(count * self.asked[key].get(name, 0.0) for key, count in known.items()) / sum(known.values())


class Consumer(Value):
    """A front end that still calls what is deprecated: calls in the period, and their share of all its calls."""

    capability: str
    front_end: str
    calls: int
    share: float
    sunset: str
    instead: str


def users_of(release: Release, calls: Calls | None = None) -> Users:
    """Return what says which front ends use a capability or event, or answer a point."""

    def users(kind: Kind, name: str) -> Sequence[str]:
        if kind == "capability":
            return [code for code, line in release.lines.items() if _may_call(line, name, calls)]
        if kind == "point":
            return [code for code, line in release.lines.items() if _answers(line, name)]
        return [code for code, line in release.lines.items() if _subscribes(line, name)]

    return users


def last_consumers(contracts: Contracts, calls: Calls) -> list[Consumer]:
    """Return the remaining callers of each deprecated capability; an empty list means it can be removed."""
    return [
        Consumer(
            capability=name,
            front_end=code,
            calls=count,
            share=count / calls.of(code),
            sunset=contract.deprecated[1],
            instead=contract.deprecated[2],
        )
        for name, contract in sorted(contracts.capabilities.items())
        for (code, called), count in sorted(calls.counted.items())
        if contract.deprecated and called == name and count
    ]


def said(kind: Kind, name: str, codes: Sequence[str], calls: Calls | None) -> str:
    """Return front ends in words, with the share of their traffic where it is known."""
    if calls is None:
        return ", ".join(codes)
    return ", ".join(f"{code} {_share(calls.share(kind, name, code), calls.of(code))}" for code in codes)


def _share(share: float | None, calls: int) -> str:
    return f"(share of {calls:,} calls unknown)" if share is None else f"({share:.1%} of {calls:,} calls)"


def _may_call(line: CompiledFrontEnd, name: str, calls: Calls | None) -> bool:
    uses = line.front_end.uses
    if name in uses:
        return True
    is_granted = name in line.permitted or f"{name.partition('.')[0]}.*" in uses  # it may be gone from the release
    return is_granted and (calls is None or calls.counted.get((line.front_end.code, name), 0) > 0)


def _answers(line: CompiledFrontEnd, point: str) -> bool:
    return any(one.name == point for node in line.nodes for one in node.candidates)


def _subscribes(line: CompiledFrontEnd, event: str) -> bool:
    return any(event_kind(one).name == event for one in line.front_end.subscriptions)
