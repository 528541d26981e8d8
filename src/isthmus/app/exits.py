"""Exits exercised in time: `[exits] days = 7` has a server exercise the exit of each pack once in so many days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Final

from isthmus.governance.exits import runs
from isthmus.governance.exits.exercise import CALLS, Ground, exercise
from isthmus.governance.exits.held import is_domain
from isthmus.kernel import Pack

from .platform import Running

EVERY_S: Final = 3_600  # one pack at a time, so that calls hardly notice
_MINE: Final = "select pg_try_advisory_xact_lock(hashtextextended('governance.exit_run', 0))"


def ground(running: Running, calls: int = CALLS) -> Ground:
    """Return where the exits of a platform are exercised, by so many recorded calls of each front end."""
    return Ground(
        platform=running.platform,
        database=running.database,
        root=running.config.root,
        version=metadata.version("isthmus"),
        today=datetime.now(UTC).date(),
        calls=calls,
    )


def domains(running: Running) -> list[Pack]:
    """Return the packs whose exit can be tried: those that are no services already."""
    return [one for one in running.packs if is_domain(one) and one.name not in running.config.ejected]


async def try_exit(running: Running, pack: Pack, calls: int = CALLS) -> runs.ExitRun:
    """Exercise the exit of a pack, and keep how it ended."""
    found = await exercise(ground(running, calls), pack)
    return await runs.keep(running.database, pack.name, datetime.now(UTC), found.ended, found.calls, found.reason)


async def try_next_exit(running: Running) -> None:
    """Exercise the exit that was tried longest ago, where it is due, and no other server does."""
    async with running.database.platform_transaction() as session:
        if not await session.fetch_value(_MINE):
            return
        tried = {one.pack: one.at for one in await runs.latest(running.database)}
        due = datetime.now(UTC) - timedelta(days=running.config.exit_days)
        waiting = [one for one in domains(running) if one.name not in tried or tried[one.name] < due]
        if waiting:
            await try_exit(running, min(waiting, key=lambda one: tried.get(one.name, datetime.min.replace(tzinfo=UTC))))
