"""Which rows of the lake say something of one person: a row, all that refers to it, and all that refers to those.

An order refers to a member, a line to the order: what a buyer wrote on a line is found by way of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from isthmus.data.model.columns import quoted
from isthmus.later import later

from ..arrow import pa
from ..model.model import Entity, Reference
from .deltas import delta_of
from .lake import Lake, Manifest, changes_of, current_of, entity_columns

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = later("duckdb")

Key = tuple[str, ...]
_NAMES: Final = ("text", "uuid")  # kinds of keys that are long enough to be looked for in text


@dataclass(slots=True)
class Held:
    """The keys, as text, of the rows of each entity that say something of the person; `root` is whose row it is.

    is_person: the row of `root` is the person, so that all that is said of it is said of them; else it is theirs.
    """

    root: Entity
    is_person: bool = True
    keys: dict[str, set[Key]] = field(default_factory=dict[str, set[Key]])
    entities: list[Entity] = field(default_factory=list[Entity])

    def names(self, entity: Entity) -> set[str]:
        """Return the ids of an entity's rows, where one field tells them apart (within a front end)."""
        fields = [at for at, part in enumerate(entity.key) if part != "front_end"]
        if len(fields) != 1:
            return set()
        is_named = entity is self.root or entity.fields[entity.key[fields[0]]].kind in _NAMES
        return {key[fields[0]] for key in self.keys[entity.name]} if is_named else set()

    def front_ends(self, entity: Entity) -> set[str]:
        """Return the front ends that the rows are of; none where they are of the whole group."""
        at = entity.key.index("front_end") if "front_end" in entity.key else None
        return {key[at] for key in self.keys[entity.name]} if at is not None else set()


def held_by(
    lake: Lake, states: Sequence[Manifest], name: str, key: Mapping[str, object], *, is_person: bool = True
) -> Held:
    """Return the rows of one person in all of these states, found along all references to the person's own row."""
    root = lake.model.entity(name)
    held = Held(root, is_person, {name: {tuple(str(key[part]) for part in root.key)}})
    todo = [name]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        while todo:
            target = todo.pop()
            for reference in lake.model.references_to(target):
                if reference.source == name:  # another person, whom this one brought along
                    continue
                found = _referring(lake, connection, states, reference, held.keys[target])
                new = found - held.keys.get(reference.source, set())
                if new:
                    held.keys.setdefault(reference.source, set()).update(new)
                    todo.append(reference.source)
    held.entities = [lake.model.entity(one) for one in held.keys]
    return held


def _referring(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    states: Iterable[Manifest],
    reference: Reference,
    keys: set[Key],
) -> set[Key]:
    source, target = lake.model.entity(reference.source), lake.model.entity(reference.target)
    datasets = (current_of(source), delta_of(source), changes_of(source))
    files = {file.path: file for state in states for one in datasets for file in state.datasets.get(one, ())}
    if not files:
        return set()
    columns = entity_columns(source)
    empty = ", ".join(f"cast(null as {kind}) as {quoted(column)}" for column, kind in columns.items())
    scan = f"(select {empty} where false union all by name select * from {lake.scan_files(list(files.values()))})"
    own = {there: mine for mine, there in reference.pairs}
    matched = " and ".join(f"cast(s.{quoted(own[part])} as varchar) = t.k{at}" for at, part in enumerate(target.key))
    connection.register("targets", keys_table(keys))
    listed = ", ".join(f"cast(s.{quoted(part)} as varchar)" for part in source.key)
    rows = connection.execute(f"select distinct {listed} from {scan} as s join targets as t on {matched}").fetchall()
    connection.unregister("targets")
    return {tuple(str(value) for value in row) for row in rows}


def keys_table(keys: Iterable[Key]) -> Any:
    """Return keys as a table with the columns k0, k1 …"""
    columns = list(zip(*sorted(keys), strict=True))
    return pa.table(
        [pa.array(column, pa.string()) for column in columns], names=[f"k{at}" for at in range(len(columns))]
    )
