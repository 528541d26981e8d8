"""Outgrow one machine: the same definitions on another engine, compared cell by cell before anything switches."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import isclose
from pathlib import Path
from typing import Any, Final, Protocol, cast

from isthmus.data.answers.groupings import dimensions
from isthmus.data.model.columns import quoted, table_name
from isthmus.kernel import errors

from ..answers.metrics import Metrics
from ..lake.lake import FOUND
from ..lake.reader import Reader
from ..model.ask import GRAINS, Ask
from ..query.dialect import Dialect, translated
from ..query.plan import plan
from ..query.sql import statement
from .postgres import connected

DIMENSIONS_MAX: Final = 4  # that each metric is tried by: with totals and months some 150 asks for 30 metrics

Row = tuple[object, ...]


class Other(Protocol):
    """Another engine that holds the same rows under the same names."""

    @property
    def dialect(self) -> Dialect: ...

    async def rows(self, sql: str, parameters: Sequence[object]) -> list[Row]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One question on both engines; `differing` are the rows that are not the same, here and there."""

    ask: Ask
    cells: int
    differing: tuple[tuple[Row | None, Row | None], ...]
    failure: str = ""

    @property
    def agrees(self) -> bool:
        return not self.differing and not self.failure


class Postgres:
    """PostgreSQL with the packs' own tables, or a copy of them."""

    dialect: Dialect = "postgres"

    def __init__(self, url: str) -> None:
        self._url = url

    async def rows(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        """Return what a query gives. Raises Unavailable where nobody answers at the address, or not with this name."""
        connection = await connected(self._url, {"timezone": "UTC"}, to="compare with", undone="compared")
        try:
            async with connection.transaction(readonly=True):
                return [tuple(cast("Iterable[object]", row)) for row in await connection.fetch(sql, *parameters)]
        finally:
            await connection.close()


class Spark:
    """A Spark session over files that the lake's rows were written to for it; `stop` ends it."""

    dialect: Dialect = "spark"

    def __init__(self, reader: Reader, metrics: Metrics, folder: Path) -> None:
        try:
            sql: Any = importlib.import_module("pyspark.sql")  # of an extra of its own, with Java
        except ImportError as missing:
            raise errors.Unavailable("Spark is not here", remedy="install isthmus[spark], and Java 17") from missing
        builder = sql.SparkSession.builder.master("local[2]").appName("isthmus graduate")
        options = {
            "spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": str(folder / "warehouse"), "spark.driver.memory": "1g",
        }  # fmt: skip
        for name, value in options.items():
            builder = builder.config(name, value)
        self._session: Any = builder.getOrCreate()
        self._session.sparkContext.setLogLevel("ERROR")
        for entity in metrics.model.entities.values():
            self._register(entity.table, export(reader, metrics, entity.name, folder))

    async def rows(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        found = await asyncio.to_thread(lambda: self._session.sql(sql).collect())
        return [tuple(row) for row in found]

    def stop(self) -> None:
        self._session.stop()

    def _register(self, table: str, path: Path) -> None:
        schema, dot, name = table.partition(".")
        if dot:
            self._session.sql(f"create database if not exists `{schema}`")
        place = f"`{schema}`.`{name}`" if dot else f"`{schema}`"
        self._session.sql(f"create or replace view {place} as select * from parquet.`{path}`")


def export(reader: Reader, metrics: Metrics, name: str, folder: Path) -> Path:
    """Write an entity's rows as Parquet that every engine reads: ids as text, times in UTC."""
    parquet: Any = importlib.import_module("pyarrow.parquet")

    entity = metrics.model.entity(name)
    columns = ", ".join(
        f"cast({quoted(field.name)} as varchar) as {quoted(field.name)}" if field.kind == "uuid" else quoted(field.name)
        for field in entity.fields.values()
    )
    path = folder / f"{name}.parquet"
    table: Any = reader.read(f"select {columns} from {table_name(entity.table)}")
    parquet.write_table(table, path, coerce_timestamps="us")
    return path


def acceptance(metrics: Metrics, now: datetime, *, has_found: bool = True) -> list[Ask]:
    """Return the questions that decide: each metric in total, by month, and by some of its dimensions.

    What has neither a total nor months, such as a growth by weeks, is asked by the first grain that it has. Without
    `has_found`, none is of what the lake itself found out: the business's own database has no such tables.
    """
    asks: list[Ask] = []
    for name in metrics.model.metrics:
        for by, roots in _ways(metrics, name, now):
            if not has_found and any(metrics.model.entity(root).table.startswith(FOUND) for root in roots):
                continue
            asks.append(Ask(metrics=(name,), by=by, as_of=now))
            for dimension in dimensions(metrics.model, roots)[:DIMENSIONS_MAX]:
                asks.append(Ask(metrics=(name,), by=(*by, dimension), as_of=now))
    return asks


def _ways(metrics: Metrics, name: str, now: datetime) -> list[tuple[tuple[str, ...], frozenset[str]]]:
    """Return what a metric can be asked by, in total and by time, with the entities that it then counts."""
    found: list[tuple[tuple[str, ...], frozenset[str]]] = []
    for by in ((), ("time:month",), *((f"time:{grain}",) for grain in GRAINS)):
        if found and by not in ((), ("time:month",)):
            break
        try:
            planned = plan(metrics.model, Ask(metrics=(name,), by=by, as_of=now), now)
        except errors.BadAsk:  # it has no total, or no time
            continue
        found.append((by, frozenset(leg.root for leg in planned.legs)))
    return found


async def compare(metrics: Metrics, reader: Reader, other: Other, asks: Sequence[Ask], now: datetime) -> list[Compared]:
    """Ask each question of both engines, and return where they agree and where not.

    Raises Unavailable where the other engine cannot be asked at all: that is no difference.
    """
    return [await _compared(metrics, reader, other, ask, now) for ask in asks]


async def _compared(metrics: Metrics, reader: Reader, other: Other, ask: Ask, now: datetime) -> Compared:
    written = statement(metrics.model, plan(metrics.model, ask, now))
    sql, parameters = translated(written.sql, written.parameters, other.dialect)
    width = len(written.columns)
    here_rows = [tuple(row.values())[:width] for row in reader.read(written.sql, written.parameters).to_pylist()]
    try:
        there_rows = [row[:width] for row in await other.rows(sql, parameters)]
    except errors.Unavailable:  # there is nothing to compare with, which says nothing of the numbers
        raise
    except Exception as failure:  # another engine's errors are many; each is a reason not to switch
        return Compared(
            ask=ask, cells=len(here_rows) * width, differing=(), failure=f"{type(failure).__name__}: {failure}"
        )
    groups = len(ask.by)
    here, there = _keyed(here_rows, groups), _keyed(there_rows, groups)
    differing = [
        (here.get(group), there.get(group))
        for group in dict.fromkeys([*here, *there])
        if not _is_same_row(here.get(group), there.get(group))
    ]
    return Compared(ask=ask, cells=len(here_rows) * width, differing=tuple(differing))


def _keyed(rows: Sequence[Row], groups: int) -> Mapping[Row, Row]:
    return {tuple(str(value) for value in map(_plain, row[:groups])): tuple(map(_plain, row)) for row in rows}


def _is_same_row(one: Row | None, other: Row | None) -> bool:
    if one is None or other is None or len(one) != len(other):
        return False
    return all(_is_same(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def _is_same(one: object, other: object) -> bool:
    """Whole numbers and texts must be the same; fractions to nine digits, since engines add in their own order."""
    if isinstance(one, float) or isinstance(other, float):
        if not (isinstance(one, int | float) and isinstance(other, int | float)):
            return False
        return isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
