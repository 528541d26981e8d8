"""Hide numbers that few people stand behind, and so many others that no hidden one can be found by subtraction.

Whoever sees a group's total and all its cells but one knows the hidden one. So along every dimension, in every
line of cells that is summed by leaving that dimension out, the hidden cells stand for at least `least` people
together, or nothing is hidden there. Times are also lines of their coarser periods. It is a rule for
tables, not differential privacy: who may ask many differently filtered questions must be trusted with the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

Group = tuple[object, ...]


def hidden_cells(
    groups: Sequence[Group], people: Sequence[int], least: int, without: Sequence[int | None] = ()
) -> set[int]:
    """Return the places of the cells to hide.

    `people` are those behind each cell; `without` are those behind the same cell before the asker's filters: where
    the filter leaves only a few out, the cell is hidden as well, since the unfiltered one less it shows them.
    """
    hidden = {at for at, count in enumerate(people) if 0 < count < least}
    for at, before in enumerate(without):
        if before is not None and 0 < before - people[at] < least:
            hidden.add(at)
    lines = list(_lines(groups))
    is_changed = bool(hidden)
    while is_changed:
        is_changed = False
        for line in lines:
            if (more := _one_more(line, hidden, people, least)) is not None:
                hidden.add(more)
                is_changed = True
    return hidden


def _one_more(line: Sequence[int], hidden: set[int], people: Sequence[int], least: int) -> int | None:
    """Return the cell with the fewest people that must be hidden too, if the hidden ones of a line give one away."""
    inside = [at for at in line if at in hidden]
    if not inside or (len(inside) > 1 and sum(people[at] for at in inside) >= least):
        return None
    rest = [at for at in line if at not in hidden and people[at] > 0]
    return min(rest, key=lambda at: (people[at], at), default=None)


def _lines(groups: Sequence[Group]) -> Iterator[list[int]]:
    """Yield the places of the cells that are summed together when a dimension is left out, or made coarser."""
    if not groups:
        return
    for axis in range(len(groups[0])):
        coarser: list[Callable[[object], object]] = [lambda _: None]
        if any(isinstance(group[axis], date) for group in groups):
            coarser += [_day, _month, _quarter, _year]
        for period in coarser:
            lines: dict[Group, list[int]] = {}
            for at, group in enumerate(groups):
                lines.setdefault((*group[:axis], period(group[axis]), *group[axis + 1 :]), []).append(at)
            yield from lines.values()


def _day(value: object) -> object:
    return value.date() if isinstance(value, datetime) else value


def _month(value: object) -> object:
    return (value.year, value.month) if isinstance(value, date) else value


def _quarter(value: object) -> object:
    return (value.year, (value.month - 1) // 3) if isinstance(value, date) else value


def _year(value: object) -> object:
    return value.year if isinstance(value, date) else value
