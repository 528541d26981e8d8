"""Write current rows in proportion to what changed, as the base and the deltas that `deltas.py` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from isthmus.data.model.columns import SQL_TYPES, quoted
from isthmus.later import later

from ..model.model import Entity
from .deltas import delta_of, latest_sql
from .lake import File, Lake, Manifest

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = later("duckdb")

NEW_BASE_AT: Final = 4  # a base is written anew when one in so many of its rows has changed
FILES_MAX: Final = 16  # files of one dataset before the small ones are put together


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
