"""SQL of flags: what holds, what was changed, who met what and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from isthmus.kernel import decode, encode, ports

from . import api
from .rules.statistics import Seen

CHANNEL: Final = "isthmus_flags"

_SNAPSHOT: Final = """
    select c.version, c.channel,
        coalesce((select json_agg(json_build_object('key', f.key, 'body', f.body) order by f.key)
                  from flags.flag f where f.front_end = c.front_end), '[]') as flags
    from flags.config c where c.front_end = $1"""
_CONFIG: Final = "insert into flags.config (front_end) values ($1) on conflict do nothing"
_NEXT_VERSION: Final = f"""
    with one as (
        insert into flags.config as old (front_end, version) values ($1, 1)
        on conflict (front_end) do update set version = old.version + 1, changed_at = now() returning version
    )
    select version, pg_notify('{CHANNEL}', $1)::text from one"""
_STATES: Final = """
    select f.*, (select count(*) from flags.change c
        where c.front_end = f.front_end and c.key = f.key and c.state = 'waiting') as waiting
    from flags.flag f where front_end = $1 and ($2::text is null or key = $2) order by key"""
_PUT: Final = """
    insert into flags.flag (front_end, key, body, version, author, next_at) values ($1, $2, $3, $4, $5, $6)
    on conflict (front_end, key) do update set body = excluded.body, version = excluded.version,
        author = excluded.author, changed_at = now(), next_at = excluded.next_at"""
_ADD_CHANGE: Final = """
    insert into flags.change (front_end, key, what, body, based_on, note, state, author, decided_at, version)
    values ($1, $2, $3, $4, $5, $6, $7, $8, case when $7 = 'applied' then now() end, $9) returning *"""
_DECIDE: Final = """
    update flags.change set state = $3, decided_by = $4, decided_at = now(), version = $5,
        note = case when $6 = '' then note else note || case when note = '' then '' else E'\\n' end || $6 end
    where front_end = $1 and number = $2 returning *"""
_CHANGES: Final = """
    select * from flags.change
    where front_end = $1 and ($2::text is null or key = $2) and ($3::text is null or state = $3)
        and ($4::bigint is null or number < $4)
    order by number desc limit $5"""
_DUE: Final = "select * from flags.flag where front_end = $1 and next_at <= now() order by key for update"
_EXPOSE: Final = """
    insert into flags.exposure (front_end, flag, experiment, subject, variant, exposed_at)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
    on conflict (front_end, flag, experiment, subject) do nothing"""
_OUTCOMES: Final = """
    insert into flags.outcome (front_end, flag, experiment, event_id, subject, variant, value, happened_at)
    select e.front_end, e.flag, e.experiment, o.event_id, e.subject, e.variant, o.value, o.at
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::timestamptz[])
        as o (front_end, flag, experiment, event_id, subject, value, at)
    join flags.exposure e using (front_end, flag, experiment, subject)
    where e.exposed_at <= o.at on conflict (front_end, flag, experiment, event_id) do nothing"""
_SEEN: Final = """
    select e.variant, count(*) as exposed, count(o.subject) as reached, coalesce(sum(o.total), 0) as total,
        coalesce(sum(o.total * o.total), 0) as squares, min(e.exposed_at) as first_at
    from flags.exposure e left join (
        select subject, sum(value) as total from flags.outcome
        where front_end = $1 and flag = $2 and experiment = $3 group by subject) o using (subject)
    where e.front_end = $1 and e.flag = $2 and e.experiment = $3 group by e.variant"""


async def snapshot(session: ports.Session, front_end: str) -> ports.Row:
    """Return the version of a front end's flags with all of them, as one moment of the database has them."""
    if (row := await session.fetch_row(_SNAPSHOT, front_end)) is None:
        await session.execute(_CONFIG, front_end)
        row = await session.fetch_row(_SNAPSHOT, front_end)
        assert row is not None
    return row


async def versions(session: ports.Session, front_ends: Sequence[str]) -> dict[str, int]:
    sql = "select front_end, version from flags.config where front_end = any ($1)"
    return {row["front_end"]: row["version"] for row in await session.fetch(sql, list(front_ends))}


async def front_end_of(session: ports.Session, channel: str) -> str | None:
    return await session.fetch_value("select front_end from flags.config where channel = $1", channel)


async def next_version(session: ports.Session, front_end: str) -> int:
    """Count the front end's version up and say so to all servers at the commit; others wait until this one ends."""
    return await session.fetch_value(_NEXT_VERSION, front_end)


async def version(session: ports.Session, front_end: str) -> int:
    sql = "select version from flags.config where front_end = $1"
    return await session.fetch_value(sql, front_end) or 0


async def lock(session: ports.Session, front_end: str) -> None:
    """Let no other change of the front end's flags come between."""
    await session.execute(_CONFIG, front_end)
    await session.fetch_value("select 1 from flags.config where front_end = $1 for update", front_end)


async def states(session: ports.Session, front_end: str, key: str | None = None) -> list[api.FlagState]:
    return [
        api.FlagState(
            flag=decode(row["body"], api.Flag),
            version=row["version"],
            changed_at=row["changed_at"],
            author=row["author"],
            waiting=row["waiting"],
        )
        for row in await session.fetch(_STATES, front_end, key)
    ]


async def put(session: ports.Session, front_end: str, flag: api.Flag, number: int, author: str) -> None:
    next_at = min((step.at for step in flag.schedule), default=None)
    await session.execute(_PUT, front_end, flag.key, encode(flag), number, author, next_at)


async def delete(session: ports.Session, front_end: str, key: str) -> None:
    await session.execute("delete from flags.flag where front_end = $1 and key = $2", front_end, key)


async def add_change(
    session: ports.Session, front_end: str, key: str, what: str, flag: api.Flag | None, based_on: int, note: str,
    author: str, applied: int | None,
) -> api.FlagChange:  # fmt: skip
    body, state = None if flag is None else encode(flag), "waiting" if applied is None else "applied"
    arguments = (front_end, key, what, body, based_on, note, state, author, applied)
    row = await session.fetch_row(_ADD_CHANGE, *arguments)
    assert row is not None
    return _change(row)


async def waiting(session: ports.Session, front_end: str, number: int) -> tuple[api.FlagChange, int]:
    """Return a change that waits, held, and the version that it was made on. Raises UnknownChange, ChangeClosed."""
    sql = "select * from flags.change where front_end = $1 and number = $2 for update"
    if (row := await session.fetch_row(sql, front_end, number)) is None:
        raise api.UnknownChange(number=number)
    if row["state"] != "waiting":
        raise api.ChangeClosed(number=number, state=row["state"])
    return _change(row), row["based_on"]


async def decide(
    session: ports.Session, front_end: str, number: int, state: str, by: str, applied: int | None, note: str
) -> api.FlagChange:
    row = await session.fetch_row(_DECIDE, front_end, number, state, by, applied, note)
    assert row is not None
    return _change(row)


async def changes(session: ports.Session, front_end: str, ask: api.ListFlagChanges) -> list[api.FlagChange]:
    """Return one more than was asked for, where there is one."""
    state = None if ask.state is None else ask.state.value
    rows = await session.fetch(_CHANGES, front_end, ask.key, state, ask.before, ask.limit + 1)
    return [_change(row) for row in rows]


async def due(session: ports.Session, front_end: str) -> tuple[list[api.Flag], datetime]:
    """Return the flags of which a step is due, held, and the database's time."""
    rows = await session.fetch(_DUE, front_end)
    now = await session.fetch_value("select now()")
    return [decode(row["body"], api.Flag) for row in rows], now


async def expose(session: ports.Session, rows: Sequence[tuple[str, str, str, str, str, datetime]]) -> None:
    """Note who met which variant, where they are not noted: front end, flag, experiment, subject, variant, time."""
    await session.execute(_EXPOSE, *(list(column) for column in zip(*rows, strict=True)))


async def add_outcomes(session: ports.Session, rows: Sequence[tuple[Any, ...]]) -> None:
    """Note what came of it: front end, flag, experiment, event, subject, value, time; of who was exposed before."""
    await session.execute(_OUTCOMES, *(list(column) for column in zip(*rows, strict=True)))


async def seen(
    session: ports.Session, front_end: str, flag: str, experiment: str
) -> tuple[dict[str, Seen], datetime | None]:
    rows = await session.fetch(_SEEN, front_end, flag, experiment)
    found = {
        row["variant"]: Seen(exposed=row["exposed"], reached=row["reached"], total=row["total"], squares=row["squares"])
        for row in rows
    }
    return found, min((row["first_at"] for row in rows), default=None)


async def forget(session: ports.Session, front_end: str, subjects: Sequence[str]) -> None:
    for table in ("exposure", "outcome"):
        await session.execute(
            f"delete from flags.{table} where front_end = $1 and subject = any ($2)", front_end, list(subjects)
        )


def _change(row: ports.Row) -> api.FlagChange:
    return api.FlagChange(
        number=row["number"],
        key=row["key"],
        what=row["what"],
        flag=None if row["body"] is None else decode(row["body"], api.Flag),
        note=row["note"],
        state=api.ChangeState(row["state"]),
        author=row["author"],
        made_at=row["made_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        version=row["version"],
    )
