"""The lake: Parquet files, and one small manifest for each state of them. Readers take no lock.

    snapshots/00000042.json    which files hold what, and up to which event; written last, by one link that
                               succeeds for one writer only: so files and offset become true together, or not at all
    files/*.parquet            written once, never changed; a file that no manifest names is rubbish of a crash

A snapshot is a manifest: its name says its number and a hash of what it holds.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec

from isthmus.data.model.columns import SQL_TYPES, quoted, table_name
from isthmus.kernel import FrontEnd, Value, encode, errors
from isthmus.values import whole_number

from ..model.attributes import Declared
from ..model.model import Entity, FieldKind, Model, event_columns
from .reader import DuckReader

READERS_MAX: Final = 4  # open states; each holds little beyond the columns that it has read
RUBBISH_AGE_S: Final = 3_600.0  # longer than any landing takes
EVENTS: Final = "events"
QUARANTINE: Final = "quarantine"
RATES: Final = "rates"
FOUND: Final = "lake."  # tables of entities that the lake itself finds out: they are read from no business database

EVENT_COLUMNS: Final[Mapping[str, str]] = {
    "position": "bigint", "id": "varchar", "type": "varchar", "version": "varchar", "subject": "varchar",
    "front_end": "varchar", "box": "varchar", "time": "timestamptz", "trace": "varchar", "data": "varchar",
    "landed_at": "timestamptz",
}  # fmt: skip
QUARANTINE_COLUMNS: Final[Mapping[str, str]] = {
    "source": "varchar", "owner": "varchar", "reason": "varchar", "row": "varchar", "digest": "varchar",
    "position": "bigint", "landed_at": "timestamptz",
}  # fmt: skip
RATE_COLUMNS: Final[Mapping[str, str]] = {
    "day": "date", "base": "varchar", "currency": "varchar", "rate": "decimal(20, 10)", "decimals": "bigint",
    "published": "date", "source": "varchar",
}  # fmt: skip


class File(Value):
    """A Parquet file that a snapshot names."""

    path: str
    rows: int
    bytes: int


class Manifest(Value, omit_defaults=True):  # pyright: ignore  # so states without the last two keep their names
    """A state of the lake: its files by dataset, and the last event that is in them.

    `arrived` says of an entity when a row that was not known before last came. `own` has the columns of the events
    that front ends declare, by event: who reads the lake needs no front end to show them.
    """

    number: int
    parent: str
    committed_at: datetime
    position: int
    datasets: dict[str, tuple[File, ...]]
    arrived: dict[str, datetime] = {}
    own: dict[str, dict[str, FieldKind]] = {}

    @property
    def name(self) -> str:
        return f"{self.number:08d}-{hashlib.sha256(encode(self)).hexdigest()[:8]}"

    def rows(self, dataset: str) -> int:
        return sum(file.rows for file in self.datasets.get(dataset, ()))


EMPTY: Final = Manifest(number=0, parent="", committed_at=datetime.fromtimestamp(0, UTC), position=0, datasets={})


class Lake:
    """The files of one company's data, and the states that they have been in.

    `events` are the event types that are known, with the class that is their contract: each has a typed view.
    `declared` returns the front ends of that moment, for the events of their own.
    """

    def __init__(
        self,
        folder: Path,
        model: Model,
        events: Mapping[str, type] | None = None,
        declared: Callable[[], Declared] = dict[str, FrontEnd],
    ) -> None:
        self.folder = folder
        self.model = model
        self.events = dict(events or {})
        self.declared = declared
        self._readers: OrderedDict[str, DuckReader] = OrderedDict()
        self._opening = threading.Lock()  # many ask at once of a state that nobody has opened yet

    def head(self) -> Manifest:
        """Return the newest state; an empty one where nothing has landed."""
        numbers = sorted(self._manifests())
        return self._manifest(numbers[-1]) if numbers else EMPTY

    def newest(self) -> DuckReader:
        return self._reader(self.head())

    def at(self, snapshot: str) -> DuckReader:
        """Return an earlier state. Raises NotFound with the reason where its files are gone."""
        return self._reader(self.state(snapshot))

    def state(self, snapshot: str) -> Manifest:
        """Return the manifest of a state. Raises NotFound with the reason where it is gone."""
        number = whole_number(snapshot.partition("-")[0], 0, 10**18)
        if number is not None and number in self._manifests():
            manifest = self._manifest(number)
            if manifest.name == snapshot:
                return manifest
        if snapshot == EMPTY.name:
            return EMPTY
        notes = self.folder / "gone" / f"{snapshot.partition('-')[0]}.txt"
        reason = notes.read_text() if number is not None and notes.is_file() else "it is not in this lake"
        raise errors.NotFound(f"snapshot {snapshot} is gone: {reason}", remedy="ask of the newest snapshot")

    def snapshots(self) -> list[str]:
        """Return the names of all states that can be read, oldest first."""
        return [self._manifest(number).name for number in sorted(self._manifests())]

    def write(self, connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()) -> File | None:
        """Write what a SELECT gives as a file; None for no rows. It is not in the lake until a commit names it.

        Raises Unavailable where the disk takes no more; nothing is left behind.
        """
        folder = self.folder / "files"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4().hex}.parquet"
        try:
            copied = connection.execute(
                f"copy ({sql}) to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet, compression zstd)",
                list(parameters),
            ).fetchone()
            _flush(path)
        except (duckdb.IOException, OSError) as failed:
            path.unlink(missing_ok=True)
            raise errors.Unavailable(
                f"the lake in {self.folder} takes no more: {failed}", remedy="free space; landing goes on where it was"
            ) from failed
        if not copied or not copied[0]:
            path.unlink()
            return None
        return File(path=path.name, rows=int(copied[0]), bytes=path.stat().st_size)

    def commit(
        self,
        before: Manifest,
        position: int,
        datasets: Mapping[str, Sequence[File]],
        now: datetime,
        *,
        arrived: Iterable[str] = (),
        own: Mapping[str, Mapping[str, FieldKind]] = {},
    ) -> Manifest:
        """Make files part of the lake, together with the offset.

        `arrived` are the entities with rows that are new, `own` the columns of front ends' own events that came.

        Raises Conflict where another process has committed since `before`: its events are there; begin again.
        """
        manifest = Manifest(
            number=before.number + 1,
            parent=before.name,
            committed_at=now,
            position=position,
            datasets={name: tuple(files) for name, files in sorted(datasets.items()) if files},
            arrived=dict(sorted({**before.arrived, **dict.fromkeys(arrived, now)}.items())),
            own=dict(sorted({**before.own, **{name: dict(columns) for name, columns in own.items()}}.items())),
        )
        folder = self.folder / "snapshots"
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{uuid.uuid4().hex}.draft"
        try:
            draft.write_bytes(encode(manifest))
            _flush(draft)
            os.link(draft, folder / f"{manifest.number:08d}.json")
        except FileExistsError:
            raise errors.Conflict(
                f"snapshot {manifest.number} of the lake is already there", remedy="another process lands; begin again"
            ) from None
        except OSError as failed:
            raise errors.Unavailable(
                f"the lake in {self.folder} takes no more: {failed}", remedy="free space; landing goes on where it was"
            ) from failed
        finally:
            draft.unlink(missing_ok=True)
        return manifest

    def connect(self, manifest: Manifest) -> duckdb.DuckDBPyConnection:
        """Return a DuckDB of its own in which a state's tables and views are."""
        connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'; set python_enable_replacements = false")
        for statement in self._views(manifest):
            connection.execute(statement)
        return connection

    def scan(self, manifest: Manifest, dataset: str, columns: Mapping[str, str]) -> str:
        """Return a dataset as SQL, with these columns whether or not its files have them.

        A column that an entity has since yesterday is empty in rows that landed before, until they land again.
        """
        empty = ", ".join(f"cast(null as {kind}) as {quoted(name)}" for name, kind in columns.items())
        files = manifest.datasets.get(dataset, ())
        if not files:
            return f"(select {empty} where false)"
        paths = ", ".join("'" + str(self.folder / "files" / file.path).replace("'", "''") + "'" for file in files)
        written = f"select * from read_parquet([{paths}], union_by_name = true)"
        return f"(select {empty} where false union all by name {written})"

    def drop_before(self, number: int, reason: str, *, rubbish_age_s: float = RUBBISH_AGE_S) -> int:
        """Forget all states older than one, and delete files that no other names; return how many files.

        The newest state stays, and so do young files: a landing may be about to commit them.
        """
        for old in [found for found in self._manifests() if found < min(number, self.head().number)]:
            notes = self.folder / "gone"
            notes.mkdir(exist_ok=True)
            (notes / f"{old:08d}.txt").write_text(reason)
            (self.folder / "snapshots" / f"{old:08d}.json").unlink()
        named = {
            file.path
            for kept in self._manifests()
            for files in self._manifest(kept).datasets.values()
            for file in files
        }
        oldest_kept = time.time() - rubbish_age_s
        unnamed = [path for path in (self.folder / "files").glob("*.parquet") if path.name not in named]
        rubbish = [path for path in unnamed if path.stat().st_mtime <= oldest_kept]
        for path in rubbish:
            path.unlink()
        with self._opening:
            self._readers.clear()
        return len(rubbish)

    def _views(self, manifest: Manifest) -> Iterable[str]:
        schemas = {entity.table.partition(".")[0] for entity in self.model.entities.values() if "." in entity.table}
        yield from (f"create schema if not exists {quoted(name)}" for name in sorted(schemas | {"lake", "events"}))
        yield f"create view lake.events as select * from {self.scan(manifest, EVENTS, EVENT_COLUMNS)}"
        yield f"create view lake.quarantine as select * from {self.scan(manifest, QUARANTINE, QUARANTINE_COLUMNS)}"
        yield f"create view lake.rates as select * from {self.scan(manifest, RATES, RATE_COLUMNS)}"
        published = {name: event_columns(contract) for name, contract in self.events.items()}
        for name, columns in {**manifest.own, **published}.items():
            yield _event_view(name, columns)
        for entity in self.model.entities.values():
            if entity.table.startswith("events."):
                continue
            columns = entity_columns(entity)
            listed = ", ".join(map(quoted, columns))
            yield (
                f"create view {table_name(entity.table)} as select {listed} "
                f"from {self.scan(manifest, current_of(entity), columns)}"
            )
            yield _history_view(entity, self.scan(manifest, changes_of(entity), {**CHANGE_COLUMNS, **columns}))

    def _reader(self, manifest: Manifest) -> DuckReader:
        name = manifest.name
        with self._opening:
            if name not in self._readers:
                self._readers[name] = DuckReader(self.connect(manifest), name, manifest.arrived)
            self._readers.move_to_end(name)
            while len(self._readers) > READERS_MAX:
                self._readers.popitem(last=False)
            return self._readers[name]

    def _manifests(self) -> set[int]:
        return {int(path.stem) for path in (self.folder / "snapshots").glob("*.json")}

    def _manifest(self, number: int) -> Manifest:
        return msgspec.json.decode((self.folder / "snapshots" / f"{number:08d}.json").read_bytes(), type=Manifest)


CHANGE_COLUMNS: Final[Mapping[str, str]] = {"lake_op": "varchar", "lake_at": "timestamptz", "lake_batch": "bigint"}


def entity_columns(entity: Entity) -> dict[str, str]:
    """Return an entity's columns with their SQL types."""
    return {field.name: SQL_TYPES[field.kind] for field in entity.fields.values()}


def current_of(entity: Entity) -> str:
    return f"current/{entity.name}"


def changes_of(entity: Entity) -> str:
    return f"changes/{entity.name}"


def _event_view(name: str, columns: Mapping[str, FieldKind]) -> str:
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


def _history_view(entity: Entity, changes: str) -> str:
    key = ", ".join(map(quoted, entity.key))
    listed = ", ".join(map(quoted, entity_columns(entity)))
    schema, dot, table = entity.table.partition(".")
    name = f"{schema}.{table}_history" if dot else f"{schema}_history"
    return (
        f"create view {table_name(name)} as select {listed}, lake_at as valid_from, valid_to from ("
        f"select *, lead(lake_at) over (partition by {key} order by lake_batch) as valid_to from {changes}) "
        "where lake_op = 'put'"
    )


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    """Return what a query gives, as dictionaries."""
    result = connection.execute(sql, list(parameters))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
