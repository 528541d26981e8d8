"""What people meet at each front end, step by step, and what each change did to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance import experience
from isthmus.governance.traffic import BY_HOUR, Traffic
from isthmus.kernel import Platform
from isthmus.language import mark
from isthmus.manifest.steps import StepName
from isthmus.store import Database

from ..web import Page, render

TITLES: Final[Mapping[StepName, str]] = {
    "browse": mark("Browse"),
    "basket": mark("Basket"),
    "pay": mark("Pay"),
    "deliver": mark("Deliver"),
    "return": mark("Return"),
}
KINDS: Final[Mapping[str, str]] = {
    "deploy": mark("deploy"),
    "promote": mark("promotion"),
    "rollback": mark("roll-back"),
    "automatic-rollback": mark("automatic roll-back"),
}
WORDS: Final = (mark("slower"), mark("refused more"), mark("left more"), mark("complained of more"))


class Experiences:
    """The page of what people meet."""

    def __init__(self, database: Database, traffic: Traffic, platform: Platform) -> None:
        self._database = database
        self._traffic = traffic
        self._platform = platform

    def pages(self) -> list[Page]:
        return [Page("/experience", "Experience", self.show)]

    async def show(self, request: Request) -> Response:
        release = self._platform.release
        found = await experience.measure(self._database, self._traffic, release, datetime.now(UTC))
        return render(
            request,
            "experience.html",
            report=found,
            titles=TITLES,
            kinds=KINDS,
            days=BY_HOUR // timedelta(days=1),
            around=experience.AROUND // timedelta(days=1),
            calls_min=experience.CALLS_MIN,
        )
