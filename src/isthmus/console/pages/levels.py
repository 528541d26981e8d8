"""Service levels: who was promised what, how much of it is left this month, and how fast that is used up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.levels import DEFAULT, FAST_PROMISED, Level, levels
from isthmus.governance.traffic import Traffic
from isthmus.pages import ordered

from ..web import Page, page_of, render

PAGE_SIZE: Final = 50
COLUMNS: Final[Mapping[str, Callable[[Level], Any]]] = {
    "name": lambda one: one.front_end,
    "left": lambda one: one.left,
    "calls": lambda one: one.calls,
    "failed": lambda one: one.failed,
    "fast": lambda one: one.fast,
}


class Levels:
    """The page of service levels."""

    def __init__(self, traffic: Traffic, promised: Mapping[str, float]) -> None:
        self._traffic = traffic
        self._promised = promised

    def pages(self) -> list[Page]:
        return [Page("/levels", "Service levels", self.show, group="Operate")]

    async def show(self, request: Request) -> Response:
        found = await levels(self._traffic, self._promised)
        shown, next_cursor = page_of(request, ordered(request, found, COLUMNS), PAGE_SIZE)
        return render(
            request,
            "levels.html",
            found=shown,
            next_cursor=next_cursor,
            promised=self._promised.get("default", DEFAULT),
            fast_promised=FAST_PROMISED,
        )
