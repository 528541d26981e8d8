"""Consents: which rows count for a purpose, as the history of what their person consented to says."""

from __future__ import annotations

from typing import Any, Protocol

from isthmus.data.model.columns import quoted

from ..errors import BadMetric
from ..model.expression import Consented
from ..model.paths import JoinPath, Path


class Rows(Protocol):
    """What a condition on rows needs to know of the statement that reads them."""

    entity: str
    time: JoinPath | None
    shared: Any  # with the model, the aliases and the values of the whole statement

    def join_path(self, name: str, reason: str) -> JoinPath: ...
    def at(self, path: Path) -> str: ...
    def moment(self, time: JoinPath) -> str: ...


def consented(scope: Rows, one: Consented) -> str:
    """Return that whom a row is of had consented at its time, or has by now where it has none."""
    known = scope.shared.model.entity(one.entity)
    reference = known.references[0]
    _, key = reference.pairs[0]
    way = f"{one.whose}>" if one.whose else ""
    whose = scope.join_path(f"{way}{reference.target}.{key}", "whoever has consented")
    if whose.is_many:
        raise BadMetric(
            f"a row of {scope.entity} is of several {reference.target}, so nobody can say who has consented",
            remedy="leave `purpose` out, or count rows of one each",
        )
    person, alias = scope.at(whose.path), scope.shared.alias("c")
    purpose, given = map(quoted, known.consents)
    at = known.field(known.time.rpartition(".")[2]).column
    pairs = [(quoted(own), quoted(there)) for own, there in reference.pairs]
    order = ", ".join([at, *(quoted(part) for part in known.key)])
    rows = (
        f"(select *, lead({at}) over (partition by {', '.join(own for own, _ in pairs)}, {purpose} order by {order}) "
        f"as ended from {scope.shared.relation(one.entity)})"
    )
    moment = scope.moment(scope.time) if scope.time is not None else ""
    until = f"{alias}.{at} <= {moment} and ({alias}.ended is null or {moment} < {alias}.ended)"
    conditions = [
        *(f"{alias}.{own} = {person}.{there}" for own, there in pairs),
        f"{alias}.{purpose} = {scope.shared.add(one.purpose, 'varchar')}",
        f"{alias}.{given}",
        until if moment else f"{alias}.ended is null",
    ]
    return f"exists (select 1 from {rows} as {alias} where {' and '.join(conditions)})"
