"""Land: events and tables come into the lake, exactly once in effect, and are checked at the door.

events   read after the lake's own position → duplicates dropped → contract → events | quarantine
tables   one repeatable read of all of them → what changed → contract → current, history | quarantine
         → counts, sums and key ranges compared with the business side, in the same read
commit   files and position, in one manifest
"""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isthmus.data.model.columns import quoted, table_name
from isthmus.kernel import FrontEnd, Value, decode, errors
from isthmus.later import later
from isthmus.store import Event, Outbox, connect

from ..arrow import pa
from ..model import front_end_events
from ..model.model import Entity, FieldKind, event_columns
from .current import put_together, write_current
from .deltas import delta_of
from .lake import EVENTS, FOUND, QUARANTINE, File, Lake, Manifest, changes_of, rows_of
from .personal import hidden_attributes
from .pseudonyms import masked_columns, masking
from .tables import Read, Reconciled, inexact_rows, load, quarantined, read_table, reconcile, set_aside, wrong_rows

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = later("duckdb")

CONSUMER: Final = "lake"
NOT_READ: Final = ("events.", FOUND)
BATCH_MAX: Final = 5_000  # events read at once
EVENTS_MAX: Final = 200_000  # events in one snapshot: bounds the memory of a landing after a long pause
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Landing(Value):
    """What one landing did."""

    snapshot: str
    events: int
    duplicates: int
    quarantined: dict[str, int]
    changed: dict[str, int]
    figures: tuple[Reconciled, ...]
    stale: tuple[str, ...] = ()  # what is older than it may be, a sentence each, where somebody looked
    broken: tuple[str, ...] = ()  # quality rules that teams declare themselves and rows break, a sentence each

    @property
    def alerts(self) -> tuple[str, ...]:
        """Return a sentence for each figure in which the two sides differ."""
        return tuple(
            f"{one.figure} of {one.entity} is {one.business} in the business and {one.lake} in the lake"
            for one in self.figures
            if not one.agrees
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    """What will be committed together."""

    position: int
    files: dict[str, list[File]]
    replaced: dict[str, tuple[File, ...]]
    arrived: list[str]
    own: dict[str, dict[str, FieldKind]]  # columns, by event of a front end's own


class Lander:
    """Brings a database's events and entity tables into a lake.

    Any number of processes may land; of two at once one commits, and the other begins again with nothing done.
    """

    def __init__(self, lake: Lake, url: str, outbox: Outbox, owners: Mapping[str, str] | None = None) -> None:
        self._lake = lake
        self._url = url
        self._outbox = outbox
        self._owners = dict(owners or {})  # by event type

    async def land(self, now: datetime | None = None) -> Landing:
        """Land all that is committed, and return what was done.

        Killed at any moment, it has landed all or nothing; the next one goes on from there. Raises Conflict where
        another process was first, Unavailable where the disk is full.
        """
        moment = now or datetime.now(UTC)
        await self._outbox.subscribe(CONSUMER)
        before = self._lake.head()
        events = await self._events_after(before.position)
        with tempfile.TemporaryDirectory() as scratch:
            tables = await self._read_tables(Path(scratch))
            landing = await asyncio.to_thread(self._write, before, events, tables, moment)
        await self._outbox.move_to(CONSUMER, self._lake.head().position)
        return landing

    async def _events_after(self, position: int) -> list[Event]:
        found: list[Event] = []
        while len(found) < EVENTS_MAX:
            batch = await self._outbox.read(found[-1].position if found else position, BATCH_MAX)
            if not batch:
                break
            found += batch
        return found

    async def _read_tables(self, folder: Path) -> list[Read]:
        """Read all tables in one repeatable read, so that references between them are whole, with their figures."""
        connection = await connect(self._url, application_name="isthmus lake")
        try:
            await connection.execute("begin isolation level repeatable read read only")
            found = [
                await read_table(connection, entity, folder / f"{number}.csv")
                for number, entity in enumerate(self._lake.model.entities.values())
                if not entity.table.startswith(NOT_READ)
            ]
            await connection.close()
        except BaseException as failed:
            connection.terminate()  # after a COPY that was cancelled, a roll-back would wait for ever
            if isinstance(failed, OSError) and failed.errno in FULL:
                raise errors.Unavailable(
                    f"{folder} takes no more of what is read to be landed: {failed}",
                    remedy="free space, or name a larger folder in TMPDIR; landing goes on where it was",
                ) from failed
            raise
        return found

    def _write(self, before: Manifest, events: Sequence[Event], tables: Sequence[Read], now: datetime) -> Landing:
        connection = self._lake.connect(before)
        try:
            batch = _Batch(events[-1].position if events else before.position, {}, {}, [], {})
            bad: list[dict[str, object]] = []
            fresh = self._fresh(connection, events)
            self._write_events(connection, fresh, batch, bad, now)
            changed: dict[str, int] = {}
            figures: list[Reconciled] = []
            for read in tables:
                wrong = self._write_entity(connection, read, batch, changed, now, before)
                figures += reconcile(connection, read)
                bad += wrong
            new_bad = _unseen(connection, bad)
            self._add(batch, QUARANTINE, _written(self._lake, connection, new_bad, _quarantine_schema()))
            manifest = before
            if batch.files or batch.replaced or batch.position != before.position:
                manifest = self._lake.commit(
                    before,
                    batch.position,
                    self._datasets(before, batch),
                    now,
                    arrived=batch.arrived,
                    own=front_end_events.together(before.own, batch.own),
                )
        finally:
            connection.close()
        return Landing(
            snapshot=manifest.name,
            events=len(fresh),
            duplicates=len(events) - len(fresh),
            quarantined=_counted(new_bad),
            changed=changed,
            figures=tuple(figures),
        )

    def _fresh(self, connection: duckdb.DuckDBPyConnection, events: Sequence[Event]) -> list[Event]:
        """Drop events whose id is already there, in the lake or earlier in the batch."""
        if not events:
            return []
        ids = pa.table({"id": [event.id for event in events]})
        connection.register("arriving", ids)
        known = {row["id"] for row in rows_of(connection, "select id from lake.events semi join arriving using (id)")}
        connection.unregister("arriving")
        fresh: list[Event] = []
        for event in events:
            if event.id not in known:
                known.add(event.id)
                fresh.append(event)
        return fresh

    def _write_events(
        self,
        connection: duckdb.DuckDBPyConnection,
        events: Sequence[Event],
        batch: _Batch,
        bad: list[dict[str, object]],
        now: datetime,
    ) -> None:
        good: list[dict[str, object]] = []
        # loading front ends takes a second: only where there is an event that may be theirs
        is_known = all(event.type in self._lake.events for event in events)
        declared: Mapping[str, FrontEnd] = {} if is_known else self._lake.declared()
        own = front_end_events.contracts_of(declared)
        for event in events:
            contract = self._contract(event, own)
            reason = _broken(event, contract)
            if reason is None:
                row: dict[str, object] = {name: getattr(event, name) for name in _EVENT_FIELDS}
                good.append({**row, "data": event.data.decode(), "landed_at": now})
                if event.type not in self._lake.events:
                    batch.own[event.type] = event_columns(own[event.type])
            else:
                line = declared.get(event.front_end)
                owner = self._owners.get(event.type, line.owner if line else "")
                bad.append(quarantined(event.type, owner, reason, event.data.decode(), now, event.position))
        self._add(batch, EVENTS, _written(self._lake, connection, good, _event_schema()))

    def _contract(self, event: Event, own: Mapping[str, type[Value]]) -> type[Any] | None:
        """Return what an event must fit: a front end's own is its own alone, so nobody else lands under it."""
        found = own.get(event.type) if front_end_events.whose(event.type) == event.front_end else None
        return self._lake.events.get(event.type, found)

    def _write_entity(
        self,
        connection: duckdb.DuckDBPyConnection,
        read: Read,
        batch: _Batch,
        changed: dict[str, int],
        now: datetime,
        before: Manifest,
    ) -> list[dict[str, object]]:
        """Write what changed of an entity, for its history and its rows; return those that break their contract."""
        entity, number = read.entity, before.number + 1
        listed = ", ".join(map(quoted, entity.fields))
        same = " and ".join(f"c.{quoted(part)} is not distinct from a.{quoted(part)}" for part in entity.key)
        load(connection, read)
        connection.execute(
            f"create or replace temp table changed as select * from arrived except all "
            f"select {listed} from {table_name(entity.table)}"
        )
        wrong = wrong_rows(connection, entity, now)
        set_aside(connection, entity, wrong)
        wrong += inexact_rows(connection, entity, now)
        connection.execute(
            "create or replace temp table gone as "
            f"select * from {table_name(entity.table)} as c anti join arrived as a on {same}"
        )
        count = connection.execute("select (select count(*) from changed) + (select count(*) from gone)").fetchone()
        changed[entity.name] = int(count[0]) if count else 0
        if not changed[entity.name]:
            return wrong
        new = f"select 1 from changed as a anti join {table_name(entity.table)} as c on {same} limit 1"
        if connection.execute(new).fetchone() is not None:
            batch.arrived.append(entity.name)
        stamp = "cast($1 as timestamptz) as lake_at, cast($2 as bigint) as lake_batch"
        kept = masked_columns(self._lake.secret, entity)
        own = self._mask_attributes(connection, entity)
        moves = self._lake.write(
            connection,
            f"select 'put' as lake_op, {stamp}, {kept} from changed{own} "
            f"union all select 'delete', cast($1 as timestamptz), cast($2 as bigint), {kept} from gone{own}",
            [now, number],
        )
        self._add(batch, changes_of(entity), moves)
        batch.replaced.update(write_current(self._lake, connection, before, entity, number))
        return wrong

    def _mask_attributes(self, connection: duckdb.DuckDBPyConnection, entity: Entity) -> str:
        """Return what to join changed rows with so that their attributes are masked where they are personal."""
        if not {"attributes", "front_end"} <= entity.fields.keys():
            return ""
        both = "(select front_end, attributes from changed union select front_end, attributes from gone)"
        rows = connection.execute(f"select * from {both} where attributes <> '{{}}'").fetchall()
        declared: Mapping[str, FrontEnd] = self._lake.declared() if rows else {}
        masked: list[tuple[str, str, str]] = []
        for code, text in rows:
            front_end = declared.get(code)
            contract = front_end.attributes.get(entity.name) if front_end is not None else None
            hide = masking(self._lake.secret, f"{entity.name}.attributes")
            masked.append((code, text, hidden_attributes(text, contract, hide, is_rest_kept=True)))
        columns = list(zip(*masked, strict=True)) if masked else [(), (), ()]
        arrays = [pa.array(column, pa.string()) for column in columns]
        connection.register("own", pa.table(arrays, names=["own_front_end", "was", "masked"]))
        return " left join own on own_front_end = front_end and was = attributes"

    def _add(self, batch: _Batch, dataset: str, file: File | None) -> None:
        if file is not None:
            batch.files.setdefault(dataset, []).append(file)

    def _datasets(self, before: Manifest, batch: _Batch) -> dict[str, tuple[File, ...]]:
        datasets = {**before.datasets, **batch.replaced}
        for name, files in batch.files.items():
            datasets[name] = (*datasets.get(name, ()), *files)
        deltas = {delta_of(entity): entity for entity in self._lake.model.entities.values()}
        return {name: put_together(self._lake, files, deltas.get(name)) for name, files in datasets.items()}


def _broken(event: Event, contract: type[Any] | None) -> str | None:
    if contract is None:
        return f"neither a pack nor front end {event.front_end!r} declares this event"
    try:
        decode(event.data, contract)
    except errors.BadAsk as wrong:
        return f"{wrong.message} at {wrong.path}"
    return None


_EVENT_FIELDS: Final = ("position", "id", "type", "version", "subject", "front_end", "box", "time", "trace")


def _event_schema() -> Any:
    text, when = pa.string(), pa.timestamp("us", tz="UTC")
    return pa.schema(
        [("position", pa.int64()), *((name, text) for name in _EVENT_FIELDS[1:7]), ("time", when), ("trace", text),
         ("data", text), ("landed_at", when)]
    )  # fmt: skip


def _quarantine_schema() -> Any:
    return pa.schema(
        [*((name, pa.string()) for name in ("source", "owner", "reason", "row", "digest")), ("position", pa.int64()),
         ("landed_at", pa.timestamp("us", tz="UTC"))]
    )  # fmt: skip


def _unseen(connection: duckdb.DuckDBPyConnection, bad: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Drop rows that already are in quarantine just as they are: a bad row is kept once, not at every landing."""
    if not bad:
        return []
    seen = {row["digest"] for row in rows_of(connection, "select distinct digest from lake.quarantine")}
    return [row for row in bad if row["digest"] not in seen]


def _written(
    lake: Lake, connection: duckdb.DuckDBPyConnection, rows: list[dict[str, object]], schema: Any
) -> File | None:
    if not rows:
        return None
    connection.register("landing_rows", pa.Table.from_pylist(rows, schema=schema))
    file = lake.write(connection, "select * from landing_rows")
    connection.unregister("landing_rows")
    return file


def _counted(bad: Sequence[Mapping[str, object]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in bad:
        source = str(row["source"])
        counts[source] = counts.get(source, 0) + 1
    return counts
