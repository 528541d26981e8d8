"""Ventures in words, for who reads a terminal; pure."""

from __future__ import annotations

from isthmus.packs.venture import api as venture


def line_of(one: venture.Standing) -> str:
    """Return where a venture stands, in a line and one for each obligation."""
    charter = one.charter
    state = "lapsed" if one.is_lapsed else f"to {charter.ends}"
    sold = ", ".join(f"{each.net + each.tax}" for each in one.sums) or "nothing"
    killed = f"; its kill criterion holds since {one.kill_on}" if one.kill_on else ""
    head = f"{charter.code:<12} {charter.name}, {state}, for {charter.sponsor}, {charter.budget}; sold {sold}{killed}"
    known = {found.obligation: found for found in one.findings}
    lines = [head]
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
