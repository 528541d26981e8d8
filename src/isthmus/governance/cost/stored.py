"""What each front end keeps in the database, as PostgreSQL last sampled it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from isthmus.store import Database

# What PostgreSQL has sampled of each table: which share of the rows is whose. Counting all of them would cost what is
# to be measured here. Rows of a front end too rare to be among the most common values are in nobody's share.
_STORED: Final = """
    with guarded as (
        select c.oid, c.reltuples, n.nspname, c.relname from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'front_end' and not a.attisdropped
        where c.relkind in ('r', 'm') and c.reltuples > 0 and n.nspname not in ('console', 'pg_catalog'))
    select code as front_end, nspname as schema,
        round(sum(reltuples * share))::bigint as held, round(sum(pg_total_relation_size(oid) * share))::bigint as bytes
    from guarded g join pg_stats s on s.schemaname = g.nspname and s.tablename = g.relname and s.attname = 'front_end',
        unnest(s.most_common_vals::text::text[], s.most_common_freqs) as sampled (code, share)
    group by 1, 2"""
_ALL: Final = """
    select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a front end keeps in the database: rows and bytes with indexes, as last sampled."""

    rows: int = 0
    bytes: int = 0
    by_schema: Mapping[str, int]


async def stored(database: Database) -> dict[str, Stored]:
    """Return what each front end keeps in the database, recorded calls included."""
    async with database.platform() as session:
        found = await session.fetch(_STORED)
    return {
        code: Stored(
            rows=sum(one["held"] for one in found if one["front_end"] == code),
            bytes=sum(one["bytes"] for one in found if one["front_end"] == code),
            by_schema={one["schema"]: one["bytes"] for one in found if one["front_end"] == code},
        )
        for code in {one["front_end"] for one in found}
    }


async def stored_in_all(database: Database) -> int:
    """Return the bytes of all tables with their indexes, whoever's they are."""
    async with database.platform() as session:
        return await session.fetch_value(_ALL)
