"""Rows that the asker may see, as SQL: restricted ones, and with them all that refer to rows that are not seen."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.data.model.columns import quoted
from isthmus.markings import Filter

from ..model.paths import Step, following
from .scope import Parameters, Scope, conjunction, matching


def visible_rows(shared: Parameters, visible: Mapping[str, Filter]) -> list[str]:
    """Return a subquery for each entity that is restricted, or refers to one that is; all parts of a statement use it.

    `visible` says which rows of an entity are seen. Rows that refer to unseen rows are unseen.
    """
    written: list[str] = []
    names: dict[str, str] = {}
    for entity in following(shared.model, visible):
        inner = Parameters(shared.model, shared.zone, names, shared.values, behind=shared.behind)
        scope = Scope(inner, entity.name, "v")
        conditions: list[str] = []
        if entity.name in visible:
            conditions = conjunction(scope, [visible[entity.name]], f"the policy on {entity.name}")
        for reference in entity.references:
            if reference.target in names:
                step = Step(reference, is_up=True)
                conditions.append(
                    f"(v.{quoted(reference.name)} is null or exists (select 1 from "
                    f"{quoted(names[reference.target])} as p where {matching(step, 'v', 'p')}))"
                )
        name = f"visible {entity.name}"
        where = "where " + " and ".join(conditions) if conditions else ""
        written.append(f"{quoted(name)} as (\n    select v.* {scope.clause()}\n    {where})")
        names[entity.name] = name
        shared.behind[entity.name] = inner.joined
    shared.visible = names
    return written
