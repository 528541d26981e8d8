"""Fixtures for pytest: the platform that isthmus.toml names, each test on a fresh database of a real PostgreSQL.

conftest.py: from isthmus.testing.platform import platform, server_url
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from isthmus.app.config import Config, load_config
from isthmus.app.packs import plugging
from isthmus.app.platform import Running, migration_sources, running
from isthmus.console.brought import brought_pages
from isthmus.console.client import Client
from isthmus.console.sign_in import Operators
from isthmus.console.web import console
from isthmus.kernel import FrontEnd, errors
from isthmus.kernel.host import compile_front_ends
from isthmus.store import embedded, migrate
from isthmus.store.migrate import fingerprint

VARIABLE = "ISTHMUS_TEST_DATABASE_URL"  # a PostgreSQL in which tests may make databases; else one comes along
_migrated: dict[tuple[str, str], str] = {}  # by server and what is migrated: the database that is copied


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Give the address of a PostgreSQL in which databases can be made, for as long as the tests run."""
    if url := os.environ.get(VARIABLE):
        try:
            yield url
        finally:
            for key in [key for key in _migrated if key[0] == url]:
                asyncio.run(_run(url, f'drop database if exists "{_migrated.pop(key)}" with (force)'))
        return
    folder = Path(tempfile.mkdtemp(prefix="isthmus-test-"))
    server = embedded.start(folder)
    try:
        yield embedded.database_url(folder, "postgres")
    finally:
        server.stop(is_wiped=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def platform(server_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """Give the platform of the settings, running on a database that nobody else uses."""
    name, config = f"test_{uuid.uuid4().hex}", load_config()
    copied = await _migrated_once(server_url, config)
    try:
        await _run(server_url, f'create database "{name}" template "{copied}"')
        config = replace(config, database_url=_address(server_url, name), data=tmp_path)
        async with running(config, allowed="migrate") as opened:
            yield opened
    finally:
        await _run(server_url, f'drop database if exists "{name}" with (force)')


def with_front_end(platform: Running, front_end: FrontEnd) -> Running:
    """Put a front end into the platform, as a deploy would. Raises BuildProblems with all that is wrong with it."""
    compiled, problems = compile_front_ends(platform.platform.release, [front_end])
    if problems:
        raise errors.BuildProblems(problems)
    platform.platform.release = platform.platform.release.replacing(*compiled)
    return platform


@asynccontextmanager
async def browsing(platform: Running) -> AsyncGenerator[httpx.AsyncClient]:
    """Open the console with the pages that packs bring, signed in as an operator: `await browser.get("/cards")`."""
    client, token = Client(platform.platform), uuid.uuid4().hex
    transport = httpx.ASGITransport(console(brought_pages(client), Operators(token), client))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", follow_redirects=True) as browser:
        await browser.get("/", params={"token": token})
        yield browser


async def _migrated_once(server_url: str, config: Config) -> str:
    """Return the name of a database with the tables of all packs, which is made once: copying it takes a tenth."""
    sources = migration_sources(plugging(config)[0])
    key = (server_url, fingerprint(sources))
    if key not in _migrated:
        name = f"test_{uuid.uuid4().hex}"
        await _run(server_url, f'create database "{name}"')
        try:
            await migrate(_address(server_url, name), sources)
        except BaseException:
            await _run(server_url, f'drop database "{name}" with (force)')
            raise
        _migrated[key] = name
    return _migrated[key]


def _address(server_url: str, name: str) -> str:
    scheme, place, _, query, _ = urlsplit(server_url)
    return urlunsplit((scheme, place, f"/{name}", query, ""))


async def _run(url: str, statement: str) -> None:
    connection = await cast(Any, asyncpg).connect(url)  # it says nothing of its types
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
