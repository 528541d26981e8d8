"""Everything that the group holds of one person: each table of the register, front ends' own, the lake, services.

    ids, addresses ─▶ tables that lead to more ids ─┐ until nothing new is named
                            ▲──────────────────────┘
    all ids ─▶ every table, the lake, each adopted service that answers ─▶ one export, and one entry of the journal

Whose a row is, is said by the manifests (`Keeps`), by references in front ends' tables, and by references in the lake.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec

from isthmus.data.lake.held import held_by, keys_table
from isthmus.data.model.columns import quoted
from isthmus.data.platform import DataPlatform, open_platform
from isthmus.kernel import Caller, Pack, Platform, errors, ports
from isthmus.manifest import Keeps, Personal, Persons, brought
from isthmus.manifest.actions import EXPORT_PERSON, Doer, check
from isthmus.manifest.kept import Gives
from isthmus.sealing import UNSEALED, Sealed, Seals
from isthmus.store import schema_of
from isthmus.store.personal_columns import read_marks
from isthmus.values import folded

from .. import api
from .register import UNTIL_ERASED, Registry

ROUNDS_MAX: Final = 20  # of finding ids by ids: a person leads to orders, and these to parcels, in four
ROWS_MAX: Final = 100_000  # of one table: who has more is nobody's customer, and the file is to be read
LONG: Final = 32  # an id has so many letters: it is nobody else's where it stands in a text
LAKE: Final = "in the lake, for analysts, who see pseudonyms"
_BYTES: Final = "\\x"  # how PostgreSQL writes bytes in JSON

Rows = list[dict[str, Any]]
Open = Callable[[ports.Row], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class _Found:
    """Under what somebody is known: ids and references, and e-mail addresses, folded."""

    names: set[str] = field(default_factory=set[str])
    addresses: set[str] = field(default_factory=set[str])

    @property
    def arguments(self) -> tuple[list[str], list[str]]:
        return sorted(self.names), sorted(self.addresses)


async def export_person(platform: Platform, registry: Registry, whom: api.Whom, caller: Caller) -> api.PersonExport:
    """Return all that is held of a person, written down. Raises NobodyNamed, NotPermitted, and NobodyLikeThis."""
    if not whom.member_ids and not whom.emails:
        raise api.NobodyNamed()
    await check(platform, caller, EXPORT_PERSON)
    packs = tuple(platform.release.packs.values())
    found = _Found({str(one) for one in whom.member_ids}, {folded(one) for one in whom.emails if one})
    kept = [(pack.name, keeps) for pack in packs for said in brought([pack], Personal) for keeps in said.keeps]
    seals = cast("Seals", platform.resources.get(Seals, UNSEALED))
    async with registry.database.platform_transaction() as session:
        await _learn([keeps for _, keeps in kept], found, session, seals)
        held = [part async for part in _of_tables(kept, found, session, seals)]
        held += [part async for part in _of_front_ends(platform, found, session)]
        held += await asyncio.to_thread(_of_lake, registry, platform, packs, held, found)
        held += await _of_services(platform, packs, found)
        if not held:
            raise api.NobodyLikeThis()
        said = {"members": sorted(map(str, whom.member_ids)), "rows": sum(len(one.rows) for one in held)}
        await Doer(caller=caller, journal=platform.journal).note(session, EXPORT_PERSON.name, said)
    return api.PersonExport(made_at=platform.clock(), emails=tuple(sorted(found.addresses)), held=tuple(held))


async def _learn(kept: Sequence[Keeps], found: _Found, session: ports.Session, seals: Seals) -> None:
    """Add what more somebody is known under, until nothing new is named."""
    leading = [one for one in kept if one.whose and (one.leads_to or one.addresses)]
    for _ in range(ROUNDS_MAX):
        before = len(found.names), len(found.addresses)
        hashes = [await seals.hashed(one, session) for one in found.addresses]
        found.names |= {one.hex() for one in hashes if one is not None}
        for one in leading:
            named = ", ".join(f"{sql} as n{at}" for at, sql in enumerate(one.leads_to)) or "null as n0"
            at_sealed = next((at for at, sealed in _opens(one) if _names(one.addresses, sealed.column)), None)
            more = f"{one.addresses or 'null'} as address{_sealed(one)}"
            sql = f"select {named}, {more} from {one.table} where {one.whose} {_BOTH}"
            for row in await session.fetch(f"{sql} limit {ROWS_MAX}", *found.arguments):
                found.names |= {row[f"n{at}"] for at in range(len(one.leads_to)) if row[f"n{at}"]}
                address = row["address"]
                is_one = address or (at_sealed is not None and one.addresses == one.sealed[at_sealed].column)
                if is_one and at_sealed is not None and row[f"sealed{at_sealed}"]:
                    address = await _opened(one, at_sealed, row, session, seals)
                found.addresses |= {folded(address)} if address else set()
        if before == (len(found.names), len(found.addresses)):
            return


_BOTH: Final = "and ($1::text[], $2::text[]) is not null"  # a statement names each of its arguments


async def _of_tables(
    kept: Sequence[tuple[str, Keeps]], found: _Found, session: ports.Session, seals: Seals
) -> AsyncIterator[api.Held]:
    for owner, one in kept:
        if not one.whose:
            continue
        sql = f"""select to_jsonb(one) as row{_sealed(one)}
            from (select * from {one.table} where {one.whose} {_BOTH}) as one"""
        if rows := await _rows(session, sql, one.hidden, *found.arguments, open_=_opening(one, session, seals)):
            table = one.table.replace('"', "")
            yield api.Held(place="table", owner=owner, where=table, why=one.why, until=one.until, rows=tuple(rows))


def _sealed(one: Keeps) -> str:
    """Return the SQL of what a row has sealed, and whose each is."""
    return "".join(f", {of.into} as sealed{at}, {of.subject} as subject{at}" for at, of in _opens(one))


def _opens(one: Keeps) -> list[tuple[int, Sealed]]:
    """Return what of a table is sealed and opens again; of what has a hash alone nothing does."""
    return [(at, sealed) for at, sealed in enumerate(one.sealed) if sealed.into]


def _names(sql: str, column: str) -> bool:
    return re.search(rf"\b{re.escape(column)}\b", sql) is not None


async def _opened(one: Keeps, at: int, row: ports.Row, session: ports.Session, seals: Seals) -> str:
    return (await seals.open(session, row[f"subject{at}"], one.table, [row[f"sealed{at}"]]))[0].decode()


def _opening(one: Keeps, session: ports.Session, seals: Seals) -> Open | None:
    """Return what puts in place of sealed columns what they say."""
    if not one.sealed:
        return None

    async def open_(row: ports.Row) -> dict[str, Any]:
        said = cast("dict[str, Any]", json.loads(row["row"]))
        for at, sealed in _opens(one):
            if said.pop(sealed.into):
                said[sealed.column] = await _opened(one, at, row, session, seals)
        return said

    return open_


async def _of_front_ends(platform: Platform, found: _Found, session: ports.Session) -> AsyncIterator[api.Held]:
    for code in sorted(platform.release.lines):
        marks = await read_marks(session, schema_of(code))
        for table, sql in marks.held():
            if rows := await _rows(session, sql, (), sorted(found.names)):
                columns = marks.personal[table.partition(".")[2]]
                why = "; ".join(dict.fromkeys(one.why for one in columns if one.why))
                yield api.Held(
                    place="front-end table", owner=code, where=table, why=why, until=UNTIL_ERASED, rows=tuple(rows)
                )


async def _rows(
    session: ports.Session, sql: str, hidden: Sequence[str], *arguments: object, open_: Open | None = None
) -> Rows:
    found = await session.fetch(f"{sql} limit {ROWS_MAX}", *arguments)
    rows = [await open_(row) if open_ else cast("dict[str, Any]", json.loads(row["row"])) for row in found]
    return [{name: _read(value) for name, value in row.items() if name not in hidden} for row in rows]


def _read(value: Any) -> Any:
    """Return a value as a person reads it: bytes and texts that are JSON as what they say."""
    if not isinstance(value, str):
        return value
    if value.startswith(_BYTES):
        try:
            value = binascii.unhexlify(value[2:]).decode()
        except ValueError:
            return value
    if value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _of_lake(
    registry: Registry, platform: Platform, packs: Sequence[Pack], held: Sequence[api.Held], found: _Found
) -> list[api.Held]:
    """Return what of the newest state of the lake is about the rows that were found; nothing where none has landed."""
    if not registry.lake.is_dir():
        return []
    lines = platform.release.lines
    data = open_platform(packs, registry.lake, declared=lambda: {code: line.front_end for code, line in lines.items()})
    states = data.lake.manifests()[-1:]
    if not states:
        return []
    roots = [one.entity for one in brought(packs, Persons)]
    roots += [one.entity for one in brought(packs, Personal) if one.entity]
    keys: dict[str, set[tuple[str, ...]]] = {}
    for name in roots:
        for key in _keys(data, name, held):
            for entity, more in held_by(data.lake, states, name, key).keys.items():
                keys.setdefault(entity, set()).update(more)
    with data.lake.connect(states[0]) as connection:
        parts = list(_of_entities(data, connection, keys))
        connection.execute("create table named as select unnest($1) as one", [_long(found)])
        sql = """select * from lake.events where exists (select 1 from named where position(one in data) > 0)
                 order by position"""
        rows = _dicts(connection.execute(sql))
    events = api.Held(place="lake", owner="lake", where="lake.events", why=LAKE, until=UNTIL_ERASED, rows=tuple(rows))
    return [*parts, *([events] if rows else [])]


def _long(found: _Found) -> list[str]:
    """Return the names that are long enough to be nobody else's where they stand in a text."""
    return [one for one in sorted(found.names) if len(one) >= LONG] or [""]


def _of_entities(data: DataPlatform, connection: Any, keys: Mapping[str, set[tuple[str, ...]]]) -> Iterator[api.Held]:
    for name, theirs in sorted(keys.items()):
        entity = data.model.entity(name)
        if entity.table.startswith("events."):
            continue
        connection.register("held", keys_table(theirs))
        same = " and ".join(f"cast(t.{quoted(part)} as varchar) = h.k{at}" for at, part in enumerate(entity.key))
        current = data.lake.current(data.lake.manifests()[-1], entity)
        rows = _dicts(connection.execute(f"select t.* from ({current}) as t join held as h on {same}"))
        connection.unregister("held")
        if rows:
            yield api.Held(
                place="lake", owner=name.partition(".")[0], where=name, why=LAKE, until=UNTIL_ERASED, rows=tuple(rows)
            )


def _keys(data: DataPlatform, name: str, held: Sequence[api.Held]) -> Iterator[dict[str, object]]:
    """Yield the keys in the lake of an entity's rows that were found in its table."""
    entity = data.model.entity(name)
    for row in (row for one in held if one.where == entity.table for row in one.rows):
        yield {part: row[part] for part in entity.key}


def _dicts(result: Any) -> Rows:
    names = [one[0] for one in result.description]
    rows = (dict(zip(names, row, strict=True)) for row in result.fetchall())
    return [{name: _read(msgspec.to_builtins(value)) for name, value in row.items()} for row in rows]


async def _of_services(platform: Platform, packs: Sequence[Pack], found: _Found) -> list[api.Held]:
    """Ask each adopted service that says how, for each front end that uses it; what it does not have is not there."""
    parts: list[api.Held] = []
    for one in brought(packs, Gives):
        rows: Rows = []
        for code, line in sorted(platform.release.lines.items()):
            for ask in one.asks(_long(found)) if one.call.name in line.permitted else ():
                caller = Caller(front_end=code, client=EXPORT_PERSON.name, via="job")
                try:
                    answer = await platform.call(one.call, ask, caller)
                except errors.NotFound:
                    continue
                rows.append(cast("dict[str, Any]", msgspec.to_builtins(answer)))
        if rows:
            why = "as the service says"
            where = one.call.name
            parts.append(api.Held(place="call", owner=one.call.pack, where=where, why=why, until=why, rows=tuple(rows)))
    return parts
