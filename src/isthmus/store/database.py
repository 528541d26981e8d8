"""The store that ships: PostgreSQL through asyncpg.

Calls run on connections of the role `isthmus_app`, for which row-level security holds, and which write in
transactions with an effect only. The platform's own work (relay, sweepers, doctor) runs on a few connections of
the owner, and sees all front ends.

JSON columns are passed as bytes, both ways and unparsed: encode with the kernel, write, read, decode.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Self, cast

import asyncpg

from isthmus.kernel import errors, ports

from .connecting import Pool, TenantConnection
from .connections import Connections
from .sagas import FIND_SAGA, PREPARE_SAGAS, Step, standing
from .session import (
    PREPARE_COMMIT,
    Reading,
    Statements,
    Transaction,
    Write,
    digest_of,
)
from .tenant import checked_code, checked_parts

CONNECTIONS_MAX: Final = 16  # two per core serve most; more connections only wait for each other
PLATFORM_CONNECTIONS_MAX: Final = 4
TAKE_LIMIT_S: Final = 5  # a call that waits longer for a connection is better refused: the asker can come again
STATEMENT_LIMIT_S: Final = 30
LOCK_LIMIT_S: Final = 10  # longer than any healthy transaction holds a row
IDLE_LIMIT_S: Final = 60  # in a transaction: longer than any deadline of a call
UNUSED_LIMIT_S: Final = 300
CLOSE_LIMIT_S: Final = 10
STATEMENTS_PREPARED_MAX: Final = 1024  # per connection: more than all packs have together
EVENTS_CHANNEL: Final = "isthmus_event"
# NOTIFY takes a lock of the whole server when it commits, and wakes every relay: it is not for each order.
ANNOUNCE_AFTER_S: Final = 0.02  # a first event is announced so soon, with what else was committed meanwhile
ANNOUNCE_EVERY_S: Final = 0.25  # where one follows the other

_APP_SETTINGS: Final = {
    "role": "isthmus_app",
    "default_transaction_read_only": "on",
    "standard_conforming_strings": "on",
    "statement_timeout": f"{STATEMENT_LIMIT_S}s",
    "lock_timeout": f"{LOCK_LIMIT_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_LIMIT_S}s",
    "timezone": "UTC",
    "jit": "off",
    "application_name": "isthmus",
}
_PLATFORM_SETTINGS: Final = {"timezone": "UTC", "jit": "off", "application_name": "isthmus platform"}


class Database:
    """Rows, events and idempotency records in one PostgreSQL database; the kernel's `Store`.

    Open it with `await Database.open(url)`, and close it in the same event loop.
    """

    def __init__(self, url: str, calls: Pool, platform: Pool, take_limit_s: float) -> None:
        self.url = url
        self._calls = Connections(calls, take_limit_s=take_limit_s, unused_limit_s=UNUSED_LIMIT_S)
        self._platform = Connections(platform, take_limit_s=take_limit_s, unused_limit_s=UNUSED_LIMIT_S)
        self._announcing: asyncio.Task[None] | None = None
        self._announced_at = 0.0

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        connections_max: int = CONNECTIONS_MAX,
        take_limit_s: float = TAKE_LIMIT_S,
        settings: Mapping[str, str] | None = None,
    ) -> Self:
        """Connect to a migrated database. settings: PostgreSQL's, for calls, where they are not the usual ones.

        Raises Unavailable where it does not answer, and Fault where it has not been migrated.
        """
        platform = _pool(url, PLATFORM_CONNECTIONS_MAX, _PLATFORM_SETTINGS, _pass_json_as_bytes)
        calls = _pool(url, connections_max, {**_APP_SETTINGS, **(settings or {})}, _make_ready_for_calls)
        try:
            await platform
            if not await platform.fetchval("select to_regclass('isthmus.event') is not null"):
                raise errors.Fault("the database is not migrated", remedy="run its migrations first")
            await calls
        except errors.Fault:
            platform.terminate()
            raise
        except (OSError, asyncpg.PostgresError) as error:
            platform.terminate()
            raise errors.Unavailable(
                f"the database does not answer: {error}", remedy="start it, or fix ISTHMUS_DATABASE_URL"
            ) from error
        return cls(url, calls, platform, take_limit_s)

    async def close(self) -> None:
        """Let running calls end, for a while, and disconnect."""
        if self._announcing is not None:
            await self._announcing
        for connections in (self._calls, self._platform):
            await connections.close(CLOSE_LIMIT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def read(self, front_end: str, parts: str = "") -> Reading:
        """Return a session that takes a connection with its first statement; the database refuses it any write.

        parts: of the front end, such as `seller/17`: then it sees rows that are within them, and no other table.
        """
        return Reading(self._calls.take, self._calls.give, checked_code(front_end), parts and checked_parts(parts))

    async def write(self, front_end: str, claim: ports.Claim | None, parts: str = "") -> Write:
        """Begin a transaction and claim the key, in one round trip; parts: of the front end, that it is confined to.

        Raises AlreadyAnswered, KeyReused; and Unavailable where no connection is free in time.
        """
        calls, code = self._calls, checked_code(front_end)
        writing = Write(calls.take, calls.give, code, claim, self._announce_events, parts and checked_parts(parts))
        await writing.begin()
        return writing

    def step(self, front_end: str, saga: ports.Saga, version: int) -> Step:
        """Return the transaction of a saga's next step; it begins, and takes a connection, with its first statement."""
        return Step(self._calls.take, self._calls.give, checked_code(front_end), saga, version, self._announce_events)

    async def saga(self, front_end: str, claim: ports.Claim) -> ports.Superseded | None:
        """Return where a saga is; None where it has not begun. Raises KeyReused."""
        session = self.read(front_end)
        try:
            row = await session.fetch_row(FIND_SAGA, digest_of(front_end, claim.key), front_end)
        finally:
            await session.close()
        return None if row is None else standing(row, claim)

    @asynccontextmanager
    async def platform(self) -> AsyncGenerator[ports.Session]:
        """Give a session of the platform's own, over all front ends; each statement is committed by itself."""
        session = Statements(self._platform.take, self._platform.give)
        try:
            yield session
        finally:
            await session.close()

    @asynccontextmanager
    async def platform_transaction(self) -> AsyncGenerator[ports.Session]:
        """Give a transaction of the platform's own, over all front ends; committed where the block ends well."""
        session = Transaction(self._platform.take, self._platform.give)
        try:
            yield session
            await session.end()
        finally:
            await session.close()

    def _announce_events(self) -> None:
        """Wake the relays a moment after the commit, once for all commits of that moment; under load, less often."""
        if self._announcing is None or self._announcing.done():
            self._announcing = asyncio.create_task(self._announce_soon())

    async def _announce_soon(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(ANNOUNCE_AFTER_S, self._announced_at + ANNOUNCE_EVERY_S - loop.time()))
        self._announcing, self._announced_at = None, loop.time()
        with suppress(errors.IsthmusError):  # relays also look by themselves
            async with self.platform() as session:
                await session.execute(f"notify {EVENTS_CHANNEL}")


def _pool(url: str, connections_max: int, settings: dict[str, str], init: Callable[[Any], Awaitable[None]]) -> Any:
    return cast(Any, asyncpg).create_pool(
        url,
        min_size=1,
        max_size=connections_max,
        max_inactive_connection_lifetime=UNUSED_LIMIT_S,
        connection_class=TenantConnection,
        statement_cache_size=STATEMENTS_PREPARED_MAX,
        max_cached_statement_lifetime=0,
        server_settings=settings,
        init=init,
    )


async def _make_ready_for_calls(connection: Any) -> None:
    await _pass_json_as_bytes(connection)
    await connection.execute(f"{PREPARE_COMMIT};{PREPARE_SAGAS}")


async def _pass_json_as_bytes(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_to_jsonb, decoder=_from_jsonb
    )
    await connection.set_type_codec("json", schema="pg_catalog", format="binary", encoder=_to_json, decoder=bytes)


def _to_jsonb(value: bytes | str) -> bytes:
    return b"\x01" + _to_json(value)  # the version of PostgreSQL's binary form


def _to_json(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _from_jsonb(value: bytes) -> bytes:
    return value[1:]
