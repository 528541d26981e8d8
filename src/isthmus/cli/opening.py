"""What commands work on, opened for as long as they run: the platform, where front ends are deployed, a session."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from isthmus.kernel import Value, ports

from .screen import say

if TYPE_CHECKING:
    from isthmus.app.config import Config
    from isthmus.app.platform import Running
    from isthmus.kernel.host import Release
    from isthmus.runtime.deploy.context import DeployContext


T = TypeVar("T")
R = TypeVar("R")


class Asked(Value):
    """Of what: the folder, one version of a front end (its name, or nothing), or what is deployed."""

    is_folder: bool
    front_end: str | None = None
    version: str = ""


def standing() -> AbstractAsyncContextManager[Running]:
    """Open the platform without front ends: for what works on its database."""
    from isthmus.app.config import load_config
    from isthmus.app.platform import running

    return running(load_config(), front_ends=[])


def running() -> AbstractAsyncContextManager[Running]:
    """Open the platform with what is deployed."""
    from isthmus.app import platform
    from isthmus.app.config import load_config

    return platform.running(load_config())


@asynccontextmanager
async def deploy_site() -> AsyncGenerator[DeployContext]:
    """Open where front ends are deployed."""
    from isthmus.app.platform import deploy_context as of_platform

    async with standing() as platform:
        yield dataclasses.replace(of_platform(platform), say=say)


@asynccontextmanager
async def session() -> AsyncGenerator[ports.Session]:
    """Open a session of the platform's own."""
    async with standing() as platform, platform.database.platform() as opened:
        yield opened


def on(opening: Callable[[], AbstractAsyncContextManager[T]], work: Callable[[T], Awaitable[R]]) -> R:
    """Do some work on what is opened for it, and return what came of it."""

    async def run() -> R:
        async with opening() as opened:
            return await work(opened)

    return asyncio.run(run())


def look(asked: Asked) -> tuple[Release, tuple[str, ...]]:
    """Return a release, and what it is in sentences: what is deployed, or the folder where there is no database."""
    from isthmus.app.config import load_config
    from isthmus.app.platform import written
    from isthmus.runtime.deploy.report import as_deployed

    config = load_config()
    if not asked.is_folder and has_database(config):
        with ThreadPoolExecutor(1) as apart:  # who asks may be in an event loop, and there is one a thread
            return apart.submit(on, deploy_site, lambda at: as_deployed(at, asked.front_end, asked.version)).result()
    return written(config), (f"of the folder {config.front_ends}, whatever is deployed",)


def has_database(config: Config) -> bool:
    """Say whether there is a database, without making one."""
    from isthmus.store import embedded

    return bool(config.database_url) or embedded.is_made(config.data)
