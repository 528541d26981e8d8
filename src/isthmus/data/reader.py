"""Consistent states of the data, to be read with SQL; and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import duckdb

from isthmus.kernel import errors


class Table(Protocol):
    """Rows in columns, as Arrow holds them; what the platform itself uses of a `pyarrow.Table`."""

    @property
    def num_rows(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    def to_pylist(self) -> list[dict[str, Any]]: ...
    def select(self, columns: Sequence[str], /) -> Table: ...


class Reader(Protocol):
    """A consistent state of the data, read with DuckDB's SQL. The same `snapshot` always holds the same rows."""

    @property
    def snapshot(self) -> str: ...

    def read(self, sql: str, parameters: Sequence[object] = ()) -> Table: ...


class Snapshots(Protocol):
    """Where states of the data come from: the newest, or one by name (NotFound where it is gone, with why)."""

    def newest(self) -> Reader: ...
    def at(self, snapshot: str) -> Reader: ...


class DuckReader:
    """A DuckDB connection whose rows do not change, under a name for its state."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, snapshot: str) -> None:
        self._connection = connection
        self._connection.execute("set TimeZone = 'UTC'; set python_enable_replacements = false")
        self.snapshot = snapshot

    def read(self, sql: str, parameters: Sequence[object] = ()) -> Table:
        return cast(Table, self._connection.cursor().sql(sql, params=list(parameters)).to_arrow_table())

    def newest(self) -> DuckReader:
        return self

    def at(self, snapshot: str) -> DuckReader:
        if snapshot != self.snapshot:
            raise errors.NotFound(f"snapshot {snapshot} is not here", remedy=f"the one that is here is {self.snapshot}")
        return self
