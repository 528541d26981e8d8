"""What each front end costs: its share of the platform's measured time, what it stores, and money where a price is set.

Time decides, since it is counted for every call. A call's time is from its first to its last moment in the platform,
waiting for the database included; what it calls inside is part of it and is not counted again. What no call asks for
(relays, landing, an idle machine) is so divided in the same shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.traffic import BY_HOUR, Tallies, Traffic, together
from isthmus.pages import ordered
from isthmus.store import Database
from isthmus.values import decimals

from ..web import Page, page_of, render

PAGE_SIZE: Final = 25

# What PostgreSQL has sampled of each table: which share of the rows is whose. Counting all of them would cost what is
# to be measured here. Rows of a front end too rare to be among the most common values are in nobody's share.
_STORED: Final = """
    with guarded as (
        select c.oid, c.reltuples, n.nspname, c.relname from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'front_end' and not a.attisdropped
        where c.relkind in ('r', 'm') and c.reltuples > 0 and n.nspname not in ('console', 'pg_catalog'))
    select code as front_end, nspname as schema,
        round(sum(reltuples * share))::bigint as held, round(sum(pg_total_relation_size(oid) * share))::bigint as bytes
    from guarded g join pg_stats s on s.schemaname = g.nspname and s.tablename = g.relname and s.attname = 'front_end',
        unnest(s.most_common_vals::text::text[], s.most_common_freqs) as sampled (code, share)
    group by 1, 2"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the whole platform costs in a month; `minor` in the currency's minor unit."""

    currency: str
    minor: int

    def part(self, share: float) -> dict[str, Any]:
        """Return a share of it, as amounts are written."""
        return {"currency": self.currency, "minor": round(self.minor * share)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a front end keeps in the database: rows and bytes with indexes, as last sampled."""

    rows: int = 0
    bytes: int = 0
    by_schema: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One front end's, or one capability's, part of the measured time. `cost` is none where no price is set."""

    name: str
    calls: int
    took_us: int
    share: float
    cost: dict[str, Any] | None


COLUMNS: Final[Mapping[str, Callable[[Share], Any]]] = {
    "name": lambda one: one.name,
    "share": lambda one: one.took_us,
    "calls": lambda one: one.calls,
    "mean": lambda one: one.took_us / one.calls,
}


class Cost:
    """The page of costs, and the figures that the pages of front ends and capabilities show of them."""

    def __init__(self, database: Database, traffic: Traffic, month: str = "") -> None:
        self._database = database
        self._traffic = traffic
        self._price = price(month) if month else None

    def pages(self) -> list[Page]:
        return [Page("/cost", "Cost", self.show)]

    async def show(self, request: Request) -> Response:
        code = request.query_params.get("front_end", "")
        every = await self._traffic.of(over=BY_HOUR)
        stored = await self.stored()
        seen = {key: one for key, one in every.items() if code in ("", key[0])}
        capabilities = self._shares(seen, 1, together(every).took_us)
        shown, next_cursor = page_of(request, ordered(request, capabilities, COLUMNS, "sort_by"), PAGE_SIZE)
        lines = self._shares(every, 0, together(every).took_us)
        kept: dict[str, Callable[[Share], Any]] = {
            "rows": lambda one: stored[one.name].rows if one.name in stored else None,
            "stored": lambda one: stored[one.name].bytes if one.name in stored else None,
        }
        return render(
            request,
            "cost.html",
            code=code,
            lines=ordered(request, lines, {**COLUMNS, **kept}),
            stored=stored,
            capabilities=shown,
            next_cursor=next_cursor,
            total=together(seen),
            price=self._price,
            days=BY_HOUR // timedelta(days=1),
        )

    async def of(self, front_end: str) -> Share | None:
        """Return what a front end costs, or None where nothing of it was measured."""
        every = await self._traffic.of(over=BY_HOUR)
        found = self._shares(every, 0, together(every).took_us)
        return next((one for one in found if one.name == front_end), None)

    async def of_capability(self, name: str) -> Share | None:
        """Return what a capability costs, or None where it was not called."""
        every = await self._traffic.of(over=BY_HOUR)
        found = self._shares(every, 1, together(every).took_us)
        return next((one for one in found if one.name == name), None)

    async def stored(self) -> dict[str, Stored]:
        """Return what each front end keeps in the database, recorded calls included."""
        async with self._database.platform() as session:
            found = await session.fetch(_STORED)
        return {
            code: Stored(
                rows=sum(one["held"] for one in found if one["front_end"] == code),
                bytes=sum(one["bytes"] for one in found if one["front_end"] == code),
                by_schema={one["schema"]: one["bytes"] for one in found if one["front_end"] == code},
            )
            for code in {one["front_end"] for one in found}
        }

    def _shares(self, tallies: Tallies, at: int, whole_us: int) -> list[Share]:
        """Return parts of the whole by one half of the key, the largest first."""
        calls, took = Counter[str](), Counter[str]()
        for key, tally in tallies.items():
            calls[key[at]] += tally.calls
            took[key[at]] += tally.took_us
        return [
            Share(
                name=name,
                calls=calls[name],
                took_us=us,
                share=us / (whole_us or 1),
                cost=self._price.part(us / (whole_us or 1)) if self._price else None,
            )
            for name, us in took.most_common()
        ]


def price(text: str) -> Price:
    """Read an amount as it stands in the settings: `1200 EUR`."""
    amount, _, currency = text.partition(" ")
    return Price(currency=currency, minor=int(Decimal(amount).scaleb(decimals(currency))))
