"""What each front end costs and what the platform saves it: processor, database, storage, peak, and money.

What is divided, and how, is said by `isthmus.governance.cost`; calls from this console are none of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.cost import moved, report, stored
from isthmus.governance.cost.bill import OWN, OWN_PARTS, Part
from isthmus.governance.cost.inputs import Inputs
from isthmus.governance.cost.report import Code, Costs
from isthmus.governance.cost.stored import Stored
from isthmus.governance.traffic import BY_HOUR, Traffic
from isthmus.kernel import Platform
from isthmus.language import mark
from isthmus.pages import ordered
from isthmus.store import Database

from ..web import Page, page_of, render

PAGE_SIZE: Final = 25
FRESH_S: Final = 5.0  # how old figures may be: pages that show one each ask again and again
PARTS: Final[Mapping[Part, str]] = {
    "processor": mark("Processor"),
    "peak": mark("Peak"),
    "database": mark("Database"),
    "storage": mark("Storage"),
    "replay": mark("Replays"),
}
OWN_TITLES: Final[Mapping[Part, str]] = {
    "overhead": mark("What the platform does for itself"),
    "idle": mark("Idle even in the busiest minutes"),
    "shared": mark("Storage that all share"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One front end's, or one capability's, part of the price. `cost` is none where no price is set.

    used: processor, database, rows and events of a call, in microseconds and numbers.
    """

    name: str
    calls: int
    took_us: int
    share: float
    cost: dict[str, Any] | None
    used: Mapping[str, float]
    parts: Mapping[str, dict[str, Any] | float]


COLUMNS: Final[Mapping[str, Callable[[Share], Any]]] = {
    "name": lambda one: one.name,
    "share": lambda one: one.share,
    "calls": lambda one: one.calls,
    "mean": lambda one: one.took_us / one.calls if one.calls else 0,
    "processor": lambda one: one.used["cpu_us"],
    "database": lambda one: one.used["db_us"],
    "held": lambda one: one.used["rows"],
    "events": lambda one: one.used["events"],
}


class Cost:
    """The page of costs, and the figures that the pages of front ends and capabilities show of them."""

    def __init__(
        self, database: Database, traffic: Traffic, platform: Platform, inputs: Inputs, group: str = ""
    ) -> None:
        self._database = database
        self._traffic = traffic
        self._platform = platform
        self._inputs = inputs
        self._group = group
        self._code: tuple[object, Code] | None = None
        self._found: dict[bool, tuple[float, Costs]] = {}

    def pages(self) -> list[Page]:
        return [Page("/cost", "Cost", self.show)]

    async def costs(self, *, compared: bool = True) -> Costs:
        """Return what everything costs, at most some seconds old; without alternatives where not compared."""
        now = time.monotonic()
        if compared not in self._found or now - self._found[compared][0] > FRESH_S:
            release = self._platform.release
            if compared and (self._code is None or self._code[0] is not release):
                self._code = (release, await asyncio.to_thread(report.count_code, release))
            code = self._code[1] if compared and self._code else Code(packs={}, own={})
            found = await report.measure(
                self._database, self._traffic, release, self._inputs, datetime.now(UTC), code, self._group
            )
            self._found[compared] = (now, found)
        return self._found[compared][1]

    async def show(self, request: Request) -> Response:
        code = request.query_params.get("front_end", "")
        found = await self.costs()
        lines = self._front_ends(found)
        chosen = ordered(request, self._capabilities(found, code), COLUMNS, "sort_by")
        shown, next_cursor = page_of(request, chosen, PAGE_SIZE)
        kept: dict[str, Callable[[Share], Any]] = {
            "rows": lambda one: found.stored[one.name].rows if one.name in found.stored else None,
            "stored": lambda one: found.stored[one.name].bytes if one.name in found.stored else None,
        }
        answers = await moved.last(self._database)
        return render(
            request,
            "cost.html",
            code=code,
            costs=found,
            lines=ordered(request, lines, {**COLUMNS, **kept}),
            parts_of=PARTS,
            own=[(OWN_TITLES[part], found.bill.of(OWN, [part])) for part in OWN_PARTS],
            tax_share=found.bill.platform_tax,
            orders=sum(found.orders.values()),
            stored=found.stored,
            capabilities=shown,
            next_cursor=next_cursor,
            amount_of=found.inputs.amount,
            price=found.inputs.month,
            answers=answers,
            assumed=sorted(found.inputs.assumed - {"month"}),
            days=BY_HOUR // timedelta(days=1),
        )

    async def of(self, front_end: str) -> Share | None:
        """Return what a front end costs, or None where nothing of it was measured."""
        return next((one for one in self._front_ends(await self.costs(compared=False)) if one.name == front_end), None)

    async def of_capability(self, name: str) -> Share | None:
        """Return what a capability costs, or None where it was not called."""
        return next((one for one in self._capabilities(await self.costs(compared=False), "") if one.name == name), None)

    async def stored(self) -> dict[str, Stored]:
        """Return what each front end keeps in the database, recorded calls included."""
        return await stored.stored(self._database)

    def _front_ends(self, found: Costs) -> list[Share]:
        codes = dict.fromkeys(code for code, _ in found.uses)
        shares = [self._share(found, code, 0, found.bill.of(code)) for code in codes]
        return sorted(shares, key=lambda one: -one.share)

    def _capabilities(self, found: Costs, code: str) -> list[Share]:
        names = dict.fromkeys(name for front_end, name in found.uses if code in ("", front_end))
        charges = [one for one in found.bill.charges if one.capability and code in ("", one.front_end)]
        sums = dict.fromkeys(names, 0.0)
        for one in charges:
            sums[one.capability] = sums.get(one.capability, 0.0) + one.share
        shares = [self._share(found, name, 1, sums[name], code) for name in names]
        return sorted(shares, key=lambda one: -one.share)

    def _share(self, found: Costs, name: str, at: int, share: float, code: str = "") -> Share:
        uses = [one for key, one in found.uses.items() if key[at] == name and code in ("", key[0])]
        calls = sum(one.calls for one in uses)
        return Share(
            name=name,
            calls=calls,
            took_us=sum(one.took_us for one in uses),
            share=share,
            cost=found.inputs.month.part(share) if found.inputs.month else None,
            used={
                field: sum(getattr(one, field) for one in uses) / (calls or 1)
                for field in ("cpu_us", "db_us", "rows", "events")
            },
            parts={part: self._amount(found, found.bill.of(name, [part])) for part in PARTS} if at == 0 else {},
        )

    def _amount(self, found: Costs, share: float) -> dict[str, Any] | float:
        return found.inputs.month.part(share) if found.inputs.month else share
