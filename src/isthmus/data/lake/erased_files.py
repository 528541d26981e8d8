"""Files of the lake written anew without what says who a person is; each file once, whatever states name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from isthmus.data.model.columns import quoted
from isthmus.kernel import Value, encode
from isthmus.later import later
from isthmus.markings import Ref

from ..arrow import pa
from ..model import front_end_events
from ..model.marks import marks_of
from ..model.model import Entity, Field
from .held import Held, keys_table
from .lake import File, Lake, Manifest, rows_of
from .personal import Hide, blank, hidden_attributes
from .pseudonyms import ERASED, erased, pseudonym_sql

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = later("duckdb")

ErasedValues = dict[tuple[str, str], str]  # (field, value) → what stands for it now


class Files:
    """The files that hold something of one person, and what they became."""

    def __init__(self, lake: Lake, held: Held, secret: bytes) -> None:
        self.held = held
        self.erased_values: ErasedValues = {}
        self._lake = lake
        self._secret = secret
        self._known: dict[str, File] = {}
        self._counts: dict[str, int] = {}
        self._declared: Mapping[str, Any] | None = None

    @property
    def replaced(self) -> list[str]:
        """Return the files that stand in no state any more."""
        return [path for path, file in self._known.items() if file.path != path]

    def counts(self, state: Manifest) -> dict[str, int]:
        """Return how many rows were written anew in a state, by dataset."""
        found = {name: sum(self._counts.get(file.path, 0) for file in files) for name, files in state.datasets.items()}
        return {name: count for name, count in found.items() if count}

    def without_person(self, entity: Entity, dataset: str, file: File) -> File:
        """Return a file of an entity's rows in which those of the person say no more who it is."""
        personal = [field for field in entity.fields.values() if field.pii and not field.front_ends]
        if not personal and "attributes" not in entity.fields:
            return file
        return self._once(file, lambda connection: self._rows(connection, entity, dataset, file, personal))

    def events(self, file: File) -> File:
        """Return a file of events in which those of the person have their personal fields erased.

        Theirs are those whose subject, or whose reference to a held row, says so. An event that nobody declares any
        more is emptied where it names the person: what it holds nobody can tell.
        """
        return self._once(file, lambda connection: self._events(connection, file))

    def quarantine(self, file: File) -> File:
        """Return a file of broken rows, those emptied that name the person: what a broken row holds nobody knows."""
        return self._once(file, lambda connection: self._quarantine(connection, file))

    def _once(self, file: File, write: Callable[[duckdb.DuckDBPyConnection], tuple[str, int]]) -> File:
        if file.path not in self._known:
            self._known[file.path] = file
            with duckdb.connect() as connection:
                connection.execute("set TimeZone = 'UTC'")
                sql, count = write(connection)
                if count:
                    self._counts[file.path] = count
                    self._known[file.path] = self._lake.write(connection, sql) or file
        return self._known[file.path]

    def _rows(
        self, connection: duckdb.DuckDBPyConnection, entity: Entity, dataset: str, file: File, personal: list[Field]
    ) -> tuple[str, int]:
        scan = self._lake.scan_files([file])
        there = [str(row[0]) for row in connection.execute(f"describe select * from {scan}").fetchall()]
        if not set(entity.key) <= set(there):
            return "", 0
        connection.register("held", keys_table(self.held.keys[entity.name]))
        same = " and ".join(f"cast(t.{quoted(part)} as varchar) = h.k{at}" for at, part in enumerate(entity.key))
        joined = f"{scan} as t left join held as h on {same}"
        if connection.execute(f"select 1 from {joined} where h.k0 is not null limit 1").fetchone() is None:
            return "", 0
        columns = {name: f"t.{quoted(name)}" for name in there}
        for field in personal:
            if field.name in columns:
                self._learn(connection, entity, field, joined)
                columns[field.name] = pseudonym_sql(ERASED, self._secret, entity, field, columns[field.name])
        if "attributes" in columns and "attributes" in entity.fields:
            self._learn_attributes(connection, entity, joined)
            joined += " left join own as o on h.k0 is not null and o.front_end = t.front_end and o.was = t.attributes"
            columns["attributes"] = "coalesce(o.now, t.attributes)"
        anew = {name: sql for name, sql in columns.items() if sql != f"t.{quoted(name)}"}
        changed = " or ".join(f"{sql} is distinct from t.{quoted(name)}" for name, sql in anew.items()) or "false"
        count = connection.execute(f"select count(*) from {joined} where h.k0 is not null and ({changed})").fetchone()
        listed = ", ".join(
            f"case when h.k0 is null then t.{quoted(name)} else {sql} end as {quoted(name)}"
            for name, sql in columns.items()
        )
        return f"select {listed} from {joined}", int(count[0]) if count else 0

    def _learn(self, connection: duckdb.DuckDBPyConnection, entity: Entity, field: Field, joined: str) -> None:
        """Keep what stands for each value, so that filters by it can be found in receipts."""
        if field.kind != "text":
            return
        sql = f"select distinct t.{quoted(field.name)} from {joined} where h.k0 is not null"
        for (value,) in connection.execute(sql).fetchall():
            if value:
                name = f"{entity.name}.{field.name}"
                self.erased_values[name, str(value)] = erased(self._secret, name, str(value))

    def _learn_attributes(self, connection: duckdb.DuckDBPyConnection, entity: Entity, joined: str) -> None:
        """Make a table of what stays of attributes. Of the person's own row nothing does, whatever it is marked as."""
        found = connection.execute(
            f"select distinct t.front_end, t.attributes from {joined} where h.k0 is not null"
        ).fetchall()
        rows = [(str(code), str(was), self._attributes(entity, str(code), str(was))) for code, was in found if was]
        columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
        arrays = [pa.array(column, pa.string()) for column in columns]
        connection.register("own", pa.table(arrays, names=["front_end", "was", "now"]))

    def _attributes(self, entity: Entity, code: str, was: str) -> str:
        """Return attributes without what is personal; those that nobody declares any more go whole."""
        front_end = self._front_ends().get(code)
        contract = front_end.attributes.get(entity.name) if front_end is not None else None
        hide = self._eraser(f"{entity.name}.attributes")
        left = hidden_attributes(was, contract, hide, is_rest_kept=False)
        return "{}" if entity is self.held.root and self.held.is_person else left

    def _eraser(self, owner: str) -> Hide:
        def hide(name: str, value: Any) -> Any:
            if not isinstance(value, str):
                return None
            field = f"{owner}.{name}"
            now = erased(self._secret, field, value)
            if value:
                self.erased_values[field, value] = now
            return now

        return hide

    def _front_ends(self) -> Mapping[str, Any]:
        if self._declared is None:  # loading front ends takes a second
            self._declared = self._lake.declared()
        return self._declared

    def _events(self, connection: duckdb.DuckDBPyConnection, file: File) -> tuple[str, int]:
        scan = self._lake.scan_files([file])
        types = {str(row[0]) for row in connection.execute(f"select distinct type from {scan}").fetchall()}
        contracts: dict[str, Any] = dict(self._lake.events)
        if types - contracts.keys():
            contracts = {**front_end_events.contracts_of(self._front_ends()), **contracts}
        found: list[dict[str, str]] = []
        for name in sorted(types & contracts.keys()):
            sql, values = self._theirs(contracts[name])
            hide = self._eraser(name)
            theirs = f"select id, data, front_end from {scan} where type = $1 and ({sql})"
            for row in rows_of(connection, theirs, [name, *values]):
                data = msgspec.json.decode(row["data"])
                front_end = self._front_ends().get(row["front_end"])
                own: Mapping[str, type[Value]] = front_end.attributes if front_end is not None else {}
                if (after := blank(data, contracts[name], hide, own)) != data:
                    found.append({"id": row["id"], "blank": encode(after).decode()})
        values = sorted({value for entity in self.held.entities for value in self.held.names(entity)})
        is_named = "exists (select 1 from unnest($2) as given(value) where subject = value or contains(data, value))"
        orphans = f"select id from {scan} where not list_contains($1, type) and {is_named} and data <> '{{}}'"
        found += [{**row, "blank": "{}"} for row in rows_of(connection, orphans, [list(contracts), values])]
        if not found:
            return "", 0
        connection.register("blanks", pa.Table.from_pylist(found))
        return (
            f"select * exclude (blank) replace (coalesce(b.blank, e.data) as data) from {scan} as e "
            "left join blanks as b using (id) order by position",
            len(found),
        )

    def _theirs(self, contract: Any) -> tuple[str, list[list[str]]]:
        """Return the condition that an event is of a held row, with its values."""
        conditions = ["subject in (select unnest($2))"]
        values = [sorted({value for entity in self.held.entities for value in self.held.names(entity)})]
        for name, target in _references(contract):
            entity = next((one for one in self.held.entities if one.name == target), None)
            if entity is not None and self.held.names(entity):
                values.append(sorted(self.held.names(entity)))
                conditions.append(f"json_extract_string(data, '$.{name}') in (select unnest(${len(values) + 1}))")
        return " or ".join(conditions), values

    def _quarantine(self, connection: duckdb.DuckDBPyConnection, file: File) -> tuple[str, int]:
        scan = self._lake.scan_files([file])
        values = sorted({value for entity in self.held.entities for value in self.held.names(entity)})
        connection.register("named", pa.table({"value": pa.array(values, pa.string())}))
        is_named = '("row" <> \'{}\' and exists (select 1 from named where contains(t."row", named.value)))'
        count = connection.execute(f"select count(*) from {scan} as t where {is_named}").fetchone()
        sql = f'select * replace (case when {is_named} then \'{{}}\' else "row" end as "row") from {scan} as t'
        return sql, int(count[0]) if count else 0


def _references(contract: type) -> Iterator[tuple[str, str]]:
    """Yield the fields of an event that refer to an entity, with the entity."""
    for name, hint in get_type_hints(contract, include_extras=True).items():
        for mark in marks_of(hint):
            if isinstance(mark, Ref):
                yield name, mark.to
