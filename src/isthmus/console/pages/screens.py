"""Screens: what each is made of, how long it takes, and what was missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.counters import CallCount
from isthmus.governance.traffic import Gap, Traffic
from isthmus.kernel import Capability
from isthmus.pages import ordered
from isthmus.screens import Parts, parts_of

from ..client import Client
from ..web import Page, page_of, render

PAGE_SIZE: Final = 40


@dataclass(frozen=True, slots=True)
class ScreenSeen:
    """A screen of a front end, and how it fared in the last day."""

    front_end: str
    capability: Capability[Any, Any]
    parts: Parts
    tally: CallCount
    gaps: Sequence[Gap]


COLUMNS: Final[Mapping[str, Callable[[ScreenSeen], Any]]] = {
    "screen": lambda one: one.capability.name,
    "calls": lambda one: one.tally.calls,
    "half": lambda one: one.tally.percentile_us(0.5) if one.tally.calls else None,
    "most": lambda one: one.tally.percentile_us(0.99) if one.tally.calls else None,
    "missing": lambda one: sum(gap.times for gap in one.gaps),
}


class Screens:
    """The page of screens."""

    def __init__(self, client: Client, traffic: Traffic) -> None:
        self._client = client
        self._traffic = traffic

    def pages(self) -> list[Page]:
        return [Page("/screens", "Screens", self.list, group="Operate")]

    async def list(self, request: Request) -> Response:
        tallies, gaps = await self._traffic.of(), await self._traffic.gaps()
        found = [
            ScreenSeen(
                code, one.capability, parts, tallies.get((code, name)) or CallCount(), gaps.get((code, name), ())
            )
            for code, line in sorted(self._client.release.lines.items())
            for name, one in sorted(line.offered.items())
            if (parts := parts_of(one.implementation))
        ]
        shown, next_cursor = page_of(request, ordered(request, found, COLUMNS), PAGE_SIZE)
        return render(
            request, "screens.html", found=shown, next_cursor=next_cursor, shared=self._client.release.offered
        )
