"""A pack's own rows as files: one CSV for each table, as PostgreSQL's COPY writes and reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from isthmus.kernel import ports
from isthmus.store import connect

GRANTS: Final = "isthmus.row_grant"  # who may see whose rows: the part of it that is about the pack's tables
ORDER: Final = "tables.json"

Table = tuple[str, str, list[str]]  # schema, name, columns

# Tables of a schema; one that others point to comes before them.
_TABLES: Final = """
    with recursive mine as (
        select oid from pg_class
        where relnamespace = to_regnamespace($1) and relkind in ('r', 'p') and not relispartition
    ), depth as (
        select oid, 0 as level from mine
        union select c.conrelid, level + 1 from depth join pg_constraint c on c.confrelid = depth.oid
        where c.contype = 'f' and c.conrelid <> c.confrelid and level < 20
    )
    select n.nspname as schema, k.relname as name, max(level) as level, (
        select array_agg(attname::text order by attnum) from pg_attribute a
        where a.attrelid = k.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
    from depth join pg_class k using (oid) join pg_namespace n on n.oid = k.relnamespace
    where k.oid in (select oid from mine) group by k.oid, n.nspname, k.relname order by max(level), k.relname"""
_SEQUENCES: Final = """
    select pg_get_serial_sequence(t.name, attname) as sequence, attname::text as name
    from (select quote_ident($1) || '.' || quote_ident($2) as name) t
    join pg_attribute on attrelid = t.name::regclass and attnum > 0 and not attisdropped
    where pg_get_serial_sequence(t.name, attname) is not null"""


async def dump(url: str, schema: str, folder: Path) -> int:
    """Write the rows of a schema's tables into an empty folder, as of one moment; return how many files these are."""
    connection = await connect(url)
    try:
        await connection.execute("begin isolation level repeatable read read only")
        found = [(row["schema"], row["name"], list(row["columns"])) for row in await connection.fetch(_TABLES, schema)]
        for space, name, columns in found:
            query = f"select {_names(columns)} from {_quoted(space)}.{_quoted(name)}"
            await connection.copy_from_query(query, output=folder / f"{name}.csv", format="csv", header=True)
        if (grants := await _grants(connection, schema, folder)) is not None:
            found.append(("isthmus", "row_grant", grants))
        await connection.execute("commit")
    finally:
        await connection.close()
    _note(folder, found)
    return len(found)


async def load(url: str, folder: Path) -> None:
    """Load what `dump` wrote into empty tables, and have their numbers go on from there."""
    connection = cast(Any, await connect(url))
    try:
        async with connection.transaction():
            for space, name, columns in _noted(folder):
                await connection.copy_to_table(
                    name, source=folder / f"{name}.csv", schema_name=space, columns=columns, format="csv", header=True
                )
                await _count_on(connection, space, name)
    finally:
        await connection.close()


def _note(folder: Path, found: Sequence[Table]) -> None:
    (folder / ORDER).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _noted(folder: Path) -> Sequence[Table]:
    return json.loads((folder / ORDER).read_text(encoding="utf-8"))


async def _grants(connection: Any, schema: str, folder: Path) -> list[str] | None:
    query = (
        "select array_agg(attname::text order by attnum) from pg_attribute where attrelid = $1::regclass and attnum > 0"
    )
    columns: list[str] = await connection.fetchval(f"{query} and not attisdropped", GRANTS)
    chosen = f"select {_names(columns)} from {GRANTS} where starts_with(kind, '{schema}.')"
    await connection.copy_from_query(chosen, output=folder / "row_grant.csv", format="csv", header=True)
    return columns


async def _count_on(connection: Any, space: str, name: str) -> None:
    rows: Sequence[ports.Row] = await connection.fetch(_SEQUENCES, space, name)
    for row in rows:
        last = f"(select max({_quoted(row['name'])}) from {_quoted(space)}.{_quoted(name)})"
        await connection.execute(
            f"select setval($1::text::regclass, coalesce({last}, 1), {last} is not null)", row["sequence"]
        )


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(_quoted, columns))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
