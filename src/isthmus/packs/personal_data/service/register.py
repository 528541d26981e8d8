"""The register of personal data, made of what is marked: in contracts, manifests, front ends and their tables.

Pii in asks, answers, events, entities  ─┐
Personal(keeps=…)                        ├─▶ entries ─▶ who may call what gives them (the Guard)
Pii in attributes and own tables         ┘
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from isthmus.kernel import Caller, Capability, FrontEnd, Pack, Platform, errors
from isthmus.kernel.host import Release, event_kind
from isthmus.language import mark
from isthmus.manifest import Personal, Place, brought, clear
from isthmus.manifest.actions import ASK, EVERYWHERE, READ_EVENTS, Action, check
from isthmus.manifest.kept import Given, given_to
from isthmus.markings import Pii
from isthmus.personal import personal_marks
from isthmus.store import Database, schema_of
from isthmus.store.personal_columns import PersonalColumns, read_marks

from .. import api

ROLES: Final = ("owner", "operator", "support", "analyst", "auditor", "deployer")
CLIENT: Final = "client"
UNTIL_ERASED: Final = mark("until the person is erased")
OF_EVENTS: Final = mark("7 days, and until all who read them have")  # as store/retention.py keeps them
OF_CALLS: Final = mark("for the call; its answer under a key 24 hours")
NOTHING: Final = mark("nobody has said what for")  # a front end that was deployed before purposes were asked for

Readers = Mapping[str, Capability[Any, Any] | Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What is read beside what runs: the database, and the folder of the lake."""

    database: Database
    lake: Path


def registry_at(place: Place) -> Registry:
    """Return the registry of a platform."""
    return Registry(database=place.database, lake=place.data / "lake")


async def register(platform: Platform, database: Database, *, has_calls: bool = True) -> api.Register:
    """Return the register of what runs: of all packs, and of the front ends that are deployed.

    has_calls: the fields of calls are in it too, by which personal data comes in and goes out.
    """
    release = platform.release
    own = await _own_tables(release, database)
    entries = tuple(_entries(release, own, has_calls=has_calls))
    readers = {name for one in entries for name in one.readers}
    known: Readers = {
        **{name: bound.capability for line in release.lines.values() for name, bound in line.offered.items()},
        ASK.name: ASK,
        READ_EVENTS.name: READ_EVENTS,
    }
    callers = {name: await _callers(platform, known[name]) for name in sorted(readers) if name in known}
    return api.Register(entries=entries, callers=callers)


def front_end_problems(front_end: FrontEnd, packs: Sequence[Pack]) -> Iterator[str]:
    """Say which personal data of a front end nobody has said the purpose of."""
    for where, marked in _marked_by(front_end):
        if not marked.why:
            yield (
                f"front end {front_end.code!r} marks {where} as personal and does not say what for; "
                f"write Pii({marked.kind!r}, why=…)"
            )


def _marked_by(front_end: FrontEnd) -> Iterator[tuple[str, Pii]]:
    """Yield what a front end marks in attributes and events of its own."""
    for entity, declared in front_end.attributes.items():
        yield from ((f"{entity}.attributes{path[1:]}", one) for path, one in personal_marks(declared) if one)
    for event_type in (one for one in front_end.events if hasattr(one, "__isthmus_event__")):  # others are refused
        name = event_kind(event_type).name
        yield from ((f"{name}{path[1:]}", one) for path, one in personal_marks(event_type) if one)


def _entries(release: Release, own: Mapping[str, PersonalColumns], *, has_calls: bool) -> Iterator[api.Entry]:
    for name, pack in sorted(release.packs.items()):
        given = list(given_to(pack))
        yield from _kept(pack, given)
        yield from (_given(name, one) for one in given if has_calls or one.place != "call")
    for code, line in sorted(release.lines.items()):
        yield from _of_front_end(line.front_end, release, own[code])


def _kept(pack: Pack, given: Sequence[Given]) -> Iterator[api.Entry]:
    for one in (kept for said in brought([pack], Personal) for kept in said.keeps):
        table = one.table.replace('"', "")
        sealed = {of.column for of in one.sealed}
        for column, kind in one.columns.items():
            yield api.Entry(
                place="table",
                owner=pack.name,
                where=f"{table}.{column}",
                kind=kind,
                why=one.why,
                until=one.until,
                readers=() if column in one.hidden else _readers(given, kind),
                is_sealed=column in sealed,
                in_the_clear="" if column in sealed else one.in_the_clear or clear.UNSAID,
            )


def _given(owner: str, one: Given) -> api.Entry:
    until = {"event": OF_EVENTS, "lake": UNTIL_ERASED}.get(one.place, OF_CALLS)
    by = {"event": READ_EVENTS.name, "lake": ASK.name}.get(one.place, one.readable_by.name if one.readable_by else "")
    return api.Entry(
        place=one.place,
        owner=owner,
        where=one.where,
        kind=one.kind,
        why=one.why or NOTHING,
        until=until,
        readers=(by,) if by else (),
        in_the_clear={"event": clear.PASSES, "lake": clear.LAKE}.get(one.place, ""),
    )


def _of_front_end(front_end: FrontEnd, release: Release, own: PersonalColumns) -> Iterator[api.Entry]:
    entities = {*front_end.attributes}
    for where, marked in _marked_by(front_end):
        entity = next((one for one in entities if where.startswith(f"{one}.attributes")), "")
        pack = release.packs.get(entity.partition(".")[0])
        yield api.Entry(
            place="attribute" if entity else "event",
            owner=front_end.code,
            where=where,
            kind=marked.kind,
            why=marked.why or NOTHING,
            until=UNTIL_ERASED if entity else OF_EVENTS,
            readers=tuple(_giving_attributes(pack)) if pack else (READ_EVENTS.name,),
            in_the_clear=clear.OWN if entity else clear.PASSES,
        )
    for table, columns in own.personal.items():
        for one in columns:
            yield api.Entry(
                place="front-end table",
                owner=front_end.code,
                where=f"{own.schema}.{table}.{one.name}",
                kind=one.kind,
                why=one.why or NOTHING,
                until=UNTIL_ERASED,
                readers=tuple(sorted(capability.name for capability in front_end.capabilities)),
                in_the_clear=clear.OWN,
            )


def _readers(given: Sequence[Given], kind: str) -> tuple[str, ...]:
    """Return what of a pack answers with personal data of a kind."""
    return tuple(dict.fromkeys(one.readable_by.name for one in given if one.kind == kind and one.readable_by))


def _giving_attributes(pack: Pack) -> Iterator[str]:
    for one in pack.capabilities().values():
        if not one.is_internal and any(marked is None for _, marked in personal_marks(one.answer)):
            yield one.name


async def _own_tables(release: Release, database: Database) -> dict[str, PersonalColumns]:
    async with database.platform() as session:
        return {code: await read_marks(session, schema_of(code)) for code in release.lines}


async def _callers(platform: Platform, reader: Capability[Any, Any] | Action) -> dict[str, tuple[str, ...]]:
    """Return which roles, and whether clients, may call something at each front end that uses it."""
    lines = platform.release.lines
    found: dict[str, tuple[str, ...]] = {}
    for code in lines if isinstance(reader, Capability) else (*lines, EVERYWHERE):
        if isinstance(reader, Capability) and reader.name not in lines[code].permitted:
            continue
        people = [Caller(front_end=code, person="anybody", roles=(role,), via="http") for role in ROLES]
        asked = [*people, Caller(front_end=code, client="any", via="http")]
        names = (*ROLES, CLIENT)
        found[code] = tuple(
            [name for name, caller in zip(names, asked, strict=True) if await _may(platform, caller, reader)]
        )
    return found


async def _may(platform: Platform, caller: Caller, reader: Capability[Any, Any] | Action) -> bool:
    try:
        await check(platform, caller, reader)
    except errors.NotPermitted:
        return False
    return True
