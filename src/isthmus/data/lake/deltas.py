"""Current rows as a base and what changed since; `current.py` writes them.

    current/X   the base: all rows as they were when it was written, by key
    delta/X     all rows of each key that changed since, or that it is gone; the latest landing of a key counts

A reader takes the base without the keys that changed, and the latest rows of those. When a quarter of the base has
changed a new base is written, and the deltas begin anew: so each row that changes is written some five times at most.
Many small files become one as soon as there are too many, the newest first, so that no large file is written for a
few rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from isthmus.data.model.columns import quoted

from ..model.model import Entity

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
