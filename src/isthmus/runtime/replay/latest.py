"""The latest recorded calls, in short, picked by who called what, how it ended and when."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, Final

from isthmus.store import Database

_LATEST: Final = """
    select call_id, front_end, capability, recorded_at as told_at, error, took_us from runtime.recorded_call
    where ($1 = '' or front_end = $1) and ($2 = '' or capability = $2)
      and ($3 = '' or ($3 = 'answered') = (error = '') and $3 in ('answered', 'refused', split_part(error, ':', 1)))
      and ($4::timestamptz is null or recorded_at >= $4) and ($5::timestamptz is null or recorded_at < $5)
      and ($6 = '' or call_id < $6)
    order by call_id desc limit $7"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which calls to list; what is empty or None picks none out.

    `outcome` is `answered`, `refused` (whatever the error was) or an error's slug. `since` is in the list, `until` not.
    """

    front_end: str = ""
    capability: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None


async def latest(database: Database, wanted: Wanted, before: str, limit: int) -> list[dict[str, Any]]:
    """Return the latest recorded calls that are wanted, in short."""
    async with database.platform() as session:
        return [dict(row) for row in await session.fetch(_LATEST, *astuple(wanted), before, limit)]
