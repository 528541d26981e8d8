"""What of the lake is shown under names of its own: events with their fields as columns, and the history of rows."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.data.model.columns import SQL_TYPES, history_of, quoted, table_name

from ..model.model import Entity, FieldKind


def event_view(name: str, columns: Mapping[str, FieldKind]) -> str:
    """Return a view that shows an event's fields as columns, beside what its envelope says."""
    fields = ", ".join(
        f"cast(json_extract_string(data, '$.{field}') as {SQL_TYPES[kind]}) as {quoted(field)}"
        for field, kind in columns.items()
        if field not in ("event_id", "event_time", "event_front_end")
    )
    return (
        f"create view events.{quoted(name)} as select id as event_id, time as event_time, "
        f"front_end as event_front_end, {fields} from lake.events where type = '{name}'"
    )


def history_view(entity: Entity, changes: str) -> str:
    """Return a view that shows from when to when each row was so."""
    key = ", ".join(map(quoted, entity.key))
    listed = ", ".join(map(quoted, entity.fields))
    return (
        f"create view {table_name(history_of(entity.table))} as select {listed}, lake_at as valid_from, valid_to from ("
        f"select *, lead(lake_at) over (partition by {key} order by lake_batch) as valid_to from {changes}) "
        "where lake_op = 'put'"
    )
