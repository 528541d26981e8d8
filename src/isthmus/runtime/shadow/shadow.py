"""A version in the shadow of the one that runs: declared for a share of live calls, it answers nobody.

    declared ──▶ servers record that share ──▶ a process of its own runs each call by both versions ──▶ report
                 (see record)                  (see shadow_run, tended by shadow_follow)

One a front end. A newer declaration takes the place of an older one, and counts from nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import Value, decode, encode, errors, ports
from isthmus.manifest.actions import Doer
from isthmus.store import Database

from ..deploy import proposals
from ..deploy.proposals import Proposal
from ..replay.report import FrontEndReport

HELD_S: Final = 15  # a server that is gone for so long has its shadows tended by another one
LOST_MAX: Final = 5  # calls that end the process before it is given up: each takes some seconds, and says the same

_FIELDS: Final = (
    "front_end, hash, beside, percent, made_by, made_at, ended, through_at, through_id, skipped, lost, report"
)
_DECLARE: Final = """
    insert into runtime.shadow (front_end, hash, percent, made_by) values ($1, $2, $3, $4)
    on conflict (front_end) do update set
        hash = excluded.hash, percent = excluded.percent, made_by = excluded.made_by, made_at = clock_timestamp(),
        beside = '', ended = '', through_at = clock_timestamp(), through_id = '', skipped = 0, lost = '{}',
        report = null"""
_END: Final = "update runtime.shadow set ended = $2 where front_end = $1 and ended = ''"
_ALL: Final = f"select {_FIELDS} from runtime.shadow where $1::text is null or front_end = $1"
_ACTIVE: Final = "select front_end, percent from runtime.shadow where ended = ''"
_HOLD: Final = f"""
    update runtime.shadow set held_by = $2, held_until = now() + make_interval(secs => {HELD_S})
    where front_end = $1 and ended = '' and (held_by = $2 or held_until < now()) returning front_end"""
_LET_GO: Final = "update runtime.shadow set held_until = '-infinity' where held_by = $1"
_LOSE: Final = f"""
    update runtime.shadow set lost = lost || $2::text, ended = case when cardinality(lost) + 1 < {LOST_MAX} then ''
        else $3 end
    where front_end = $1 and ended = ''"""
_BESIDE: Final = """
    update runtime.shadow set report = case when beside = $2 then report end, beside = $2
    where front_end = $1 and ended = ''"""
_KEEP: Final = """
    update runtime.shadow set through_at = $3, through_id = $4, skipped = skipped + $5, report = $6
    where front_end = $1 and made_at = $2 and ended = '' returning front_end"""


class Shadow(Value):
    """What was declared, and what came of it so far.

    beside: the live version that it is compared with; empty for what the servers' folder holds. ended: why it runs no
    more. lost: calls that ended its process.
    """

    front_end: str
    hash: str
    beside: str
    percent: int
    made_by: str
    made_at: datetime
    ended: str
    through_at: datetime
    through_id: str
    skipped: int
    lost: tuple[str, ...]
    report: FrontEndReport | None

    @property
    def is_same(self) -> bool:
        return not self.lost and (self.report is None or self.report.is_same)


class NoShadow(errors.NotFound):
    """No version of the front end runs in the shadow."""

    slug = "runtime.no-shadow"

    def __init__(self, code: str) -> None:
        super().__init__(
            f"no version of front end {code!r} runs in the shadow",
            remedy="send one with `isthmus deploy DIR --shadow 5`, or name one that is kept: `isthmus shadow CODE v3`",
        )


async def declare(
    database: Database, code: str, hash_: str, *, percent: int, by: Doer, approved: Proposal | None = None
) -> None:
    """Have a version run on `percent` of 100 live calls of its front end, in the shadow.

    approved: what waited, where `by` approves it.
    """
    if not 1 <= percent <= 100:
        raise errors.BadAsk(f"{percent} percent", remedy="shadow 1 to 100 percent of the calls")
    async with database.platform_transaction() as session:
        if approved is not None:
            await proposals.decide(session, approved.number, "done", by.name, "")
        await session.execute(_DECLARE, code, hash_, percent, approved.author if approved else by.name)
        await by.note(session, "deploy.shadow", {"version": hash_, "percent": percent})


async def end(database: Database, code: str, why: str) -> None:
    """Stop it, where one runs; what it found stays."""
    async with database.platform() as session:
        await session.execute(_END, code, why)


async def stop(database: Database, code: str, by: Doer) -> None:
    """Stop it, as somebody wants it stopped."""
    async with database.platform_transaction() as session:
        await session.execute(_END, code, f"stopped by {by.name}")
        await by.note(session, "deploy.stop-shadow", {})


async def find(database: Database, code: str) -> Shadow:
    """Return what was declared last, and what it found. Raises NoShadow."""
    found = (await declared(database, code)).get(code)
    if found is None:
        raise NoShadow(code)
    return found


async def declared(database: Database, code: str | None = None) -> dict[str, Shadow]:
    """Return what was declared last of each front end, or of one, whether it runs or has ended."""
    async with database.platform() as session:
        return {row["front_end"]: _read(row) for row in await session.fetch(_ALL, code)}


async def begin(database: Database, code: str, beside: str) -> Shadow:
    """Return it, to be run beside a live version; beside another one than before it counts from nothing."""
    async with database.platform() as session:
        await session.execute(_BESIDE, code, beside)
    return await find(database, code)


async def active(database: Database) -> dict[str, int]:
    """Return the share in percent that runs in the shadow, by front end."""
    async with database.platform() as session:
        return {row["front_end"]: row["percent"] for row in await session.fetch(_ACTIVE)}


async def hold(database: Database, code: str, worker: UUID) -> bool:
    """Take the care of a shadow, or keep it; false where another process has it."""
    async with database.platform() as session:
        return await session.fetch_value(_HOLD, code, worker) is not None


async def let_go(database: Database, worker: UUID) -> None:
    """Leave all shadows of a process to others."""
    async with database.platform() as session:
        await session.execute(_LET_GO, worker)


async def lose(database: Database, code: str, call_id: str, why: str) -> None:
    """Note a call that the version did not come back from; after some of them it is given up."""
    async with database.platform() as session:
        await session.execute(_LOSE, code, call_id, f"{LOST_MAX} calls did not come back, the last one: {why}")


async def keep(
    database: Database, shadow: Shadow, report: FrontEndReport, through: tuple[datetime, str], skipped: int
) -> bool:
    """Write what was found up to a recorded call; false where this shadow has ended or another took its place."""
    async with database.platform() as session:
        kept = (shadow.front_end, shadow.made_at, *through, skipped, encode(report))
        return await session.fetch_value(_KEEP, *kept) is not None


def _read(row: ports.Row) -> Shadow:
    fields: dict[str, Any] = {name: row[name] for name in Shadow.__struct_fields__}
    fields["lost"] = tuple(fields["lost"])
    fields["report"] = decode(fields["report"], FrontEndReport) if fields["report"] else None
    return Shadow(**fields)
