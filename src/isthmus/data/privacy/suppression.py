"""Numbers that few people stand behind do not leave, nor what they could be found from, whichever way it is asked for.

Every number is a choice of cells of one table: the one that is grouped by all that chooses rows.

    what is grouped by          its dimensions, and one at a time each that goes with them, asked for or not (`beside`)
    what filters choose by      the asker's, and those in the definitions of metrics
    what divides rows in two    where nothing can be grouped by: a goal reached or not, a period, a value there or not

Small cells are hidden there, and others so that none follows from those shown (small_cells.py). Of the hidden ones a
number takes all or none, so that no two choices differ by a hidden one; and all of them only where their sum is shown.

It works on each count of people that a number is made of, never on the number: so metrics that are made of the same
counts are hidden together, and no sum or ratio of shown ones has a hidden part.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final, cast

from msgspec.structs import replace

from isthmus.markings import Grain, Where

from ..errors import NeedsTime, NotADimension, NotAnswered
from ..model.ask import Ask, calendar, grained, leaves
from ..model.calendars import PERIODS, Calendar, earlier, nested
from ..model.expression import cells
from ..model.paths import join_path, ways_up
from ..query.people import flags_of, full_name
from ..query.plan import Plan
from .small_cells import Group, hidden_cells

Rows = list[dict[str, Any]]
Read = Callable[[Ask, bool], Rows]  # a question; whether people are counted in all parts that metrics divide rows into
BESIDE_ROWS_MAX: Final = 5_000  # cells of a table with a dimension beside; who has more values is no group of people
_CHOSEN_BY: Final[tuple[Grain, ...]] = ("year", "month", "day")  # the coarsest that a choice of times fits is taken


def hide_small(planned: Plan, rows: Rows, least: int, read: Read) -> int:
    """Empty the numbers that few stand behind, and what would give them away; return how many."""
    names = sorted(by.asked for by in planned.by)
    groups = _groups(rows, names)
    count = 0
    for name in planned.people:
        separated = _separated(planned, name, names, least, read)
        beside = list(_beside(planned, name, names, least, read))
        hidden: set[int] = set()
        for at, cell in enumerate(cells(planned.metrics[name])):
            column = _column(at, name)
            people = [int(row[column]) for row in rows]
            given = {place for place, group in enumerate(groups) if group in separated.get(column, ())}
            given |= {place for place, group in enumerate(groups) for one in beside if group in one[column]}
            found = hidden_cells(groups, people, least, given)
            hidden |= _later(planned, names, groups, found, cell.shift) if cell.shift else found
        for place in hidden:
            count += rows[place][name] is not None
            rows[place][name] = None
    return count


def _beside(planned: Plan, name: str, names: Sequence[str], least: int, read: Read) -> Iterator[dict[str, set[Group]]]:
    """Yield the groups to hide, by count, for each other dimension that the same people may be asked by."""
    for other, rows in _tables_beside(planned, planned.ask, name, names, read, False) if names else ():
        ordered = sorted([*names, other])
        groups, axis = _groups(rows, ordered), ordered.index(other)
        yield {
            column: _hidden_beside(dict(zip(groups, (int(row[column]) for row in rows), strict=True)), axis, least)
            for column in (_column(at, name) for at in range(len(planned.people[name])))
        }


def _tables_beside(
    planned: Plan, ask: Ask, name: str, names: Sequence[str], read: Read, is_divided: bool
) -> Iterator[tuple[str, Rows]]:
    """Yield a table once more with each dimension that its people may be asked by as well."""
    for other in _others(planned, name, names):
        try:
            rows = read(_changed(ask, metrics=(name,), by=(*names, other), order=()), is_divided)
        except NeedsTime:
            continue
        if len(rows) <= BESIDE_ROWS_MAX:
            yield other, rows


def _others(planned: Plan, name: str, names: Sequence[str]) -> list[str]:
    """Return the dimensions, beside those named, that each row of a metric has at most one value of."""
    roots = {cell.root for cell in cells(planned.metrics[name])}
    plain = [field for field, _ in map(grained, names) if field != "time"]
    asked = {planned.names.of(root, field, "a dimension").name for root in roots for field in plain}
    return [
        f"{entity.name}.{field.name}"
        for entity in planned.model.entities.values()
        if all(root == entity.name or len(ways_up(planned.model, root, entity.name)) == 1 for root in roots)
        for field in entity.fields.values()
        if field.is_dimension and field.kind in ("text", "boolean", "integer") and not (field.is_key or field.pii)
        if f"{entity.name}.{field.name}" not in asked and not field.front_ends
    ]


def _later(
    planned: Plan, names: Sequence[str], groups: Sequence[Group], hidden: set[int], shift: tuple[int, Grain]
) -> set[int]:
    """Return the places in which what is hidden stands as the earlier period, or one that the filters leave out."""
    axis = names.index(next(by.asked for by in planned.by if by.is_own_time))
    shown = {group for place, group in enumerate(groups) if place not in hidden}
    kept = shown if planned.ask.where else shown.union({_back(group, axis, shift) for group in groups} - set(groups))
    return {place for place, group in enumerate(groups) if _back(group, axis, shift) not in kept}


def _back(group: Group, axis: int, shift: tuple[int, Grain]) -> Group:
    value = group[axis]
    if not isinstance(value, date):
        return group
    moment = earlier(value if isinstance(value, datetime) else datetime.combine(value, time()), *shift)
    return (*group[:axis], moment if isinstance(value, datetime) else moment.date(), *group[axis + 1 :])


def _column(at: int, name: str) -> str:
    return f"people {at} of {name}"


def _groups(rows: Rows, names: Sequence[str]) -> list[Group]:
    return [tuple(row[name] for name in names) for row in rows]


def _separated(planned: Plan, name: str, names: Sequence[str], least: int, read: Read) -> Mapping[str, set[Group]]:
    """Return the groups, by count, of which filters take some hidden cells and leave others."""
    ask = _changed(planned.ask, metrics=(name,), order=())
    roots = frozenset(cell.root for cell in cells(planned.metrics[name]))
    chosen = [flags_of(planned.names, cell, roots) for cell in cells(planned.metrics[name])]
    own = [
        (cell.root, leaf)
        for cell, (filters, _) in zip(cells(planned.metrics[name]), chosen, strict=True)
        for one in filters
        for leaf in leaves(one)
    ]
    if not ask.where and not own and not any(flags for _, flags in chosen):
        return {}
    found: Mapping[str, set[Group]] = {}
    asked: set[tuple[str, ...]] = set()
    for grain in _CHOSEN_BY:
        finer = _by(planned, own, grain)
        if finer in asked:
            continue
        asked.add(finer)
        try:
            every, taken = read(_changed(ask, by=finer, where=()), True), read(_changed(ask, by=finer), False)
            whole = _changed(planned.ask, where=())
            beside = [(other, rows) for other, rows in _tables_beside(planned, whole, name, finer, read, True)]
        except NeedsTime:  # a metric that compares periods has no number in finer ones
            continue
        except NotADimension as wrong:
            raise NotAnswered(
                f"numbers that few people stand behind are hidden, and a filter could pick them out: {wrong.message}",
                remedy="filter by what the metric may be grouped by",
            ) from None
        sizes = [len(flags) for _, flags in chosen]
        found, is_cut = _split(planned, name, sizes, finer, names, (every, taken, beside), least)
        if not is_cut:
            break
    return found


def _split(
    planned: Plan,
    name: str,
    sizes: Sequence[int],
    finer: Sequence[str],
    names: Sequence[str],
    tables: tuple[Rows, Rows, list[tuple[str, Rows]]],
    least: int,
) -> tuple[dict[str, set[Group]], bool]:
    """Return the groups that are split, by count; and whether a filter cuts through a cell of the finer table.

    The cells of that table are told apart by `finer`, and by which flags of a count hold: so many has each in `sizes`.
    """
    ordered = sorted(finer)
    every, chosen = (dict(zip(_groups(one, ordered), one, strict=True)) for one in tables[:2])
    groups = {atom: _group(planned, dict(zip(ordered, atom, strict=True)), names) for atom in every}
    split: dict[str, set[Group]] = {}
    is_cut, first = False, 0
    for at, size in enumerate(sizes):
        column = _column(at, name)
        columns = [_column(first + number, name) for number in range(2**size)]
        first += 2**size
        people = _divided(tables[0], ordered, columns, size)
        taken = {
            cell: int(chosen[cell[: len(ordered)]][column])
            if all(cell[len(ordered) :]) and cell[: len(ordered)] in chosen
            else 0
            for cell in people
        }
        of = {cell: groups[cell[: len(ordered)]] for cell in people}
        behind: dict[Group, int] = {}
        for cell, count in people.items():
            behind[of[cell]] = behind.get(of[cell], 0) + count
        hidden, sums = _hidden(people, least), _hidden(behind, least)
        for other, rows in tables[2]:
            more, axis = sorted([*ordered, other]), sorted([*ordered, other]).index(other)
            counts = _divided(rows, more, columns, size)
            hidden |= _hidden_beside(counts, axis, least)
            place = sorted([*names, other]).index(other)
            together: dict[Group, int] = {}
            for cell, count in counts.items():
                group = of.get(_without(cell, axis))
                if group is not None:
                    known = (*group[:place], cell[axis], *group[place:])
                    together[known] = together.get(known, 0) + count
            sums |= _hidden_beside(together, place, least)
        cut = {of[cell] for cell in people if 0 < taken[cell] < people[cell]}
        inside = {of[cell] for cell in hidden if taken[cell]}
        outside = {of[cell] for cell in hidden if people[cell] and not taken[cell]}
        split[column] = cut | (inside & (outside | sums))
        is_cut = is_cut or bool(cut)
    return split, is_cut


def _divided(rows: Rows, ordered: Sequence[str], columns: Sequence[str], size: int) -> dict[Group, int]:
    """Return how many stand behind each group and each way that its flags may hold."""
    ways = zip(columns, itertools.product((True, False), repeat=size), strict=True)
    groups = _groups(rows, ordered)
    return {
        (*group, *holding): int(row[column])
        for column, holding in ways
        for group, row in zip(groups, rows, strict=True)
    }


def _without(group: Group, axis: int) -> Group:
    return group[:axis] + group[axis + 1 :]


def _hidden_beside(people: Mapping[Group, int], axis: int, least: int) -> set[Group]:
    """Return what is hidden of a table without one of its dimensions, since the table with it is there too."""
    groups = list(people)
    if not groups:
        return set()
    return {_without(groups[at], axis) for at in hidden_cells(groups, list(people.values()), least, beside=(axis,))}


def _hidden(people: Mapping[Group, int], least: int) -> set[Group]:
    groups = list(people)
    return {groups[at] for at in hidden_cells(groups, list(people.values()), least)}


def _by(planned: Plan, own_leaves: Sequence[tuple[str, Where]], grain: Grain) -> tuple[str, ...]:
    """Return the dimensions of an answer with those that filters choose by; times as fine as both need."""
    root = planned.legs[0].root
    asked = [(root, leaf) for one in planned.ask.where for leaf in leaves(one)]
    found = {by.asked: None for by in planned.by if not by.is_own_time}
    own: Grain | None = next((by.grain for by in planned.by if by.is_own_time and by.grain in PERIODS), None)
    for origin, leaf in [*asked, *own_leaves]:
        if leaf.field == "time":
            own = _finer(own, grain)
            continue
        name = leaf.field if (origin, leaf) in asked else full_name(origin, leaf.field)
        if not _is_many(planned, name):
            found[f"{name}:{grain}" if _is_time(planned, origin, leaf) else name] = None
    return (*found, f"time:{own}") if own else tuple(found)


def _is_many(planned: Plan, name: str) -> bool:
    """Return whether a row may have several values of a field: then its values are no parts of a whole."""
    return any(
        join_path(planned.model, leg.root, full_name(leg.root, name), "a filter").is_many for leg in planned.legs
    )


def _is_time(planned: Plan, root: str, leaf: Where) -> bool:
    found = join_path(planned.model, root, full_name(root, leaf.field), "a filter")
    return found.field.kind in ("date", "timestamp")


def _finer(one: Grain | None, other: Grain) -> Grain:
    """Return a grain whose periods both are made of; weeks begin and end inside months."""
    return other if one is None else nested([one, other])


def _group(planned: Plan, atom: Mapping[str, object], names: Sequence[str]) -> Group:
    """Return the group of an answer that a cell of the finer table belongs to."""
    time_of = next((value for name, value in atom.items() if name.startswith("time:")), None)
    grains = {by.asked: by.grain for by in planned.by if by.is_own_time}
    usual = calendar(planned.ask)
    return tuple(
        _coarser(time_of, cast(Grain, grains[name]), usual) if name in grains else atom[name] for name in names
    )


def _coarser(value: object, grain: Grain, usual: Calendar) -> object:
    if not isinstance(value, date):
        return value
    cut = usual.truncated(value if isinstance(value, datetime) else datetime.combine(value, time()), grain)
    return cut if grain == "hour" else cut.date()


def _changed(ask: Ask, **fields: object) -> Ask:
    return replace(cast(Any, ask), **fields)
