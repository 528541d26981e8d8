"""What may be done to a database's tables by whom: `store/tables.py` has the rule as a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from isthmus.runtime.deploy.loading import Load, front_end_folders
from isthmus.store import MigrationSource, check_tables, embedded, front_end_source, migrate
from isthmus.store.tables import no_tables

from .config import Config

Allowed = Literal["check", "serve", "migrate"]


def of_folders(config: Config, load: Load) -> list[MigrationSource]:
    """Return the migrations of the configured folder's front ends: each its own tables."""
    return [
        front_end_source(load(folder).code, folder / "migrations")
        for folder in front_end_folders(config.front_ends)
        if config.isolation_of(folder).mode == "inline"  # who answers elsewhere has no statements here
        and (folder / "migrations").is_dir()
    ]


@asynccontextmanager
async def database_of(config: Config) -> AsyncGenerator[str]:
    """Give the address of the configured database, or of the embedded one, which is started and in the end stopped."""
    if config.database_url:
        yield config.database_url
        return
    server = await asyncio.to_thread(embedded.start, config.data)
    keeping_alive = asyncio.create_task(embedded.keep_alive(server))
    try:
        yield server.url
    finally:
        keeping_alive.cancel()
        await asyncio.to_thread(server.stop)


def check_database(config: Config, allowed: Allowed) -> None:
    """Raise NoTables where a command that makes none would make an embedded server to look into."""
    if allowed == "check" and not config.database_url and not embedded.is_made(config.data):
        raise no_tables()


async def bring(url: str, config: Config, sources: Sequence[MigrationSource], allowed: Allowed) -> None:
    """Bring a database to the shape that the code expects, as far as that is allowed.

    A server makes the tables of an empty database, and migrates an embedded one, which is its own; what somebody
    configured may have other servers on it, and a backup to be made first.
    """
    if allowed == "check":
        await check_tables(url, sources)
    else:
        await migrate(url, sources, only_empty=allowed == "serve" and config.database_url is not None)
