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
