"""Hide numbers that few people stand behind, and so many others that no hidden one can be found from those shown.

All tables over the same cells are judged together, the one with the fewest cells first: each with a dimension left out,
a time by a coarser period, a dimension that goes with another one (the region of a town). In each,

    lines     where a table that was judged before sums cells up, the hidden ones stand for at least `least` people
              together, or nothing is hidden there; a cell that it hides is not shown by its parts here
    algebra   no small cell of any table follows from all numbers that are shown, by adding and subtracting them

What is hidden depends on the numbers of people alone, not on the order of rows or columns, nor on who asked what
before: asked again, it is the same.

It is a rule for tables, not differential privacy: who asks for many overlapping periods, in many time zones, must be
trusted with the answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from isthmus.later import later

if TYPE_CHECKING:
    import numpy as np
else:
    np = later("numpy")

Group = tuple[object, ...]
Place = tuple[int, ...]  # a table: how coarse it is along each dimension

ALL_PAIRS_MAX: Final = 64  # tables that are each compared with all others; of more, neighbours only
ALGEBRA_MAX: Final = 160  # cells up to which all numbers together are looked at: some milliseconds a table
TRIES_MAX: Final = 12  # cells that are tried to be hidden before the smallest is
_ZERO: Final = 1e-7  # sums of zeros and ones: what is below is the arithmetic of floats


@dataclass(slots=True)
class _Table:
    """One way to put the cells together: the cell of each, how many stand behind it, and what is hidden."""

    places: list[Place]
    cells: list[Group]
    behind: dict[Group, int]
    hidden: set[Group]

    def shown(self) -> list[Group]:
        return [cell for cell, count in self.behind.items() if count and cell not in self.hidden]


def hidden_cells(
    groups: Sequence[Group],
    people: Sequence[int],
    least: int,
    given: Collection[int] = (),
    beside: Collection[int] = (),
) -> set[int]:
    """Return the places of the cells to hide: small ones, those `given` and what would give any of them away.

    `people` are those behind each cell. The columns of groups come in an order that does not depend on the asker's.
    `beside` are columns that are not in the answer: the cells of tables with them are judged too, and those returned
    are of the table without them.
    """
    if not given and not any(0 < count < least for count in people):
        return set()
    axes = [_levels([group[axis] for group in groups]) for axis in range(len(groups[0]))]
    wanted = tuple(len(levels) - 1 if at in beside else 0 for at, levels in enumerate(axes))
    judged: list[_Table] = []
    for table in _tables(groups, people, axes):
        is_wanted = wanted in table.places
        table.hidden |= {cell for cell, count in table.behind.items() if 0 < count < least}
        if is_wanted:
            table.hidden |= {table.cells[at] for at in given}
        lines = _lines(table, judged, is_all=len(judged) <= ALL_PAIRS_MAX)
        _close(table.hidden, table.behind, lines, least)
        judged.append(table)
        _close_algebra(judged, groups, people, least)
        if is_wanted:
            return {at for at, cell in enumerate(table.cells) if cell in table.hidden}
    return set()


def _tables(
    groups: Sequence[Group], people: Sequence[int], axes: Sequence[Sequence[Callable[[object], object]]]
) -> list[_Table]:
    """Return all tables, those that put the same cells together once, the ones with the fewest cells first."""
    found: dict[tuple[int, ...], _Table] = {}
    for place in itertools.product(*(range(len(levels)) for levels in axes)):
        turn = [levels[level] for levels, level in zip(axes, place, strict=True)]
        cells = [tuple(cut(value) for cut, value in zip(turn, group, strict=True)) for group in groups]
        numbers: dict[Group, int] = {}
        same = tuple(numbers.setdefault(cell, len(numbers)) for cell in cells)
        if same in found:
            found[same].places.append(place)
            continue
        behind: dict[Group, int] = {}
        for cell, count in zip(cells, people, strict=True):
            behind[cell] = behind.get(cell, 0) + count
        found[same] = _Table([place], cells, behind, set())
    return sorted(found.values(), key=lambda table: (len(table.behind), [-level for level in table.places[0]]))


def _lines(table: _Table, judged: Sequence[_Table], *, is_all: bool) -> list[tuple[list[Group], bool]]:
    """Return the cells that another table sums up, line by line, and whether it hides the sum."""
    found: list[tuple[list[Group], bool]] = []
    for coarser in judged:
        if not is_all and not _is_neighbour(table, coarser):
            continue
        lines: dict[Group, dict[Group, None]] = {}
        sums: dict[Group, set[Group]] = {}
        for total, cell in zip(coarser.cells, table.cells, strict=True):
            lines.setdefault(total, {})[cell] = None
            sums.setdefault(cell, set()).add(total)
        found += [
            (list(line), total in coarser.hidden)
            for total, line in lines.items()
            if all(len(sums[cell]) == 1 for cell in line)  # else the sum has more in it than these
        ]
    return found


def _is_neighbour(table: _Table, coarser: _Table) -> bool:
    """Return whether a table is coarser along one dimension only."""
    for there, here in itertools.product(coarser.places, table.places):
        differing = [at for at, (level, own) in enumerate(zip(there, here, strict=True)) if level != own]
        if len(differing) == 1 and there[differing[0]] > here[differing[0]]:
            return True
    return False


def _close(hidden: set[Group], behind: dict[Group, int], lines: Sequence[tuple[list[Group], bool]], least: int) -> None:
    """Hide more until no line gives a hidden cell away, nor the sum that another table hides."""
    alone = {line[0] for line, is_sum_hidden in lines if len(line) == 1 and not is_sum_hidden}  # the sum shows it
    is_changed = True
    while is_changed:
        is_changed = False
        for line, is_sum_hidden in lines:
            if not is_sum_hidden and hidden.isdisjoint(line):
                continue
            inside = [cell for cell in line if cell in hidden and cell not in alone]
            if len(inside) > 1 and sum(behind[cell] for cell in inside) >= least:
                continue
            rest = [cell for cell in line if cell not in hidden and behind[cell] > 0]
            if rest:
                hidden.add(min(rest, key=lambda cell: (cell in alone, behind[cell], str(cell))))
                is_changed = True


def _close_algebra(judged: Sequence[_Table], groups: Sequence[Group], people: Sequence[int], least: int) -> None:
    """Hide more of the last table until no small cell of any table follows from all numbers that are shown."""
    atoms = [at for at, count in enumerate(people) if count]
    table = judged[-1]
    if len(atoms) > ALGEBRA_MAX or not any(0 < people[at] < least for at in atoms):
        return
    small = [row for one in _finest(judged, groups, people) for row in _rows(one, atoms, least)]
    before = [_row(one, cell, atoms) for one in judged[:-1] for cell in one.shown()]
    by_size = sorted(table.shown(), key=lambda cell: (table.behind[cell], str(cell)))
    own = {cell: _row(table, cell, atoms) for cell in by_size}
    while own and (found := _following(small, [*before, *own.values()])):
        tried = itertools.islice(own, TRIES_MAX)
        better = (
            cell
            for cell in tried
            if _following(small, [*before, *(row for one, row in own.items() if one != cell)]) < found
        )
        hiding = next(better, next(iter(own)))
        table.hidden.add(hiding)
        del own[hiding]


def _finest(judged: Sequence[_Table], groups: Sequence[Group], people: Sequence[int]) -> Iterator[_Table]:
    """Yield the tables whose small cells nobody may find: those that were judged, and the one of all cells."""
    yield from judged
    yield _Table([], list(groups), dict(zip(groups, people, strict=True)), set())


def _rows(table: _Table, atoms: Sequence[int], least: int) -> list[Any]:
    return [_row(table, cell, atoms) for cell, count in table.behind.items() if 0 < count < least]


def _row(table: _Table, cell: Group, atoms: Sequence[int]) -> Any:
    """Return a number as a sum of cells: one for each that is in it, zero for the others."""
    return np.array([float(table.cells[at] == cell) for at in atoms])


def _following(small: Sequence[Any], shown: Sequence[Any]) -> int:
    """Return how many sums follow from others: those that nothing changes which leaves the others as they are."""
    if not small or not shown:
        return 0
    _, sizes, directions = np.linalg.svd(np.array(shown))
    rank = int((sizes > _ZERO).sum())
    free = directions[rank:]
    return int((np.abs(np.array(small) @ free.T).max(axis=1, initial=0.0) < _ZERO).sum())


def _levels(values: Sequence[object]) -> list[Callable[[object], object]]:
    """Return how a dimension is made coarser, step by step: not at all, by periods, and left out."""
    levels: list[Callable[[object], object]] = [_same]
    known = len(set(values))
    for cut in _PERIODS if any(isinstance(value, date) for value in values) else ():
        if (fewer := len({cut(value) for value in values})) < known:
            levels.append(cut)
            known = fewer
    return [*levels, _none] if known > 1 else levels


def _same(value: object) -> object:
    return value


def _none(_: object) -> object:
    return None


def _day(value: object) -> object:
    return value.date() if isinstance(value, datetime) else value


def _month(value: object) -> object:
    return (value.year, value.month) if isinstance(value, date) else value


def _quarter(value: object) -> object:
    return (value.year, (value.month - 1) // 3) if isinstance(value, date) else value


def _year(value: object) -> object:
    return value.year if isinstance(value, date) else value


_PERIODS: Final = (_day, _month, _quarter, _year)
