"""The log in PostgreSQL. Calls add to `pending` and read their own front end; the platform's own sessions see all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from isthmus.kernel import decode, ports

from . import api

PAGE: Final = 5_000  # entries read or moved at once: some 50 ms, and 15 MB where each is as long as it may be

ADD: Final = "insert into audit.pending (front_end, content) values ($1, $2)"
ADD_WITH_ROWS: Final = "select audit.add($1, $2)"
WATCH: Final = "select isthmus.watch($1, $2)"
# Entries of one front end, a line each: one statement for many takes PostgreSQL half the time of one for each.
ADD_LINES: Final = "insert into audit.pending (front_end, content) select $1, string_to_table($2, E'\\n')"
# A flow in steps that is refused has committed steps and what undid them: what these changed goes into its entry.
_ADD_MANY: Final = """
    with given as (
        select * from unnest($1::text[], $2::text[], $3::text[]) with ordinality as one (code, content, call, place)
    ), gone as (
        delete from isthmus.changed_row where call in (select call from given where call <> '') returning call, id, said
    ), noted as (
        select call, string_agg(said, ',' order by id) filter (where said <> '') as rows, bool_or(said = '') as has_more
        from gone group by call
    )
    insert into audit.pending (front_end, content)
    select code, case when rows is null then content else left(content, -1) || ',"rows":[' || rows || ']'
        || case when has_more then ',"rows_left_out":1' else '' end || '}' end
    from given left join noted using (call) order by place"""
_IS_PENDING: Final = "select exists (select from audit.pending)"
_LOCK: Final = "select pg_try_advisory_xact_lock(hashtextextended('audit.seal', 0))"
_TAKE: Final = f"select id, front_end, content from audit.pending order by id limit {PAGE}"
_HEAD: Final = "select size, at, root, frontier, key, signature from audit.head order by size desc limit 1"
_STANDING: Final = f"""
    select size, frontier, front_end, number, link
    from (select) as one
    left join ({_HEAD}) as newest on true
    left join (
        select code as front_end, e.number, e.link
        from unnest($1::text[]) as code
        cross join lateral (select number, link from audit.entry
                            where entry.front_end = code order by number desc limit 1) e) as ends on true"""
# Nobody waits for its rows, so it goes with the head and the commit.
_MOVE: Final = """
    with s as materialized (
        select * from json_to_recordset($1) as s (id bigint, position bigint, front_end text, number bigint,
            at timestamptz, call text, capability text, client text, person text, via text, outcome text, link text)
    ), gone as (
        delete from audit.pending using s where pending.id = s.id returning pending.id, pending.content)
    insert into audit.entry
        (position, front_end, number, at, call, capability, client, person, via, outcome, link, content)
    select s.position, s.front_end, s.number, s.at, s.call, s.capability, s.client, s.person, s.via, s.outcome,
           decode(s.link, 'hex'), gone.content
    from s join gone using (id) order by s.position"""
_ADD_HEAD: Final = "insert into audit.head (size, at, root, frontier, key, signature) values ($1, $2, $3, $4, $5, $6)"
_HEADS: Final = "select size, at, root, key, signature from audit.head where size > $1 order by size limit $2"
_READ: Final = f"""
    select position, front_end, number, at, call, capability, client, person, via, outcome, content, link
    from audit.entry where position >= $1 order by position limit {PAGE}"""
_LINKS: Final = "select link from audit.links($1, $2)"
_LIST: Final = """
    select position, number, link, content from audit.entry
    where front_end = $1 and number < $2
        and ($3 = '' or call = $3) and ($4 = '' or capability = $4) and ($5 = '' or client = $5)
        and ($6 = '' or person = $6) and ($7 = '' or outcome = $7 or ($7 = 'refused' and outcome <> 'done'))
        and ($8::timestamptz is null or at >= $8) and ($9::timestamptz is null or at < $9)
        and ($10 = '' or client <> $10)
    order by number desc limit $11"""
_ONE: Final = "select position, number, link, content from audit.entry where front_end = $1 and number = $2"
_CUT: Final = """
    update audit.entry set content = null where front_end = $1 and number <= $2 and content is not null"""
_CUT_AT: Final = """
    select max(number) from audit.entry where front_end = $1 and sealed_at < $2 and content is not null"""
_FORGET_ROWS: Final = "delete from isthmus.changed_row where at < now() - interval '1 day'"

_FRONT_ENDS: Final = """
    with recursive found as (
        (select front_end from audit.entry order by front_end limit 1)
        union all
        select (select e.front_end from audit.entry e where e.front_end > found.front_end order by 1 limit 1)
        from found where found.front_end is not null)
    select front_end from found where front_end is not null"""

Row = ports.Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The tree as far as it has grown, and where each front end's chain ends."""

    size: int
    frontier: Sequence[bytes]
    ends: dict[str, tuple[int, bytes]]  # number and link of the last entry, where there is one


async def add_many(session: ports.Session, found: Sequence[tuple[str, str, str]]) -> None:
    """Write entries of several front ends: where, what, and the call whose rows were noted, of flows in steps."""
    await session.execute(_ADD_MANY, *(list(column) for column in zip(*found, strict=True)))


async def is_pending(session: ports.Session) -> bool:
    """Say whether an entry is committed and not sealed."""
    return await session.fetch_value(_IS_PENDING)


async def take(session: ports.Session) -> Sequence[Row]:
    """Return entries that are committed and not sealed; the lock keeps others from sealing until the transaction ends.

    Returns none where another process is at it. The lock is a statement of its own, so that what is read afterwards is
    what was there when it was given.
    """
    return await session.fetch(_TAKE) if await session.fetch_value(_LOCK) else ()


async def standing(session: ports.Session, front_ends: Sequence[str]) -> Standing:
    """Return what the next entries of these front ends follow."""
    rows = await session.fetch(_STANDING, front_ends)
    ends = {row["front_end"]: (row["number"], row["link"]) for row in rows if row["front_end"] is not None}
    return Standing(size=rows[0]["size"] or 0, frontier=rows[0]["frontier"] or (), ends=ends)


async def move(session: ports.Session, sealed: bytes) -> None:
    """Give pending entries their places, with what is sent next; `sealed` is JSON."""
    await session.later(_MOVE, sealed)


async def count_pending(session: ports.Session) -> int:
    """Return how many entries are committed and not sealed."""
    return await session.fetch_value("select count(*) from audit.pending")


async def head(session: ports.Session) -> Row | None:
    return await session.fetch_row(_HEAD)


async def add_head(session: ports.Session, head: api.Head, root: bytes, frontier: Sequence[bytes]) -> None:
    """Write a head, with what is sent next."""
    signature = bytes.fromhex(head.signature)
    await session.later(_ADD_HEAD, head.size, head.at, root, list(frontier), head.key, signature)


async def heads(session: ports.Session, after: int, limit: int) -> Sequence[Row]:
    """Return heads of more than `after` entries, in order."""
    return await session.fetch(_HEADS, after, limit)


async def read_all(session: ports.Session, after: int = 0) -> AsyncIterator[Row]:
    """Yield all entries in the order of the tree."""
    position = after
    while rows := await session.fetch(_READ, position):
        for row in rows:
            yield row
        position = rows[-1]["position"] + 1


async def links(session: ports.Session, first: int, end: int) -> list[bytes]:
    """Return the links of entries of all front ends by position, `end` not with them."""
    return [row["link"] for row in await session.fetch(_LINKS, first, end)]


async def list_entries(session: ports.Session, front_end: str, ask: api.ListEntries, before: int) -> list[api.Entry]:
    """Return one entry more than is asked for, where there are so many."""
    by = (ask.call, ask.capability, ask.client, ask.person, ask.outcome, ask.since, ask.until, ask.without_client)
    return [entry(row) for row in await session.fetch(_LIST, front_end, before, *by, ask.limit + 1)]


async def find(session: ports.Session, front_end: str, number: int) -> api.Entry | None:
    row = await session.fetch_row(_ONE, front_end, number)
    return None if row is None else entry(row)


async def front_ends(session: ports.Session) -> Sequence[Row]:
    """Return the front ends that have entries."""
    return await session.fetch(_FRONT_ENDS)


async def last_before(session: ports.Session, front_end: str, at: Any) -> int | None:
    """Return the number of the last entry before a moment that still has its content."""
    return await session.fetch_value(_CUT_AT, front_end, at)


async def forget_rows(session: ports.Session) -> None:
    """Take away what was noted for flows that were given up; an entry takes what was noted for it."""
    await session.execute(_FORGET_ROWS)


async def cut(session: ports.Session, front_end: str, through: int) -> None:
    """Take the content of a front end's entries up to a number; their links stay."""
    await session.execute(_CUT, front_end, through)


async def covered(session: ports.Session, address: str) -> int:
    """Return how far a receiver of heads has got them."""
    return await session.fetch_value("select coalesce(max(size), 0) from audit.receiver where address = $1", address)


async def note_covered(session: ports.Session, address: str, size: int) -> None:
    await session.execute(
        """insert into audit.receiver (address, size) values ($1, $2)
           on conflict (address) do update set size = excluded.size""",
        address,
        size,
    )


def entry(row: Row) -> api.Entry:
    """Return an entry as its capability gives it."""
    content = row["content"]
    record = None if content is None else decode(content.encode(), api.Record)
    return api.Entry(position=row["position"], number=row["number"], link=row["link"].hex(), record=record)


def head_of(row: Row) -> api.Head:
    return api.Head(
        size=row["size"],
        at=row["at"],
        root=row["root"].hex(),
        key=row["key"],
        signature=row["signature"].hex(),
    )
