"""The portfolio: each line of the business on its curve, by horizon, what drives the group, and what is due."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import owner
from isthmus.governance.growth import report
from isthmus.governance.growth.lines import HORIZONS, Line
from isthmus.governance.growth.reading import Stage
from isthmus.language import mark

from ..web import Page, redirect, render
from ..work import Work, shown

WIDTH: Final = 240
HEIGHT: Final = 72
WORK: Final = "growing"
STAGES: Final[Mapping[Stage, str]] = {
    Stage.EMPTY: mark("nothing was seen yet"),
    Stage.YOUNG: mark("too young to say"),
    Stage.BROKEN: mark("another line since a break"),
    Stage.GROWING: mark("growing, no limit is seen"),
    Stage.SATURATING: mark("growing towards a limit"),
    Stage.SATURATED: mark("at its limit"),
    Stage.FLAT: mark("flat"),
    Stage.SHRINKING: mark("shrinking"),
    Stage.ENDED: mark("ended"),
}
HORIZON_TITLES: Final[Mapping[str, str]] = {
    "core": mark("Core: what earns today"),
    "emerging": mark("Emerging: what grows"),
    "new": mark("New: what cannot be judged yet"),
    "declining": mark("Declining"),
}


DUE: Final = mark("due")  # what the template says of such a line


class Picture:
    """A line as a picture: its weeks as dots, its curve, and a year to come; coordinates of an SVG."""

    def __init__(self, line: Line) -> None:
        growth = line.growth
        self.line = line
        seen, trend, ahead = line.values[-growth.periods :], growth.trend, growth.ahead
        limit = growth.capacity.middle if growth.capacity else 0.0
        self._top = max((*seen, *trend, *ahead, limit), default=0.0) or 1.0
        self._across = max(len(seen) + len(ahead) - 1, 1)
        self.dots = self._points(seen, 0)
        self.curve = self._joined(trend, 0)
        self.ahead = self._joined((*trend[-1:], *ahead), max(len(trend) - 1, 0))
        self.limit_y = self._y(limit) if limit else None

    def _y(self, value: float) -> float:
        return round(HEIGHT - 2 - (HEIGHT - 4) * value / self._top, 1)

    def _points(self, values: Sequence[float], begin: int) -> list[tuple[float, float]]:
        return [(round(WIDTH * (begin + at) / self._across, 1), self._y(one)) for at, one in enumerate(values)]

    def _joined(self, values: Sequence[float], begin: int) -> str:
        return " ".join(f"{x},{y}" for x, y in self._points(values, begin))


class GrowthPages:
    """The page of growth."""

    def __init__(self, data: DataPlatform) -> None:
        self._data = data
        self._work = Work(data.lake.folder.parent / "work", WORK)

    def pages(self) -> list[Page]:
        return [
            Page("/growth", "Growth", self.show),
            Page("/growth/read", "", self.read, ("POST",)),
        ]

    async def show(self, request: Request) -> Response:
        found = await asyncio.to_thread(report.last, self._data)
        metrics = list(dict.fromkeys(one.metric for one in found.lines)) if found else []
        chosen = request.query_params.get("metric") or (metrics[0] if metrics else "")
        of_it = [one for one in found.lines if one.metric == chosen] if found else []
        group = next((one for one in of_it if not one.code), None)
        by_horizon = {
            horizon: [Picture(one) for one in of_it if one.code and one.horizon == horizon] for horizon in HORIZONS
        }
        return render(
            request,
            "growth.html",
            report=found,
            metrics=metrics,
            metric=chosen,
            group=Picture(group) if group else None,
            horizons={horizon: lines for horizon, lines in by_horizon.items() if lines},
            due=[one for one in of_it if one.is_due and one.code],
            drivers=[one for one in found.drivers if one.metric == chosen] if found else [],
            titles=HORIZON_TITLES,
            stages=STAGES,
            width=WIDTH,
            height=HEIGHT,
            **shown(request, [self._work]),
        )

    async def read(self, request: Request) -> Response:
        """Begin to read all lines anew."""
        self._work.begin(lambda: asyncio.to_thread(self._measured))
        return redirect(request, "/growth", work=WORK)

    def _measured(self) -> None:
        report.keep(self._data, report.measure(self._data, owner()))
