"""What must come of policies, line by line: `operator may pricing.put-prices on north`, `client may not … on …`.

The first word is a role, `client`, or `platform`. `via mcp` at the end says through what; lines that begin with # say
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .. import api

_LINE: Final = re.compile(
    r"(?P<who>[a-z][a-z0-9-]*) +(?P<may>may not|may) +(?P<action>\S+)(?: +on +(?P<on>\S+))?(?: +via +(?P<via>\S+))?"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One line: who, what, where, through what, and whether it is to be allowed."""

    line: int
    who: api.Who
    action: str
    front_end: str
    via: str
    is_allowed: bool
    text: str


def read_cases(text: str, front_end: str = "") -> tuple[list[Case], list[str]]:
    """Return the cases of a text, and what is wrong with its lines. front_end: where lines are tried that name none."""
    found: list[Case] = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        match = _LINE.fullmatch(said)
        where = (match["on"] or front_end) if match else ""
        if match is None or not where:
            wrong.append(f"line {number}: {said!r} is no case; write `operator may not pricing.put-prices on north`")
            continue
        allowed = match["may"] == "may"
        found.append(
            Case(number, _who(match["who"]), match["action"], where, match["via"] or "http", allowed, said)
        )  # fmt: skip
    return found, wrong


def _who(word: str) -> api.Who:
    if word == "client":
        return api.Who(client="case")
    if word == "platform":
        return api.Who(is_platform=True)
    return api.Who(person="case", roles=(word,))
