"""What must come of policies, line by line: `operator may pricing.put-prices on north`, `client may not … on …`.

The first word is a role, `client`, or `platform`. `about member/1` says what the ask names, and `with {"tier": "gold"}`
what is known of it; `via mcp` at the end says through what. Lines that begin with # say nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from .. import api
from .things import Thing

_LINE: Final = re.compile(
    r"(?P<who>[a-z][a-z0-9-]*) +(?P<may>may not|may) +(?P<action>\S+)(?: +on +(?P<on>\S+))?"
    r"(?: +about +(?P<kind>[a-z][a-z-]*)/(?P<name>\S+)(?: +with +(?P<known>\{.*\}))?)?(?: +via +(?P<via>\S+))?"
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
    things: tuple[Thing, ...] = ()


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
        known = _known(match["known"]) if match else None
        if match is None or not where or known is None:
            wrong.append(f"line {number}: {said!r} is no case; write `operator may not pricing.put-prices on north`")
            continue
        allowed = match["may"] == "may"
        things = (Thing(match["kind"], match["name"], known),) if match["kind"] else ()
        found.append(
            Case(number, _who(match["who"]), match["action"], where, match["via"] or "http", allowed, said, things)
        )  # fmt: skip
    return found, wrong


def _known(text: str | None) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def _who(word: str) -> api.Who:
    if word == "client":
        return api.Who(client="case")
    if word == "platform":
        return api.Who(is_platform=True)
    return api.Who(person="case", roles=(word,))
