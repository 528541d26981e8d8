"""A platform of a few packs on a fresh database, for the tests of packs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from isthmus.kernel import FrontEnd, Pack, Platform, Registry
from isthmus.store import Database, MigrationSource, migrate
from tests import shipped

MIGRATED = {pack.migrations for pack in shipped.PACKS}  # a test's database has their tables
MakePlatform = Callable[..., Awaitable[Platform]]


@pytest.fixture
async def make_platform(database_url: str) -> AsyncIterator[MakePlatform]:
    """Give what builds a platform of packs and front ends, all on one fresh database with their tables."""
    opened: list[Database] = []

    async def make(*parts: Pack | FrontEnd, **options: object) -> Platform:
        release = Registry().add(*parts).freeze()
        new = [part for part in parts if isinstance(part, Pack) and part.migrations not in MIGRATED and part.migrations]
        if new:
            await migrate(database_url, [MigrationSource.of_pack(pack.name, pack.migrations) for pack in new])
        opened.append(await Database.open(database_url))
        return Platform(release, opened[-1], **options)  # pyright: ignore[reportArgumentType]

    yield make
    for database in opened:
        await database.close()
