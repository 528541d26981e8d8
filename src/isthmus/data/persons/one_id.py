"""One ID: members are read from the business, resolved to persons, and what is not sure waits for somebody.

    records (SQL of the pack that owns members) → resolve → persons, changes | doubts → a person decides → next run

What waits is kept as ids and evidence only: names and addresses are read when somebody looks, and land nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from isthmus.kernel import Value, encode, errors, ports
from isthmus.sealing import is_known_by
from isthmus.store import Database

from .matching import FIELDS, Record
from .published import Moves, Published
from .resolve import Change, Decision, Doubt, Identities, Resolution

OPENED_AT_ONCE: Final = 1_000  # records whose keys are looked up with one statement
PSEUDONYM: Final = 11  # letters of a keyed hash that a person reads: enough to see that two are the same

Opened = Callable[[Sequence[ports.Row], ports.Session], Awaitable[Sequence[Mapping[str, Any]]]]

SHOWN_MAX: Final = 50  # pairs on one page: each takes a person a minute


class Side(Value):
    """One record of a pair as the reviewer sees it: what is known, by field."""

    record: str
    front_end: str
    known: dict[str, str]


class Question(Value):
    """A pair to accept or split: both sides as they are now, how probable, and what says so."""

    doubt: Doubt
    one: Side
    other: Side


class Review(Value):
    """What a reviewer's page shows: pairs to decide, the likeliest first; the latest changes with evidence."""

    questions: tuple[Question, ...]
    waiting: int
    changes: tuple[Change, ...]
    persons: int
    records: int
    figures: dict[str, tuple[int, int]]
    published: Moves | None = None


class _Left(Value):
    """What the last run left to do."""

    doubts: tuple[Doubt, ...]
    figures: dict[str, tuple[int, int]]
    published: Moves | None = None


class OneId:
    """The persons of a company. `records_sql` gives rows with the fields of `Record`, each `record` once.

    With `published`, persons land in the lake too, and each change says which answers that had left it moved. `opened`
    puts into rows what is kept encrypted of them: it is compared in memory, and is written nowhere.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        records_sql: str,
        published: Published | None = None,
        opened: Opened | None = None,
    ) -> None:
        self._opened = opened
        self.identities = Identities(folder, published)
        self._left = folder / "left.json"
        self._database = database
        self._sql = records_sql

    async def run(self, now: datetime) -> Resolution:
        """Resolve all members anew: ids stay, each merge and split is kept with its evidence."""
        records = await self._records(f"select * from ({self._sql}) as record")
        found = await asyncio.to_thread(self.identities.resolve, records, now)
        self._left.write_bytes(encode(_Left(doubts=found.doubts, figures=found.figures, published=found.published)))
        return found

    async def review(self) -> Review:
        """Return what waits to be decided and what was changed last."""
        left = self._kept()
        decided = {frozenset((one.one, one.other)) for one in self.identities.decisions()}
        waiting = [one for one in left.doubts if frozenset((one.one, one.other)) not in decided]
        sides = await self._sides([record for one in waiting[:SHOWN_MAX] for record in (one.one, one.other)])
        persons = self.identities.persons()
        return Review(
            questions=tuple(
                Question(doubt=one, one=sides[one.one], other=sides[one.other])
                for one in waiting[:SHOWN_MAX]
                if one.one in sides and one.other in sides  # not those who were erased since
            ),
            waiting=len(waiting),
            changes=tuple(reversed(self.identities.changes()[-SHOWN_MAX:])),
            persons=len(set(persons.values())),
            records=len(persons),
            figures=left.figures,
            published=left.published,
        )

    def decide(self, one: str, other: str, *, is_same: bool, by: str, now: datetime) -> None:
        """Accept a pair as one person, or split it; it holds from the next run on. Raises NotFound."""
        if frozenset((one, other)) not in {frozenset((it.one, it.other)) for it in self._kept().doubts}:
            raise errors.NotFound(f"no question about {one} and {other} is open", remedy="reload the page")
        self.identities.decide(Decision(one=one, other=other, is_same=is_same, by=by, at=now, reason="review"))

    def forget(self, record: str, now: datetime) -> None:
        """Take an erased member out of all that is kept of persons."""
        left = self._kept()
        doubts = tuple(one for one in left.doubts if record not in (one.one, one.other))
        if doubts != left.doubts:
            self._left.write_bytes(encode(left.replace(doubts=doubts)))
        if record in self.identities.persons():
            self.identities.erase([record], now)

    def _kept(self) -> _Left:
        if not self._left.is_file():
            return _Left(doubts=(), figures={})
        return msgspec.json.decode(self._left.read_bytes(), type=_Left)

    async def _sides(self, records: Sequence[str]) -> dict[str, Side]:
        sql = f"select * from ({self._sql}) as record where record = any($1)"
        found = await self._records(sql, list(records)) if records else []
        return {
            one.record: Side(
                record=one.record,
                front_end=one.front_end,
                known={name.replace("_", " "): _shown(value) for name in FIELDS if (value := getattr(one, name))},
            )
            for one in found
        }

    async def _records(self, sql: str, *args: object) -> list[Record]:
        async with self._database.platform() as session:
            rows = await session.fetch(sql, *args)
            found = [one async for one in self._read(rows, session)]
        known = Record.__struct_fields__
        return [msgspec.convert({name: one[name] for name in known if name in one}, Record) for one in found]

    async def _read(self, rows: Sequence[ports.Row], session: ports.Session) -> AsyncIterator[Mapping[str, Any]]:
        for at in range(0, len(rows), OPENED_AT_ONCE):
            some = rows[at : at + OPENED_AT_ONCE]
            for one in await self._opened(some, session) if self._opened else [dict(row) for row in some]:
                yield one


def _shown(value: str) -> str:
    """Return a value as a reviewer sees it: the same for the same, where there is nothing but a keyed hash."""
    return value[:PSEUDONYM] if is_known_by(value) else value
