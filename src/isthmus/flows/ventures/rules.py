"""Ventures in words, for who reads a terminal; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from isthmus.governance.ladder.rungs import RUNGS, Criterion, Standing
from isthmus.language import mark
from isthmus.packs.venture import api as venture

CRITERIA: Final[Mapping[str, str]] = {
    "obligations": mark("obligations met"),
    "charter-left": mark("days left of its charter"),
    "licence": mark("days that its charter runs in all"),
    "switched": mark("operations that the platform answers"),
    "front-ends": mark("front ends that have called it for 28 days"),
    "well": mark("calls that did not fail"),
    "recorded": mark("recorded calls"),
    "steady": mark("days since a contract of it broke, or was first served"),
    "teams": mark("teams whose front ends have called it for 28 days"),
    "effective": mark("front ends that it serves, weighed by calls"),
    "alone": mark("branches that one front end alone takes"),
    "of-all": mark("of all front ends that call anything"),
    "audited": mark("days since its audit from outside"),
}
NOTICES: Final[Mapping[str, str]] = {
    "idle": mark("nobody has called it for 90 days: archive it, or say why it stays"),
    "falls": mark("it does not hold its rung in this window: with another one it goes down"),
    "graduated": mark("it is a front end like others since it graduated"),
    "ended": mark("it has ended"),
    "lapsed": mark("its charter has lapsed: renew it once, let it join, or end it"),
    "killed": mark("its kill criterion holds: end it, or say why not"),
    "owes": mark("it does not meet what it owes: isthmus venture check says how to fix it"),
}


def line_of(one: venture.Standing) -> str:
    """Return where a venture stands, in a line and one for each obligation."""
    charter = one.charter
    state = "lapsed" if one.is_lapsed else f"to {charter.ends}"
    sold = ", ".join(f"{each.net + each.tax}" for each in one.sums) or "nothing"
    spent = f", of which {one.spent} are spent"
    over = "; that is more than it may" if one.spent > charter.money else ""
    killed = f"; its kill criterion holds since {one.kill_on}" if one.kill_on else ""
    head = f"{charter.code:<12} {charter.name}, {state}, for {charter.sponsor}, {charter.budget}{spent}{over}"
    known = {found.obligation: found for found in one.findings}
    lines = [head, f"{'':<12} sold {sold}{killed}"]
    for name in ("identity", "books", "security", "export"):
        found = known.get(name)
        mark = "not checked" if found is None else "met" if found.is_met else "NOT MET"
        since = f" since {found.since:%Y-%m-%d %H:%M}" if found else ""
        lines.append(f"{'':<12} {name:<9} {mark}{since}")
    return "\n".join(lines)


def withdrawn(code: str) -> list[str]:
    """Return what is withdrawn by hand once a venture has ended, line by line."""
    return [
        f"isthmus client list, then isthmus client revoke {code} NAME of each key that it borrows with",
        f"take [settings.account.clients.{code}] out of isthmus.toml, and restart: nobody signs in there any more",
        "stop its process once its members need its page no more; its rows, books and charter stay here",
    ]


def priced(found: venture.Estimate) -> str:
    """Return what joining was found to cost, an operation a line, with how the hours came about."""
    agreed = (
        f"{found.agreed} of {found.compared} recorded calls answered alike" if found.compared else "nothing compared"
    )
    lines = [
        f"joining would take {found.hours:g} hours; {found.distance:.0%} of the fields have no counterpart; {agreed}"
    ]
    for one in found.operations:
        lines.append(f"{one.operation:<16} {one.capability or '—':<26} {one.hours:>6g} h  {one.because}")
        if one.compared:
            lines.append(
                f"{'':<16} {one.agreed} of {one.compared} calls alike, at least {one.low:.1%} of all; {one.differs}"
            )
        if one.lacks:
            lines.append(f"{'':<16} lacks {', '.join(one.lacks)}")
    lines.append("hours are estimates, of joining.toml [hours] where it says so")
    return "\n".join(lines)


def shown(one: Criterion, seen: float | None) -> str:
    """Return a number that was seen as people read it."""
    if seen is None:
        return "not seen"
    return f"{seen:.2%}" if one.is_share else f"{seen:,.4g}" if seen < 1_000 else f"{seen:,.0f}"


def rung_lines(found: Iterable[Standing]) -> Iterable[str]:
    """Yield the ladder from its top, in lines: what stands where, what is missing for the next rung, what is due."""
    known = list(found)
    for rung in reversed(RUNGS):
        here = [one for one in known if one.rung == rung]
        yield f"{rung}: {len(here) or 'nothing'}"
        for one in here:
            yield f"  {one.code:<16} {one.kind}, {one.owner or 'nobody'}"
            for lack in one.missing:
                limit = "at most" if lack.is_limit else "at least"
                seen = f"{shown(lack, lack.seen)}; {limit} {shown(lack, lack.needed)}"
                yield f"{'':<18} for {one.next}: {CRITERIA[lack.name]}: {seen}"
            if one.notice:
                yield f"{'':<18} → {NOTICES.get(one.notice, one.notice)}"
