"""Personal columns of a front end's own tables: marked by comments in its SQL, and emptied when a person is forgotten.

    comment on column greeted.words is 'Pii free-text: what the card says';  -- goes; why it is kept
    comment on column greeted.member_id is 'Ref member.membership';          -- says whose row it is

Rows are found by what they refer to (a member, an order, a payment, …), over foreign keys between the front end's
tables too. A migration that marks what nobody could find, or what cannot be emptied, is not applied.
"""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from isthmus.kernel import ports

_MARK: Final = re.compile(r"(Pii|Ref) ([a-z][a-z0-9.-]*)(?:: *(.*))?", re.DOTALL)
_MARKED: Final = """
    select relname as "table", attname as "column", description, attnotnull as is_needed,
        typcategory = 'S' as is_text, case when atttypmod > 4 then atttypmod - 4 end as length_max
    from pg_class join pg_attribute on attrelid = pg_class.oid join pg_type on pg_type.oid = atttypid
    join pg_description on objoid = pg_class.oid and objsubid = attnum and classoid = 'pg_class'::regclass
    where relnamespace = to_regnamespace($1) and relkind in ('r', 'p') and not relispartition and not attisdropped
    order by relname, attnum"""
_REFERENCES: Final = """
    select here.relname as "table", there.relname as referred, (
            select array_agg(attname::text order by place) from unnest(conkey) with ordinality as one (number, place)
            join pg_attribute on attrelid = conrelid and attnum = number) as columns, (
            select array_agg(attname::text order by place) from unnest(confkey) with ordinality as one (number, place)
            join pg_attribute on attrelid = confrelid and attnum = number) as keys
    from pg_constraint join pg_class here on here.oid = conrelid join pg_class there on there.oid = confrelid
    where contype = 'f' and conparentid = 0
        and here.relnamespace = to_regnamespace($1) and there.relnamespace = here.relnamespace
    order by conname"""


class _Reads(Protocol):
    async def fetch(self, query: str, /, *args: object) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class PersonalColumn:
    """A personal column: its kind, why it is kept, and what it may hold, by which it is emptied."""

    name: str
    kind: str
    why: str
    is_needed: bool
    is_text: bool
    length_max: int | None

    def emptied(self) -> str:
        """Return what takes its place: nothing, or where a text is needed a pseudonym by a key that nobody keeps."""
        if not self.is_needed:
            return "null"
        pseudonym = f"""'erased:' || left(encode(sha256(convert_to({_quoted(self.name)} || $2, 'UTF8')), 'hex'), 16)"""
        shortened = f"left({pseudonym}, {self.length_max})" if self.length_max else pseudonym
        return f"case when {_quoted(self.name)} like 'erased:%' then {_quoted(self.name)} else {shortened} end"


@dataclass(slots=True)
class PersonalColumns:
    """What of a schema is marked, by table."""

    schema: str
    personal: dict[str, list[PersonalColumn]] = field(default_factory=lambda: defaultdict(list))
    whose: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    references: dict[str, list[tuple[str, list[str], list[str]]]] = field(default_factory=lambda: defaultdict(list))

    def problems(self) -> Iterator[str]:
        """Say which marks nothing could follow from."""
        for table, columns in self.personal.items():
            if not self._rows_of(table, ()):
                yield (
                    f"{table} has personal columns ({', '.join(one.name for one in columns)}), and nothing says "
                    f"whose a row is: mark a column that has an id, such as comment on column {table}.member_id is "
                    f"'Ref PACK.ENTITY', or refer to a table that has one"
                )
            for one in columns:
                if not one.why:
                    yield (
                        f"{table}.{one.name} is personal and does not say what for: write it behind a colon, "
                        f"comment on column {table}.{one.name} is 'Pii {one.kind}: …'"
                    )
                if one.is_needed and not one.is_text:
                    yield f"{table}.{one.name} is personal and cannot be emptied: let it be null"

    def held(self) -> Iterator[tuple[str, str]]:
        """Yield each table with personal columns, and SQL of the rows as JSON of whoever is named by `$1`."""
        for table in self.personal:
            found = f"select to_jsonb(one) as row from {self._at(table)} as one where {self._rows_of(table, ())}"
            yield f"{self.schema}.{table}", found

    def statements(self) -> Iterator[str]:
        """Yield what empties the personal columns of the rows of whoever is named; `$1` names, `$2` a key."""
        for table, columns in self.personal.items():
            changes = ", ".join(f"{_quoted(one.name)} = {one.emptied()}" for one in columns)
            yield f"update {self._at(table)} set {changes} where {self._rows_of(table, ())} and $2 <> ''"

    def _rows_of(self, table: str, above: tuple[str, ...]) -> str:
        """Return the condition that finds somebody's rows; nothing where no way leads to whose they are."""
        found = [f"{_quoted(column)}::text = any($1)" for column in self.whose.get(table, ())]
        for referred, columns, keys in self.references.get(table, ()):
            if referred not in (*above, table) and (theirs := self._rows_of(referred, (*above, table))):
                here, there = (", ".join(map(_quoted, names)) for names in (columns, keys))
                found.append(f"({here}) in (select {there} from {self._at(referred)} where {theirs})")
        return f"({' or '.join(found)})" if found else ""

    def _at(self, table: str) -> str:
        return f"{_quoted(self.schema)}.{_quoted(table)}"


async def read_marks(session: _Reads, schema: str) -> PersonalColumns:
    """Return what of a schema's tables is marked as personal, and by what its rows are found."""
    found = PersonalColumns(schema)
    for row in await session.fetch(_MARKED, schema):
        mark = _MARK.match(row["description"])
        if mark and mark[1] == "Pii":
            column = PersonalColumn(
                row["column"], mark[2], (mark[3] or "").strip(), row["is_needed"], row["is_text"], row["length_max"]
            )
            found.personal[row["table"]].append(column)
        elif mark:
            found.whose[row["table"]].append(row["column"])
    if found.personal:
        for row in await session.fetch(_REFERENCES, schema):
            found.references[row["table"]].append((row["referred"], row["columns"], row["keys"]))
    return found


async def forget_in(session: ports.Session, schema: str, names: Sequence[str]) -> None:
    """Empty the personal columns of whoever these name, in all tables of a schema. Safe to repeat."""
    for statement in (await read_marks(session, schema)).statements():
        await session.execute(statement, list(names), secrets.token_hex(16))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
