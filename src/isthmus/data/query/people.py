"""Who stands behind a number: those who add something to it, and in which parts its definition divides rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from isthmus import markings as m
from isthmus.kernel import errors
from isthmus.markings import Filter

from ..errors import NotAnswered
from ..model.ask import leaves
from ..model.expression import Consented, Flag, Goal, Measured, Rowwise, Within
from ..model.model import Model
from ..model.paths import Names, ways_up, written

FLAGS_MAX: Final = 4  # each doubles what is counted


def people_behind(names: Names, found: Sequence[Measured], person: str | None, is_divided: bool) -> Iterator[Measured]:
    """Yield who stands behind each cell; for one of an earlier period, who stands behind the period shown.

    Who has no value adds nothing to a sum, and stands behind none.
    """
    if person is None:
        return
    roots = frozenset(cell.root for cell in found)
    for cell in (replace(cell, shift=None) for cell in found):
        _check_hideable(names.model, cell)
        counted = _counting(names.model, cell, person)
        present = _present(names.model, cell)
        if not is_divided:
            yield replace(counted, filters=(*cell.filters, *present))
            continue
        _, flags = flags_of(names, cell, roots)
        kept = cell.filters if cell.series is not None else ()
        for holding in itertools.product((True, False), repeat=len(flags)):
            divided = (Flag(of, holds) for of, holds in zip(flags, holding, strict=True))
            yield replace(counted, goal=None, filters=(*kept, *(present if cell.agg != "count" else ()), *divided))


def flags_of(
    names: Names, cell: Measured, roots: frozenset[str]
) -> tuple[list[Filter], tuple[Filter | Within | Consented | Goal, ...]]:
    """Return what a cell's own definition chooses rows by: filters by fields that its numbers may be grouped by, too,
    as they are reached from all these entities; and what can only be told of each row, holding or not.
    """
    if cell.series is not None:
        return [], ()
    by_fields: list[Filter] = []
    flags: list[Filter | Within | Consented | Goal] = [cell.goal] if cell.goal is not None else []
    for one in cell.filters:
        if isinstance(one, Rowwise):
            flags += [one] if not isinstance(one, Flag) else []
        elif all(_is_groupable(names, cell.root, roots, leaf) for leaf in leaves(one)):
            by_fields.append(one)
        else:
            flags.append(one)
    if cell.agg == "count":
        flags += _present(names.model, cell)
    if len(flags) > FLAGS_MAX:
        plain = tuple(one for one in flags if not isinstance(one, Within | Consented | Goal))
        flags = [*(one for one in flags if isinstance(one, Within | Consented | Goal)), m.AllOf(plain)]
    return by_fields, tuple(flags)


def _is_groupable(names: Names, root: str, roots: frozenset[str], leaf: m.Where) -> bool:
    if leaf.field == "time":
        return True
    name = names.of(root, leaf.field, "a filter")
    try:
        found = [names.of(one, full_name(root, leaf.field), "a filter") for one in roots]
    except errors.BadAsk:  # no way there, or several
        return False
    is_plain = name.field.is_dimension and name.field.pii is None and name.field.kind != "json"
    return is_plain and not any(one.is_many for one in found)


def full_name(root: str, field: str) -> str:
    return field if "." in field else f"{root}.{field}"


def _present(model: Model, cell: Measured) -> tuple[Filter, ...]:
    """Return what a row must have to add something to a cell: a value, and for a sum one that is not zero."""
    if not cell.field or ">" in cell.field or cell.agg not in ("sum", "count", "distinct"):
        return ()
    entity, found = model.split(cell.field)
    if entity.name != cell.root or found.front_ends:
        return ()
    known: tuple[Filter, ...] = (m.Where(cell.field, "is not null"),) if found.is_nullable else ()
    is_added = cell.agg == "sum" and found.kind in ("integer", "number", "decimal")
    return (*known, m.Where(cell.field, "!=", 0)) if is_added and found.measure is not None else known


def _counting(model: Model, cell: Measured, person: str) -> Measured:
    ways = ways_up(model, cell.root, person) if person else []
    if not ways:
        return replace(cell, agg="count", field="")
    *before, last = ways[0]
    return replace(cell, agg="people", field=written(tuple(before), f"{last.reference.source}.{last.reference.name}"))


def _check_hideable(model: Model, cell: Measured) -> None:
    if cell.window is not None:
        raise NotAnswered(
            "a running total of one period less that of the one before shows a single period",
            remedy="ask for the metric that it is made of: small cells are hidden there",
        )
    if cell.series is not None and _is_of_people(model, cell.root):
        raise NotAnswered(
            f"the last {cell.field} of each series is one person's number",
            remedy="ask for a metric that adds up rows",
        )
    if cell.agg in ("min", "max", "percentile") and _is_of_people(model, cell.root):
        raise NotAnswered(
            f"the least, greatest or middle {cell.field} of many people is the number of one of them",
            remedy="ask for a sum or an average",
        )


def _is_of_people(model: Model, name: str, *seen: str) -> bool:
    """Return whether rows of an entity say something personal, or lead to one that does."""
    entity = model.entity(name)
    targets = {reference.target for reference in entity.references} - {name, *seen}
    own = any(field.pii for field in entity.fields.values())
    return own or any(_is_of_people(model, target, name, *seen) for target in targets)
