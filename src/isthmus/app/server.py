"""One server process: gateway, console, deploys and the data platform over a running platform, and its work beside."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib.util
import logging
import os
import secrets
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from isthmus.console.client import Client
from isthmus.console.menu import Part, every_page
from isthmus.console.pages.calls import CallLog
from isthmus.console.pages.combinations import Combinations
from isthmus.console.pages.contract_history import ContractHistory
from isthmus.console.pages.cost import Cost
from isthmus.console.pages.dead_letters import DeadLetters
from isthmus.console.pages.deploys import Deploys
from isthmus.console.pages.experience import Experiences
from isthmus.console.pages.jobs import Jobs
from isthmus.console.pages.levels import Levels
from isthmus.console.pages.minute import Minute
from isthmus.console.pages.sharing import Sharing
from isthmus.console.pages.silo import Silos
from isthmus.console.pages.thinness import Thinness
from isthmus.console.sign_in import Operators
from isthmus.console.web import Page, console
from isthmus.gateway.agents import agents
from isthmus.gateway.allowances import AddressLimit, Allowances
from isthmus.gateway.auth import Clients
from isthmus.gateway.deploys import DeployEndpoint
from isthmus.gateway.events import PATH as EVENTS
from isthmus.gateway.events import EventService, NewEvents
from isthmus.gateway.files import FileService
from isthmus.gateway.http import App, Gateway
from isthmus.gateway.http import asgi as opened
from isthmus.gateway.oauth.granting import Granting
from isthmus.gateway.oauth.site import PATH as TOKENS
from isthmus.gateway.oauth.site import WELL_KNOWN, TokenSite
from isthmus.gateway.oauth.tokens import Tokens
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.prometheus import PATH as METRICS
from isthmus.gateway.telemetry.prometheus import MetricsPage
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.gateway.wire.connections import PER_ADDRESS_MAX, LimitedConnection, closing
from isthmus.gateway.wire.cors import with_cors
from isthmus.manifest import Files, Site, brought
from isthmus.manifest.actions import check
from isthmus.manifest.sign_in import SignIn
from isthmus.manifest.sites import Door
from isthmus.runtime.adopt.forgetting import consumer as forgotten_by_service
from isthmus.runtime.events.copies import consumer as forgotten_copies
from isthmus.runtime.events.durable import DurableCalls
from isthmus.runtime.events.own_tables import consumer as forgotten_in_own_tables
from isthmus.runtime.schedule import keep_running
from isthmus.runtime.shadow.follower import Shadows
from isthmus.store.relay import Consumer, Relay

from . import process
from .config import ADDRESS_VARIABLE, FIRST_LINK_VARIABLE, TOKEN_VARIABLE, WrongConfig, load_config
from .forgetting import PersonForgotten
from .jobs import jobs
from .outlets import outlets
from .platform import Running, declared, deploy_context, migration_sources, running
from .products import held_products

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


def _pages(running: Running, traces: TraceStore, data: DataPlatform | None, sync: LakeSync | None) -> list[Page]:
    """Return the pages of the console."""
    database, platform, traffic = running.database, running.platform, running.traffic
    client = Client(platform)
    cost = Cost(database, traffic, platform, running.config.cost)
    return every_page(
        platform,
        traffic,
        CallLog(traces, database),
        _data_part(running, data, sync),
        Deploys(deploy_context(running), client),
        DeadLetters(client, database),
        Minute(database, traffic, platform, cost),
        cost,
        Experiences(database, traffic, platform),
        _combinations(running),
        Thinness(database),
        Silos(database),
        ContractHistory(database),
        Jobs(client, database),
        Levels(traffic, running.config.levels),
        Sharing(client, database),
    )


def _combinations(running: Running) -> Combinations:
    config = running.config
    return Combinations(
        running.database, running.platform, config.front_ends, config.root, functools.partial(held_products, config)
    )


def sign_in_of(running: Running) -> SignIn:
    """Return what knows who is signed in: a pack's, or the token of this server."""
    token = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_urlsafe(16))
    found = running.platform.resources.get(SignIn)
    return Operators(token) if found is None else cast(SignIn, found)


def catalogues(running: Running) -> list[str]:
    """Return the packages of this platform that may have sentences for readers: its packs."""
    shipped = (pack for pack in running.packs if pack.api.__name__ in sys.modules)  # others are made at start
    return sorted(pack.api.__name__.removesuffix(".api") for pack in shipped)


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
    pages = _pages(running, traces, data, sync)
    allowances = Allowances(database, running.config.limits) if running.config.limits else None
    console_app = console(
        pages, sign_in_of(running), Client(running.platform), catalogues(running), database,
        functools.partial(allowances.take, "person") if allowances else None,
    )  # fmt: skip
    tokens = tokens_of(running)
    clients = clients or Clients(database, tokens)
    clients.confines = running.platform.guard is not None
    gateway = Gateway(
        running.platform,
        clients,
        traces,
        Readiness(database, migration_sources(running.packs), running.config.data),
        mounts={"/console": cast(App, console_app)},
        notes_calls=running.config.log_format == "json",
        tracing=tracing,
        allowances=allowances,
    )
    site = TokenSite(Granting(database, clients, tokens, lambda: running.platform.journal))
    gateway.mount(TOKENS, cast(App, site.tokens))
    gateway.mount(WELL_KNOWN, cast(App, site.document))
    deploying = DeployEndpoint(
        deploy_context(running),
        gateway.admit,
        running.config.root,
        process.command("deploy"),
        functools.partial(check, running.platform),
    )
    gateway.mount("/deploy", deploying)
    new = new_events or NewEvents(database)
    gateway.mount(EVENTS, EventService(running.platform, database, gateway.admit, new))
    gateway.mount(METRICS, MetricsPage(running.platform, database, gateway.admit, running.traffic.totals))
    for files in brought(running.packs, Files):
        gateway.mount(files.path, FileService(running.platform, files, gateway.admit))
    for site in brought(running.packs, Site):
        module, _, name = site.at.partition(":")
        door = Door(admit=gateway.admit, closing=closing)
        given = (running.platform, door) if site.has_clients else (running.platform,)
        gateway.mount(site.path, cast(App, getattr(importlib.import_module(module), name)(*given)))
    if data is not None:
        from isthmus.gateway.metrics import MetricsService

        gateway.mount("/data", MetricsService(running.platform, data, gateway.admit))
    if importlib.util.find_spec("mcp") is not None:  # the extra `mcp`
        gateway.mount("/mcp", agents(running.platform, gateway.admit))
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


def _data_part(running: Running, data: DataPlatform | None, sync: LakeSync | None) -> Part:
    """Return what the console has of data, where the extra `data` is installed."""
    if data is None or sync is None:
        return Part()
    from isthmus.console.pages.data import data_part

    return data_part(Client(running.platform), data, sync.land, sync.one_id, running.database)


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
