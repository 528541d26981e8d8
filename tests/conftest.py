"""A real PostgreSQL for tests: one server for all runs of this checkout, a fresh database for each test.

The server is embedded, or the one at ISTHMUS_TEST_DATABASE_URL. A test's database is copied from a template that has
all migrations applied. The last run to end stops the embedded server, also after failures, since the lock that says
who uses it is the operating system's. Its data is gone with it, so it does not wait for a disk: it lies in memory
where there is enough, and flushes nothing. What a server keeps through a kill, `tests/store/test_embedded.py` tries on
servers of its own, which flush. Folders of tests lie in memory too.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import shutil
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
from hypothesis import HealthCheck, settings

from isthmus.app import platform as app_platform
from isthmus.store import Database, MigrationSource, embedded, migrate
from isthmus.store.migrate import fingerprint
from tests import authorities as authorities
from tests import shipped
from tests.databases import Copies, with_database

gc.disable()  # until all tests are found, which is nothing but making what lasts
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy one too
settings.load_profile("any-machine")

ROOT = Path(__file__).resolve().parents[1]
MEMORY = Path("/dev/shm")  # Linux keeps it in memory: a database of 300 files is copied there in a tenth of the time
ROOM_MIN = 4 * 2**30  # a whole run uses one; the rest is for others
CONNECTIONS_MAX = 500  # several runs at once, each with a pool or two
TEMPLATE_LOCK = 0x74656D706C617465
YOUNG_OBJECTS = 50_000  # a worker has several hundred MB for a while, and half of what it did was looking through them
UNSAFE = ("fsync", "full_page_writes")  # off: nobody wants this server's data after a crash


def _folder() -> Path:
    """Return where the server and the tests have their files: in memory, or in the checkout where that is full."""
    try:
        room = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    except OSError:
        room = 0
    if room < ROOM_MIN or not os.access(MEMORY, os.W_OK):
        return ROOT / "build"
    return MEMORY / f"isthmus-tests-{os.geteuid()}-{hashlib.sha256(bytes(ROOT)).hexdigest()[:12]}"


FOLDER = Path(os.environ.setdefault("ISTHMUS_TEST_FOLDER", str(_folder())))  # workers have their run's
FOLDER.mkdir(parents=True, exist_ok=True)
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(FOLDER))

FreshDatabase = Callable[..., AbstractAsyncContextManager[str]]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look through no test, module and contract again for garbage: they last as long as the run."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.enable()


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Give the address of a server that tests may make databases in."""
    if url := os.environ.get("ISTHMUS_TEST_DATABASE_URL"):
        yield url
        return
    folder = FOLDER / "test-postgres"
    server = embedded.start(folder, connections_max=CONNECTIONS_MAX)
    url = embedded.database_url(folder, "postgres")
    asyncio.run(_hasten(url))
    yield url
    server.stop(is_wiped=True)


async def _hasten(url: str) -> None:
    """Let a server flush nothing."""
    connection = await asyncpg.connect(url)
    try:
        for setting in UNSAFE:
            await connection.execute(f"alter system set {setting} = off")
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def template(server_url: str) -> str:
    """Give the name of a database with all migrations applied, made by the first run that needs it."""
    sources = migration_sources()
    name = f"isthmus_template_{fingerprint(sources)}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"select pg_advisory_lock({TEMPLATE_LOCK})")
        known = await connection.fetchval("select datistemplate from pg_database where datname = $1", name)
        if not known:
            await connection.execute(f"drop database if exists {name} with (force)")
            await connection.execute(f"create database {name}")
            await migrate(with_database(server_url, name), sources)
            await connection.execute(f"alter database {name} is_template true")
    finally:
        await connection.close()
    return name


@pytest.fixture(scope="session")
async def admin(server_url: str) -> AsyncGenerator[asyncpg.Pool]:
    """Give connections that make and drop databases: each that is opened anew costs as much as half a database."""
    async with asyncpg.create_pool(server_url, min_size=1, max_size=4) as pool:
        yield pool


@pytest.fixture(scope="session")
async def fresh_database(server_url: str, template: str, admin: asyncpg.Pool) -> AsyncGenerator[FreshDatabase]:
    """Give what makes a database for as long as a block runs: `async with fresh_database() as url`.

    It is migrated and has nothing in it, or is a copy of another, which nobody may be connected to then.
    """
    copies = Copies(server_url, admin)

    def make(copied: str = template) -> AbstractAsyncContextManager[str]:
        return copies.one(copied)

    yield make
    await copies.close()


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> AsyncGenerator[str]:
    """Give the address of a migrated database that nobody else uses."""
    async with fresh_database() as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """Give a fresh database, opened."""
    async with await Database.open(database_url) as opened:
        yield opened


@pytest.fixture
async def empty_url(server_url: str, admin: asyncpg.Pool) -> AsyncGenerator[str]:
    """Give the address of a database with nothing in it."""
    name = f"isthmus_test_{uuid.uuid4().hex}"
    try:
        await admin.execute(f"create database {name}")
        yield with_database(server_url, name)
    finally:
        await admin.execute(f"drop database if exists {name} with (force)")


def migration_sources() -> Sequence[MigrationSource]:
    """Return the migrations of all packs that ship."""
    return app_platform.migration_sources(shipped.PACKS)


def name_of(url: str) -> str:
    """Return the name of the database at an address."""
    return urlsplit(url).path.removeprefix("/")
