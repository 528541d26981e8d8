"""Proofs: what an answer relies on is checked on the data that it is computed from, once for each snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, cast

from msgspec import structs

from isthmus.kernel import Value

from ..errors import SHOWN_MAX, BrokenReference, DuplicateKey
from ..lake.reader import Reader
from ..model.ask import Ask, leaves
from ..model.expression import Cell, Within, cells
from ..model.model import Entity, Model, Reference
from ..model.paths import Path, reach
from .plan import Plan, currency_field
from .scope import quoted, table_name

PROOFS_MAX: Final = 4_096  # kept in memory; a model has a few hundred keys and references


class Proof(Value):
    """What was checked, and what was found: `count` cases that break it, some of them as examples."""

    kind: Literal["key", "reference", "one-currency"]
    subject: str
    holds: bool
    count: int = 0
    examples: tuple[str, ...] = ()


class Relied(Value):
    """What an answer relies on: keys of entities, and references, by `entity.field`."""

    keys: tuple[str, ...]
    references: tuple[str, ...]


class Proofs:
    """Checks keys, references and currencies, and remembers what was found for each snapshot."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[tuple[str, str, str], Proof] = {}

    def check(self, reader: Reader, relied: Relied, ask: Ask, *, shows_keys: bool = True) -> tuple[Proof, ...]:
        """Return the proofs of all that is relied on.

        Raises DuplicateKey with offending keys unless the ask accepts them, and BrokenReference where the ask
        wants whole references; otherwise rows that refer to nothing stand in the group without a value. Who does
        not see everything is told how many keys offend, and not which: they may be of rows that are not theirs.
        """
        found: list[Proof] = []
        for name in relied.keys:
            proof = _shown(self.key(reader, self._model.entity(name)), shows_keys)
            if not proof.holds and "duplicates" not in ask.accept:
                entity = self._model.entity(name)
                raise DuplicateKey(name, entity.key, entity.table, proof.count, proof.examples)
            found.append(proof)
        for name in relied.references:
            proof = _shown(self.reference(reader, self._reference(name)), shows_keys)
            if not proof.holds and ask.is_whole:
                raise BrokenReference(name, proof.count, proof.examples)
            found.append(proof)
        return tuple(found)

    def all(self, reader: Reader) -> list[Proof]:
        """Return the proofs of every key and every reference of the model."""
        entities = self._model.entities.values()
        references = [reference for entity in entities for reference in entity.references]
        return [self.key(reader, one) for one in entities] + [self.reference(reader, one) for one in references]

    def key(self, reader: Reader, entity: Entity) -> Proof:
        """Prove that no two rows have the same key, and none has an empty one."""
        columns = ", ".join(quoted(part) for part in entity.key)
        empty = " or ".join(f"{quoted(part)} is null" for part in entity.key)
        sql = (
            f"with broken as (select {columns} from {table_name(entity.table)} group by {columns} "
            f"having count(*) > 1 or {empty})\n"
            f"select *, count(*) over () as broken_count from broken order by {columns} limit {SHOWN_MAX}"
        )
        return self._proved(reader, "key", entity.name, sql)

    def reference(self, reader: Reader, reference: Reference) -> Proof:
        """Prove that every row that refers to something refers to a row that is there."""
        source, target = self._model.entity(reference.source), self._model.entity(reference.target)
        columns = ", ".join(f"s.{quoted(own)}" for own, _ in reference.pairs)
        matched = " and ".join(f"t.{quoted(there)} = s.{quoted(own)}" for own, there in reference.pairs)
        sql = (
            f"with orphans as (select {columns} from {table_name(source.table)} as s "
            f"where s.{quoted(reference.name)} is not null and not exists ("
            f"select 1 from {table_name(target.table)} as t where {matched}))\n"
            f"select *, count(*) over () as broken_count from orphans order by 1 limit {SHOWN_MAX}"
        )
        return self._proved(reader, "reference", f"{reference.source}.{reference.name}", sql)

    def one_currency(self, reader: Reader, name: str) -> Proof:
        """Prove that all rows have the same currency; the examples are the least and the greatest code."""
        entity, found = self._model.split(name)
        column = quoted(found.name)
        sql = (
            f"with ends as (select min({column}) as least, max({column}) as greatest from {table_name(entity.table)})\n"
            "select *, 2 as broken_count from ends where least <> greatest"
        )
        return self._proved(reader, "one-currency", name, sql)

    def _proved(
        self, reader: Reader, kind: Literal["key", "reference", "one-currency"], subject: str, sql: str
    ) -> Proof:
        place = (reader.snapshot, kind, subject)
        if place not in self._known:
            rows = reader.rows(sql)
            examples = tuple("/".join(str(value) for value in list(row.values())[:-1]) for row in rows)
            count = int(rows[0]["broken_count"]) if rows else 0
            while len(self._known) >= PROOFS_MAX:
                del self._known[next(iter(self._known))]
            self._known[place] = Proof(kind=kind, subject=subject, holds=not rows, count=count, examples=examples)
        return self._known[place]

    def _reference(self, name: str) -> Reference:
        owner, _, field = name.rpartition(".")
        return next(ref for ref in self._model.entity(owner).references if ref.name == field)


def _shown(proof: Proof, shows_keys: bool) -> Proof:
    return proof if shows_keys or proof.holds else structs.replace(cast(Any, proof), examples=())


def relied_on(model: Model, plan: Plan) -> Relied:
    """Return the keys and references that the answers of a plan rely on: of what it counts, joins and filters by."""
    keys: dict[str, None] = {}
    references: dict[str, None] = {}
    for origin, path in _paths(model, plan):
        keys[origin] = None
        for step in path:
            keys[step.end] = None
            references[f"{step.reference.source}.{step.reference.name}"] = None
    return Relied(keys=tuple(keys), references=tuple(references))


def _paths(model: Model, plan: Plan) -> Iterable[tuple[str, Path]]:
    for leg in plan.legs:
        yield leg.root, leg.time.path if leg.time else ()
        for dimension in leg.dimensions:
            yield leg.root, dimension.path
        for one in plan.ask.where:
            for leaf in leaves(one):
                yield leg.root, _path(model, leg.root, leaf.field)
    for expression in plan.metrics.values():
        for cell in cells(expression):
            yield from _cell_paths(model, cell)
            if plan.ask.currency and (currency := currency_field(model, cell)):
                yield cell.root, _path(model, cell.root, currency)


def _cell_paths(model: Model, cell: Cell) -> Iterable[tuple[str, Path]]:
    if cell.field:
        yield cell.root, _path(model, cell.root, cell.field)
    for one in cell.filters:
        for leaf in () if isinstance(one, Within) else leaves(one):
            yield cell.root, _path(model, cell.root, leaf.field)
    if cell.goal is not None:
        yield cell.goal.entity, ()


def _path(model: Model, root: str, field: str) -> Path:
    return reach(model, root, field, "a filter").path if "." in field else ()
