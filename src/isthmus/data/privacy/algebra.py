"""What follows from sums by adding and subtracting them: whether any of it is about few people alone.

    sums of parts → without those that nothing can cancel → parts of many eliminated → what is left is about few

A part is what no sum divides. A combination of sums that leaves only parts of few people is a leak where all that it
leaves stand for fewer than `least`. It is computed modulo a large prime, so without rounding. What it costs is counted,
not timed, and bounded: so whether an answer leaves depends on no machine.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final

from isthmus.later import later

if TYPE_CHECKING:
    import numpy as np
else:
    np = later("numpy")

CORE_MAX: Final = 400  # sums that can cancel one another: some tenths of a second; of more, nobody says that it is safe
KNOT_MAX: Final = 8  # combinations about few people that hang together, each way of adding which is looked at
PARTS_MAX: Final = 16  # the parts that those are about
WORK_MAX: Final = 100_000_000  # cells that one question may touch: some two seconds of a quiet processor
STEP: Final = 20  # cells that are touched while one step outside a matrix is taken
PASS: Final = 2_000  # cells that are touched while a matrix is told what to do
_PRIME: Final = 2_147_483_647

Sum = AbstractSet[Hashable]  # the parts that are in it


class TooMuchWork(Exception):
    """One question has cost what it may: what was not looked at by now is not shown."""


class Work:
    """What looking at one question may cost, in cells of matrices touched; `done` of them were."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.done = 0

    def spend(self, cells: int) -> None:
        """Count cells before they are touched. Raises TooMuchWork where they are more than are left."""
        if self.done + cells > self.most:
            raise TooMuchWork
        self.done += cells


def is_safe(sums: Sequence[Sum], few: Mapping[Hashable, frozenset[int]], least: int, work: Work | None = None) -> bool:
    """Return whether no combination of sums is about fewer than `least` people; False where that is too much to see.

    `few` are the parts of fewer than `least` people, with who they are; all other parts are of many. Raises TooMuchWork
    where it would cost more than is left of `work`.
    """
    if not few:
        return True
    work = work or Work(WORK_MAX)
    core = cancelling(list(dict.fromkeys(map(frozenset, sums))), few, work)
    if not core:
        return True
    if len(core) > CORE_MAX:
        return False
    parts = sorted({part for one in core for part in one}, key=lambda part: (part in few, str(part)))
    many = sum(part not in few for part in parts)
    place = {part: at for at, part in enumerate(parts)}
    work.spend(len(core) * len(parts))
    matrix: Any = np.zeros((len(core), len(parts)), dtype=np.int64)
    for at, one in enumerate(core):
        matrix[at, [place[part] for part in one]] = 1
    left, pivots = _reduced(matrix, work)
    about_few = [at for at, pivot in enumerate(pivots) if pivot >= many]
    rows: Any = left[about_few][:, many:]
    people = [few[part] for part in parts[many:]]
    starts = [pivots[at] - many for at in about_few]
    return all(
        _is_knot_safe(rows[knot], [starts[at] for at in knot], people, least, work) for knot in _knots(rows, work)
    )


def cancelling(sums: Sequence[frozenset[Hashable]], few: Mapping[Any, object], work: Work) -> list[frozenset[Hashable]]:
    """Return the sums without those of which a part of many is in no other: whatever is added, that part stays."""
    work.spend(2 * STEP * sum(map(len, sums)))
    holders: dict[Hashable, set[int]] = {}
    for at, one in enumerate(sums):
        for part in one:
            if part not in few:
                holders.setdefault(part, set()).add(at)
    todo = [part for part, found in holders.items() if len(found) == 1]
    gone: set[int] = set()
    while todo:
        for at in tuple(holders[todo.pop()]):
            gone.add(at)
            for part in sums[at]:
                if part not in few:
                    holders[part].discard(at)
                    todo += [part] if len(holders[part]) == 1 else []
    return [one for at, one in enumerate(sums) if at not in gone]


def _reduced(matrix: Any, work: Work) -> tuple[Any, list[int]]:
    """Return the reduced row echelon form without empty rows, and the column of each row's first one."""
    pivots: list[int] = []
    for column in range(matrix.shape[1]):
        at = len(pivots)
        work.spend(STEP + len(matrix) - at)
        found = np.flatnonzero(matrix[at:, column])
        if not len(found):
            continue
        matrix[[at, at + found[0]]] = matrix[[at + found[0], at]]
        matrix[at] = matrix[at] * pow(int(matrix[at, column]), -1, _PRIME) % _PRIME
        others = np.flatnonzero(matrix[:, column])
        others = others[others != at]
        work.spend(PASS + len(others) * (matrix.shape[1] - column))
        rest = matrix[others, column:]  # what is before is zero in the row of this pivot
        matrix[others, column:] = (rest - rest[:, :1] * matrix[at, column:]) % _PRIME
        pivots.append(column)
        if len(pivots) == len(matrix):
            break
    return matrix[: len(pivots)], pivots


def _knots(rows: Any, work: Work) -> Iterator[list[int]]:
    """Yield the rows that share parts, directly or through others."""
    left = set(range(len(rows)))
    while left:
        knot, todo = set[int](), [min(left)]
        while todo:
            at = todo.pop()
            if at in knot:
                continue
            knot.add(at)
            work.spend(PASS + rows.size)
            shared = (rows[:, rows[at] != 0] != 0).any(axis=1)
            todo += [int(other) for other in np.flatnonzero(shared) if other not in knot]
        left -= knot
        yield sorted(knot)


def _is_knot_safe(rows: Any, starts: Sequence[int], people: Sequence[frozenset[int]], least: int, work: Work) -> bool:
    """Return whether no combination of these rows is about fewer than `least` people.

    A combination of some rows keeps the first part of each, since no other row has it; and of the rest, those parts
    that the rows cannot cancel.
    """
    work.spend(STEP * rows.size)
    for row in rows:
        if _count(people, np.flatnonzero(row).tolist()) < least:
            return False
    if len(rows) == 1:
        return True
    own = [int(at) for at in np.flatnonzero((rows != 0).any(axis=0)) if at not in starts]
    if len(rows) > KNOT_MAX or len(own) > PARTS_MAX:
        return False
    for size in range(2, min(len(rows), least - 1) + 1):
        for some in itertools.combinations(range(len(rows)), size):
            first = [starts[at] for at in some]
            for kept in _kept(first, own, people, least, work):
                cancelled = [at for at in own if at not in kept]
                if _rank(rows[list(some)][:, cancelled], work) < size:
                    return False
    return True


def _kept(
    first: list[int], own: list[int], people: Sequence[frozenset[int]], least: int, work: Work
) -> Iterator[tuple[int, ...]]:
    """Yield the parts that may stay beside the first ones for all of them to be of fewer than `least` people."""
    for size in range(least):
        work.spend(PASS + STEP * least * math.comb(len(own), size))
        found = [more for more in itertools.combinations(own, size) if _count(people, [*first, *more]) < least]
        if not found:
            return
        yield from found


def _count(people: Sequence[frozenset[int]], places: Sequence[int]) -> int:
    return len(frozenset[int]().union(*(people[at] for at in places)))


def _rank(matrix: Any, work: Work) -> int:
    return len(_reduced(matrix.copy(), work)[1]) if matrix.size else 0
