"""The page for who pays: what it costs, what it saves, where it is too fat, and what to do on Monday."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance import experience, minute, silo
from isthmus.governance.traffic import Traffic
from isthmus.kernel import Platform
from isthmus.language import mark
from isthmus.store import Database

from ..web import Page, render
from .cost import Cost
from .silo import TITLES as SILO_TITLES
from .thinness import TITLES as THIN_TITLES

PLACES: Final[Mapping[minute.Where, str]] = {
    "experience": mark("Experience"),
    "thinness": mark("Thinness"),
    "cost": mark("Cost"),
    "silo": mark("Silo"),
}


class Minute:
    """The page for a minute."""

    def __init__(self, database: Database, traffic: Traffic, platform: Platform, cost: Cost) -> None:
        self._database = database
        self._traffic = traffic
        self._platform = platform
        self._cost = cost

    def pages(self) -> list[Page]:
        return [Page("/minute", "In a minute", self.show)]

    async def show(self, request: Request) -> Response:
        costs = await self._cost.costs()
        met = await experience.measure(self._database, self._traffic, self._platform.release, datetime.now(UTC))
        found = await minute.gather(self._database, met)
        worst = minute.worst(met)
        findings = [one for one in found.thin.findings if not one.is_elsewhere] if found.thin else []
        return render(
            request,
            "minute.html",
            costs=costs,
            price=costs.inputs.month,
            amount_of=costs.inputs.amount,
            orders=sum(costs.orders.values()),
            found=found,
            worst=worst,
            assumed=bool(costs.inputs.assumed - {"month"}),
            acts=minute.monday(costs, found),
            places=PLACES,
            lifted=len([one for one in findings if one.verdict == "lift"]),
            deleted=len([one for one in findings if one.verdict == "delete"]),
            alarm=silo.ALARM,
            thin_titles=THIN_TITLES,
            silo_titles=SILO_TITLES,
        )
