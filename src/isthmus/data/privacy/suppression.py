"""Numbers that few people stand behind do not leave, nor what they could be found from, whichever way it is asked for.

    in a table     small cells, and others so that none is found by subtraction               small_cells.py
    by filters     a filter is a choice of cells of the table that is grouped by its fields too: of those that the
                   table hides, it takes all or none, so that no two choices differ by a hidden one; and all of them
                   only where their sum is shown without the filter
    by metrics     a derived metric is a filter on the one that it is derived from

It works on each count of people that a number is made of, never on the number: so metrics that are made of the same
counts are hidden together, and no sum or ratio of shown ones has a hidden part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final, cast

from msgspec.structs import replace

from isthmus.markings import Derived, Grain, Where

from ..errors import NeedsTime, NotADimension, NotAnswered
from ..model.ask import Ask, leaves
from ..model.calendars import Calendar, earlier, nested
from ..model.expression import cells
from ..model.model import Model
from ..model.named import parts_of
from ..model.paths import join_path
from ..query.plan import Plan
from .small_cells import Group, hidden_cells

Rows = list[dict[str, Any]]
Read = Callable[[Ask, int], Rows]  # a question with as many levels of derived metrics taken off, counted in full
_CHOSEN_BY: Final[tuple[Grain, ...]] = ("year", "month", "day")  # the coarsest that a choice of times fits is taken


def hide_small(planned: Plan, rows: Rows, least: int, read: Read) -> int:
    """Empty the numbers that few stand behind, and what would give them away; return how many."""
    names = sorted(by.asked for by in planned.by)
    groups = _groups(rows, names)
    parted = _parted(planned, names, least, read) if planned.ask.where else {}
    wider = [dict(zip(_groups(found, names), found, strict=True)) for found in _wider(planned, read)]
    count = 0
    for name in planned.people:
        hidden: set[int] = set()
        for at, cell in enumerate(cells(planned.metrics[name])):
            column = _column(at, name)
            people = [int(row[column]) for row in rows]
            given = {place for place, group in enumerate(groups) if group in parted.get(column, ())}
            for before in wider:
                given |= {
                    place
                    for place, group in enumerate(groups)
                    if group in before and 0 < before[group][column] - people[place] < least
                }
            found = hidden_cells(groups, people, least, given)
            hidden |= _later(planned, names, groups, found, cell.shift) if cell.shift else found
        for place in hidden:
            count += rows[place][name] is not None
            rows[place][name] = None
    return count


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


def _wider(planned: Plan, read: Read) -> Iterator[Rows]:
    """Yield the same cells without the asker's filters, without each single one, and of what metrics derive from."""
    ask = planned.ask
    if ask.where:
        yield read(_changed(ask, where=()), 0)
    if len(ask.where) > 1:
        for at in range(len(ask.where)):
            yield read(_changed(ask, where=ask.where[:at] + ask.where[at + 1 :]), 0)
    for levels in range(1, max(_derived(planned.model, name) for name in planned.metrics) + 1):
        yield read(ask, levels)


def _derived(model: Model, name: str) -> int:
    """Return how many metrics in a row are derived from one another, in what a metric is made of."""
    metric = model.metric(name)
    return isinstance(metric, Derived) + max((_derived(model, part) for part in parts_of(metric)), default=0)


def _parted(planned: Plan, names: Sequence[str], least: int, read: Read) -> Mapping[str, set[Group]]:
    """Return the groups, by count, of which the filters take some hidden cells and leave others."""
    ask = planned.ask
    found: Mapping[str, set[Group]] = {}
    asked: set[tuple[str, ...]] = set()
    for grain in _CHOSEN_BY:
        finer = _by(planned, grain)
        if finer in asked:
            continue
        asked.add(finer)
        try:
            every, chosen = (read(_changed(ask, by=finer, where=where, order=()), 0) for where in ((), ask.where))
        except NeedsTime:  # a metric that compares periods has no number in finer ones
            continue
        except NotADimension as wrong:
            raise NotAnswered(
                f"numbers that few people stand behind are hidden, and a filter could pick them out: {wrong.message}",
                remedy="filter by what the metric may be grouped by",
            ) from None
        found, is_cut = _split(planned, finer, names, (every, chosen), least)
        if not is_cut:
            break
    return found


def _split(
    planned: Plan, finer: Sequence[str], names: Sequence[str], tables: tuple[Rows, Rows], least: int
) -> tuple[dict[str, set[Group]], bool]:
    """Return the groups that are split, by count; and whether a filter cuts through a cell of the finer table."""
    ordered = sorted(finer)
    every, chosen = (dict(zip(_groups(one, ordered), one, strict=True)) for one in tables)
    groups = {atom: _group(planned, dict(zip(ordered, atom, strict=True)), names) for atom in every}
    split: dict[str, set[Group]] = {}
    is_cut = False
    for name, counted in planned.people.items():
        for column in (_column(at, name) for at in range(len(counted))):
            people = {atom: int(row[column]) for atom, row in every.items()}
            taken = {atom: int(chosen[atom][column]) if atom in chosen else 0 for atom in every}
            behind: dict[Group, int] = {}
            for atom, count in people.items():
                behind[groups[atom]] = behind.get(groups[atom], 0) + count
            hidden, sums = _hidden(people, least), _hidden(behind, least)
            cut = {groups[atom] for atom in every if 0 < taken[atom] < people[atom]}
            inside = {groups[atom] for atom in hidden if taken[atom]}
            outside = {groups[atom] for atom in hidden if people[atom] and not taken[atom]}
            split[column] = cut | (inside & (outside | sums))
            is_cut = is_cut or bool(cut)
    return split, is_cut


def _hidden(people: Mapping[Group, int], least: int) -> set[Group]:
    groups = list(people)
    return {groups[at] for at in hidden_cells(groups, list(people.values()), least)}


def _by(planned: Plan, grain: Grain) -> tuple[str, ...]:
    """Return the dimensions of an answer with those that its filters choose by; times as fine as both need."""
    found = {by.asked: None for by in planned.by if not by.is_own_time}
    own: Grain | None = next((by.grain for by in planned.by if by.is_own_time and by.grain != "weekday"), None)
    for leaf in (leaf for one in planned.ask.where for leaf in leaves(one)):
        if leaf.field == "time":
            own = _finer(own, grain)
        elif not _is_many(planned, leaf):
            found[f"{leaf.field}:{grain}" if _is_time(planned, leaf) else leaf.field] = None
    return (*found, f"time:{own}") if own else tuple(found)


def _is_many(planned: Plan, leaf: Where) -> bool:
    """Return whether a row may have several values of a field: then its values are no parts of a whole."""
    return any(join_path(planned.model, leg.root, _full(leg.root, leaf), "a filter").is_many for leg in planned.legs)


def _is_time(planned: Plan, leaf: Where) -> bool:
    root = planned.legs[0].root
    return join_path(planned.model, root, _full(root, leaf), "a filter").field.kind in ("date", "timestamp")


def _full(root: str, leaf: Where) -> str:
    return leaf.field if "." in leaf.field else f"{root}.{leaf.field}"


def _finer(one: Grain | None, other: Grain) -> Grain:
    """Return a grain whose periods both are made of; weeks begin and end inside months."""
    return other if one is None else nested([one, other])


def _group(planned: Plan, atom: Mapping[str, object], names: Sequence[str]) -> Group:
    """Return the group of an answer that a cell of the finer table belongs to."""
    time_of = next((value for name, value in atom.items() if name.startswith("time:")), None)
    grains = {by.asked: by.grain for by in planned.by if by.is_own_time}
    return tuple(_coarser(time_of, cast(Grain, grains[name])) if name in grains else atom[name] for name in names)


def _coarser(value: object, grain: Grain) -> object:
    if not isinstance(value, date):
        return value
    cut = Calendar().truncated(value if isinstance(value, datetime) else datetime.combine(value, time()), grain)
    return cut if grain == "hour" else cut.date()


def _changed(ask: Ask, **fields: object) -> Ask:
    return replace(cast(Any, ask), **fields)
