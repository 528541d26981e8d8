"""What runs where: each decision is one row, and the last one of a front end holds.

    deploy, stage, promote, rollback ──▶ row + NOTIFY in one transaction ──▶ every worker (see switch_follow)

A rollback goes to the version that ran before the present one was put in place, so a second one goes a step further
back and never forward again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final, Literal

import asyncpg

from isthmus.kernel import Value, errors, ports
from isthmus.manifest.actions import Doer
from isthmus.store import Database, connect

from . import proposals
from .proposals import Proposal

CHANNEL: Final = "isthmus_switch"
APPLICATION: Final = "isthmus worker"  # with its id: a worker lives as long as this connection of it
LIVE_S: Final = 5  # a worker that was not seen for so long is not waited for: it catches up when it comes back
WAIT_S: Final = 15  # longer than LIVE_S, so that a worker that dies meanwhile stops nothing
LOOK_EVERY_S: Final = 0.01
SAY_AGAIN_S: Final = 0.5  # in case the word was lost with a connection
HISTORY_MAX: Final = 200

Kind = Literal["deploy", "stage", "promote", "rollback", "automatic-rollback"]

_STATE: Final = (
    "id, front_end, kind, stable, staged, percent, before, made_by, reason, made_at, signing_key, approved_by"
)
_IN_ORDER: Final = "select pg_advisory_xact_lock(7308604901182663524)"  # ids appear in the order in which they commit
_CURRENT: Final = f"select {_STATE} from runtime.switch where front_end = $1 order by id desc limit 1"
_SINCE: Final = f"""
    select distinct on (front_end) {_STATE} from runtime.switch where id > $1 order by front_end, id desc"""
_HISTORY: Final = f"""
    select {_STATE} from runtime.switch
    where ($1::text is null or front_end = $1) and ($3::bigint is null or id < $3) order by id desc limit $2"""
_BEFORE: Final = """
    select before from runtime.switch
    where front_end = $1 and stable = $2 and kind in ('deploy', 'promote') order by id desc limit 1"""
_APPEND: Final = f"""
    insert into runtime.switch
        (front_end, kind, stable, staged, percent, before, made_by, reason, signing_key, approved_by)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning {_STATE}"""
_RAN: Final = """
    select exists (select from runtime.switch where front_end = $1 and (stable = $2 or staged = $2))"""
_LIVE: Final = f"""
    select w.id, w.node, w.pid from runtime.worker w
    where w.seen_at > now() - make_interval(secs => {LIVE_S})
      and exists (select from pg_stat_activity a where a.application_name = '{APPLICATION} ' || w.id)"""
_UNREADY: Final = f"""
    select l.node || ' ' || l.pid as worker, r.trouble from ({_LIVE}) l
    left join runtime.ready r on r.worker = l.id and r.front_end = $1 and r.hash = $2
    where r.worker is null or r.trouble <> ''"""
_BEHIND: Final = f"""
    select l.node || ' ' || l.pid as worker, a.trouble from ({_LIVE}) l
    left join runtime.applied a on a.worker = l.id and a.front_end = $1 and a.switch >= $2
    where a.worker is null or a.trouble <> ''"""
_TRY_AGAIN: Final = "delete from runtime.ready where front_end = $1 and hash = $2 and trouble <> ''"
_COUNT: Final = f"select count(*) from ({_LIVE}) l"


class DeployUnderWay(errors.Conflict):
    """Another deploy of this front end has not ended."""

    slug = "runtime.deploy-under-way"


class Superseded(errors.Conflict):
    """Another version was put in place meanwhile."""

    slug = "runtime.overtaken"


class NothingBefore(errors.Conflict):
    """There is no version to go back to."""

    slug = "runtime.nothing-before"


class NothingStaged(errors.Conflict):
    """No version is staged."""

    slug = "runtime.nothing-staged"


class WorkersNotReady(errors.Unavailable):
    """A server process cannot run the version, so none switched."""

    slug = "runtime.workers-not-ready"


class Rollout(Value):
    """One decision; versions by hash. percent: the share of members who get `staged`.

    signing_key: by which it was signed; approved_by: another person, where the front end has four eyes.
    """

    id: int
    front_end: str
    kind: Kind
    stable: str | None
    staged: str | None
    percent: int
    before: str | None
    made_by: str
    reason: str
    made_at: datetime
    signing_key: str = ""
    approved_by: str = ""


class Switched(Value):
    """A decision, and how the workers follow it. behind: those who have not in time, with what they say."""

    switch: Rollout
    workers: int
    took_ms: int
    behind: tuple[str, ...]


async def current(database: Database, code: str) -> Rollout | None:
    """Return what holds for a front end, or nothing where it was never deployed."""
    async with database.platform() as session:
        return _read(await session.fetch_row(_CURRENT, code))


async def since(database: Database, id_: int) -> Sequence[Rollout]:
    """Return what holds for each front end that was switched after `id_`; 0 for all."""
    async with database.platform() as session:
        return [found for row in await session.fetch(_SINCE, id_) if (found := _read(row))]


async def history(
    database: Database, code: str | None = None, limit: int = HISTORY_MAX, *, before: int | None = None
) -> tuple[Rollout, ...]:
    """Return the decisions about one front end, or all, the latest first; `before` one, by its id."""
    async with database.platform() as session:
        rows = await session.fetch(_HISTORY, code, min(limit, HISTORY_MAX), before)
    return tuple(found for row in rows if (found := _read(row)))


async def has_run(database: Database, code: str, hash_: str) -> bool:
    """Say whether a version was in place once, for all or a share."""
    async with database.platform() as session:
        return await session.fetch_value(_RAN, code, hash_)


async def put(
    database: Database,
    code: str,
    hash_: str,
    *,
    percent: int,
    by: Doer,
    expected: int | None,
    reason: str = "",
    key: str = "",
    approved: Proposal | None = None,
) -> Switched:
    """Put a version in place, for all (percent 100) or a share of the members.

    expected: the id of what held when the version was compared. key: by which it was signed. approved: what waited,
    where `by` approves it. Raises Superseded where what holds has changed, and
    WorkersNotReady, with what is wrong, where a worker cannot load it; then none has switched.
    """
    await _prepare(database, code, hash_)
    async with database.platform_transaction() as session:
        held = await _holding(session, code)
        if (held.id if held else None) != expected:
            raise Superseded(
                f"front end {code!r} was switched by {held.made_by if held else 'nobody'} meanwhile",
                remedy="deploy again: it is compared with what runs now",
            )
        stable = held.stable if held else None
        who = (by.name, reason, key, "") if approved is None else (approved.author, reason, approved.key, by.name)
        if percent < 100:
            row = (code, "stage", stable, hash_, percent, held.before if held else None, *who)
        else:
            kind = "promote" if held and held.staged == hash_ else "deploy"
            row = (code, kind, hash_, None, 0, stable, *who)
        if approved is not None:
            await proposals.decide(session, approved.number, "done", by.name, reason)
        made = await _append(session, row, by)
    return await _followed(database, made)


async def promote(database: Database, code: str, by: Doer) -> Switched:
    """Give the staged version to everybody. Raises NothingStaged, WorkersNotReady."""
    held = await current(database, code)
    if held is None or held.staged is None:
        raise NothingStaged(f"front end {code!r} has no staged version", remedy="stage one: isthmus deploy --percent")
    return await put(database, code, held.staged, percent=100, by=by, expected=held.id)


async def roll_back(
    database: Database, code: str, by: Doer, *, to: str | None = None, reason: str = "", unless: int | None = None
) -> Switched | None:
    """Take back the staged version, or put the version before the present one in place, or the one named by hash.

    unless: for automatic ones, the id of the switch that is judged; nothing is done where another holds by now.
    Raises NothingBefore, WorkersNotReady.
    """
    target = to or _target(await current(database, code), code)
    if target is not None:
        await _prepare(database, code, target)
    async with database.platform_transaction() as session:
        held = await _holding(session, code)
        if unless is not None and (held is None or held.id != unless):
            return None
        stable = to or _target(held, code)
        before = await session.fetch_value(_BEFORE, code, stable) if stable else None
        kind = "rollback" if unless is None else "automatic-rollback"
        made = await _append(session, (code, kind, stable, None, 0, before, by.name, reason, "", ""), by)
    return await _followed(database, made)


def _target(held: Rollout | None, code: str) -> str | None:
    """Return the version to go back to; None is what the servers' own folders hold."""
    if held is not None and held.staged is not None:
        return held.stable
    if held is None or held.stable is None:
        raise NothingBefore(f"front end {code!r} has no version before this one", remedy="deploy the one you want")
    return held.before


async def _holding(session: ports.Session, code: str) -> Rollout | None:
    await session.execute(_IN_ORDER)
    return _read(await session.fetch_row(_CURRENT, code))


async def _append(session: ports.Session, row: Sequence[object], by: Doer) -> Rollout:
    before = _read(await session.fetch_row(_CURRENT, row[0]))
    made = _read(await session.fetch_row(_APPEND, *row))
    if made is None:
        raise errors.Fault("a row that was written is not there", remedy="look at the database's log")
    said: dict[str, Any] = {
        "version": made.stable,
        "staged": made.staged,
        "percent": made.percent,
        "reason": made.reason,
    }
    if before is not None:
        said["before"] = {"version": before.stable, "staged": before.staged, "percent": before.percent}
    if made.signing_key:
        said |= {"key": made.signing_key, "made_by": made.made_by, "approved_by": made.approved_by}
    await by.note(session, f"deploy.{made.kind}", said)
    await session.execute(f"notify {CHANNEL}, 'switch'")
    return made


async def _prepare(database: Database, code: str, hash_: str) -> None:
    """Have every live worker load a version before any runs it, so that the switch itself is one assignment."""
    async with database.platform() as session:
        await session.execute(_TRY_AGAIN, code, hash_)
    waiting = await _until_none(database, _UNREADY, code, hash_, f"prepare {code} {hash_}")
    if waiting:
        raise WorkersNotReady(
            f"nothing was switched: {len(waiting)} worker(s) of {code!r} are not ready: {'; '.join(waiting)}",
            remedy="fix what they say, or the worker, then deploy again",
        )


async def _followed(database: Database, made: Rollout) -> Switched:
    began = time.perf_counter()
    behind = await _until_none(database, _BEHIND, made.front_end, made.id, "switch")
    async with database.platform() as session:
        workers = await session.fetch_value(_COUNT)
    took_ms = round((time.perf_counter() - began) * 1_000)
    return Switched(switch=made, workers=workers - len(behind), took_ms=took_ms, behind=behind)


async def _until_none(database: Database, sql: str, code: str, what: object, word: str) -> tuple[str, ...]:
    """Wait until no live worker is left that has not done it, and return those that are left in the end."""
    until, said = time.monotonic() + WAIT_S, 0.0
    while True:
        async with database.platform() as session:
            if time.monotonic() > said + SAY_AGAIN_S:
                await session.execute("select pg_notify($1, $2)", CHANNEL, word)
                said = time.monotonic()
            rows = await session.fetch(sql, code, what)
        troubles = [row for row in rows if row["trouble"]]
        if not rows or len(troubles) == len(rows) or time.monotonic() > until:
            return tuple(f"{row['worker']}: {row['trouble'] or 'says nothing'}" for row in rows)
        await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def alone(database: Database, code: str) -> AsyncGenerator[None]:
    """Hold the right to deploy a front end; it ends with the process at the latest. Raises DeployUnderWay."""
    connection = await connect(database.url, application_name="isthmus deploy")
    try:
        is_mine = await connection.fetchval(
            "select pg_try_advisory_lock(hashtextextended('isthmus deploy ' || $1, 0))", code
        )
        if not is_mine:
            raise DeployUnderWay(f"another deploy of {code!r} is under way", remedy="wait until it has ended")
        try:
            yield
        finally:  # a connection that is cut lets go of it some time later, and who comes next would be refused
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await connection.execute("select pg_advisory_unlock_all()")
    finally:
        connection.terminate()


def _read(row: ports.Row | None) -> Rollout | None:
    return Rollout(**{name: row[name] for name in Rollout.__struct_fields__}) if row is not None else None
