"""A transaction that has begun, and holds its key, with no statement yet: a call begins with its first one."""

from __future__ import annotations

from isthmus.kernel import ports
from isthmus.store import Database
from isthmus.store.writing import Write


async def begun(database: Database, front_end: str, claim: ports.Claim | None = None, parts: str = "") -> Write:
    writing = await database.write(front_end, claim, parts)
    try:
        await writing.begin()
    except BaseException:
        await writing.close()
        raise
    return writing
