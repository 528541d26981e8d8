"""Current rows as a base and what changed since, so that a landing writes in proportion to what changed.

    current/X   the base: all rows as they were when it was written, by key
    delta/X     all rows of each key that changed since, or that it is gone; the latest landing of a key counts

A reader takes the base without the keys that changed, and the latest rows of those. When a quarter of the base has
changed a new base is written, and the deltas begin anew: so each row that changes is written some five times at most.
Many small files become one as soon as there are too many, the newest first, so that no large file is written for a
few rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import duckdb

from isthmus.data.model.columns import SQL_TYPES, quoted

from ..model.model import Entity

if TYPE_CHECKING:
    from .lake import File, Lake, Manifest

NEW_BASE_AT: Final = 4  # a base is written anew when one in so many of its rows has changed
FILES_MAX: Final = 16  # files of one dataset before the small ones are put together
DELTA_COLUMNS: Final[Mapping[str, str]] = {"lake_op": "varchar", "lake_batch": "bigint"}


def delta_of(entity: Entity) -> str:
    return f"delta/{entity.name}"


def current_sql(entity: Entity, base: str, delta: str) -> str:
    """Return SQL of an entity's rows as they are, of its base and its deltas; an empty delta is an empty text."""
    listed = ", ".join(quoted(name) for name in entity.fields)
    if not delta:
        return f"select {listed} from {base}"
    same = " and ".join(f"b.{quoted(part)} is not distinct from d.{quoted(part)}" for part in entity.key)
    rows = ", ".join(f"b.{quoted(name)}" for name in entity.fields)
    return (
        f"select {rows} from {base} as b where not exists (select 1 from {delta} as d where {same}) "
        f"union all select {listed} from ({latest_sql(entity, delta)}) where lake_op = 'put'"
    )


def latest_sql(entity: Entity, delta: str) -> str:
    """Return SQL of the rows of each key that landed last: several where the key is not unique."""
    key = ", ".join(map(quoted, entity.key))
    return (
        f"select * exclude (place) from (select *, rank() over (partition by {key} order by lake_batch desc) as place "
        f"from {delta}) where place = 1"
    )


def write_current(
    lake: Lake, connection: duckdb.DuckDBPyConnection, before: Manifest, entity: Entity, number: int
) -> dict[str, tuple[File, ...]]:
    """Write what changed of an entity's rows, out of `arrived`, `changed` and `gone`; return its datasets anew."""
    base, deltas = before.datasets.get(f"current/{entity.name}", ()), before.datasets.get(delta_of(entity), ())
    listed = ", ".join(quoted(name) for name in entity.fields)
    key = ", ".join(map(quoted, entity.key))
    rest = ", ".join(
        quoted(name) if name in entity.key else f"cast(null as {SQL_TYPES[field.kind]}) as {quoted(name)}"
        for name, field in entity.fields.items()
    )
    same = " and ".join(f"c.{quoted(part)} is not distinct from a.{quoted(part)}" for part in entity.key)
    written = (
        f"select 'put' as lake_op, cast({number} as bigint) as lake_batch, {listed} from arrived as a "
        f"where exists (select 1 from changed as c where {same}) union all "
        f"select 'delete', cast({number} as bigint), {rest} from (select distinct {key} from gone)"
    )
    count = connection.execute(f"select count(*) from ({written})").fetchone()
    rows = (int(count[0]) if count else 0) + sum(file.rows for file in deltas)
    if rows * NEW_BASE_AT > sum(file.rows for file in base):
        file = lake.write(connection, f"select {listed} from arrived order by {key}")
        return {f"current/{entity.name}": (file,) if file else (), delta_of(entity): ()}
    file = lake.write(connection, written)
    return {delta_of(entity): (*deltas, file) if file else deltas}


def put_together(lake: Lake, files: Sequence[File], entity: Entity | None = None) -> tuple[File, ...]:
    """Return files with the newest small ones as one, in their order; readers of earlier states keep those.

    Of an entity's deltas only what landed last of each key is kept.
    """
    if len(files) <= FILES_MAX:
        return tuple(files)
    first = len(files) - 1
    rows = files[first].rows
    while first > 0 and files[first - 1].rows <= 2 * rows:
        first -= 1
        rows += files[first].rows
    first = min(first, FILES_MAX // 2)  # each larger than all after it together: then half of them anyway
    scanned = lake.scan_files(files[first:])
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        one = lake.write(connection, latest_sql(entity, scanned) if entity else f"select * from {scanned}")
    return (*files[:first], one) if one else tuple(files[:first])
