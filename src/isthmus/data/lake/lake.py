"""The lake: Parquet files, and one small manifest for each state of them. Readers take no lock.

    snapshots/00000042.json    which files hold what, and up to which event; written last, by one link that
                               succeeds for one writer only: so files and offset become true together, or not at all
    files/*.parquet            written once, never changed; a file that no manifest names is rubbish of a crash

A snapshot is a manifest: its name says its number and a hash of what it held first. An erasure writes files anew and
puts them in place of the old ones, under the same name. States that no receipt names go soon (`retain`).
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from isthmus.data.model.columns import SQL_TYPES, quoted, table_name
from isthmus.kernel import FrontEnd, Value, encode, errors
from isthmus.later import later
from isthmus.values import whole_number

from ..model.attributes import Declared
from ..model.model import Entity, FieldKind, Model, event_columns
from .deltas import DELTA_COLUMNS, current_sql, delta_of
from .pseudonyms import SECRET, secret_of
from .reader import DuckReader
from .views import event_view, history_view

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = later("duckdb")

READERS_MAX: Final = 4  # open states; each holds little beyond the columns that it has read
RUBBISH_AGE_S: Final = 3_600.0  # longer than any landing takes, and than any question to a state that was the newest
SWEPT_EVERY_S: Final = 900.0  # old states and their files go so often: looking for them reads all manifests
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


class Manifest(Value, omit_defaults=True):  # pyright: ignore  # so states without the last ones keep their names
    """A state of the lake: its files by dataset, and the last event that is in them.

    `arrived` says of an entity when a row that was not known before last came. `own` has the columns of the events
    that front ends declare, by event: who reads the lake needs no front end to show them. `rewritten` says why files
    were written anew since, and `called` the name that the state had before.
    """

    number: int
    parent: str
    committed_at: datetime
    position: int
    datasets: dict[str, tuple[File, ...]]
    arrived: dict[str, datetime] = {}
    own: dict[str, dict[str, FieldKind]] = {}
    called: str = ""
    rewritten: str = ""

    @property
    def name(self) -> str:
        return self.called or f"{self.number:08d}-{hashlib.sha256(encode(self)).hexdigest()[:8]}"

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
        self._readers: OrderedDict[bytes, DuckReader] = OrderedDict()
        self._opening = threading.Lock()  # many ask at once of a state that nobody has opened yet

    @functools.cached_property
    def secret(self) -> bytes:
        """Return the key of this lake's pseudonyms."""
        return secret_of(self.folder / SECRET)

    @functools.cached_property
    def id(self) -> str:
        """Return what tells this lake from others over the same database: the beginning of a key of its own."""
        return secret_of(self.folder / "lake.id").hex()[:12]

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
        if number is not None and not notes.is_file() and 0 < number < self.head().number:
            reason = "states are kept for a time where receipts name them, and an hour where none does"
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
        rewritten: str = "",
    ) -> Manifest:
        """Make files part of the lake, together with the offset.

        `arrived` are the entities with rows that are new, `own` the columns of front ends' own events that came;
        `rewritten` says why files that were there already were written anew.

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
            rewritten=rewritten,
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
        return f"(select {empty} where false union all by name select * from {self.scan_files(files)})"

    def scan_files(self, files: Sequence[File]) -> str:
        """Return some files as SQL, with all columns that any of them has."""
        paths = ", ".join("'" + str(self.folder / "files" / file.path).replace("'", "''") + "'" for file in files)
        return f"read_parquet([{paths}], union_by_name = true)"

    def manifests(self) -> list[Manifest]:
        """Return all states, oldest first."""
        return [self._manifest(number) for number in sorted(self._manifests())]

    def replace(self, manifest: Manifest) -> None:
        """Put a state in place of the one of its number, unless that is gone. The newest is followed by a commit."""
        place = self.folder / "snapshots" / f"{manifest.number:08d}.json"
        if not place.is_file():
            return
        kept = place.stat().st_mtime
        draft = place.with_name(f"{uuid.uuid4().hex}.draft")
        draft.write_bytes(encode(manifest))
        os.utime(draft, (kept, kept))  # how old a state is says its file
        _flush(draft)
        draft.replace(place)

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files that no state names any more."""
        for path in paths:
            (self.folder / "files" / path).unlink(missing_ok=True)
        with self._opening:
            self._readers.clear()

    def drop_before(self, number: int, reason: str, *, rubbish_age_s: float = RUBBISH_AGE_S) -> int:
        """Forget all states older than one, and delete files that no other names; return how many files.

        The newest state stays, and so do young files: a landing may be about to commit them.
        """
        for old in [found for found in self._manifests() if found < min(number, self.head().number)]:
            notes = self.folder / "gone"
            notes.mkdir(exist_ok=True)
            (notes / f"{old:08d}.txt").write_text(reason)
            (self.folder / "snapshots" / f"{old:08d}.json").unlink()
        return self._swept(rubbish_age_s)

    def retain(self, named: Collection[str], days: float) -> int:
        """Forget states older than some days, and those older than an hour that are not in `named`.

        Returns how many went. Files that no other state names go with them. Looks at most every quarter of an hour;
        the newest state always stays.
        """
        mark, now = self.folder / "swept", time.time()
        if mark.is_file() and mark.stat().st_mtime > now - SWEPT_EVERY_S:
            return 0
        self.folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
        kept = {name.partition("-")[0] for name in named}
        gone = 0
        for place in sorted((self.folder / "snapshots").glob("*.json"))[:-1]:
            age = now - place.stat().st_mtime
            if age > days * 86_400 or (age > RUBBISH_AGE_S and place.stem not in kept):
                place.unlink(missing_ok=True)
                gone += 1
        self._swept(RUBBISH_AGE_S)
        return gone

    def _swept(self, rubbish_age_s: float) -> int:
        named = {file.path for kept in self.manifests() for files in kept.datasets.values() for file in files}
        oldest_kept = time.time() - rubbish_age_s
        unnamed = [path for path in (self.folder / "files").glob("*.parquet") if path.name not in named]
        rubbish = [path for path in unnamed if path.stat().st_mtime <= oldest_kept]
        for path in rubbish:
            path.unlink(missing_ok=True)
        with self._opening:
            self._readers.clear()
        return len(rubbish)

    def current(self, manifest: Manifest, entity: Entity) -> str:
        """Return an entity's rows in a state as SQL."""
        columns = entity_columns(entity)
        has_delta = bool(manifest.datasets.get(delta_of(entity)))
        delta = self.scan(manifest, delta_of(entity), {**DELTA_COLUMNS, **columns}) if has_delta else ""
        return current_sql(entity, self.scan(manifest, current_of(entity), columns), delta)

    def _views(self, manifest: Manifest) -> Iterable[str]:
        schemas = {entity.table.partition(".")[0] for entity in self.model.entities.values() if "." in entity.table}
        yield from (f"create schema if not exists {quoted(name)}" for name in sorted(schemas | {"lake", "events"}))
        yield f"create view lake.events as select * from {self.scan(manifest, EVENTS, EVENT_COLUMNS)}"
        yield f"create view lake.quarantine as select * from {self.scan(manifest, QUARANTINE, QUARANTINE_COLUMNS)}"
        yield f"create view lake.rates as select * from {self.scan(manifest, RATES, RATE_COLUMNS)}"
        published = {name: event_columns(contract) for name, contract in self.events.items()}
        for name, columns in {**manifest.own, **published}.items():
            yield event_view(name, columns)
        for entity in self.model.entities.values():
            if entity.table.startswith("events."):
                continue
            columns = entity_columns(entity)
            yield f"create view {table_name(entity.table)} as {self.current(manifest, entity)}"
            yield history_view(entity, self.scan(manifest, changes_of(entity), {**CHANGE_COLUMNS, **columns}))

    def _reader(self, manifest: Manifest) -> DuckReader:
        place = encode(manifest)  # not its name, which it keeps when an erasure writes its files anew
        with self._opening:
            if place not in self._readers:
                opened = DuckReader(self.connect(manifest), manifest.name, manifest.arrived, manifest.rewritten)
                self._readers[place] = opened
            self._readers.move_to_end(place)
            while len(self._readers) > READERS_MAX:
                self._readers.popitem(last=False)
            return self._readers[place]

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
