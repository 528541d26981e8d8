"""Who is in a number, row by row: what it takes to see which numbers differ by few people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from isthmus.data.model.columns import quoted
from isthmus.markings import Filter

from ..model.expression import Measured
from .plan import FactScan, Plan
from .proof import Relied, relied_on
from .scope import Scope, conjunction, reaching
from .visible import visible_rows
from .writing import Writing, stated, where_all

_NOBODY: Final = "'nobody'"  # a row of nobody is a person of its own: it may be anybody's


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Two statements with the same parameters: the groups of an answer by number, and the rows in each with the person.

    Rows, people and groups are named by a hash of 64 bits. Without `has_people` each row is a person.
    """

    groups: str
    rows: str
    parameters: tuple[object, ...]
    relied: Relied
    has_people: bool


def members(plan: Plan, cell: Measured, counted: Measured, rows: Mapping[str, Filter]) -> Members:
    """Return who is in each number of a cell; `counted` is how its people are told, `rows` what the asker may see."""
    leg = next(leg for leg in plan.legs if leg.cells[0].scan == cell.scan)
    writing = Writing(plan.model, plan)
    ctes, is_recursive = visible_rows(writing.shared, rows)
    scope, reason = Scope(writing.shared, leg.root, "r", leg.time, leg.shift), f"a metric on {leg.root}"
    dimensions = [f"{_dimension(plan, scope, leg, at)} as d{at}" for at in range(len(plan.by))]
    key = ", ".join(f"r.{quoted(part)}" for part in plan.model.entity(leg.root).key)
    columns = [f'hash({key}) as "row"']
    has_people = counted.agg == "people"
    if has_people:
        column = scope.column(scope.join_path(counted.field, reason))
        columns += [f"(case when {column} is null then hash({key}, {_NOBODY}) else hash({column}) end) as person"]
    conditions = writing.conditions_asked(scope, leg) + conjunction(scope, stated(counted), reason)
    listed = ", ".join([*dimensions, *columns])
    where = where_all(conditions + reaching(scope, counted.goal))
    distinct = "distinct " if leg.many else ""
    ctes.append(f"members as (\n    select {distinct}{listed}\n    {scope.clause()}\n    {where})")
    names = ", ".join(f"d{at}" for at in range(len(plan.by)))
    group = f"hash({names})" if names else "cast(0 as ubigint)"
    names_of = ['"row"', *(["person"] if has_people else [])]
    head = ("with recursive " if is_recursive else "with ") + ",\n".join(ctes)
    return Members(
        groups=f'{head}\nselect distinct {names}{", " if names else ""}{group} as "group" from members',
        rows=f'{head}\nselect {distinct}{group} as "group", {", ".join(names_of)} from members',
        parameters=tuple(writing.shared.values),
        relied=relied_on(writing.shared.joined, []),
        has_people=has_people,
    )


def _dimension(plan: Plan, scope: Scope, leg: FactScan, at: int) -> str:
    by, found = plan.by[at], leg.dimensions[at]
    return scope.column(found) if by.grain is None else scope.label(found, by.grain)
