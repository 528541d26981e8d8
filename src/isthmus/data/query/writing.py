"""A statement while it is written: its parts so far, and what each kind of leg needs for its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from isthmus.data.model.columns import SQL_TYPES
from isthmus.markings import Filter

from ..model.ask import calendar, leaves, metrics_in, zone
from ..model.calendars import Calendar
from ..model.expression import Measured, Rowwise, Within
from ..model.model import Model
from .plan import FactScan, Plan
from .scope import Parameters, Scope, conjunction, reaching

CODES: Final[Mapping[str, str]] = {"least-code": "min", "greatest-code": "max"}


@dataclass(slots=True)
class Writing:
    """What all legs of a statement share while it is written."""

    model: Model
    plan: Plan
    shared: Parameters = field(init=False)
    ctes: list[str] = field(default_factory=list)
    places: dict[Measured, str] = field(default_factory=dict)
    is_recursive: bool = False

    def __post_init__(self) -> None:
        ask = self.plan.ask
        self.shared = Parameters(
            self.model,
            zone(ask),
            {},
            calendar=calendar(ask, self.model.calendar.own),
            names=self.plan.names,
        )

    def runs(self, leg: FactScan) -> bool:
        """Return whether a leg's rows count in later periods too, as far as those are asked for."""
        return leg.looks_back and leg.axis is not None

    def conditions_asked(self, scope: Scope, leg: FactScan) -> list[str]:
        """Return the asker's filters on rows. Where earlier rows count too, time ends, and does not begin."""
        if leg.bounds is None or not leg.looks_back or leg.time is None:
            return conjunction(scope, self.plan.ask.where, "a filter")
        found = conjunction(scope, leg.bounds.rest, "a filter") if leg.series is None else []
        left = leg.bounds.stretches
        if not left:
            return [*found, "false"]
        end = left[-1][1]
        return found if end is None else [*found, f"{scope.local(leg.time)} < {self.shared.add(end, 'timestamp')}"]

    def flags(self, scope: Scope, leg: FactScan) -> list[str]:
        """Return for each cell with filters of its own whether a row passes them."""
        found: list[str] = []
        for cell in leg.cells:
            passing = conjunction(scope, stated(cell), f"a metric on {cell.root}") + reaching(scope, cell.goal)
            if passing:
                found.append(f"({' and '.join(passing)}) as f{self.places[cell]}")
        return found

    def write_groups(
        self, name: str, leg: FactScan, rows: str, aggregates: Mapping[Measured, str], *, is_cast: bool = True
    ) -> None:
        groups = [f"d{at}" for at in range(len(self.plan.by))]
        outputs = groups + [
            f"{self.cast(sql, cell) if is_cast else sql} as {self.places[cell]}" for cell, sql in aggregates.items()
        ]
        by = f"\n    group by {', '.join(groups)}" if groups else ""
        where = "\n    where w" if leg.series is not None and self.has_state(leg) else ""
        self.ctes.append(f"{name} as (\n    select {', '.join(outputs)}\n    from {rows}{where}{by})")

    def has_state(self, leg: FactScan) -> bool:
        """Return whether the last row of a series must be in some state to count."""
        series, rest = leg.series, leg.bounds.rest if leg.bounds else ()
        asked = series is not None and any(not is_of_series(one, leg.root, series.per) for one in rest)
        return asked or (is_shared(leg) and bool(stated(leg.cells[0]) or leg.cells[0].goal))

    def aggregate(self, leg: FactScan, cell: Measured) -> str:
        place = self.places[cell]
        return aggregated(cell, place, f"f{place}" if self.is_flagged(leg, cell) else "")

    def combined(self, leg: FactScan, cell: Measured) -> str:
        """Return how parts of earlier periods make one number; over a window without rows nothing adds up to zero."""
        if leg.is_holistic:
            return self.aggregate(leg, cell)
        place = self.places[cell]
        if cell.agg in ("sum", "count"):
            return f"coalesce(sum({place}), 0)"
        return f"{CODES.get(cell.agg, cell.agg)}({place})"

    def is_flagged(self, leg: FactScan, cell: Measured) -> bool:
        """Return whether a row says for itself if it counts in this cell."""
        return bool(cell.filters or cell.goal) and not is_shared(leg)

    def series_columns(self, leg: FactScan) -> list[str]:
        return [f"s{at}" for at in range(len(leg.series.per))] if leg.series else []

    def columns_of(self, leg: FactScan, *, is_grouped: bool = False) -> list[str]:
        dimensions = [f"d{at}" for at in range(len(self.plan.by))]
        if is_grouped:
            return dimensions + [self.places[cell] for cell in leg.cells]
        flags = [f"f{self.places[cell]}" for cell in leg.cells if self.is_flagged(leg, cell)]
        flags += ["w"] if leg.series is not None and self.has_state(leg) else []
        return dimensions + [self.places[cell] for cell in leg.cells if cell.field] + flags + self.series_columns(leg)

    def cast(self, sql: str, cell: Measured) -> str:
        """Return a number as its type; decimals keep the places that they have."""
        sql_type = self.type_of(cell)
        if sql_type != "decimal":
            return f"cast({sql} as {sql_type})"
        return "cast(null as decimal(1, 0))" if sql == "null" else sql

    def type_of(self, cell: Measured) -> str:
        if cell.agg in ("count", "distinct", "people"):
            return "bigint"
        if cell.agg == "percentile":
            return "double"
        _, found = self.model.split(cell.field.rpartition(">")[2])
        if found.kind == "decimal":
            return "decimal"
        return "hugeint" if found.kind == "integer" and cell.agg == "sum" else SQL_TYPES[found.kind]

    @property
    def calendar(self) -> Calendar:
        return self.shared.calendar


def aggregated(cell: Measured, column: str, passing: str = "") -> str:
    kept = f" filter (where {passing})" if passing else ""
    if not cell.field:
        return f"count(*){kept}"
    if cell.agg == "people":  # a row of nobody counts as one: it may be anybody's
        nobody = f"{passing} and {column} is null" if passing else f"{column} is null"
        return f"count(distinct {column}){kept} + count(*) filter (where {nobody})"
    if cell.agg == "distinct":
        return f"count(distinct {column}){kept}"
    if cell.agg == "percentile":
        return f"quantile_cont({column}, {cell.share!r}){kept}"
    return f"{CODES.get(cell.agg, cell.agg)}({column}){kept}"


def stated(cell: Measured) -> list[Filter | Rowwise]:
    """Return a cell's filters on what its rows say; of a level, a period is no such filter."""
    return [one for one in cell.filters if not (cell.series and isinstance(one, Within))]


def is_of_series(one: Filter, root: str, per: Sequence[str]) -> bool:
    """Return whether a filter is only about what tells series apart, so that it leaves whole ones."""
    known = {*per, *(f"{root}.{part}" for part in per)}
    return not metrics_in(one) and all(leaf.field in known for leaf in leaves(one))


def is_shared(leg: FactScan) -> bool:
    """Return whether all cells count the same rows, so that others need not be read."""
    return len(leg.cells) == 1 or len({(cell.filters, cell.goal) for cell in leg.cells}) == 1


def where_all(conditions: Sequence[str]) -> str:
    return "where " + " and ".join(conditions) if conditions else ""
