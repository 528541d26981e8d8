"""Rows that the asker may see, as SQL: restricted ones, and with them all that refer to rows that are not seen.

open     rows that pass the policy's filter, and refer to nothing unseen outside of their own cycle of references
links    within a cycle: which open row refers to which row
lost     those that refer to a row that is not open, and all that refer to lost ones, until no more come
visible  open and not lost
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from isthmus.data.model.columns import SQL_TYPES, quoted
from isthmus.markings import Filter

from ..model.model import Entity, Model, Reference
from ..model.paths import Step, following
from .scope import Parameters, Scope, conjunction, matching


def visible_rows(shared: Parameters, visible: Mapping[str, Filter]) -> tuple[list[str], bool]:
    """Return a subquery for each entity that is restricted, or refers to one that is; and whether one is recursive.

    `visible` says which rows of an entity are seen. Rows that refer to unseen rows are unseen, also along references
    that come back to where they began. All parts of a statement use these subqueries.
    """
    written: list[str] = []
    names: dict[str, str] = {}
    is_recursive = False
    for number, ring in enumerate(following(shared.model, visible)):
        inside = {entity.name for entity in ring}
        is_ring = any(reference.target in inside for entity in ring for reference in entity.references)
        opened = {entity.name: f"{'open' if is_ring else 'visible'} {entity.name}" for entity in ring}
        written += [_open(shared, names, entity, opened[entity.name], visible.get(entity.name)) for entity in ring]
        if is_ring:
            written += _without_lost(shared.model, ring, opened, number)
            is_recursive = True
        names |= {name: f"visible {name}" for name in inside}
    shared.visible = names
    return written, is_recursive


def _open(shared: Parameters, names: Mapping[str, str], entity: Entity, name: str, rows: Filter | None) -> str:
    inner = Parameters(shared.model, shared.zone, dict(names), shared.values, behind=shared.behind)
    scope = Scope(inner, entity.name, "v")
    conditions = conjunction(scope, [rows], f"the policy on {entity.name}") if rows is not None else []
    for reference in entity.references:
        if reference.target in names:
            step = Step(reference, is_up=True)
            conditions.append(
                f"(v.{quoted(reference.name)} is null or exists (select 1 from "
                f"{quoted(names[reference.target])} as p where {matching(step, 'v', 'p')}))"
            )
    shared.behind[entity.name] = inner.joined
    where = "where " + " and ".join(conditions) if conditions else ""
    return f"{quoted(name)} as (\n    select v.* {scope.clause()}\n    {where})"


def _without_lost(model: Model, ring: Sequence[Entity], opened: Mapping[str, str], number: int) -> Iterator[str]:
    """Yield the subqueries that take rows out of a cycle that refer to unseen ones in it."""
    width = max(len(entity.key) for entity in ring)
    links, lost, nodes = (f"ring{number}_{what}" for what in ("links", "lost", "nodes"))
    keys, ends = [f"k{at}" for at in range(width)], [f"t{at}" for at in range(width)]
    linked = [
        _link(model, entity, reference, opened[entity.name], width)
        for entity in ring
        for reference in entity.references
        if reference.target in opened
    ]
    yield f"{links} as (\n    " + "\n    union all ".join(linked) + ")"
    each = [
        f"select '{entity.name}' as e, {_padded(_texts(entity, entity.key, 's'), keys)} "
        f"from {quoted(opened[entity.name])} as s"
        for entity in ring
    ]
    yield f"{nodes} as (\n    " + "\n    union all ".join(each) + ")"
    listed = ", ".join(f"l.{key}" for key in keys)
    same = " and ".join(["x.e = l.te", *(f"x.{key} = l.{end}" for key, end in zip(keys, ends, strict=True))])
    yield (
        f"{lost}(e, {', '.join(keys)}) as (\n    select l.e, {listed} from {links} as l "
        f"where not exists (select 1 from {nodes} as x where {same})\n    union "
        f"select l.e, {listed} from {links} as l join {lost} as x on {same})"
    )
    for entity in ring:
        texts = _texts(entity, entity.key, "v")
        own = " and ".join(f"x.{key} is not distinct from {text}" for key, text in zip(keys, texts, strict=False))
        yield (
            f"{quoted(f'visible {entity.name}')} as (\n    select v.* from {quoted(opened[entity.name])} as v "
            f"where not exists (select 1 from {lost} as x where x.e = '{entity.name}' and {own}))"
        )


def _link(model: Model, entity: Entity, reference: Reference, name: str, width: int) -> str:
    target = model.entities[reference.target]
    own = {there: mine for mine, there in reference.pairs}
    keys = _padded(_texts(entity, entity.key, "s"), [f"k{at}" for at in range(width)])
    ends = _padded(
        _texts(target, target.key, "s", [own[there] for there in target.key]), [f"t{at}" for at in range(width)]
    )
    return (
        f"select '{entity.name}' as e, {keys}, '{target.name}' as te, {ends} "
        f"from {quoted(name)} as s where s.{quoted(reference.name)} is not null"
    )


def _texts(entity: Entity, fields: Sequence[str], alias: str, columns: Sequence[str] = ()) -> list[str]:
    """Return fields as text, so that rows of all kinds in a cycle stand in one table; `columns` stand in for them."""
    return [
        f"cast(cast({alias}.{quoted(column)} as {SQL_TYPES[entity.fields[field].kind]}) as varchar)"
        for field, column in zip(fields, columns or fields, strict=True)
    ]


def _padded(texts: Sequence[str], names: Sequence[str]) -> str:
    """Return key fields under common names; a key of fewer fields has empty text in the others."""
    filled = [*texts, *["''"] * (len(names) - len(texts))]
    return ", ".join(f"{text} as {name}" for text, name in zip(filled, names, strict=True))
