"""Consistent states of the data, to be read with SQL; and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from isthmus.kernel import errors
from isthmus.later import later

from ..errors import NumberTooLarge
from .stopping import stoppable

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = later("duckdb")


class Table(Protocol):
    """Rows in columns, as Arrow holds them; what the platform itself uses of a `pyarrow.Table`."""

    @property
    def num_rows(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    def to_pylist(self) -> list[dict[str, Any]]: ...
    def select(self, columns: Sequence[str], /) -> Table: ...


class Reader(Protocol):
    """A consistent state of the data, read with DuckDB's SQL. The same `snapshot` always holds the same rows.

    `arrived` says of an entity when its newest row came; None where nobody kept that. `rewritten` says why rows are
    no longer as they were when the state was new; it is empty where they are.
    """

    @property
    def snapshot(self) -> str: ...
    @property
    def arrived(self) -> Mapping[str, datetime] | None: ...
    @property
    def rewritten(self) -> str: ...

    def read(self, sql: str, parameters: Sequence[object] = ()) -> Table: ...
    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]: ...


class Snapshots(Protocol):
    """Where states of the data come from: the newest, or one by name (NotFound where it is gone, with why)."""

    def newest(self) -> Reader: ...
    def at(self, snapshot: str) -> Reader: ...


class DuckReader:
    """A DuckDB connection whose rows do not change, under a name for its state."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: str,
        arrived: Mapping[str, datetime] | None = None,
        rewritten: str = "",
    ) -> None:
        self._connection = connection
        self._connection.execute("set TimeZone = 'UTC'; set python_enable_replacements = false")
        self.snapshot = snapshot
        self.arrived = arrived
        self.rewritten = rewritten

    def read(self, sql: str, parameters: Sequence[object] = ()) -> Table:
        cursor = self._connection.cursor()
        with stoppable(cursor), _exactly():
            return cast(Table, cursor.sql(sql, params=list(parameters)).to_arrow_table())

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return what `read(...).to_pylist()` would, without Arrow: a third of a short answer's time."""
        cursor = self._connection.cursor()
        with stoppable(cursor), _exactly():
            found = cursor.execute(sql, list(parameters)).fetchall()
        names = [column[0] for column in cursor.description or ()]
        turns = [_TURNS.get(str(column[1])) for column in cursor.description or ()]
        if any(turns):
            found = [
                [turn(value) if turn and value is not None else value for turn, value in zip(turns, row, strict=True)]
                for row in found
            ]
        return [dict(zip(names, row, strict=True)) for row in found]

    def newest(self) -> DuckReader:
        return self

    def at(self, snapshot: str) -> DuckReader:
        if snapshot != self.snapshot:
            raise errors.NotFound(f"snapshot {snapshot} is not here", remedy=f"the one that is here is {self.snapshot}")
        return self


@contextmanager
def _exactly() -> Generator[None]:
    """Say in the words of the platform that a number does not fit, instead of the engine's."""
    try:
        yield
    except (duckdb.OutOfRangeException, duckdb.ConversionException) as beyond:
        raise NumberTooLarge(
            f"a number of this answer is beyond what is kept exactly: {str(beyond).strip().splitlines()[0]}",
            remedy="narrow the question by filters or groups; whole numbers are kept up to 38 digits",
        ) from beyond


_TURNS: Final[Mapping[str, Callable[[Any], object]]] = {
    "UUID": str,
    "TIMESTAMP WITH TIME ZONE": lambda moment: moment.astimezone(UTC),
}
