"""Reports that take a while to make, kept by their kind: pages show the last one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeVar

from isthmus.kernel import Value, decode, encode
from isthmus.store import Database

V = TypeVar("V", bound=Value)

_KEEP: Final = """
    insert into governance.report (kind, at, report) values ($1, $2, $3)
    on conflict (kind, at) do update set report = excluded.report"""
_LAST: Final = "select report from governance.report where kind = $1 order by at desc limit 1"


async def keep(database: Database, kind: str, at: datetime, report: Any) -> None:
    """Keep a report."""
    async with database.platform() as session:
        await session.execute(_KEEP, kind, at, encode(report).decode())


async def last(database: Database, kind: str, of: type[V]) -> V | None:
    """Return the report of a kind that was kept last, or None."""
    async with database.platform() as session:
        found = await session.fetch_value(_LAST, kind)
    return None if found is None else decode(found.encode(), of)
