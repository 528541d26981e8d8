"""Rows of scenarios."""

from __future__ import annotations

from datetime import datetime

from isthmus.kernel import decode, encode, ports

from .. import api

_COLUMNS = "version, content, state, tried, is_shadowed, made_by, made_at"
_PUT = f"""
insert into risk.scenario (front_end, version, content, state, made_by, made_at)
select $1, coalesce(max(version), 0) + 1, $2, 'draft', $3, $4 from risk.scenario where front_end = $1
returning {_COLUMNS}
"""
_GET = f"select {_COLUMNS} from risk.scenario where front_end = $1 and version = $2"
_LIST = f"select {_COLUMNS} from risk.scenario where front_end = $1 order by version desc limit 500"
_END_LIVE = "update risk.scenario set state = 'ended' where front_end = $1 and state = 'live'"
_RUN = f"""
update risk.scenario set state = $3, is_shadowed = is_shadowed or $3 = 'shadow'
where front_end = $1 and version = $2 returning {_COLUMNS}
"""
_TRIED = "update risk.scenario set tried = $3 where front_end = $1 and version = $2"
RUNNING = f"select front_end, {_COLUMNS} from risk.scenario where state in ('live', 'shadow') order by version"
_LOCK = "select pg_advisory_xact_lock(hashtext('risk.scenario'), hashtext($1))"


async def put(session: ports.Session, front_end: str, content: api.Content, by: str, now: datetime) -> api.Scenario:
    await session.execute(_LOCK, front_end)
    row = await session.fetch_row(_PUT, front_end, encode(content), by, now)
    assert row is not None
    return scenario(row)


async def get(session: ports.Session, front_end: str, version: int) -> api.Scenario:
    """Return a version. Raises UnknownScenario."""
    row = await session.fetch_row(_GET, front_end, version)
    if row is None:
        raise api.UnknownScenario(version=version)
    return scenario(row)


async def listed(session: ports.Session, front_end: str) -> list[api.Scenario]:
    return [scenario(row) for row in await session.fetch(_LIST, front_end)]


async def run(session: ports.Session, front_end: str, ask: api.RunScenario) -> api.Scenario:
    """Set the state of a version; of those that are live there is one."""
    await session.execute(_LOCK, front_end)
    if ask.state == "live":
        await session.execute(_END_LIVE, front_end)
    row = await session.fetch_row(_RUN, front_end, ask.version, ask.state)
    assert row is not None
    return scenario(row)


async def note_tried(session: ports.Session, front_end: str, version: int, tried: api.Tried) -> None:
    await session.execute(_TRIED, front_end, version, encode(tried))


def scenario(row: ports.Row) -> api.Scenario:
    return api.Scenario(
        version=row["version"],
        state=row["state"],
        content=decode(row["content"], api.Content),
        tried=decode(row["tried"], api.Tried) if row["tried"] else None,
        is_shadowed=row["is_shadowed"],
        made_by=row["made_by"],
        made_at=row["made_at"],
    )
