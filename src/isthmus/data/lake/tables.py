"""Tables on their way into the lake: read as the business has them, checked row by row, compared in figures."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from isthmus.data.model.columns import quoted, table_name
from isthmus.kernel import Value, encode
from isthmus.later import later

from ..model.model import Entity, Field
from .lake import entity_columns, rows_of

if TYPE_CHECKING:
    import duckdb

    from isthmus.store import DirectConnection
else:
    duckdb = later("duckdb")

_EXACT: Final = r"-?[0-9]{1,32}(\.[0-9]{1,6}0*)?"  # a decimal that decimal(38, 6) keeps as it is
CHECKED_MAX: Final = 10_000  # rows checked against their contract at once


@dataclass(frozen=True, slots=True)
class Read:
    """A table as the business had it: its rows in a file, and its figures."""

    entity: Entity
    rows: Path
    figures: dict[str, str]


class Reconciled(Value):
    """One figure of an entity on both sides. Rows in quarantine count as landed: they are kept, and shown."""

    entity: str
    figure: str
    business: str
    lake: str

    @property
    def agrees(self) -> bool:
        return self.business == self.lake


async def read_table(connection: DirectConnection, entity: Entity, path: Path) -> Read:
    columns = ", ".join(_exported(field) for field in entity.fields.values())
    await connection.copy_from_query(
        f"select {columns} from {table_name(entity.table)}", output=path, format="csv", header=True
    )
    figures = _figures(entity)
    listed = ", ".join(f"({sql})::text" for sql in figures.values())
    row = await connection.fetchrow(f"select {listed} from {table_name(entity.table)}")
    return Read(entity, path, {name: str(value) for name, value in zip(figures, row or (), strict=True)})


def _exported(field: Field) -> str:
    name = quoted(field.name)
    if field.kind == "json":
        return f"to_jsonb({name})::text as {name}"
    return f"{name}::text as {name}" if field.kind == "text" else name


def _figures(entity: Entity) -> dict[str, str]:
    """Return the figures that both sides must have alike, in SQL that PostgreSQL and DuckDB read the same."""
    figures = {"count": "count(*)"}
    for field in entity.fields.values():
        name = quoted(field.name)
        if field.measure is not None and field.kind == "integer":
            figures[f"sum of {field.name}"] = f"cast(coalesce(sum({name}), 0) as bigint)"
        if field.is_key and field.kind in ("integer", "text", "uuid"):
            text = f"cast({name} as varchar)" if field.kind != "integer" else name
            collated = f'{text} collate "C"' if field.kind != "integer" else text
            figures[f"least {field.name}"] = f"min({collated})"
            figures[f"greatest {field.name}"] = f"max({collated})"
    return figures


def reconcile(connection: duckdb.DuckDBPyConnection, read: Read) -> Iterable[Reconciled]:
    """Yield each figure on both sides: the lake's over what it now holds, and what it set aside."""
    listed = ", ".join(
        f"cast({sql.replace(' collate ' + chr(34) + 'C' + chr(34), '')} as varchar) as f{at}"
        for at, sql in enumerate(_figures(read.entity).values())
    )
    columns = ", ".join(map(quoted, entity_columns(read.entity)))
    found = rows_of(
        connection,
        f"select {listed} from (select {columns} from arrived union all select {columns} from set_aside)",
    )[0]
    for (name, business), lake in zip(read.figures.items(), found.values(), strict=True):
        yield Reconciled(entity=read.entity.name, figure=name, business=business, lake=str(lake))


def load(connection: duckdb.DuckDBPyConnection, read: Read) -> None:
    """Take rows in: `arrived` has those that are kept exactly, `inexact` those with a decimal that is not, as text."""
    kinds = entity_columns(read.entity)
    decimals = [field.name for field in read.entity.fields.values() if field.kind == "decimal"]
    columns = ", ".join(f"'{name}': '{'varchar' if name in decimals else kind}'" for name, kind in kinds.items())
    rows = (
        f"read_csv('{read.rows}', header = true, "
        f"columns = {{{columns}}}, delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, "
        "auto_detect = false, strict_mode = true, max_line_size = 16777216)"
    )
    exact = " and ".join(f"coalesce(regexp_full_match({quoted(name)}, '{_EXACT}'), true)" for name in decimals)
    typed = ", ".join(f"cast({quoted(name)} as {kind}) as {quoted(name)}" for name, kind in kinds.items())
    connection.execute(
        f"create or replace temp table arrived as select {typed} from {rows} where {exact or 'true'};"
        f"create or replace temp table inexact as select * from {rows} where not ({exact or 'true'})"
    )


def inexact_rows(connection: duckdb.DuckDBPyConnection, entity: Entity, now: datetime) -> list[dict[str, object]]:
    """Return the rows with a decimal that would be rounded, as they are kept in quarantine."""
    decimals = [field.name for field in entity.fields.values() if field.kind == "decimal"]
    wrong: list[dict[str, object]] = []
    for row in rows_of(connection, "select * from inexact") if decimals else ():
        values = {name: str(row[name]) for name in decimals if row[name] is not None}
        name = next(name for name, value in values.items() if re.fullmatch(_EXACT, value) is None)
        reason = f"{values[name]} is kept with six decimals and up to 32 digits before them only, at $.{name}"
        text = json.dumps(row, default=str, sort_keys=True)
        wrong.append(quarantined(entity.name, entity.owner, reason, text, now))
    return wrong


def wrong_rows(connection: duckdb.DuckDBPyConnection, entity: Entity, now: datetime) -> list[dict[str, object]]:
    """Return the changed rows that break the entity's contract, as they are kept in quarantine."""
    wrong: list[dict[str, object]] = []
    result = connection.execute("select * from changed")
    names = [column[0] for column in result.description or ()]
    json_fields = [field.name for field in entity.fields.values() if field.kind == "json"]
    while rows := result.fetchmany(CHECKED_MAX):
        read = [_decoded(dict(zip(names, row, strict=True)), json_fields) for row in rows]
        if _breaks(read, list[entity.value] if entity.value else list[Any]) is None:
            continue
        for row in read:
            if (reason := _breaks(row, entity.value or dict)) is not None:
                text = json.dumps(row, default=str, sort_keys=True)
                wrong.append(quarantined(entity.name, entity.owner, reason, text, now) | {"key": _key(entity, row)})
    return wrong


def _decoded(row: dict[str, Any], json_fields: Sequence[str]) -> dict[str, Any]:
    for name in json_fields:
        if row[name] is not None:
            row[name] = msgspec.json.decode(row[name])
    return row


def _breaks(value: object, type_: Any) -> str | None:
    try:
        msgspec.convert(value, type_, strict=False)
    except msgspec.ValidationError as wrong:
        return str(wrong)
    return None


def _key(entity: Entity, row: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in entity.key)


def set_aside(connection: duckdb.DuckDBPyConnection, entity: Entity, wrong: list[dict[str, object]]) -> None:
    """Take wrong rows out of what arrived: the lake keeps none of them as current."""
    kinds = entity_columns(entity)
    known = ", ".join(f"try_cast({quoted(name)} as {kind}) as {quoted(name)}" for name, kind in kinds.items())
    connection.execute(f"create or replace temp table set_aside as select {known} from inexact")
    matched = " and ".join(f"{quoted(name)} is not distinct from ${at}" for at, name in enumerate(entity.key, 1))
    for row in wrong:
        key = row.pop("key")
        parameters = list(cast("tuple[object, ...]", key)) if isinstance(key, tuple) else []
        connection.execute(f"insert into set_aside select * from arrived where {matched}", parameters)
        connection.execute(f"delete from arrived where {matched}", parameters)
        connection.execute(f"delete from changed where {matched}", parameters)


def quarantined(
    source: str, owner: str, reason: str, row: str, now: datetime, position: int | None = None
) -> dict[str, object]:
    digest = hashlib.sha256(encode([source, row, position])).hexdigest()[:32]
    return {
        "source": source,
        "owner": owner,
        "reason": reason,
        "row": row,
        "digest": digest,
        "position": position,
        "landed_at": now,
    }
