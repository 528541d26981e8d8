"""One server process: gateway, console, deploys and the data platform over a running platform, and its work beside."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib.util
import logging
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from isthmus.console.sign_in import Operators
from isthmus.gateway.allowances import AddressLimit, Allowances
from isthmus.gateway.auth import Clients
from isthmus.gateway.events import PATH as EVENTS
from isthmus.gateway.events import EventService, NewEvents
from isthmus.gateway.files import FileService
from isthmus.gateway.http import App, Gateway
from isthmus.gateway.http import asgi as opened
from isthmus.gateway.oauth.tokens import Tokens
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.gateway.wire.connections import PER_ADDRESS_MAX, LimitedConnection
from isthmus.gateway.wire.cors import with_cors
from isthmus.manifest import Files, brought
from isthmus.manifest.sign_in import SignIn
from isthmus.runtime.adopt.forgetting import consumer as forgotten_by_service
from isthmus.runtime.events.copies import consumer as forgotten_copies
from isthmus.runtime.events.durable import DurableCalls
from isthmus.runtime.events.own_tables import consumer as forgotten_in_own_tables
from isthmus.runtime.schedule import keep_running
from isthmus.runtime.shadow.follower import Shadows
from isthmus.store.relay import Consumer, Relay

from . import later, process
from .config import ADDRESS_VARIABLE, FIRST_LINK_VARIABLE, TOKEN_VARIABLE, WrongConfig, load_config
from .forgetting import PersonForgotten
from .jobs import jobs
from .outlets import outlets
from .platform import Running, declared, migration_sources, running

if TYPE_CHECKING:
    from isthmus.data.platform import DataPlatform
    from isthmus.gateway.telemetry.otel import Tracing

    from .lake_sync import LakeSync

log = logging.getLogger("isthmus.app")

STOPS_WITHIN_S = 10.0  # what background work gets to end when a server stops
YOUNG_OBJECTS = 10_000  # at about 20 a call that waits


def settle_memory() -> None:
    """Keep garbage collection out of the calls: once, when everything is loaded.

    What is loaded lasts, so no collection looks through it again. Of what calls make, nearly all goes without a
    collection, so the young are looked through after 10,000 and not after 700: calls that wait for a slow front end are
    many young objects, and others would meet a collection of theirs in one of 40 calls.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def asgi() -> App:
    """Make the application of one server process; its lifespan starts and stops the platform."""

    @asynccontextmanager
    async def start() -> AsyncGenerator[App]:
        async with running(load_config(), allowed="serve") as platform:
            LimitedConnection.per_address_max = platform.config.connections_per_address or PER_ADDRESS_MAX
            data = await asyncio.to_thread(_opened_data, platform)
            sync = _lake_sync(platform, data)
            deliveries = DurableCalls(platform.platform, platform.database)
            shadows = Shadows(platform.database, platform.recorder, platform.config.root, process.command("shadow"))
            recurring = [*jobs(platform, sync), *outlets(platform)]
            work = [keep_running(recurring), platform.follower.run(), deliveries.run(), shadows.run()]
            work += [Relay(platform.database, [*forgetting(platform), *(sync.consumers() if sync else [])]).run()]
            tracing = _tracing(platform)
            new_events = NewEvents(platform.database)
            clients = Clients(platform.database, tokens_of(platform))
            work += [new_events.run(), clients.run()]
            background = [asyncio.create_task(one) for one in work]
            app = with_cors(served(platform, data, sync, new_events, tracing, clients), platform.config.cors)
            await say_first_link(platform)
            settle_memory()
            try:
                yield app
            finally:
                for task in background:
                    task.cancel()
                if tracing is not None:
                    await asyncio.to_thread(tracing.close)
                _, late = await asyncio.wait(background, timeout=STOPS_WITHIN_S)
                if late:
                    log.warning("%d background task(s) did not end within %g s", len(late), STOPS_WITHIN_S)

    return opened(start)


def forgetting(platform: Running) -> list[Consumer]:
    """Return who is told of persons that all packs have forgotten: copies, front ends' own tables, adopted services."""
    runs, database = platform.platform, platform.database
    erasing = {name: said.get("forgets") for name, said in platform.config.adopted.items()}
    for name in (name for name, forgets in erasing.items() if not forgets):
        log.warning("%s is not told who is erased; say so in [adopted.%s]: forgets = { … }", name, name)
    return [
        forgotten_copies(runs, database, PersonForgotten),
        forgotten_in_own_tables(database, PersonForgotten),
        *(
            forgotten_by_service(runs, name, forgets, PersonForgotten)
            for name, forgets in erasing.items()
            if forgets and "call" in forgets
        ),
    ]


async def say_first_link(running: Running) -> None:
    """Say where the first person of a fresh platform signs in; where no pack knows persons, where the token does."""
    secret = os.environ.setdefault(FIRST_LINK_VARIABLE, secrets.token_urlsafe(32))
    if link := await sign_in_of(running).first_link(secret):
        print(f"sign in: {_listens_at(running)}/console{link}", flush=True)


def _listens_at(running: Running) -> str:
    return os.environ.get(ADDRESS_VARIABLE) or f"http://{running.config.host}:{running.config.port}"


def tokens_of(running: Running) -> Tokens:
    """Return what signs and reads access tokens, in the name of the address that clients know."""
    config = running.config
    file = config.root / config.token_key if config.token_key else config.data / "gateway" / "tokens.pem"
    return Tokens(config.address or _listens_at(running), file)


def sign_in_of(running: Running) -> SignIn:
    """Return what knows who is signed in: a pack's, or the token of this server."""
    token = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_urlsafe(16))
    found = running.platform.resources.get(SignIn)
    return Operators(token) if found is None else cast(SignIn, found)


def served(
    running: Running,
    data: DataPlatform | None = None,
    sync: LakeSync | None = None,
    new_events: NewEvents | None = None,
    tracing: Tracing | None = None,
    clients: Clients | None = None,
) -> App:
    """Return gateway and console over a running platform, with the data platform where there is one."""
    database = running.database
    traces = TraceStore(database, own=lambda code: running.platform.release.line(code).front_end.attributes)
    allowances = Allowances(database, running.config.limits) if running.config.limits else None
    tokens = tokens_of(running)
    clients = clients or Clients(database, tokens)
    clients.confines = running.platform.guard is not None
    gateway = Gateway(
        running.platform,
        clients,
        traces,
        Readiness(database, migration_sources(running.packs), running.config.data),
        notes_calls=running.config.log_format == "json",
        tracing=tracing,
        allowances=allowances,
    )
    new = new_events or NewEvents(database)
    gateway.mount(EVENTS, EventService(running.platform, database, gateway.admit, new))
    for files in brought(running.packs, Files):
        gateway.mount(files.path, FileService(running.platform, files, gateway.admit))
    later.mount(
        later.Mounted(
            running=running,
            gateway=gateway,
            clients=clients,
            tokens=tokens,
            traces=traces,
            sign_in=sign_in_of(running),
            data=data,
            sync=sync,
            allow=functools.partial(allowances.take, "person") if allowances else None,
        )
    )
    return AddressLimit(gateway, allowances, running.platform.new_call_id) if allowances else gateway


def _tracing(running: Running) -> Tracing | None:
    """Return what makes spans of calls, where the settings name a collector. Raises WrongConfig without the extra."""
    chosen = running.config.otel
    if not chosen:
        return None
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        raise WrongConfig("[otel] names a collector", remedy='install what sends to it: pip install "isthmus[otel]"')
    from isthmus.gateway.telemetry.otel import Tracing

    return Tracing.to_collector(chosen["endpoint"], chosen["share"])


def _opened_data(running: Running) -> DataPlatform | None:
    """Open the data platform over the lake's folder, where the extra `data` is installed."""
    if importlib.util.find_spec("duckdb") is None:
        return None
    from isthmus.data.platform import open_platform

    lake, own = running.config.data / "lake", running.config.lake
    return open_platform(running.packs, lake, declared=lambda: declared(running.platform.release), settings=own)


def _lake_sync(running: Running, data: DataPlatform | None) -> LakeSync | None:
    """Return what keeps lake and business in step, where the extra `data` is installed."""
    if data is None:
        return None
    from .lake_sync import LakeSync, landed_apart, one_id

    apart = functools.partial(landed_apart, process.command("land"), running.database.url)
    return LakeSync(running.platform, running.database, data, one_id=one_id(running, data), land=apart)
