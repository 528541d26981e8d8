"""Bring a database to the shape that the code expects: forward only, each pack's own files, one process at a time.

A migration is a file `0001_name.sql` in a pack's folder `migrations`, numbered from 1 without a gap. The pack's
schema exists when the first one runs. A table is opened to calls by one line under its definition:

    create table pricing.list_price (front_end text not null, sku text not null, ...);
    select isthmus.guard('pricing.list_price');     -- each front end its own rows
    select isthmus.share('catalog.product');        -- rows of the whole group
    -- neither: no call can touch it, and says so

A file runs in one transaction with its record in `isthmus.migration`, so it is applied whole or not at all. An
applied file is never edited: write the next one.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Final

import asyncpg

from isthmus.kernel import errors

from .errors import said, translated

LOCK_LIMIT_S: Final = 300  # another process may be applying a long migration

_LOCK: Final = 0x697374686D7573  # "isthmus", so that no other program's lock is the same by chance
_NAME: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_SCHEMA: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RECORD: Final = """\
create schema if not exists isthmus;
create table if not exists isthmus.migration (
    pack text not null,
    number integer not null,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    primary key (pack, number)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSource:
    """Where the migrations of one pack are, and the schema that is its own."""

    pack: str
    schema: str
    folder: Traversable

    @classmethod
    def of_pack(cls, pack: str, location: str) -> MigrationSource:
        """Return the source at `<package>:<folder>`; the schema is named as the pack is."""
        package, _, folder = location.partition(":")
        root = importlib.resources.files(package)
        return cls(pack=pack, schema=pack.replace("-", "_"), folder=root / folder if folder else root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file."""

    pack: str
    number: int
    name: str
    sql: str = field(repr=False)

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.pack}/{self.name}"


STORE: Final = MigrationSource.of_pack("isthmus", "isthmus.store:migrations")


async def migrate(url: str, sources: Sequence[MigrationSource] = ()) -> list[Migration]:
    """Apply what a database has not seen yet, the store's own first, and return it.

    Of several processes at once, one applies and the others wait, then find nothing to do. Raises BuildProblems
    with everything that is wrong with the files before the first is applied, Fault where one fails (those before
    it stay applied), and Unavailable where the database cannot be reached.
    """
    return await _migrate(url, (STORE, *sources))


async def migrate_only(url: str, source: MigrationSource, opening: str, role: str) -> list[Migration]:
    """Apply one source beside those of `migrate`: after `opening`, each file as `role`."""
    return await _migrate(url, (source,), opening, role)


def fingerprint(sources: Iterable[MigrationSource] = ()) -> str:
    """Return a hash of all migrations, the store's with them: databases of the same one have the same shape."""
    files, _ = _read((STORE, *sources))
    parts = "\n".join(f"{file} {file.checksum}" for file in files)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


async def _migrate(
    url: str, all_sources: Sequence[MigrationSource], opening: str = "", role: str = ""
) -> list[Migration]:
    files, problems = _read(all_sources)
    try:
        connection = await asyncpg.connect(url, server_settings={"lock_timeout": f"{LOCK_LIMIT_S}s"})
    except (OSError, asyncpg.PostgresError) as error:
        raise errors.Unavailable(
            f"the database does not answer: {error}", remedy="start it, or mend ISTHMUS_DATABASE_URL"
        ) from error
    try:
        await connection.execute(f"select pg_advisory_lock({_LOCK})")
        await connection.execute(_RECORD)
        if opening:
            await connection.execute(opening)
        applied = await connection.fetch("select pack, number, name, checksum from isthmus.migration")
        problems += _differences(files, applied)
        if problems:
            raise errors.BuildProblems(problems)
        known = {(row["pack"], row["number"]) for row in applied}
        new = [file for file in files if (file.pack, file.number) not in known]
        schemas = {source.pack: source.schema for source in all_sources}
        for file in new:
            await _apply(connection, file, schemas[file.pack], role)
        return new
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise translated(error) from error
    finally:
        await connection.close()


def _read(sources: Iterable[MigrationSource]) -> tuple[list[Migration], list[str]]:
    files: list[Migration] = []
    problems: list[str] = []
    packs: set[str] = set()
    for source in sources:
        if source.pack in packs:
            problems.append(f"two sources of migrations are for pack {source.pack!r}: give one")
        packs.add(source.pack)
        if not _SCHEMA.fullmatch(source.schema):
            problems.append(f"schema {source.schema!r} of pack {source.pack!r}: use small letters, digits and _")
        found = _files(source, problems)
        problems += _gaps(source, found)
        files += found
    return files, problems


def _files(source: MigrationSource, problems: list[str]) -> list[Migration]:
    if not source.folder.is_dir():
        problems.append(f"pack {source.pack!r} has no folder {source.folder}: make it, or leave out migrations")
        return []
    found: list[Migration] = []
    for file in sorted(source.folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        if named := _NAME.fullmatch(file.name):
            sql = file.read_text(encoding="utf-8")
            found.append(Migration(pack=source.pack, number=int(named["number"]), name=file.name, sql=sql))
        else:
            problems.append(f"{source.pack}/{file.name} is no name of a migration: use 0001_small_letters.sql")
    return found


def _gaps(source: MigrationSource, found: Sequence[Migration]) -> list[str]:
    return [
        f"{file} should have number {expected:04d}: migrations count from 0001 without a gap or a double"
        for expected, file in enumerate(found, 1)
        if file.number != expected
    ][:1]


def _differences(files: Sequence[Migration], applied: Sequence[asyncpg.Record]) -> list[str]:
    by_number = {(file.pack, file.number): file for file in files}
    packs = {file.pack for file in files}
    problems: list[str] = []
    for row in applied:
        file = by_number.get((row["pack"], row["number"]))
        if file is None and row["pack"] in packs:
            problems.append(f"{row['pack']}/{row['name']} is applied, and its file is gone: this code is too old")
        elif file is not None and file.checksum != row["checksum"]:
            problems.append(f"{file} was edited after it was applied: restore it, and write the change as a new one")
    return problems


async def _apply(connection: asyncpg.Connection, file: Migration, schema: str, role: str) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f'create schema if not exists "{schema}"')  # `order` is a word of SQL
            if role:
                await connection.execute(f'set local role "{role}"; set local search_path = "{schema}"')
            await connection.execute(file.sql)
            await connection.execute("reset role")
            await connection.execute(
                "insert into isthmus.migration (pack, number, name, checksum) values ($1, $2, $3, $4)",
                file.pack,
                file.number,
                file.name,
                file.checksum,
            )
    except asyncpg.PostgresConnectionError:
        raise
    except asyncpg.PostgresError as error:
        raise errors.Fault(
            f"migration {file} failed{_line(file, error)}: {error}",
            remedy=said(error, "hint") or "mend the file; nothing of it was applied",
        ) from error


def _line(file: Migration, error: asyncpg.PostgresError) -> str:
    position = said(error, "position")
    return f" at line {file.sql[: int(position)].count(chr(10)) + 1}" if position else ""
