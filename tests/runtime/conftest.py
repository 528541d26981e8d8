"""Two nodes that run on one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from isthmus.runtime.deploy import rollout as switches
from isthmus.store import Database
from tests.waiting import until

from .deployed import Node


@pytest.fixture
async def nodes(database: Database, tmp_path: Path) -> AsyncIterator[list[Node]]:
    """Give two running nodes, each with a cache of its own."""
    made = [Node(database, tmp_path / f"cache-{number}") for number in range(2)]
    tasks = [asyncio.create_task(node.follower.run()) for node in made]
    await are_seen(database, len(made))
    yield made
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def are_seen(database: Database, count: int) -> None:
    async def look() -> bool:
        async with database.platform() as session:
            return await session.fetch_value(switches._COUNT) == count

    await until(look, "that the nodes are seen")
