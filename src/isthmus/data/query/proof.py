"""Proofs: what an answer relies on is checked on the data that it is computed from, once for each snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Literal

from isthmus.data.model.columns import quoted, table_name
from isthmus.kernel import Value

from ..errors import SHOWN_MAX, BrokenReference, DuplicateKey, TiedLevels
from ..lake.reader import Reader
from ..model.ask import Ask
from ..model.model import Entity, Model, Reference
from .money import Money
from .scope import UTC_ZONE, Joined, Parameters, Scope

PROOFS_MAX: Final = 4_096  # kept in memory; a model has a few hundred keys and references


Kind = Literal["key", "reference", "level"]


class Proof(Value):
    """What was checked, and what was found: `count` cases that break it, some of them as examples."""

    kind: Kind
    subject: str
    holds: bool
    count: int = 0
    examples: tuple[str, ...] = ()


class Levels(Value):
    """Series of an entity whose last row in time is taken: `time` is the field that says which is the last."""

    entity: str
    per: tuple[str, ...]
    time: str


class Relied(Value):
    """What an answer relies on: keys of entities, references by `entity.field`, and one row at a time in a series."""

    keys: tuple[str, ...]
    references: tuple[str, ...]
    levels: tuple[Levels, ...] = ()


class Proofs:
    """Checks keys, references and currencies, and remembers what was found for each snapshot."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[tuple[str, str, str], Proof] = {}
        self._codes: dict[tuple[str, Money], frozenset[str]] = {}

    def check(self, reader: Reader, relied: Relied, ask: Ask, *, shows_keys: bool = True) -> tuple[Proof, ...]:
        """Return the proofs of all that is relied on.

        Raises DuplicateKey with offending keys unless the ask accepts them, and BrokenReference where the ask
        wants whole references; otherwise rows that refer to nothing stand in the group without a value. Who does
        not see everything is told how many keys offend, and not which: they may be of rows that are not theirs.
        """
        found: list[Proof] = []
        for name in relied.keys:
            proof = _shown(self.key(reader, self._model.entities[name]), shows_keys)
            if not proof.holds and "duplicates" not in ask.accept:
                entity = self._model.entities[name]
                raise DuplicateKey(name, entity.key, entity.table, proof.count, proof.examples)
            found.append(proof)
        for name in relied.references:
            proof = _shown(self.reference(reader, self._reference(name)), shows_keys)
            if not proof.holds and ask.is_whole:
                raise BrokenReference(name, proof.count, proof.examples)
            found.append(proof)
        for levels in relied.levels:
            proof = _shown(self.level(reader, levels), shows_keys)
            if not proof.holds and "duplicates" not in ask.accept:
                raise TiedLevels(levels.entity, levels.per, proof.count, proof.examples)
            found.append(proof)
        return tuple(found)

    def all(self, reader: Reader) -> list[Proof]:
        """Return the proofs of every key and every reference of the model."""
        entities = self._model.entities.values()
        references = [reference for entity in entities for reference in entity.references]
        return [self.key(reader, one) for one in entities] + [self.reference(reader, one) for one in references]

    def key(self, reader: Reader, entity: Entity) -> Proof:
        """Prove that no two rows have the same key, and none has an empty one."""
        return self._proved(reader, "key", entity.name, partial(_of_key, entity))

    def reference(self, reader: Reader, reference: Reference) -> Proof:
        """Prove that every row that refers to something refers to a row that is there."""
        name = f"{reference.source}.{reference.name}"
        return self._proved(reader, "reference", name, partial(_of_reference, self._model, reference))

    def level(self, reader: Reader, levels: Levels) -> Proof:
        """Prove that no series has two rows at one moment: which of them is the last nobody could say."""
        name = f"{levels.entity} by {', '.join(levels.per)}"
        return self._proved(reader, "level", name, partial(_of_level, self._scope(levels.entity), levels))

    def codes(self, reader: Reader, money: Money) -> frozenset[str]:
        """Return the currencies that amounts are in, at most the least and the greatest code; empty text for none.

        It looks at the amounts themselves, on the way that leads to their currency: one that leads nowhere has none.
        """
        place = (reader.snapshot, money)
        if place not in self._codes:
            scope = self._scope(money.root)
            amount, own = (scope.column(scope.join_path(name, "a currency")) for name in (money.amount, money.currency))
            code = f"coalesce({own}, '')"
            sql = f"select min({code}) as least, max({code}) as greatest {scope.clause()} where {amount} is not null"
            ends = reader.rows(sql)[0].values()
            while len(self._codes) >= PROOFS_MAX:
                self._codes.pop(next(iter(self._codes)), None)
            self._codes[place] = frozenset(str(end) for end in ends if end is not None)
        return self._codes[place]

    def _scope(self, entity: str) -> Scope:
        return Scope(Parameters(self._model, UTC_ZONE, {}), entity, "r")

    def _proved(self, reader: Reader, kind: Kind, subject: str, write: Callable[[], str]) -> Proof:
        place = (reader.snapshot, kind, subject)
        if place not in self._known:
            rows = reader.rows(write())
            examples = tuple("/".join(str(value) for value in list(row.values())[:-1]) for row in rows)
            count = int(rows[0]["broken_count"]) if rows else 0
            while len(self._known) >= PROOFS_MAX:
                self._known.pop(next(iter(self._known)), None)  # another thread may have been first
            self._known[place] = Proof(kind=kind, subject=subject, holds=not rows, count=count, examples=examples)
        return self._known[place]

    def _reference(self, name: str) -> Reference:
        owner, _, field = name.rpartition(".")
        return next(ref for ref in self._model.entities[owner].references if ref.name == field)


def _shown(proof: Proof, shows_keys: bool) -> Proof:
    return proof if shows_keys or proof.holds else proof.replace(examples=())


def _of_key(entity: Entity) -> str:
    columns = ", ".join(quoted(part) for part in entity.key)
    empty = " or ".join(f"{quoted(part)} is null" for part in entity.key)
    return (
        f"with broken as (select {columns} from {table_name(entity.table)} group by {columns} "
        f"having count(*) > 1 or {empty})\n"
        f"select *, count(*) over () as broken_count from broken order by {columns} limit {SHOWN_MAX}"
    )


def _of_reference(model: Model, reference: Reference) -> str:
    source, target = model.entity(reference.source), model.entity(reference.target)
    columns = ", ".join(f"s.{quoted(own)}" for own, _ in reference.pairs)
    matched = " and ".join(f"t.{quoted(there)} = s.{quoted(own)}" for own, there in reference.pairs)
    return (
        f"with orphans as (select {columns} from {table_name(source.table)} as s "
        f"where s.{quoted(reference.name)} is not null and not exists ("
        f"select 1 from {table_name(target.table)} as t where {matched}))\n"
        f"select *, count(*) over () as broken_count from orphans order by 1 limit {SHOWN_MAX}"
    )


def _of_level(scope: Scope, levels: Levels) -> str:
    per = [f"r.{quoted(part)}" for part in levels.per]
    columns = ", ".join([*per, scope.column(scope.join_path(levels.time, "a level"))])
    return (
        f"with tied as (select {columns} {scope.clause()} group by {columns} having count(*) > 1)\n"
        f"select *, count(*) over () as broken_count from tied order by all limit {SHOWN_MAX}"
    )


def relied_on(joined: Joined, levels: Iterable[Levels] = ()) -> Relied:
    """Return what a statement relies on: the keys and references of all that was joined while it was written."""
    return Relied(keys=tuple(joined.keys), references=tuple(joined.references), levels=tuple(levels))
