"""Tables of a front end's own: a schema and a role for each, so that its statements can touch nothing else.

The role sees `fe_CODE` and no other table, the platform's and other front ends' included. A front end's session takes
it on for each of its statements and gives it back after, so that packs called in the same transaction work as ever.
This keeps honest code to its own; it is no wall against code that means harm, which runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg

from isthmus.kernel import errors, ports

from .connecting import Connection
from .migrate import migrate_only
from .migration_files import Migration, MigrationSource

T = TypeVar("T")
Run = Callable[[str, Callable[[Connection], Awaitable[Any]]], Awaitable[Any]]

_NO_ROLE: Final = (asyncpg.InvalidParameterValueError, asyncpg.UndefinedObjectError)
_LEAVES: Final = re.compile(r"\b(set|reset)\b[^;]*\b(role|authorization)\b|\bsecurity\s+definer\b", re.IGNORECASE)


def schema_of(front_end: str) -> str:
    """Return the schema of a front end's own tables."""
    return "fe_" + front_end.replace("-", "_")


def role_of(front_end: str) -> str:
    """Return the role that a front end's own statements run as."""
    return "isthmus_" + schema_of(front_end)


async def migrate_own(url: str, front_end: str, folder: Path) -> list[Migration]:
    """Bring a front end's own tables to the shape that its folder says, as its role: it can change nothing else.

    Raises what `migrate` raises; Fault for a file that would leave the role.
    """
    return await migrate_only(url, await asyncio.to_thread(front_end_source, front_end, folder))


def front_end_source(front_end: str, folder: Path) -> MigrationSource:
    """Return a front end's own migrations, which run as its role. Raises Fault for a file that would leave it."""
    if leaving := _leaving(folder):
        raise errors.Fault(
            f"{leaving} of front end {front_end!r} changes the role that it runs as",
            remedy="leave role, session authorization and security definer out of a front end's own SQL",
        )
    schema = schema_of(front_end)
    return MigrationSource(pack=schema, schema=schema, folder=folder, role=role_of(front_end))


def _leaving(folder: Path) -> str:
    """Return the name of a file that would leave the role, or nothing."""
    return next((file.name for file in sorted(folder.glob("*.sql")) if _LEAVES.search(file.read_text())), "")


class Own:
    """A session that runs each statement as the front end's own role, on the connection of the session under it."""

    def __init__(self, under: ports.Session, run: Run, front_end: str, back: str) -> None:
        self._under = under
        self._run = run
        self._front_end = front_end
        self._take = f'set role "{role_of(front_end)}"'
        self._back = f"set role {back}"

    async def fetch(self, sql: str, *args: object) -> Sequence[ports.Row]:
        return await self._as_own(sql, lambda connection: connection.fetch(sql, *args))

    async def fetch_row(self, sql: str, *args: object) -> ports.Row | None:
        return await self._as_own(sql, lambda connection: connection.fetchrow(sql, *args))

    async def fetch_value(self, sql: str, *args: object) -> Any:
        return await self._as_own(sql, lambda connection: connection.fetchval(sql, *args))

    async def execute(self, sql: str, *args: object) -> str:
        return await self._as_own(sql, lambda connection: connection.execute(sql, *args))

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        await self._as_own(sql, lambda connection: connection.executemany(sql, rows))

    async def later(self, sql: str, *args: object) -> None:
        """Send it at once: the role is taken for one statement."""
        await self.execute(sql, *args)

    def own(self) -> Own:
        return self

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo what was written inside when an error leaves the block."""
        async with self._under.savepoint():
            yield

    async def close(self) -> None:
        await self._under.close()

    async def _as_own(self, sql: str, statement: Callable[[Connection], Awaitable[T]]) -> T:
        async def run(connection: Connection) -> T:
            try:
                await connection.execute(self._take)
            except _NO_ROLE:
                raise errors.Fault(
                    f"front end {self._front_end!r} has no tables of its own",
                    remedy="put their SQL into its folder as migrations/0001_create.sql and start or deploy again",
                ) from None
            try:
                return await statement(connection)
            finally:
                await _give_back(connection, self._back)

        return await self._run(sql, run)


async def _give_back(connection: Connection, back: str) -> None:
    """Take the call's role again. A connection of which that is not known is lost: it must serve nobody else."""
    try:
        await connection.execute(back)
    except asyncpg.InFailedSQLTransactionError:
        pass  # the rollback that follows takes the role back as well
    except BaseException:
        connection.terminate()
        raise
