"""How thin the platform is: the index as it was measured last and over time, its terms, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.lead import report as lead_time
from isthmus.governance.lead.stages import STAGES
from isthmus.governance.thin import course, report
from isthmus.governance.thin.findings import Finding
from isthmus.language import mark
from isthmus.store import Database

from ..web import Page, page_of, render

PAGE_SIZE: Final = 25
ELSEWHERE: Final = "elsewhere"  # instead of a verdict: findings in packs that came with a release
CURVE_WIDTH, CURVE_HEIGHT = 600, 80
WORDS: Final = (
    mark("thin"),
    mark("watch"),
    mark("fat"),
    mark("unknown"),
    mark("lift"),
    mark("delete"),
)  # what figures say
TITLES: Final[Mapping[str, str]] = {
    "logic-out": mark("Front ends decide for themselves"),
    "neutrality": mark("The platform serves nobody alone"),
    "surface-used": mark("Capabilities are shared"),
    "options-live": mark("Options are used"),
    "no-queue": mark("Front ends do not wait for the platform"),
    "sub-linear": mark("The platform grows slower than its front ends"),
}


STAGE_TITLES: Final[Mapping[str, str]] = {
    "coding": mark("Coding"),
    "review": mark("Review"),
    "platform": mark("Waiting for the platform"),
    "release": mark("Release"),
    "roll-out": mark("Roll-out"),
}


class Thinness:
    """The page of thinness."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pages(self) -> list[Page]:
        return [Page("/thinness", "Thinness", self.show)]

    async def show(self, request: Request) -> Response:
        found = await report.last(self._database)
        chosen = request.query_params.get("verdict", "")
        findings: tuple[Finding, ...] = found.findings if found else ()
        ours = [one for one in findings if not one.is_elsewhere]
        elsewhere = [one for one in findings if one.is_elsewhere]
        listed = elsewhere if chosen == ELSEWHERE else [one for one in ours if chosen in ("", one.verdict)]
        shown, next_cursor = page_of(request, listed, PAGE_SIZE)
        past = course.points(await course.kept(self._database))
        over_time = (await report.over_time(self._database))[::-1]
        return render(
            request,
            "thinness.html",
            report=found,
            lead=await lead_time.last(self._database),
            stages=[(stage, STAGE_TITLES[stage]) for stage in STAGES],
            titles=TITLES,
            findings=shown,
            next_cursor=next_cursor,
            verdict=chosen,
            verdicts={verdict: sum(one.verdict == verdict for one in ours) for verdict in ("lift", "delete")},
            elsewhere=len(elsewhere),
            over_time=over_time,
            curve=curve(over_time),
            past=past,
            past_curve=curve([(one.sample.at, one.index.value) for one in past if one.index.value is not None]),
            width=CURVE_WIDTH,
            height=CURVE_HEIGHT,
        )


def curve(points: list[tuple[datetime, float]]) -> str:
    """Return the index over time as the points of an SVG line, from 0 at the bottom to 100 at the top."""
    if len(points) < 2:
        return ""
    begin, whole = points[0][0], (points[-1][0] - points[0][0]).total_seconds() or 1.0
    return " ".join(
        f"{CURVE_WIDTH * (at - begin).total_seconds() / whole:.1f},{CURVE_HEIGHT * (1 - value / 100):.1f}"
        for at, value in points
    )
