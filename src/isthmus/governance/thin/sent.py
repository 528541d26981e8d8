"""What the database says of events: which were sent since when, what takes them out, and who reads the feed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from isthmus.kernel import Pack
from isthmus.manifest import Outlet, brought
from isthmus.store import Database

from .unread import Said, Taken

_SENT: Final = """
    select front_end, type, count(*)::bigint as times from (
        select front_end, type, time from isthmus.event union all select front_end, type, time from isthmus.outbox
    ) sent where time >= $1 group by 1, 2"""
_GROUPED: Final = """
    select front_end from isthmus.event_group
    union select owner from isthmus.row_grant where kind = 'isthmus.event_stream' and withdrawn_at is null"""
_FIRST: Final = """
    select least((select min(recorded_at) from runtime.recorded_call),
                 (select min(hour) + interval '1 hour' from console.traffic where hour > $1))"""


async def first_kept(database: Database, since: datetime) -> datetime | None:
    """Return when the first call was that is kept or counted, of those since."""
    async with database.platform() as session:
        return await session.fetch_value(_FIRST, since)


async def said(database: Database, packs: Sequence[Pack], since: datetime) -> Said:
    """Return what was sent, and who takes events outside of the platform's own code."""
    taken: list[Taken] = []
    async with database.platform() as session:
        for one in brought(packs, Outlet):
            for row in await session.fetch(one.takes) if one.takes else ():
                taken.append(Taken(who=row["who"], types=tuple(kind for kind in row["types"] if kind)))
            taken += [] if one.takes else [Taken(who=one.name, types=("*",))]
        sent = {(row["front_end"], row["type"]): row["times"] for row in await session.fetch(_SENT, since)}
        grouped = [row["front_end"] for row in await session.fetch(_GROUPED)]
    return Said(sent=sent, taken=taken, grouped=grouped)
