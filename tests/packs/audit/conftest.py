"""A platform of inventory and audit on a fresh database, and somebody who edits that by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from isthmus.kernel import Caller, FrontEnd, Platform, ports
from isthmus.packs.audit import api
from isthmus.packs.audit.pack import PACK
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.audit.service.keys import public_key
from isthmus.packs.audit.service.publish import HeadsFile
from isthmus.packs.audit.service.seal import Sealer
from isthmus.packs.audit.service.verify import Finding, Report, verify
from isthmus.packs.inventory import api as inventory
from isthmus.packs.inventory.pack import PACK as INVENTORY
from isthmus.store import Database

USES = ("inventory.*", "audit.*")
NORTH = Caller(front_end="north", client="till", person="ada", roles=("operator",), via="http")
SOUTH = Caller(front_end="south", client="till", via="http")


@dataclass(frozen=True, slots=True)
class Log:
    """A platform whose commands are written down, and what an auditor and an intruder do with that."""

    platform: Platform
    database: Database
    sealer: Sealer
    file: Path

    async def receive(self, reference: str, caller: Caller = NORTH, units: int = 1) -> None:
        receipt = inventory.Receipt(sku="tea", location="shop", quantity=units)
        ask = inventory.Receive(reference=reference, lines=(receipt,))
        await self.platform.call(inventory.receive, ask, caller)

    async def entries(self, caller: Caller = NORTH, **by: Any) -> list[api.Entry]:
        """Return the sealed entries, the first first."""
        await self.sealer.seal()
        page = await self.platform.call(api.list_entries, api.ListEntries(limit=200, **by), caller)
        return list(reversed(page.items))

    async def by_hand(self, *statements: str) -> None:
        """Edit the database as its superuser."""
        connection = await asyncpg.connect(self.database.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def verified(self, *, is_published: bool = True) -> Report:
        async with self.database.platform() as session:
            lines = self.file if is_published else None
            return await verify(session, lines=lines, key=public_key(self.sealer.key_file))

    async def finding(self, *, is_published: bool = True) -> Finding | None:
        return (await self.verified(is_published=is_published)).finding


@pytest.fixture
async def log(
    make_platform: Callable[..., Awaitable[Platform]], database_url: str, tmp_path: Path
) -> AsyncIterator[Log]:
    async with await Database.open(database_url) as database:
        front_ends = [FrontEnd(code=code, name=code, owner=code, uses=USES) for code in ("north", "south")]
        journal = Journal(database)
        platform = await make_platform(PACK, INVENTORY, *front_ends, resources={ports.Journal: journal})
        file = tmp_path / "heads.jsonl"
        sealer = Sealer(database, key=tmp_path / "key.pem", receiver=HeadsFile(file))
        yield Log(platform, database, sealer, file)
