"""What came of each exit that was tried: which packs can leave the platform, which cannot, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from isthmus.kernel import Value
from isthmus.store import Database

Ended = Literal["green", "alone", "red", "refused"]

_KEEP: Final = "insert into governance.exit_run (pack, at, ended, calls, reason) values ($1, $2, $3, $4, $5)"
# Since when it ends as it does: the first run of that kind behind the last one of another kind.
_LATEST: Final = """
    select distinct on (run.pack) run.pack, run.at, run.ended, run.calls, run.reason, (
        select min(same.at) from governance.exit_run same where same.pack = run.pack and same.at > coalesce((
            select max(other.at) from governance.exit_run other
            where other.pack = run.pack and other.ended <> run.ended), '-infinity')) as since
    from governance.exit_run run order by run.pack, run.at desc"""


class ExitRun(Value):
    """How the last exit of a pack ended, and since when exits of it end so.

    green: the service answered every recorded call as the pack does. alone: it answered its own, and flows that have
    the pack's writes in their transactions could not do with it. red: it was built, or should have been, and differs.
    refused: the pack holds on to the platform by something that no service can have. calls: recorded calls that were
    run by both.
    """

    pack: str
    at: datetime
    ended: Ended
    calls: int
    reason: str
    since: datetime

    @property
    def sentence(self) -> str:
        """Return it in words, as `exit: red since 2026-03-01, …`."""
        since = f"since {self.since:%Y-%m-%d}"
        answered = f"{self.calls} recorded calls answered as before"
        if self.ended == "alone":
            return f"exit: green alone {since}, {answered}; not to be put in place: {self.reason}"
        return f"exit: {self.ended} {since}, {self.reason or answered}"


async def keep(database: Database, pack: str, at: datetime, ended: Ended, calls: int, reason: str) -> ExitRun:
    """Keep how an exit ended, and return it with since when exits of the pack end so."""
    async with database.platform() as session:
        await session.execute(_KEEP, pack, at, ended, calls, reason)
    return next(one for one in await latest(database) if one.pack == pack)


async def latest(database: Database) -> Sequence[ExitRun]:
    """Return the last exit of each pack that was ever tried, by name of the pack."""
    async with database.platform() as session:
        rows = await session.fetch(_LATEST)
    return [
        ExitRun(
            pack=row["pack"],
            at=row["at"],
            ended=row["ended"],
            calls=row["calls"],
            reason=row["reason"],
            since=row["since"],
        )
        for row in rows
    ]
