"""Hide numbers that few people stand behind, and so many others that no hidden one can be found by subtraction.

Whoever sees a group's total and all its cells but one knows the hidden one. So in every line of cells that another
table sums up (one with a dimension left out, or a time by a coarser period), the hidden cells stand for at least
`least` people together, or nothing is hidden there; and a cell that such a table hides is not shown by its parts here.
What is hidden depends on the numbers of people alone, not on the order of rows or columns: asked again, it is the same.

It is a rule for tables, not differential privacy: who asks for many overlapping periods, in many time zones, must be
trusted with the answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from typing import Final

Group = tuple[object, ...]
Place = tuple[int, ...]  # a table: how coarse it is along each dimension


def hidden_cells(groups: Sequence[Group], people: Sequence[int], least: int, given: Collection[int] = ()) -> set[int]:
    """Return the places of the cells to hide: small ones, those `given` and what would give either away.

    `people` are those behind each cell. The columns of groups come in an order that does not depend on the asker's.
    """
    if not given and not any(0 < count < least for count in people):
        return set()
    axes = [_levels([group[axis] for group in groups]) for axis in range(len(groups[0]))]
    cells: dict[Place, list[Group]] = {}
    hidden: dict[Place, set[Group]] = {}
    for place in sorted(itertools.product(*(range(len(levels)) for levels in axes)), key=lambda one: (-sum(one), one)):
        turn = [levels[level] for levels, level in zip(axes, place, strict=True)]
        cells[place] = [tuple(cut(value) for cut, value in zip(turn, group, strict=True)) for group in groups]
        behind: dict[Group, int] = {}
        for cell, count in zip(cells[place], people, strict=True):
            behind[cell] = behind.get(cell, 0) + count
        hidden[place] = {cell for cell, count in behind.items() if 0 < count < least}
        if not any(place):
            hidden[place] |= {cells[place][at] for at in given}
        _close(hidden[place], behind, _lines(place, cells, hidden), least)
    finest = (0,) * len(axes)
    return {at for at, cell in enumerate(cells[finest]) if cell in hidden[finest]}


def _lines(
    place: Place, cells: dict[Place, list[Group]], hidden: dict[Place, set[Group]]
) -> list[tuple[list[Group], bool]]:
    """Return the cells that a coarser table sums up, line by line, and whether it hides the sum."""
    found: list[tuple[list[Group], bool]] = []
    for coarser in cells:
        differing = [at for at, (level, own) in enumerate(zip(coarser, place, strict=True)) if level != own]
        if len(differing) != 1 or coarser[differing[0]] < place[differing[0]]:
            continue
        lines: dict[Group, dict[Group, None]] = {}
        for total, cell in zip(cells[coarser], cells[place], strict=True):
            lines.setdefault(total, {})[cell] = None
        found += [(list(line), total in hidden[coarser]) for total, line in lines.items()]
    return found


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
