"""What leaves to whom small numbers are hidden: the statements that it takes, and what was asked before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from ..lake.reader import Reader
from ..model.ask import Ask
from ..model.expression import Measured
from ..privacy import policy as policies
from ..privacy.asked import Book
from ..privacy.policy import Policy
from ..privacy.small_cells import Group
from ..privacy.suppression import hide_small
from ..query.members import members
from ..query.plan import Plan, plan
from ..query.proof import Proofs
from ..query.sql import Statement, statement

Rows = list[dict[str, Any]]


def written(planned: Plan, policy: Policy) -> Statement:
    """Return the statement of a plan as a policy sees rows, whole where something is left out after reading."""
    visible = policies.visible_rows(planned.model, policy)
    is_whole_table = policy.cells_min > 0 or bool(planned.ask.having)
    return statement(planned.model, planned, visible, is_whole_table=is_whole_table)


def hide(
    planned: Plan, rows: Rows, policy: Policy, reader: Reader, asked_at: datetime, proofs: Proofs, book: Book
) -> tuple[int, int]:
    """Empty what few people stand behind; return how many numbers for themselves, and how many for what was asked."""
    visible = policies.visible_rows(planned.model, policy)

    def read(ask: Ask, is_divided: bool) -> Rows:
        wider = plan(planned.model, ask, asked_at, person=policy.person, is_divided=is_divided)
        to_read = written(wider, policy)
        proofs.check(reader, to_read.relied, ask, shows_keys=policies.sees_all(policy))
        return reader.rows(to_read.sql, to_read.parameters)

    def inside(cell: Measured, counted: Measured) -> tuple[Mapping[Group, int], Any, Any, Any]:
        found = members(planned, cell, counted, visible)
        *names, number = [f"d{at}" for at in range(len(planned.by))] + ["group"]
        groups = {
            tuple(row[name] for name in names): int(row[number]) for row in reader.rows(found.groups, found.parameters)
        }
        table = cast(Any, reader.read(found.rows, found.parameters))
        of_group, of_row = (table.column(name).to_numpy() for name in ("group", "row"))
        return groups, of_group, of_row, table.column("person").to_numpy() if found.has_people else None

    small = hide_small(planned, rows, policy.cells_min, read)
    return small, book.hide(planned, rows, policy.cells_min, inside)
