"""One ID: members of several front ends become persons, with ids that stay, and every change of mind on record.

    pairs → people's decisions → exact and sure pairs joined, within limits → review band → ids kept → merges and splits

What a machine joined a person may split, and what it left apart a person may join; both hold for all later runs.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from isthmus.kernel import Value, encode, errors

from .matching import Pair, Record, have_other_first_names, pairs, share_nothing, verified_pairs
from .published import Moves, Published, Step

V = TypeVar("V", bound=Value)
Why = Literal["not sure", "another first name", "told apart", "too many"]

SURE: Final = 0.9  # at and above, two records are joined without asking; both FEBRL sets have no wrong pair from 0.5 on
FIGURES: Final = ("persons", "persons of several front ends")
CLUSTER_MAX: Final = 20  # nobody has more accounts than this; a larger cluster is a chain of mistakes
_NAMESPACE: Final = uuid.UUID("6f6e6520-6964-4f00-8000-697374686d75")


class Decision(Value):
    """A person's word on two records: the same human being, or not. It beats all evidence."""

    one: str
    other: str
    is_same: bool
    by: str
    at: datetime
    reason: str = ""


class Doubt(Value):
    """A pair for a person to decide: probable, and not sure, or sure and against a limit."""

    one: str
    other: str
    probability: float
    evidence: tuple[str, ...]
    why: Why


class Change(Value):
    """A merge of persons or a split of one, with what it was decided on. `records` are those that moved.

    `figures` are the counts of persons that it moved, as they were before it and after it; `published` the answers that
    had left with a receipt and that it moved, none where there is no lake to look in.
    """

    id: str
    kind: Literal["merged", "split"]
    person: str
    other: str
    records: tuple[str, ...]
    evidence: tuple[str, ...]
    at: datetime
    figures: dict[str, tuple[int, int]] = {}
    published: Moves | None = None


class Resolution(Value):
    """Who is who: the person of each record, what is left to decide, and what changed since the last run.

    `figures` are the counts of persons that the changes moved, before and after; `published` the answers.
    """

    persons: dict[str, str]
    doubts: tuple[Doubt, ...]
    changes: tuple[Change, ...]
    figures: dict[str, tuple[int, int]]
    published: Moves | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """A person that a record was given, and by the how many-th change; zero where it was there from the first."""

    person: str
    since: int


class Identities:
    """The persons of a company, in a folder: decisions and changes are kept for good, one line of JSON each."""

    def __init__(self, folder: Path, published: Published | None = None) -> None:
        self._folder = folder
        self._published = published

    def resolve(self, records: Sequence[Record], now: datetime) -> Resolution:
        """Find out who is who, keep ids where they were, and record each merge and split with its evidence."""
        before = self.persons()
        found = resolve(records, before, self.decisions(), now, _stays(self.changes()))
        if self._published is not None:
            found = _with_published(found, before, self._published, now)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._append("changes.jsonl", found.changes)
        draft = self._folder / f"{uuid.uuid4().hex}.draft"
        draft.write_bytes(encode(found.persons))
        draft.replace(self._folder / "persons.json")
        if self._published is not None:
            self._published.keep(found.persons, now)
        return found

    def decide(self, decision: Decision) -> None:
        """Keep a person's decision; it holds from the next run on."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._append("decisions.jsonl", [decision])

    def undo(self, change: str, by: str, now: datetime) -> None:
        """Take a merge or a split back: its sides are decided to be apart, or together, from the next run on.

        Raises NotFound for a change that there was not.
        """
        made = next((one for one in self.changes() if one.id == change), None)
        if made is None:
            raise errors.NotFound(
                f"there is no merge or split {change!r}", remedy="take an id from the list of changes"
            )
        persons = self.persons()
        others = [record for record, person in persons.items() if person == made.person and record not in made.records]
        is_same = made.kind == "split"
        if is_same:
            others = [record for record, person in persons.items() if person == made.other]
        for mine in made.records:
            for theirs in others if not is_same else others[:1]:
                self.decide(Decision(one=mine, other=theirs, is_same=is_same, by=by, at=now, reason=f"undo {change}"))

    def persons(self) -> dict[str, str]:
        """Return the person of each record, as the last run left it."""
        place = self._folder / "persons.json"
        return msgspec.json.decode(place.read_bytes(), type=dict[str, str]) if place.is_file() else {}

    def decisions(self) -> list[Decision]:
        return self._lines("decisions.jsonl", Decision)

    def changes(self) -> list[Change]:
        return self._lines("changes.jsonl", Change)

    def erase(self, records: Iterable[str], now: datetime) -> None:
        """Forget records for good: their persons, and every line that names them."""
        gone = set(records)
        kept = {record: person for record, person in self.persons().items() if record not in gone}
        decisions = [one for one in self.decisions() if not gone & {one.one, one.other}]
        changes = [one for one in self.changes() if not gone & set(one.records)]
        (self._folder / "persons.json").write_bytes(encode(kept))
        for name, rows in (("decisions.jsonl", decisions), ("changes.jsonl", changes)):
            (self._folder / name).write_bytes(b"".join(encode(row) + b"\n" for row in rows))
        if self._published is not None:
            self._published.keep(kept, now)

    def _append(self, name: str, rows: Iterable[Value]) -> None:
        with (self._folder / name).open("ab") as file:
            file.write(b"".join(encode(row) + b"\n" for row in rows))

    def _lines(self, name: str, type_: type[V]) -> list[V]:
        place = self._folder / name
        if not place.is_file():
            return []
        return [msgspec.json.decode(line, type=type_) for line in place.read_bytes().splitlines()]


def resolve(
    records: Sequence[Record],
    before: Mapping[str, str],
    decisions: Sequence[Decision],
    now: datetime,
    stays: Mapping[str, Sequence[Stay]] | None = None,
) -> Resolution:
    """Return who is who. Pure: the same records, ids before and decisions give the same persons.

    `stays` are the persons that moved records had, the present one last: who is split off again gets the id back that
    they had before, and who was there first keeps theirs.
    """
    by_id = {record.record: record for record in records}
    clusters = _Clusters(by_id, decisions)
    doubts: list[Doubt] = []
    reasons: dict[str, tuple[str, ...]] = {}
    for pair in [*verified_pairs(records), *pairs(records)]:
        if clusters.is_decided(pair):
            continue
        obstacle = clusters.obstacle(pair) if pair.probability >= SURE else "not sure"
        if obstacle is None:
            clusters.join(pair.one, pair.other)
            reasons[pair.one] = reasons[pair.other] = (*pair.evidence, f"probability {pair.probability:.4f}")
        elif not clusters.are_joined(pair.one, pair.other):
            doubts.append(_doubt(pair, obstacle))
    persons = _named(clusters.groups(), before, stays or {})
    return Resolution(
        persons=persons,
        doubts=tuple(one for one in doubts if persons[one.one] != persons[one.other]),
        changes=tuple(_with_figures(by_id, before, list(_changes(before, persons, reasons, now)))),
        figures=_figures(by_id, before, persons),
    )


def _doubt(pair: Pair, why: Why) -> Doubt:
    return Doubt(one=pair.one, other=pair.other, probability=pair.probability, evidence=pair.evidence, why=why)


class _Clusters:
    """Records joined into groups, within what people decided and what limits allow."""

    def __init__(self, records: Mapping[str, Record], decisions: Sequence[Decision]) -> None:
        self._records = records
        self._group: dict[str, set[str]] = {record: {record} for record in records}
        last = {tuple(sorted((one.one, one.other))): one.is_same for one in decisions}
        known = {pair: is_same for pair, is_same in last.items() if pair[0] in records and pair[1] in records}
        self._apart = {pair for pair, is_same in known.items() if not is_same}
        self._decided = set(known)
        for (one, other), is_same in known.items():
            if is_same:
                self.join(one, other)

    def is_decided(self, pair: Pair) -> bool:
        return (pair.one, pair.other) in self._decided

    def are_joined(self, one: str, other: str) -> bool:
        return self._group[one] is self._group[other]

    def obstacle(self, pair: Pair) -> Why | None:
        """Return what forbids to join the groups of two records; what was verified only a person's word forbids."""
        if self.are_joined(pair.one, pair.other):
            return None
        mine, theirs = self._group[pair.one], self._group[pair.other]
        if len(mine) + len(theirs) > CLUSTER_MAX:
            return "too many"
        sides = [(self._records[one], self._records[other]) for one in mine for other in theirs]
        if any(tuple(sorted((one.record, other.record))) in self._apart for one, other in sides):
            return "told apart"
        one, other = self._records[pair.one], self._records[pair.other]
        if one.person and one.person == other.person:
            return None
        if any(share_nothing(one, other) for one, other in sides):
            return "told apart"
        return "another first name" if any(have_other_first_names(one, other) for one, other in sides) else None

    def join(self, one: str, other: str) -> None:
        if not self.are_joined(one, other):
            self._group[one] |= self._group[other]
            for moved in self._group[other]:
                self._group[moved] = self._group[one]

    def groups(self) -> list[list[str]]:
        return sorted(sorted(group) for group in {id(group): group for group in self._group.values()}.values())


def _stays(changes: Sequence[Change]) -> dict[str, list[Stay]]:
    """Return the persons that moved records had, the present one last. Who is moved back was never away."""
    found: dict[str, list[Stay]] = {}
    for number, change in enumerate(changes, 1):
        for record in change.records:
            stays = found.setdefault(record, [Stay(change.other, 0)])
            if len(stays) > 1 and stays[-2].person == change.person:
                stays.pop()
            else:
                stays.append(Stay(change.person, number))
    return found


def _named(
    groups: Sequence[Sequence[str]], before: Mapping[str, str], stays: Mapping[str, Sequence[Stay]]
) -> dict[str, str]:
    """Give each group an id: the one that most of its records had; of equals, the group that had it first.

    A group that is left without one gets back what its records had before that, where nobody has it now.
    """
    names: dict[int, str] = {}
    taken: set[str] = set()
    former = {record: found[-2].person for record, found in stays.items() if len(found) > 1}
    for known, reserved in ((before, set[str]()), (former, set(before.values()))):
        for _, _, person, at in sorted(_claims(groups, known, stays)):
            if at not in names and person not in taken | reserved:
                names[at] = person
                taken.add(person)
    for at, group in enumerate(groups):
        if at not in names:
            names[at] = _new_id(group, taken | set(before.values()))
            taken.add(names[at])
    return {record: names[at] for at, group in enumerate(groups) for record in group}


def _claims(
    groups: Sequence[Sequence[str]], known: Mapping[str, str], stays: Mapping[str, Sequence[Stay]]
) -> Iterable[tuple[int, int, str, int]]:
    """Yield how many of a group have an id (negative), since which change, the id, and the group's place."""
    for at, group in enumerate(groups):
        held: dict[str, list[str]] = {}
        for record in group:
            if record in known:
                held.setdefault(known[record], []).append(record)
        for person, records in held.items():
            since = min(
                next((one.since for one in reversed(stays.get(record, ())) if one.person == person), 0)
                for record in records
            )
            yield -len(records), since, person, at


def _new_id(group: Sequence[str], taken: set[str]) -> str:
    """Return an id that follows from the group's first record, so that a rerun from nothing gives the same ids."""
    attempt = 0
    while (found := str(uuid.uuid5(_NAMESPACE, f"{group[0]}#{attempt}"))) in taken:
        attempt += 1
    return found


def _changes(
    before: Mapping[str, str], after: Mapping[str, str], reasons: Mapping[str, tuple[str, ...]], now: datetime
) -> Iterable[Change]:
    """Yield merges (records came to another person that was there) and splits (records left one that stays)."""
    moved: dict[tuple[str, str], list[str]] = {}
    for record, person in after.items():
        if record in before and before[record] != person:
            moved.setdefault((before[record], person), []).append(record)
    known = set(before.values())
    for (old, new), records in sorted(moved.items()):
        is_merge = new in known
        evidence = dict.fromkeys(part for record in records for part in reasons.get(record, ("a person decided",)))
        identity = hashlib.sha256(encode([old, new, records, now])).hexdigest()[:16]
        yield Change(
            id=identity,
            kind="merged" if is_merge else "split",
            person=new,
            other=old,
            records=tuple(records),
            evidence=tuple(evidence),
            at=now,
        )


def _with_figures(
    records: Mapping[str, Record], before: Mapping[str, str], changes: Sequence[Change]
) -> Iterable[Change]:
    """Yield the changes one after the other, each with the counts that it moved; all together they move `_figures`."""
    members: dict[str, set[str]] = {}
    for record, person in before.items():
        if record in records:
            members.setdefault(person, set()).add(record)

    def counted(*persons: str) -> tuple[int, int]:
        lines = [{records[one].front_end for one in members.get(person, ())} for person in persons]
        return sum(bool(found) for found in lines), sum(len(found) > 1 for found in lines)

    now = counted(*members)
    for change in changes:
        was, without = now, counted(change.person, change.other)
        members.setdefault(change.person, set()).update(change.records)
        members[change.other] -= set(change.records)
        after = counted(change.person, change.other)
        now = (was[0] - without[0] + after[0], was[1] - without[1] + after[1])
        moved = {name: (old, new) for name, old, new in zip(FIGURES, was, now, strict=True) if old != new}
        yield change.replace(figures=moved)


def _with_published(found: Resolution, before: Mapping[str, str], published: Published, now: datetime) -> Resolution:
    """Return what was found with the published figures that each change moved, and that all of them did."""
    if not found.changes:
        return found
    steps = [Step(persons=dict.fromkeys(change.records, change.person)) for change in found.changes]
    singly, together = published.moved(before, steps, now)
    changes = tuple(change.replace(published=moves) for change, moves in zip(found.changes, singly, strict=True))
    return found.replace(changes=changes, published=together)


def _figures(
    records: Mapping[str, Record], before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """Return the counts that stand on who is who, as they were and as they are, over the same records."""

    def counts(persons: Mapping[str, str]) -> tuple[int, int]:
        lines: dict[str, set[str]] = {}
        for record, person in persons.items():
            if record in records:
                lines.setdefault(person, set()).add(records[record].front_end)
        return len(lines), sum(len(found) > 1 for found in lines.values())

    was, now = counts(before), counts(after)
    return {name: (old, new) for name, old, new in zip(FIGURES, was, now, strict=True)}
