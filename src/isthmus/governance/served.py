"""Remember the contracts that were served, so that what is to be served next can be compared with them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from isthmus.kernel import Value
from isthmus.store import Database, MigrationSource

from .contracts import Contracts, read, written

MIGRATIONS: Final = MigrationSource.of_pack("governance", "isthmus.governance:migrations")

_REMEMBER: Final = """
insert into governance.contracts (digest, contracts) values ($1, $2)
on conflict (digest) do update set last_served_at = now()
"""
_HISTORY: Final = """
select digest, first_served_at, last_served_at from governance.contracts
order by first_served_at desc, digest limit $1
"""
_OF: Final = "select contracts from governance.contracts where digest = $1"
_LAST: Final = "select contracts from governance.contracts order by last_served_at desc limit 1"


class Served(Value):
    """Contracts that were served: by which digest they are kept, since when and until when."""

    digest: bytes
    first_at: datetime
    last_at: datetime


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


async def history(database: Database, limit: int) -> list[Served]:
    """Return which contracts were served when, the latest first."""
    async with database.platform() as session:
        rows = await session.fetch(_HISTORY, limit)
    return [
        Served(digest=row["digest"], first_at=row["first_served_at"], last_at=row["last_served_at"]) for row in rows
    ]


async def of(database: Database, digest: bytes) -> Contracts:
    """Return the contracts of a digest that `history` gave."""
    async with database.platform() as session:
        return read((await session.fetch_value(_OF, digest)).encode())
