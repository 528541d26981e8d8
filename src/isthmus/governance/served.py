"""Remember the contracts that were served, so that what is to be served next can be compared with them."""

from __future__ import annotations

import hashlib
from typing import Final

from isthmus.store import Database, MigrationSource

from .contracts import Contracts, read, written

MIGRATIONS: Final = MigrationSource.of_pack("governance", "isthmus.governance:migrations")

_REMEMBER: Final = """
insert into governance.contracts (digest, contracts) values ($1, $2)
on conflict (digest) do update set last_served_at = now()
"""
_LAST: Final = "select contracts from governance.contracts order by last_served_at desc limit 1"


async def remember(database: Database, contracts: Contracts) -> None:
    """Keep what is served now; the same contracts are kept once."""
    text = written(contracts)
    async with database.platform() as session:
        await session.execute(_REMEMBER, hashlib.sha256(text).digest(), text.decode())


async def last_served(database: Database) -> Contracts | None:
    """Return the contracts that were served last, or None where none were."""
    async with database.platform() as session:
        text = await session.fetch_value(_LAST)
    return None if text is None else read(text.encode())
