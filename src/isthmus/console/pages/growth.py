"""The portfolio: each line of the business on its curve, by horizon, what drives the group, and what is due."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import owner
from isthmus.governance.growth import report
from isthmus.governance.growth.combinations import Novelty
from isthmus.governance.growth.drivers import People
from isthmus.governance.growth.launches import Begun, Budget
from isthmus.governance.growth.lines import HORIZONS, OTHERS, Line
from isthmus.governance.growth.picture import Picture
from isthmus.governance.growth.portfolio import WhatIf, seen_to_begin, what_if
from isthmus.governance.growth.reading import Stage
from isthmus.governance.growth.report import Report
from isthmus.kernel import Pack, ports
from isthmus.language import mark
from isthmus.manifest import Growing, brought
from isthmus.runtime.deploy import versions
from isthmus.store import Database
from isthmus.values import decimals

from ..web import Page, redirect, render
from ..work import Work, shown

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
GROUPS: Final[Mapping[People, str]] = {
    "new": mark("members who are new"),
    "known": mark("members who had bought before"),
    "guests": mark("guests"),
    "all": "",
}
NOVELTIES: Final[Mapping[Novelty, str]] = {
    "as before": mark("As before"),
    "combination": mark("New combinations of what exists"),
    "new line": mark("New front ends"),
    "venture": mark("Ventures beside the platform"),
}
CUTS: Final[Mapping[str, str]] = {
    "category": mark("Categories"),
    "product": mark("Products"),
    "cohort": mark("Members by when they joined"),
}
ALL_OTHERS: Final = mark("all others")
DUE: Final = mark("due")  # what the template says of such a line


async def begun(database: Database, packs: Iterable[Pack]) -> dict[str, Begun]:
    """Return when each line was begun, how many people have deployed it within a year, and what it may spend.

    It begins with its first deploy, or when a pack says, as a venture with its charter, which has its budget too.
    """
    found = {one.front_end: Begun(on=one.at.date(), people=one.people) for one in await versions.beginnings(database)}
    for sql in (one.begun for one in brought(packs, Growing) if one.begun):
        async with database.platform() as session:
            rows = await session.fetch(sql)
        for row in rows:
            deployed = found.get(row["front_end"])
            people = deployed.people if deployed else 0
            found[row["front_end"]] = Begun(on=row["begun_on"], people=people, budget=_budget(row))
    return found


def _budget(row: ports.Row) -> Budget | None:
    currency = row["budget_currency"]
    if not currency:
        return None
    unit = 10 ** decimals(currency)
    return Budget(currency=currency, granted=row["budget_minor"] / unit, spent=int(row["spent_minor"]) / unit)


class GrowthPages:
    """The page of growth."""

    def __init__(self, data: DataPlatform, database: Database) -> None:
        self._data = data
        self._database = database
        self._work = Work(data.lake.folder.parent / "work", WORK)

    def pages(self) -> list[Page]:
        return [
            Page("/growth", "Growth", self.show),
            Page("/growth/read", "", self.read, ("POST",)),
        ]

    async def show(self, request: Request) -> Response:
        found = await asyncio.to_thread(report.last, self._data)
        own = [one for one in found.lines if one.cut == "front_end"] if found else []
        metrics = list(dict.fromkeys(one.metric for one in own))
        chosen = request.query_params.get("metric") or (metrics[0] if metrics else "")
        of_it = [one for one in own if one.metric == chosen]
        group = next((one for one in of_it if not one.code), None)
        is_money = found is not None and found.portfolio is not None and found.portfolio.metric == chosen
        lines = {horizon: [Picture(one) for one in of_it if _is_in(one, horizon)] for horizon in HORIZONS}
        others = {cut: _by_horizon(found.lines, cut) for cut in CUTS} if found else {}
        return render(
            request,
            "growth.html",
            report=found,
            metrics=metrics,
            metric=chosen,
            group=Picture(group) if group else None,
            receipt_of={one.code: one.receipt for one in own if one.code and (one.metric == chosen or one.is_venture)},
            horizons={horizon: ones for horizon, ones in lines.items() if ones},
            others={cut: ones for cut, ones in others.items() if ones} if is_money else {},
            due=[one for one in of_it if one.is_due and one.code],
            drivers=[one for one in found.drivers if one.metric == chosen] if found else [],
            portfolio=found.portfolio if found and is_money else None,
            imagined=_imagined(found, request.query_params.get("like", "")) if found and is_money else None,
            likes=[one.code for one in seen_to_begin(found.lines, chosen)] if found and is_money else [],
            movements=found.movements if found and is_money else (),
            innovation=found.innovation if found and is_money else None,
            titles=HORIZON_TITLES,
            stages=STAGES,
            groups=GROUPS,
            novelties=NOVELTIES,
            cuts=CUTS,
            all_others={OTHERS: ALL_OTHERS},
            **shown(request, [self._work]),
        )

    async def read(self, request: Request) -> Response:
        """Begin to read all lines anew."""
        self._work.begin(self._measure)
        return redirect(request, "/growth", work=WORK)

    async def _measure(self) -> None:
        known = await begun(self._database, self._data.packs)
        found = await asyncio.to_thread(report.measure, self._data, owner(), begun=known)
        report.keep(self._data, found)


def _by_horizon(lines: Iterable[Line], cut: str) -> dict[str, list[Picture]]:
    """Return the lines of a cut, such as products, by horizon; only horizons that have some."""
    own = [one for one in lines if one.cut == cut]
    found = {horizon: [Picture(one) for one in own if one.horizon == horizon] for horizon in HORIZONS}
    return {horizon: ones for horizon, ones in found.items() if ones}


def _is_in(one: Line, horizon: str) -> bool:
    return bool(one.code) and one.horizon == horizon


def _imagined(found: Report, like: str) -> WhatIf | None:
    """Return what a venture would come to that grows as the line that a reader has chosen."""
    if found.portfolio is None or not like:
        return found.portfolio.what_if if found.portfolio else None
    return what_if(found.lines, found.portfolio.metric, found.lead, found.portfolio.needed, like)
