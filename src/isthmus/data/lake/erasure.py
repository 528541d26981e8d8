"""Erase a person from the lake: current rows, history, events and quarantine are written anew, old states dropped.

The row stays, so that counts and sums stay; what says who it was goes. Erase in the business first: what is still
there lands again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast, get_args, get_origin, get_type_hints

import duckdb
import msgspec
import pyarrow as pa

from isthmus.data.model.columns import quoted
from isthmus.kernel import Value, encode
from isthmus.markings import Pii, Ref

from ..model import front_end_events
from ..model.marks import marks_of
from ..model.model import Entity
from .lake import (
    CHANGE_COLUMNS,
    EVENT_COLUMNS,
    EVENTS,
    QUARANTINE,
    QUARANTINE_COLUMNS,
    File,
    Lake,
    Manifest,
    changes_of,
    current_of,
    entity_columns,
    rows_of,
)

ERASED: Final = "erased"


class Erasure(Value):
    """What one erasure rewrote: rows by dataset; and the state that holds none of it any more."""

    snapshot: str
    rewritten: dict[str, int]


def erase(lake: Lake, entity: str, key: Mapping[str, object], now: datetime) -> Erasure:
    """Take out of the lake what says who one row of an entity is, there and in all that refers to it.

    All earlier states are dropped with their files: receipts of them say why they can't be read. Raises Conflict
    where another process landed meanwhile; nothing is changed then.
    """
    before = lake.head()
    connection = lake.connect(before)
    try:
        datasets: dict[str, list[File]] = {name: list(files) for name, files in before.datasets.items()}
        rewritten: dict[str, int] = {}
        for one, condition in _holders(lake, entity, key):
            changes = {**CHANGE_COLUMNS, **entity_columns(one)}
            for dataset, columns in ((current_of(one), entity_columns(one)), (changes_of(one), changes)):
                scan = lake.scan(before, dataset, columns)
                _rewrite(
                    lake, connection, datasets, rewritten, dataset, scan, condition, _blanked(one, columns, condition)
                )
        values = {str(value) for name, value in key.items() if name != "front_end"}
        _rewrite_events(lake, connection, before, datasets, rewritten, entity, values)
        _rewrite_quarantine(lake, connection, before, datasets, rewritten, values)
        manifest = lake.commit(before, before.position, datasets, now)
    finally:
        connection.close()
    lake.drop_before(manifest.number, f"rewritten on {now:%Y-%m-%d} to erase a person", rubbish_age_s=0)
    return Erasure(snapshot=manifest.name, rewritten=rewritten)


def _holders(lake: Lake, name: str, key: Mapping[str, object]) -> Iterator[tuple[Entity, str]]:
    """Yield each entity with personal data of the erased row, with the condition of its rows.

    What front ends say of the row by attributes of their own may be personal, whatever they are marked as.
    """
    entity = lake.model.entity(name)
    if "attributes" in entity.fields or any(field.pii for field in entity.fields.values()):
        yield entity, " and ".join(_is(field, key[field]) for field in entity.key)
    for reference in lake.model.references_to(name):
        source = lake.model.entity(reference.source)
        if source.name != name and any(field.pii for field in source.fields.values()):
            yield source, " and ".join(_is(own, key[there]) for own, there in reference.pairs)


def _is(field: str, value: object) -> str:
    text = str(value).replace("'", "''")
    return f"cast({quoted(field)} as varchar) = '{text}'"


def _blanked(entity: Entity, columns: Mapping[str, str], condition: str) -> str:
    """Return the columns, those with personal data blanked where the condition holds."""
    blanks = {
        name: "null" if field.is_nullable else f"'{ERASED}'" if field.kind == "text" else "null"
        for name, field in entity.fields.items()
        if field.pii
    } | ({"attributes": "'{}'"} if "attributes" in entity.fields else {})
    return ", ".join(
        f"case when {condition} then {blanks[name]} else {quoted(name)} end as {quoted(name)}"
        if name in blanks
        else quoted(name)
        for name in columns
    )


def _rewrite(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    datasets: dict[str, list[File]],
    rewritten: dict[str, int],
    dataset: str,
    scan: str,
    condition: str,
    columns: str,
) -> None:
    count = rows_of(connection, f"select count(*) as rows from {scan} where {condition}")[0]["rows"]
    if count:
        file = lake.write(connection, f"select {columns} from {scan}")
        datasets[dataset] = [file] if file else []
        rewritten[dataset] = count


def _rewrite_events(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    before: Manifest,
    datasets: dict[str, list[File]],
    rewritten: dict[str, int],
    entity: str,
    values: set[str],
) -> None:
    """Blank the personal fields of events whose subject, or whose reference to the entity, is the erased row.

    An event that no front end declares any more is emptied where it names the row: what it holds nobody can tell.
    """
    scan = lake.scan(before, EVENTS, EVENT_COLUMNS)
    found: list[dict[str, Any]] = []
    contracts = {**front_end_events.contracts_of(lake.declared() if before.own else {}), **lake.events}
    for name, contract in contracts.items():
        fields = [*_marked(contract, entity)]
        is_theirs = " or ".join(
            ["subject in (select unnest($2))"]
            + [f"json_extract_string(data, '$.{field}') in (select unnest($2))" for field in fields]
        )
        rows = rows_of(
            connection, f"select id, data from {scan} where type = $1 and ({is_theirs})", [name, sorted(values)]
        )
        for row in rows:
            data = blank(msgspec.json.decode(row["data"]), contract)
            found.append({"id": row["id"], "blank": encode(data).decode()})
    is_named = "exists (select 1 from unnest($2) as given(value) where subject = value or contains(data, value))"
    orphans = f"select id from {scan} where not list_contains($1, type) and {is_named}"
    found += [{**row, "blank": "{}"} for row in rows_of(connection, orphans, [list(contracts), sorted(values)])]
    if not found:
        return
    connection.register("blanks", pa.Table.from_pylist(found))
    columns = ", ".join("coalesce(blank, data) as data" if name == "data" else f"e.{name}" for name in EVENT_COLUMNS)
    file = lake.write(connection, f"select {columns} from {scan} as e left join blanks using (id) order by position")
    datasets[EVENTS] = [file] if file else []
    rewritten[EVENTS] = len(found)


def _rewrite_quarantine(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    before: Manifest,
    datasets: dict[str, list[File]],
    rewritten: dict[str, int],
    values: set[str],
) -> None:
    """Empty rows in quarantine that name the erased row: what a broken row holds nobody knows."""
    scan = lake.scan(before, QUARANTINE, QUARANTINE_COLUMNS)
    condition = " or ".join('contains("row", \'' + value.replace("'", "''") + "')" for value in sorted(values))
    columns = ", ".join(
        f"""case when {condition} then '{{}}' else "row" end as "row\"""" if name == "row" else quoted(name)
        for name in QUARANTINE_COLUMNS
    )
    _rewrite(lake, connection, datasets, rewritten, QUARANTINE, scan, condition or "false", columns)


def _marked(contract: type, entity: str) -> Iterator[str]:
    """Yield the fields of an event that refer to an entity."""
    for name, hint in get_type_hints(contract, include_extras=True).items():
        if any(isinstance(mark, Ref) and mark.to == entity for mark in marks_of(hint)):
            yield name


def blank(data: Any, contract: Any) -> Any:
    """Return an event's data with every field marked Pii blanked, also inside nested values and lists."""
    if isinstance(data, list):
        inner = [part for part in get_args(contract) if part is not Ellipsis]
        return [blank(one, inner[-1] if inner else Any) for one in cast(list[Any], data)]
    if not isinstance(data, dict):
        return data
    known = cast(dict[str, Any], data)
    hints = get_type_hints(contract, include_extras=True) if hasattr(contract, "__struct_fields__") else {}
    blanked: dict[str, Any] = {}
    for name, value in known.items():
        hint = hints.get(name, Any)
        if any(isinstance(mark, Pii) for mark in marks_of(hint)):
            blanked[name] = ERASED if isinstance(value, str) else None
        else:
            blanked[name] = blank(value, _value_type(hint))
    return blanked


def _value_type(hint: Any) -> Any:
    """Take off Annotated and the `| None` of an optional field."""
    while hasattr(hint, "__metadata__"):
        hint = get_args(hint)[0]
    parts = [part for part in get_args(hint) if part is not type(None)]
    is_optional = type(None) in get_args(hint) and get_origin(hint) is not tuple
    return _value_type(parts[0]) if is_optional and len(parts) == 1 else hint
