"""What was shown before counts: a number is hidden that, with all that was answered already, would show few people.

    question → who is in each of its numbers → beside all numbers shown of this state under this policy → what leaves

Of each state of the lake and policy there is one book, in which every process writes the receipts of what it answered.
What is hidden depends on who is in the numbers, and on what was asked before; never on the numbers themselves. So it is
the same whoever computes it again.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Generator, Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from isthmus.later import later

from ..errors import NotAnswered
from ..model.expression import Measured, cells
from ..query.plan import Plan
from .algebra import PASS, STEP, WORK_MAX, TooMuchWork, Work, cancelling, is_safe
from .small_cells import Group

if TYPE_CHECKING:
    import numpy as np
else:
    np = later("numpy")

ROWS_MAX: Final = 5_000_000  # rows of one entity: some ten seconds a question, and 200 MB
QUESTIONS_MAX: Final = 2_000  # different questions of one state under one policy
PARTS_MAX: Final = 100_000  # what all numbers together divide rows into; beyond it nothing new is shown
BOOKS_MAX: Final = 16  # kept in memory; an older one is read again
ID_BYTES: Final = 17  # of a receipt's id and the end of its line

Rows = list[dict[str, Any]]
Place = tuple[str, str]  # an entity, and what is added up of it
_Numbers = tuple[Place, dict[Group, int]]  # of one cell: the number of each group
Read = Callable[[Measured, Measured], tuple[Mapping[Group, int], Any, Any, Any]]


@dataclass(slots=True)
class _Kind:
    """Numbers of one kind that can be added and subtracted: which rows are in which, as far as they differ in it."""

    rows: Any = field(default_factory=lambda: np.zeros(0, np.uint64))
    persons: Any = field(default_factory=lambda: np.zeros(0, np.uint64))
    part: Any = field(default_factory=lambda: np.zeros(0, np.int64))
    numbers: list[tuple[int, ...]] = field(default_factory=lambda: [()])  # by part, in which its rows are; 0 is none
    few: dict[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])  # by part: who is in it
    shown: set[int] = field(default_factory=set[int])
    next: int = 0  # of the numbers
    has_people: bool = False  # else each row is a person

    def add(self, rows: Any, persons: Any, groups: Any, least: int) -> dict[int, int]:
        """Take numbers, given by the rows in each group; return them by group."""
        names, at = np.unique(groups, return_inverse=True)
        numbers = {int(name): self.next + place for place, name in enumerate(names)}
        self.next += len(names)
        self.has_people = self.has_people or persons is not rows
        own, sets, which = _sets(rows, at)
        known = np.union1d(self.rows, own)
        if len(known) > ROWS_MAX:
            raise NotAnswered(
                f"whether {len(known):,} rows show few people is not looked at, and so they are not shown",
                remedy="ask for the metrics of an entity with fewer rows, or ask whoever may see all of them",
            )
        part, person = np.zeros(len(known), np.int64), np.zeros(len(known), np.uint64)
        there = cast(Any, np.searchsorted(known, self.rows))
        part[there], person[there] = self.part, self.persons
        person[np.searchsorted(known, rows)] = persons
        chosen = np.zeros(len(known), np.int64)
        chosen[np.searchsorted(known, own)] = which + 1
        pairs, place = np.unique(part * (len(sets) + 1) + chosen, return_inverse=True)
        new = [(), *(tuple(self.next - len(names) + group for group in one) for one in sets)]
        before = [divmod(pair, len(new)) for pair in pairs.tolist()]
        self.numbers = [(), *(self.numbers[old] + new[chosen] for old, chosen in before)]
        self.part = place + 1
        self.rows, self.persons = known, person
        self._look(least)
        return numbers

    def drop(self, numbers: set[int], least: int) -> None:
        """Take numbers away: rows that only those told apart are one part again."""
        if not numbers:
            return
        kept = [tuple(one for one in own if one not in numbers) for own in self.numbers]
        places = {own: at for at, own in enumerate(dict.fromkeys([(), *kept]))}
        turned = np.array([places[own] for own in kept], dtype=np.int64)
        self.part, self.numbers = turned[self.part], list(places)
        self._look(least)

    def knit(self, least: int, work: Work) -> _Knit:
        """Return what is left to look at once it is seen which numbers nothing can cancel, whatever is not shown."""
        if not self.few:
            return _Knit([], least)
        if len(self.numbers) > PARTS_MAX:
            raise TooMuchWork
        work.spend(STEP * sum(map(len, self.numbers)))
        parts: dict[int, list[int]] = {}
        for at, own in enumerate(self.numbers):
            for one in own:
                parts.setdefault(one, []).append(at)
        sums = {one: frozenset(found) for one, found in parts.items()}
        left = set(cancelling(list(dict.fromkeys(sums.values())), self.few, work))
        core = {one for one, found in sums.items() if found in left}
        people = [self.few.get(at) for at in range(len(self.numbers))]
        return _Knit(list(zip(self.numbers, people, strict=True)), least).within(core, work)

    def repeated(self, numbers: Collection[int]) -> set[int]:
        """Return those of some numbers that have the same rows as one that is shown."""
        parts: dict[int, list[int]] = {}
        for at, own in enumerate(self.numbers):
            for one in own:
                parts.setdefault(one, []).append(at)
        before = {tuple(parts[one]) for one in self.shown}
        return {one for one in numbers if tuple(parts[one]) in before}

    def sizes(self) -> Counter[int]:
        """Return how many rows are in each number."""
        found: Counter[int] = Counter()
        for own, count in zip(self.numbers, np.bincount(self.part, minlength=len(self.numbers)).tolist(), strict=True):
            found.update(dict.fromkeys(own, count))
        return found

    def _look(self, least: int) -> None:
        """See which parts are of few people."""
        order = np.lexsort((self.persons, self.part)) if self.has_people else np.argsort(self.part, kind="stable")
        part, person = self.part[order], self.persons[order]
        if self.has_people:  # each of them once in a part
            is_first = np.concatenate([[True], (part[1:] != part[:-1]) | (person[1:] != person[:-1])])[: len(part)]
            part, person = part[is_first], person[is_first]
        counts = np.bincount(part, minlength=len(self.numbers))
        is_few = counts[part] < least
        found: dict[int, set[int]] = {}
        for at, one in zip(part[is_few].tolist(), person[is_few].tolist(), strict=True):
            found.setdefault(at, set()).add(one)
        self.few = {part: frozenset(people) for part, people in found.items()}


@dataclass(frozen=True, slots=True)
class _Knit:
    """Numbers that others may cancel: the parts of them, each with who is in it; None is many."""

    parts: list[tuple[tuple[int, ...], frozenset[int] | None]]
    least: int

    def within(self, numbers: AbstractSet[int], work: Work) -> _Knit:
        """Return the parts of some of the numbers: what only others told apart is one part."""
        work.spend(STEP * sum(len(own) for own, _ in self.parts))
        found: dict[tuple[int, ...], frozenset[int] | None] = {}
        for own, people in self.parts:
            name = tuple(one for one in own if one in numbers)
            before = found.get(name, frozenset())
            both = None if people is None or before is None else people | before
            found[name] = None if both is None or len(both) >= self.least else both
        found.pop((), None)
        return _Knit(list(found.items()), self.least)

    def is_safe(self, shown: AbstractSet[int], new: AbstractSet[int], work: Work) -> bool:
        """Return whether nothing about few people follows from new numbers beside those shown, which are safe."""
        merged = self.within(shown | new, work)
        sums: dict[int, set[tuple[int, ...]]] = {}
        for own, _ in merged.parts:
            for one in own:
                sums.setdefault(one, set()).add(own)
        if not new & sums.keys():
            return True
        small = {own: people for own, people in merged.parts if people}
        return is_safe(list(sums.values()), cast("dict[Hashable, frozenset[int]]", small), self.least, work)


class Book:
    """What was shown of one state under one policy."""

    def __init__(self) -> None:
        self._kinds: dict[Place, _Kind] = {}
        self._read = 0
        self.work = 0  # cells that the last question touched
        self._file: Any = None

    def open(self, file: Any) -> None:
        self._file = file

    def draft(self) -> Book:
        """Return a copy, for numbers that nobody reads."""
        book = Book()
        book._kinds = {place: replace(kind, shown=set(kind.shown)) for place, kind in self._kinds.items()}
        return book

    def unread(self) -> Iterator[str]:
        """Yield the receipts that other processes wrote meanwhile. Raises NotAnswered where more were asked than is
        looked at."""
        self._file.seek(self._read)
        for id in self._file.read().decode().split():
            yield id
            self._read += ID_BYTES
        if self._read >= QUESTIONS_MAX * ID_BYTES:
            raise NotAnswered(
                f"{QUESTIONS_MAX:,} different questions were asked of this state of the lake, and few people may show "
                "in one more",
                remedy="ask one of those again, or ask after the next landing",
            )

    def note(self, id: str) -> None:
        """Write down the receipt of what is shown now. Raises NotAnswered where too much was asked."""
        self._file.seek(0, 2)
        self._file.write(f"{id}\n".encode())
        self._file.flush()
        self._read += ID_BYTES

    def hide(self, planned: Plan, rows: Rows, least: int, read: Read) -> int:
        """Empty the numbers that, beside all that is shown, are about few people, and those not looked at by WORK_MAX;
        return how many."""
        by_group = {tuple(row[by.asked] for by in planned.by): row for row in rows}
        before, work = self.draft(), Work(WORK_MAX)
        try:
            return sum(self._hide(planned, name, by_group, least, read, work) for name in planned.people)
        except BaseException:  # nobody reads any of it
            self._kinds = before._kinds
            raise
        finally:
            self.work = work.done

    def _hide(
        self, planned: Plan, name: str, rows: Mapping[Group, dict[str, Any]], least: int, read: Read, work: Work
    ) -> int:
        made: list[_Numbers] = []
        counted = zip(cells(planned.metrics[name]), planned.people[name], strict=True)
        for cell, people in dict(counted).items():
            if cell.series is not None:  # levels of things; those of people are refused
                continue
            known, of_group, of_row, of_person = read(cell, people)
            kind = self._kinds.setdefault(_place(cell), _Kind())
            kept = {known[group]: group for group, row in rows.items() if row[name] is not None and group in known}
            is_kept = np.isin(of_group, np.array(list(kept), dtype=np.uint64))
            rows_of = of_row[is_kept]
            persons = rows_of if of_person is None else of_person[is_kept]
            numbers = kind.add(rows_of, persons, of_group[is_kept], least)
            made.append((_place(cell), {kept[group]: number for group, number in numbers.items()}))
        repeated = {(place, one) for place, numbers in made for one in self._kinds[place].repeated(numbers.values())}
        allowed = self._allowed(made, repeated, least, work)
        for place, numbers in made:
            kind, own = self._kinds[place], set(numbers.values())
            new = {one for group, one in numbers.items() if group in allowed and (place, one) not in repeated}
            kind.shown |= new
            kind.drop(own - new, least)
        hidden = {group for _, numbers in made for group in numbers} - allowed
        for group in hidden:
            rows[group][name] = None
        return len(hidden)

    def _allowed(
        self, made: Sequence[_Numbers], repeated: set[tuple[Place, int]], least: int, work: Work
    ) -> set[Group]:
        """Return the groups whose numbers can be shown; those of most rows where not all can."""
        shown = {place: set(self._kinds[place].shown) for place, _ in made}
        sizes: Counter[Group] = Counter()
        for place, numbers in made:
            counts = self._kinds[place].sizes()
            for group, number in numbers.items():
                sizes[group] += 0 if (place, number) in repeated else counts[number]
        allowed = {group for group, count in sizes.items() if not count}
        todo = [sorted((group for group in sizes if group not in allowed), key=lambda one: (-sizes[one], str(one)))]
        with suppress(TooMuchWork):  # what is not looked at by then is hidden
            knits = {place: self._kinds[place].knit(least, work) for place in shown}
            while todo:
                some = todo.pop()
                if not some:
                    continue
                work.spend(PASS + STEP * (len(some) + sum(map(len, shown.values()))))
                new = {place: set[int]() for place in shown}
                for place, numbers in made:
                    new[place] |= {numbers[group] for group in some if group in numbers} - shown[place]
                if all(knits[place].is_safe(shown[place], own, work) for place, own in new.items()):
                    shown = {place: own | new[place] for place, own in shown.items()}
                    allowed |= set(some)
                elif len(some) > 1:
                    half = len(some) // 2
                    todo += [some[half:], some[:half]]
        return allowed


def _sets(rows: Any, groups: Any) -> tuple[Any, list[tuple[int, ...]], Any]:
    """Return the rows once each, the sets of groups that rows are in, and which set each row has."""
    order = np.lexsort((groups, rows))
    rows, groups = rows[order], groups[order]
    own, first, counts = np.unique(rows, return_index=True, return_counts=True)
    sets: dict[tuple[int, ...], int] = {(one,): one for one in range(int(groups.max()) + 1)} if len(groups) else {}
    which = groups[first].astype(np.int64)
    for at in np.flatnonzero(counts > 1).tolist():
        found = tuple(groups[first[at] : first[at] + counts[at]].tolist())
        which[at] = sets.setdefault(found, len(sets))
    return own, list(sets), which


def _place(cell: Measured) -> Place:
    """Return what a number can be subtracted from: counts of rows and of values are counts."""
    return cell.root, "" if cell.agg in ("count", "distinct") else cell.field


class Asked:
    """The books, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._books: OrderedDict[str, Book] = OrderedDict()

    @contextmanager
    def book(self, snapshot: str, policy: str) -> Generator[Book]:
        """Open the book of a state and policy, for one question at a time over all processes."""
        name = hashlib.sha256(f"{snapshot}\0{policy}".encode()).hexdigest()[:32]
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / name).open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            book = self._books.setdefault(name, Book())
            self._books.move_to_end(name)
            while len(self._books) > BOOKS_MAX:
                self._books.popitem(last=False)
            book.open(file)
            yield book

    def forget(self, days: int) -> None:
        """Remove the books that nobody wrote in for so many days: their states are gone."""
        before = time.time() - days * 86_400
        for place in self._folder.glob("*"):
            if place.stat().st_mtime < before:
                place.unlink(missing_ok=True)
