"""A pack's tables to try the store on: `shelf.item` guarded, `shelf.place` shared, `shelf.forgotten` neither."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from isthmus.store import Database, MigrationSource, migrate

SHELF = MigrationSource(pack="shelf", schema="shelf", folder=Path(__file__).parent / "shelf_migrations")


@pytest.fixture
async def shelf(database_url: str) -> AsyncIterator[Database]:
    """Give a database with the shelf's tables and an item of stock 10 for north and south."""
    await migrate(database_url, [SHELF])
    async with await Database.open(database_url, connections_max=8) as database:
        async with database.platform() as session:
            await session.execute(
                "insert into shelf.item (front_end, sku, stock) values ('north', 'tea', 10), ('south', 'tea', 10)"
            )
        yield database
