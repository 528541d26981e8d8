"""Bring a database to the shape that the code expects: forward only, each pack's own files, one process at a time.

A migration is a file `0001_name.sql` in a pack's folder `migrations`, numbered from 1 without a gap. The pack's
schema exists when the first one runs. A table is opened to calls by one line under its definition:

    create table pricing.list_price (front_end text not null, sku text not null, ...);
    select isthmus.guard('pricing.list_price');     -- each front end its own rows
    select isthmus.share('catalog.product');        -- rows of the whole group
    -- neither: no call can touch it, and says so

A file runs in one transaction with its record in `isthmus.migration`, so it is applied whole or not at all. An
applied file is never edited: write the next one.

`migrate` is the one function here that changes a database; `look` and `check_tables` read.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import asyncpg

from isthmus.kernel import errors, ports

from .connecting import DirectConnection, connect
from .errors import BadAddress, said, translated
from .migration_files import Migration, MigrationSource, read_files
from .migration_steps import Step, steps_of
from .personal_columns import read_marks
from .tables import Tables, newer, older
from .versions import check_version, for_server

log = logging.getLogger("isthmus.store")

LOCK_LIMIT_S: Final = 300  # another process may be applying a long migration, or a long call may hold a table
GIVES_WAY_AFTER_MS: Final = 500  # less than PostgreSQL's deadlock_timeout: calls go on, and the file is tried again
TABLES_MS: Final = (
    600  # to be given all tables: PostgreSQL's deadlock_timeout is 1 s, after which a call that waits would fail
)
PAUSE_S: Final = (0.1, 1.0)  # for the calls that a file gave way to

_IN_THE_WAY: Final = ("ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE")  # of calls, which read and write rows
_WHICH_ARE_THERE: Final = "select name from unnest($1::text[]) as name where to_regclass(name) is not null"
_LOCK: Final = 0x697374686D7573  # "isthmus", so that no other program's lock is the same by coincidence
_RECORD: Final = """\
create schema if not exists isthmus;
create table if not exists isthmus.migration (
    pack text not null,
    number integer not null,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    contracts boolean,                              -- null: applied by a release that did not say
    primary key (pack, number)
);
"""
_RECORD_SAYS_KIND: Final = """
    select exists (
        select from pg_attribute where attrelid = 'isthmus.migration'::regclass and attname = 'contracts')"""
_APPLIED: Final = "insert into isthmus.migration (pack, number, name, checksum, contracts) values ($1, $2, $3, $4, $5)"
_WHAT_IS_APPLIED: Final = """
    select pack, number, name, checksum, to_jsonb(one) ->> 'contracts' as contracts  -- a column that may not be there
    from isthmus.migration one order by pack, number"""
_HAS_TABLES: Final = """
    select exists (select from pg_class where relkind in ('r', 'p', 'v', 'm', 'f')
        and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema', 'pg_toast'))"""

# Roles belong to the whole server, so another database may have made it already, or at this moment.
_PREPARE_ROLE: Final = """
do $$ begin
    if not exists (select from pg_roles where rolname = '{role}') then
        create role "{role}" nologin nosuperuser nocreatedb nocreaterole nobypassrls;
    end if;
exception when duplicate_object or unique_violation then null;
end $$;
do $$ begin
    if not pg_has_role(current_user, '{role}', 'set') then
        execute format('grant "{role}" to %I with set true', current_user);
    end if;
end $$;
create schema if not exists "{schema}" authorization "{role}";
"""


STORE: Final = MigrationSource.of_pack("isthmus", "isthmus.store:migrations")


async def migrate(url: str, sources: Sequence[MigrationSource] = (), *, only_empty: bool = False) -> list[Migration]:
    """Apply what a database has not seen yet, the store's own first, and return it.

    Of several processes at once, one applies and the others wait, then find nothing to do. only_empty: a database that
    has tables already is left as it is, and TablesOlder says what it lacks. Raises BuildProblems with everything that
    is wrong with the files before the first is applied, Fault where one fails (those before it stay applied),
    TablesNewer, UnsupportedPostgres, and Unavailable where the database cannot be reached.
    """
    return await _migrate(url, (STORE, *sources), only_empty=only_empty)


async def migrate_only(url: str, source: MigrationSource) -> list[Migration]:
    """Apply one source beside those of `migrate`."""
    return await _migrate(url, (source,))


async def look(url: str, sources: Sequence[MigrationSource] = ()) -> Tables:
    """Return how a database stands to these files, and change nothing. Raises what `migrate` raises of the files."""
    files, problems = read_files((STORE, *sources))
    async with _connected(url) as connection:
        return await _tables(connection, files, problems)


async def check_tables(url: str, sources: Sequence[MigrationSource] = ()) -> None:
    """Return where a database has what the files say. Raises NoTables, TablesOlder and TablesNewer; changes nothing."""
    tables = await look(url, sources)
    if tables.pending:
        raise older(tables)


def fingerprint(sources: Iterable[MigrationSource] = ()) -> str:
    """Return a hash of all migrations, the store's with them: databases of the same one have the same shape."""
    files, _ = read_files((STORE, *sources))
    parts = "\n".join(f"{file} {file.checksum}" for file in files)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


async def _migrate(url: str, sources: Sequence[MigrationSource], *, only_empty: bool = False) -> list[Migration]:
    files, problems = read_files(sources)
    async with _connected(url) as connection:
        await connection.execute(f"select pg_advisory_lock({_LOCK})")
        tables = await _tables(connection, files, problems)
        if only_empty and tables.pending and not tables.is_empty:
            raise older(tables)
        await _prepare(connection, sources)
        for file in tables.pending:
            await _giving_way(partial(_apply_once, connection, file), f"migration {file}")
        if tables.pending:
            await _watch_tables(connection)
        return list(tables.pending)


@asynccontextmanager
async def _connected(url: str) -> AsyncGenerator[DirectConnection]:
    """Give a connection to a PostgreSQL that Isthmus knows; what it says against statements are the kernel's errors."""
    try:
        connection = await connect(url, lock_timeout=f"{LOCK_LIMIT_S}s")
    except ValueError as wrong:  # asyncpg's own error for an address is one of these
        raise BadAddress(wrong) from None
    except (OSError, asyncpg.PostgresError) as error:
        raise errors.Unavailable(
            f"the database does not answer: {error}", remedy="start it, or fix ISTHMUS_DATABASE_URL"
        ) from error
    try:
        check_version(connection.get_server_version().major)
        yield connection
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise translated(error) from error
    finally:
        await connection.close()


async def _tables(connection: DirectConnection, files: Sequence[Migration], problems: list[str]) -> Tables:
    """Return what is applied and what is not. Raises BuildProblems, and TablesNewer where this code cannot serve."""
    is_known = await connection.fetchval("select to_regclass('isthmus.migration') is not null")
    applied: Sequence[ports.Row] = await connection.fetch(_WHAT_IS_APPLIED) if is_known else []
    if problems := [*problems, *_edited(files, applied)]:
        raise errors.BuildProblems(problems)
    by_number = {(row["pack"], row["number"]) for row in applied}
    tables = Tables(
        applied=len(applied),
        pending=tuple(file for file in files if (file.pack, file.number) not in by_number),
        newer=_newer(files, applied),
        is_empty=not await connection.fetchval(_HAS_TABLES),
    )
    if any(contracts != "false" for contracts in tables.newer.values()):
        raise newer(tables)
    if tables.newer:
        log.warning("a later release has added to the tables, which this code works with: %s", ", ".join(tables.newer))
    return tables


async def _prepare(connection: DirectConnection, sources: Sequence[MigrationSource]) -> None:
    """Make the record of what is applied, and the roles that files run as."""
    await connection.execute(_RECORD)
    if not await connection.fetchval(_RECORD_SAYS_KIND):
        await connection.execute("alter table isthmus.migration add column contracts boolean")
    for source in sources:
        if source.role:
            prepare = _PREPARE_ROLE.format(role=source.role, schema=source.schema)
            await connection.execute(for_server(prepare, connection.get_server_version().major))


def _edited(files: Sequence[Migration], applied: Sequence[ports.Row]) -> list[str]:
    by_number = {(file.pack, file.number): file for file in files}
    checksums = {(row["pack"], row["number"]): row["checksum"] for row in applied}
    return [
        f"{file} was edited after it was applied: restore it, and write the change as a new one"
        for number, file in by_number.items()
        if number in checksums and not file.is_applied_as(checksums[number])
    ]


def _newer(files: Sequence[Migration], applied: Sequence[ports.Row]) -> dict[str, str | None]:
    """Return what is applied of these packs and has no file here, and whether it contracts, as far as that is known."""
    packs, known = {file.pack for file in files}, {(file.pack, file.number) for file in files}
    rows = [row for row in applied if row["pack"] in packs and (row["pack"], row["number"]) not in known]
    return {f"{row['pack']}/{row['name']}": row["contracts"] for row in rows}


async def _giving_way(apply: Callable[[], Awaitable[object]], what: str) -> None:
    """Apply something, giving way to calls that hold what it needs, or need what it holds, as often as it takes."""
    gives_up_at = time.monotonic() + LOCK_LIMIT_S
    while True:
        try:
            await apply()
            return
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if time.monotonic() > gives_up_at:
                raise errors.Fault(
                    f"{what} was not given its tables for {LOCK_LIMIT_S} s: {error}",
                    remedy="nothing of it was applied; end what holds them (pg_stat_activity), and migrate again",
                ) from error
            log.info("%s gives way to calls, and is tried again: %s", what, error)
            await asyncio.sleep(random.uniform(*PAUSE_S))


async def _watch_tables(connection: DirectConnection) -> None:
    """Let rows of all tables be noted by who watches a call (0008_changed_rows.sql), a table at a time."""
    await connection.execute(f"set lock_timeout = '{GIVES_WAY_AFTER_MS}ms'")
    await _giving_way(lambda: connection.execute("call isthmus.watch_tables()"), "the trigger that notes rows")
    await connection.execute(f"set lock_timeout = '{LOCK_LIMIT_S}s'")


async def _apply_once(connection: DirectConnection, file: Migration) -> None:
    source, sql = file.source, for_server(file.sql, connection.get_server_version().major)
    steps = steps_of(file.sql)
    contracts = any(step.kind == "contract" for step in steps)
    try:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = '{GIVES_WAY_AFTER_MS}ms'")
            await connection.execute(f'create schema if not exists "{source.schema}"')  # `order` is a word of SQL
            if source.role:
                await connection.execute(f'set local role "{source.role}"; set local search_path = "{source.schema}"')
            await _lock_tables(connection, steps)
            await connection.execute(sql)
            await connection.execute("reset role")
            if source.role and (problems := list((await read_marks(connection, source.schema)).problems())):
                raise errors.BuildProblems([f"{file}: {one}" for one in problems])
            await connection.execute(_APPLIED, file.pack, file.number, file.name, file.checksum, contracts)
    except (asyncpg.PostgresConnectionError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        raise
    except asyncpg.PostgresError as error:
        raise errors.Fault(
            f"migration {file} failed{_line(file, error)}: {error}",
            remedy=said(error, "hint") or "fix the file; nothing of it was applied",
        ) from error


def tables_locked(steps: Sequence[Step]) -> dict[str, bool]:
    """Return the tables that steps lock, and whether from everybody. An index that is dropped does not name its own."""
    found: dict[str, bool] = {}
    for step in steps:
        if step.lock in _IN_THE_WAY and step.table:
            found[step.table] = found.get(step.table, False) or step.lock == _IN_THE_WAY[0]
    return found


async def _lock_tables(connection: DirectConnection, steps: Sequence[Step]) -> None:
    """Take what a file locks, at once and before its work, so that it waits for no call that may wait for it."""
    wanted = tables_locked(steps)
    if not wanted:
        return
    there = {row["name"] for row in await connection.fetch(_WHICH_ARE_THERE, list(wanted))}
    await connection.execute(f"set local lock_timeout = '{max(1, TABLES_MS // len(wanted))}ms'")
    for table, is_exclusive in sorted((name, how) for name, how in wanted.items() if name in there):
        await connection.execute(f"lock table {table} in {_IN_THE_WAY[0 if is_exclusive else 1]} mode")
    await connection.execute(f"set local lock_timeout = '{GIVES_WAY_AFTER_MS}ms'")


def _line(file: Migration, error: asyncpg.PostgresError) -> str:
    position = said(error, "position")
    return f" at line {file.sql[: int(position)].count(chr(10)) + 1}" if position else ""
