"""Published figures that stand on who is who: which of them a merge or a split moved, from what to what.

A published figure is an answer that left with a receipt. Its question is asked again of the rows that it was asked of,
by the persons from before a change and by those from after it: what differs, the change moved, and nothing else did.

    receipts of a month → those whose SQL reads the persons, the latest of each question → asked before and after
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from isthmus.data.model.columns import quoted, table_name
from isthmus.kernel import Value, encode, errors
from isthmus.later import later

from ..answers.metrics import Answer, Metrics
from ..answers.receipt import Receipt
from ..arrow import pa
from ..lake.lake import File, Manifest, current_of
from ..lake.reader import DuckReader
from ..model.ask import Ask
from ..model.model import Entity
from ..platform import DataPlatform
from ..privacy.policy import Policy

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = later("duckdb")

WINDOW: Final = timedelta(days=30)  # a report that nobody has asked for in a month is no longer looked at
LOOKED_MAX: Final = 5_000  # receipts read in one run, the newest first: half a second
ANSWERS_MAX: Final = 400  # answers computed in one run, some 20 ms each
SINGLY_MAX: Final = 20  # changes of one run that are told apart; those after them are told together
CELLS_MAX: Final = 20  # numbers listed of one change
COMMIT_TRIES: Final = 5

Number = int | float | None


class Moved(Value):
    """A number of a published answer, as it was by the persons before a change and as it is by those after it."""

    receipt: str
    policy: str
    metric: str
    group: dict[str, str]
    old: Number
    new: Number


class Moves(Value):
    """The published figures that a change of persons moved, and how far they were looked for.

    Of `receipts` that left in the last month, `figures` are the different questions that stand on persons. `left` of
    them were not computed; `more` numbers moved than are listed.
    """

    moved: tuple[Moved, ...] = ()
    more: int = 0
    receipts: int = 0
    figures: int = 0
    left: int = 0


class Step(Value):
    """Records that came to other persons together."""

    persons: dict[str, str]


class Published:
    """The published figures of a lake over one entity: whose rows say which person a record is.

    `entity` is one that the lake itself makes (its table is in `lake`): front end, a key, and the person. `policy_of`
    returns a receipt's policy by its name. Raises NotFound where there is none.
    """

    def __init__(self, data: DataPlatform, entity: str, policy_of: Callable[[str], Policy]) -> None:
        self._data = data
        self._entity = data.model.entity(entity)
        self._policy_of = policy_of

    def keep(self, persons: Mapping[str, str], now: datetime) -> None:
        """Bring the persons of records into the lake, as a snapshot of their own. Raises Conflict after some tries."""
        for _ in range(COMMIT_TRIES - 1):
            with contextlib.suppress(errors.Conflict):
                return self._commit(persons, now)
        return self._commit(persons, now)

    def moved(self, before: Mapping[str, str], steps: Sequence[Step], now: datetime) -> tuple[list[Moves], Moves]:
        """Return what each of some steps moved, and what all of them did, one after the other."""
        looked, found = self._standing_on_persons(now)
        together = [*steps[:SINGLY_MAX]]
        if len(steps) > SINGLY_MAX:
            rest = {record: person for step in steps[SINGLY_MAX:] for record, person in step.persons.items()}
            together.append(Step(persons=rest))
        plain = [receipt for receipt in found if not _is_personal(receipt)]
        asked = plain[: ANSWERS_MAX // (len(together) + 1)]
        rows: dict[str, list[dict[tuple[str, ...], Row]]] = {}
        for snapshot in dict.fromkeys(receipt.snapshot for receipt in asked):
            here = [receipt for receipt in asked if receipt.snapshot == snapshot]
            with contextlib.suppress(errors.NotFound):  # erased since: nothing can be said of it, so it is left
                rows |= self._asked_by_steps(snapshot, here, before, together)
        known = [receipt for receipt in asked if len(rows.get(receipt.id, ())) > len(together)]
        left = len(found) - len(known)

        def between(first: int, last: int) -> Moves:
            moved = [one for it in known for one in _differing(it, rows[it.id][first], rows[it.id][last])]
            more = max(0, len(moved) - CELLS_MAX)
            return Moves(moved=tuple(moved[:CELLS_MAX]), more=more, receipts=looked, figures=len(found), left=left)

        singly = [between(at, at + 1) for at in range(min(len(steps), SINGLY_MAX))]
        unmeasured = Moves(receipts=looked, figures=len(found), left=len(found))
        return [*singly, *[unmeasured] * (len(steps) - len(singly))], between(0, len(together))

    def _commit(self, persons: Mapping[str, str], now: datetime) -> None:
        lake, before = self._data.lake, self._data.lake.head()
        dataset = current_of(self._entity)
        with lake.connect(before) as connection:
            connection.register("arriving", self._table(persons))
            listed = ", ".join(map(quoted, self._entity.fields))
            there = f"(select {listed} from {table_name(self._entity.table)})"
            arriving = f"(select {self._typed()} from arriving)"
            differing = f"select * from {arriving} except all select * from {there}"
            gone = f"select * from {there} except all select * from {arriving}"
            if connection.execute(f"({differing}) union all ({gone}) limit 1").fetchone() is None:
                return
            file = lake.write(connection, f"select * from {arriving} order by all")
        files: dict[str, tuple[File, ...]] = {**before.datasets, dataset: (file,) if file else ()}
        lake.commit(before, before.position, files, now)

    def _standing_on_persons(self, now: datetime) -> tuple[int, list[Receipt]]:
        """Return how many receipts were looked at, and the latest of each question that reads the persons."""
        read = table_name(self._entity.table)
        found: dict[bytes, Receipt] = {}
        looked = 0
        for receipt in self._data.receipts.all(self._data.receipts.newest(LOOKED_MAX, now - WINDOW)):
            looked += 1
            if read in receipt.sql:
                question = encode([receipt.ask.replace(as_of=None), receipt.policy])
                found.setdefault(question, receipt)
        return looked, list(found.values())

    def _asked_by_steps(
        self, snapshot: str, receipts: Iterable[Receipt], before: Mapping[str, str], steps: Sequence[Step]
    ) -> dict[str, list[dict[tuple[str, ...], Row]]]:
        """Return the rows of each receipt's question: by the persons before all steps, then after each of them."""
        rows: dict[str, list[dict[tuple[str, ...], Row]]] = {receipt.id: [] for receipt in receipts}
        manifest = self._data.lake.state(snapshot)
        for reader in self._readers(manifest, before, steps):
            state = _State(reader)
            metrics = Metrics(
                self._data.model, state, self._data.receipts, secret=b"", now=state.now, declared=self._data.declared
            )
            for receipt in receipts:
                state.asked_at = receipt.asked_at
                with contextlib.suppress(errors.IsthmusError):  # a policy, metric or rate that is gone: it is left
                    answer = metrics.ask(_once(receipt), self._policy_of(receipt.policy), is_kept=False)
                    rows[receipt.id].append(_by_group(answer))
        return rows

    def _readers(self, manifest: Manifest, before: Mapping[str, str], steps: Sequence[Step]) -> Iterator[DuckReader]:
        """Yield a snapshot as it would be by the persons before all steps, then after each of them."""
        table, run = table_name(self._entity.table), uuid.uuid4().hex[:8]
        with self._data.lake.connect(manifest) as connection:
            persons = dict(before)
            for number, step in enumerate([Step(persons={}), *steps]):
                persons |= step.persons
                self._overlay(connection, table, persons)
                yield DuckReader(connection, f"{manifest.name}~{run}.{number}")

    def _overlay(self, connection: duckdb.DuckDBPyConnection, table: str, persons: Mapping[str, str]) -> None:
        connection.register("arriving", self._table(persons))
        connection.execute(f"create or replace table lake.overlaid as select {self._typed()} from arriving")
        connection.execute(f"create or replace view {table} as select * from lake.overlaid")
        connection.unregister("arriving")

    def _table(self, persons: Mapping[str, str]) -> Any:
        parts = [(*record.split("/", 1), person) for record, person in sorted(persons.items()) if "/" in record]
        columns = zip(*parts, strict=True) if parts else ((), (), ())
        return pa.table([pa.array(column, pa.string()) for column in columns], names=list(_fields(self._entity)))

    def _typed(self) -> str:
        kinds = {name: "uuid" if field.kind == "uuid" else "varchar" for name, field in self._entity.fields.items()}
        return ", ".join(f"cast({quoted(name)} as {kind}) as {quoted(name)}" for name, kind in kinds.items())


Row = dict[str, Number]


class _State:
    """One state of the lake, and the moment that it is asked at."""

    def __init__(self, reader: DuckReader) -> None:
        self._reader = reader
        self.asked_at = datetime.min

    def newest(self) -> DuckReader:
        return self._reader

    def at(self, snapshot: str) -> DuckReader:
        return self._reader.at(snapshot)

    def now(self) -> datetime:
        return self.asked_at


def _fields(entity: Entity) -> tuple[str, str, str]:
    front_end, key, person = entity.fields
    return front_end, key, person


def _is_personal(receipt: Receipt) -> bool:
    """Return whether an answer has a row for each person or so: nothing of that kind is written down again."""
    return bool(receipt.masked) or any(name.endswith("_id") for name in receipt.ask.by)


def _once(receipt: Receipt) -> Ask:
    """Return a receipt's question for the moment that it was asked; what has become stale since is no reason."""
    return receipt.ask.replace(as_of=receipt.ask.as_of or receipt.asked_at, is_fresh=False)


def _by_group(answer: Answer) -> dict[tuple[str, ...], Row]:
    groups = [name for name in answer.columns if name not in answer.numbers]
    return {
        tuple("none" if row[name] is None else str(row[name]) for name in groups): {
            name: float(row[name]) if isinstance(row[name], Decimal) else row[name] for name in answer.numbers
        }
        for row in answer.rows
    }


def _differing(receipt: Receipt, old: Mapping[tuple[str, ...], Row], new: Mapping[tuple[str, ...], Row]) -> list[Moved]:
    """Return the numbers in which two answers differ; a group that is in one of them only is nothing in the other."""
    none: Row = dict.fromkeys(receipt.ask.metrics)
    return [
        Moved(
            receipt=receipt.id,
            policy=receipt.policy,
            metric=metric,
            group=dict(zip(receipt.ask.by, group, strict=True)),
            old=old.get(group, none)[metric],
            new=new.get(group, none)[metric],
        )
        for group in dict.fromkeys([*old, *new])
        for metric in receipt.ask.metrics
        if old.get(group, none)[metric] != new.get(group, none)[metric]
    ]
