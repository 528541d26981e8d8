"""A release: everything checked and frozen. Calls read it; putting a new one in its place is one assignment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..declare.extension import Dimension
from ..declare.pack import Pack
from ..errors import NotPermitted, near
from .answers import Point
from .plan import BoundCapability, CompiledFrontEnd, find_capability


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Packs, lines and their plans; immutable but for what is compiled on first use."""

    packs: Mapping[str, Pack]
    events: Mapping[str, type[Any]]  # the contract that a pack publishes, by the event's name
    offered: Mapping[str, BoundCapability]
    points: Mapping[str, Point]
    lines: Mapping[str, CompiledFrontEnd]
    dimensions: Mapping[str, Dimension]

    def line(self, code: str) -> CompiledFrontEnd:
        """Return a front end's line; codes are compared for equality and nothing else."""
        if (found := self.lines.get(code)) is None:
            fact = f"front end {code!r} is not known here{near(code, self.lines)}"
            raise NotPermitted(fact, remedy="deploy the front end, or use a credential of one that is deployed")
        return found

    def find(self, name: str) -> BoundCapability:
        """Return a shared capability. Raises UnknownCapability."""
        return find_capability(self.offered, name)

    def replacing(self, *lines: CompiledFrontEnd) -> Release:
        """Return a release in which these lines are new and every other one is the very same."""
        return dataclasses.replace(self, lines={**self.lines, **{line.front_end.code: line for line in lines}})
