"""The composition root: the only file that names every pack. Everything is built here, in order."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import importlib.util
import logging
import os
import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from isthmus.config import Config, load_config
from isthmus.console.calls import Everything
from isthmus.console.client import CLIENT as CONSOLE
from isthmus.console.client import Client
from isthmus.console.contract_history import ContractHistory
from isthmus.console.cost import Cost
from isthmus.console.dead_letters import DeadLetters
from isthmus.console.deploys import Deploys
from isthmus.console.pages import Part, every_page
from isthmus.console.traffic import Traffic
from isthmus.console.web import console
from isthmus.flows.after_sale.pack import AFTER_SALE
from isthmus.flows.checkout import api as checkout
from isthmus.flows.checkout.pack import CHECKOUT
from isthmus.gateway.agents import agents
from isthmus.gateway.auth import Clients
from isthmus.gateway.deploys import DeployEndpoint
from isthmus.gateway.http import App, Gateway
from isthmus.gateway.http import asgi as opened
from isthmus.gateway.ready import Readiness
from isthmus.gateway.stories import Stories
from isthmus.governance import served as served_contracts
from isthmus.governance.contracts import contracts_of
from isthmus.governance.counters import Figures
from isthmus.kernel import Caller, FrontEnd, Outcome, Pack, Platform, Registry, Value, errors
from isthmus.kernel.compile.front_ends import compile_lines
from isthmus.kernel.compile.release import Release
from isthmus.packs.catalog.pack import PACK as CATALOG
from isthmus.packs.fulfilment.pack import PACK as FULFILMENT
from isthmus.packs.inventory import api as inventory
from isthmus.packs.inventory.pack import PACK as INVENTORY
from isthmus.packs.member.pack import ONE_ID_RECORDS, RESOLVED
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.order import api as order
from isthmus.packs.order.pack import PACK as ORDER
from isthmus.packs.payment import api as payment
from isthmus.packs.payment.pack import PACK as PAYMENT
from isthmus.packs.pricing.pack import PACK as PRICING
from isthmus.packs.promotion.pack import PACK as PROMOTION
from isthmus.packs.tax.pack import PACK as TAX
from isthmus.runtime import tables
from isthmus.runtime.adopt.adopt import Adoption, adopted_pack
from isthmus.runtime.deploy.declared import problems_of as own_problems
from isthmus.runtime.deploy.deploy import Ground
from isthmus.runtime.deploy.follower import Follower
from isthmus.runtime.deploy.guardrails import Watch
from isthmus.runtime.deploy.loading import Load, front_end_folders
from isthmus.runtime.events import dead_letters
from isthmus.runtime.events.durable import DurableCalls
from isthmus.runtime.events.subscriptions import called
from isthmus.runtime.isolation.isolate import load_isolated, points_of
from isthmus.runtime.isolation.waiting import IsolatingPlatform
from isthmus.runtime.replay.answers import replay_answers
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.runtime.schedule import Job, keep_running
from isthmus.runtime.shadow.follower import Shadows
from isthmus.store import Database, MigrationSource, prune_answers, prune_events
from isthmus.store.relay import Relay

if TYPE_CHECKING:
    from isthmus.data.persons.one_id import OneId
    from isthmus.data.platform import DataPlatform
    from isthmus.dual import Dual

PACKS: tuple[Pack, ...] = (MEMBER, CATALOG, INVENTORY, PRICING, PROMOTION, TAX, ORDER, PAYMENT, FULFILMENT)
FLOWS: tuple[Pack, ...] = (CHECKOUT, AFTER_SALE)

log = logging.getLogger("isthmus.app")

HOUSEKEEPING = "platform"  # the client that the platform's own work is done by

TRAFFIC_EVERY_S = 5
EXPIRE_EVERY_S = 15  # an unpaid order gives its stock back at most so much later than promised
SETTLE_EVERY_S = 60  # a payment whose provider was silent is looked up at most so much later
CONTRACTS_EVERY_S = 600  # so that what was served last is known, also where two versions were served at once
PRUNE_EVERY_S = 3_600
LAND_EVERY_S = 60  # how far the lake is behind the business at most, when nothing is wrong
LEARN_EVERY_S = 900  # segments are for the next visit, not for the next click
UNUSED_FROM = 2**53  # further than order numbers ever come
STOPS_WITHIN_S = 10.0  # what background work gets to end when a server stops
YOUNG_OBJECTS = 10_000  # at about 20 a call that waits
TOKEN_VARIABLE = "ISTHMUS_CONSOLE_TOKEN"  # shared by all workers of one server


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A platform at work, with what it stands on."""

    config: Config
    platform: Platform
    database: Database
    traffic: Traffic
    follower: Follower
    recorder: Recorder


def build(front_ends: Iterable[FrontEnd], adopted: Iterable[Pack] = ()) -> Release:
    """Check all packs, flows and these front ends together. Raises BuildProblems with everything that is wrong."""
    release = Registry().add(*PACKS, *FLOWS, *adopted, *front_ends).freeze()
    lines, packs = release.lines.values(), release.packs.values()
    if problems := [wrong for line in lines for wrong in own_problems(line.front_end, packs)]:
        raise errors.BuildProblems(problems)
    return release


def adopted_packs(config: Config) -> list[Pack]:
    """Return the packs of the existing services that the settings name."""
    return [
        adopted_pack(
            Adoption(
                name=name,
                document=config.root / said["document"],
                url=said["url"],
                secret=said.get("secret", ""),
                leave_out=tuple(said.get("leave_out", ())),
            )
        )
        for name, said in config.adopted.items()
    ]


def load_front_ends(config: Config) -> list[FrontEnd]:
    """Return the front ends in the configured folder."""
    services = {config.front_ends / name for name, chosen in config.isolation.items() if chosen.mode == "http"}
    load = loads(config)
    return [load(folder) for folder in sorted({*front_end_folders(config.front_ends), *services})]


def loads(config: Config) -> Load:
    """Return what loads a front end's folder, to answer where its settings say."""
    points = points_of((*PACKS, *FLOWS))
    return lambda folder: load_isolated(folder, config.isolation_of(folder), points)


def migration_sources() -> list[MigrationSource]:
    """Return every migration of packs, flows and gateway, in the order in which they are applied."""
    packs = [MigrationSource.of_pack(pack.name, pack.migrations) for pack in (*PACKS, *FLOWS) if pack.migrations]
    own = [MigrationSource.of_pack(name, f"isthmus.{name}:migrations") for name in ("gateway", "runtime", "console")]
    return [*packs, served_contracts.MIGRATIONS, *own]


def deploy_ground(running: Running) -> Ground:
    """Return where front ends are deployed: beside what is whole of the folder, whoever else has broken theirs."""
    release, load = build([], adopted_packs(running.config)), loads(running.config)
    for folder in front_end_folders(running.config.front_ends):
        with suppress(errors.IsthmusError):
            lines, problems = compile_lines(release, [load(folder)])
            release = release if problems else release.replacing(*lines)
    return Ground(
        database=running.database,
        release=release,
        cache=running.config.versions,
        replay=replay_answers,
        load=load,
    )


class _UnusedNumbers:
    async def take(self, _front_end: str, count: int) -> list[int]:
        return list(range(UNUSED_FROM, UNUSED_FROM + count))


def shadow_resources(platform: Platform) -> dict[type, object]:
    """Return what a version in the shadow may take: its orders are rolled back, so they get numbers of nobody."""
    return {**platform.resources, order.Numbers: _UnusedNumbers()}


@asynccontextmanager
async def running(
    config: Config, front_ends: Sequence[FrontEnd] | None = None, *, allowed: tables.Allowed = "check"
) -> AsyncGenerator[Running]:
    """Start everything, the embedded PostgreSQL included where no database is configured, and stop it in the end.

    What is deployed takes the place of what the folder holds, unless front_ends says what is to run. allowed: what may
    be done to the database's tables.
    """
    tables.check_database(config, allowed)
    release = build(load_front_ends(config) if front_ends is None else front_ends, adopted_packs(config))
    async with tables.database_of(config) as url:
        folders = tables.of_folders(config, loads(config)) if front_ends is None else []
        await tables.bring(url, config, [*migration_sources(), *folders], allowed)
        async with await Database.open(url) as database:
            figures = Figures(unseen=[CONSOLE, HOUSEKEEPING])  # looking at it is not traffic
            resources = {payment.Providers: payment.Providers.built_in(), order.Numbers: order.Numbers(database)}
            watch = Watch()

            def own(code: str) -> Mapping[str, type[Value]]:
                return platform.release.line(code).front_end.attributes

            recorder = Recorder(database, release.points, Recording.of(config.record), own=own)

            def observe(outcome: Outcome) -> None:
                figures.see(outcome)
                watch.see(outcome)

            platform = IsolatingPlatform(release, database, resources=resources, recorder=recorder, observe=observe)
            follower = Follower(platform, database, config.versions, watch, loads(config))
            if front_ends is None:
                await follower.catch_up()
            traffic = Traffic(database, figures)
            recording = asyncio.create_task(recorder.run())
            try:
                yield Running(
                    config=config,
                    platform=platform,
                    database=database,
                    traffic=traffic,
                    follower=follower,
                    recorder=recorder,
                )
            finally:
                recording.cancel()
                await recorder.flush()
                await traffic.keep()


def jobs(running: Running, both: Dual | None = None) -> list[Job]:
    """Return the work that comes round, for every front end of the release."""

    async def expire() -> None:
        for code, line in running.platform.release.lines.items():
            caller = Caller(front_end=code, client=HOUSEKEEPING)
            if checkout.expire_orders.name in line.permitted:
                await running.platform.call(checkout.expire_orders, checkout.ExpireOrders(), caller)
            if inventory.expire.name in line.permitted:
                await running.platform.call(inventory.expire, inventory.Expire(), caller)

    async def settle() -> None:
        for code, line in running.platform.release.lines.items():
            if checkout.settle_payments.name in line.permitted:
                caller = Caller(front_end=code, client=HOUSEKEEPING)
                await running.platform.call(checkout.settle_payments, payment.Reconcile(), caller)

    async def remember_contracts() -> None:
        contracts = await asyncio.to_thread(contracts_of, running.platform.release)
        await served_contracts.remember(running.database, contracts)

    async def prune() -> None:
        await prune_events(running.database)
        await prune_answers(running.database)
        await running.recorder.prune()
        await dead_letters.prune(running.database, called(running.platform.release))
        await running.traffic.prune()

    return [
        Job(name="expire", every_s=EXPIRE_EVERY_S, run=expire),
        Job(name="settle", every_s=SETTLE_EVERY_S, run=settle),
        Job(name="contracts", every_s=CONTRACTS_EVERY_S, run=remember_contracts),
        Job(name="traffic", every_s=TRAFFIC_EVERY_S, run=running.traffic.keep),
        Job(name="prune", every_s=PRUNE_EVERY_S, run=prune),
        *_data_jobs(both),
    ]


def _data_jobs(both: Dual | None) -> list[Job]:
    if both is None:
        return []
    return [
        Job(name="land", every_s=LAND_EVERY_S, run=both.keep_up),
        Job(name="learn", every_s=LEARN_EVERY_S, run=both.learn),
    ]


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
            data = await asyncio.to_thread(_opened_data, platform)
            both = _dual(platform, data)
            told = DurableCalls(platform.platform, platform.database)
            shadows = Shadows(platform.database, platform.recorder, platform.config.root)
            at_work = [keep_running(jobs(platform, both)), platform.follower.run(), told.run(), shadows.run()]
            at_work += [Relay(platform.database, both.consumers()).run()] if both else []
            background = [asyncio.create_task(work) for work in at_work]
            app = served(platform, data, both)
            settle_memory()
            try:
                yield app
            finally:
                for task in background:
                    task.cancel()
                _, late = await asyncio.wait(background, timeout=STOPS_WITHIN_S)
                if late:
                    log.warning("%d background task(s) did not end within %g s", len(late), STOPS_WITHIN_S)

    return opened(start)


def served(running: Running, data: DataPlatform | None = None, both: Dual | None = None) -> App:
    """Return gateway and console over a running platform, with the data platform where there is one."""
    database, stories = running.database, Stories(running.database)
    pages = every_page(
        running.platform,
        running.traffic,
        Everything(stories, database),
        _data_part(running, data, both),
        Deploys(deploy_ground(running)),
        DeadLetters(database),
        Cost(database, running.traffic, running.config.cost_month),
        ContractHistory(database),
    )
    token = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_urlsafe(16))
    gateway = Gateway(
        running.platform,
        Clients(database),
        stories,
        Readiness(database, migration_sources()),
        mounts={"/console": cast(App, console(pages, token))},
    )
    gateway.mount("/deploy", DeployEndpoint(deploy_ground(running), gateway.admit, running.config.root))
    if data is not None:
        from isthmus.gateway.metrics import MetricsService

        gateway.mount("/data", MetricsService(running.platform, data, gateway.admit))
    if importlib.util.find_spec("mcp") is not None:  # the extra `mcp`
        gateway.mount("/mcp", agents(running.platform, gateway.admit))
    return gateway


def _data_part(running: Running, data: DataPlatform | None, both: Dual | None) -> Part:
    """Return what the console has of data, where the extra `data` is installed."""
    if data is None or both is None:
        return Part()
    from isthmus.console.data import data_part

    return data_part(Client(running.platform), data, both.land, one_id(running, data))


def declared(release: Release) -> dict[str, FrontEnd]:
    """Return what each front end of a release declares as its own."""
    return {code: line.front_end for code, line in release.lines.items()}


def _opened_data(running: Running) -> DataPlatform | None:
    """Open the data platform over the lake's folder, where the extra `data` is installed."""
    if importlib.util.find_spec("duckdb") is None:
        return None
    from isthmus.data.platform import open_platform

    packs, lake, own = (*PACKS, *FLOWS), running.config.data / "lake", running.config.lake
    return open_platform(packs, lake, declared=lambda: declared(running.platform.release), settings=own)


def _dual(running: Running, data: DataPlatform | None) -> Dual | None:
    """Return what keeps lake and business in step, where the extra `data` is installed."""
    if data is None:
        return None
    from isthmus.dual import Dual, landed_apart

    apart = functools.partial(landed_apart, running.database.url)
    return Dual(running.platform, running.database, data, one_id=one_id(running, data), land=apart)


def one_id(running: Running, data: DataPlatform) -> OneId:
    """Return the persons of a company: read from its members, landed in its lake."""
    from isthmus.data.persons.one_id import OneId
    from isthmus.data.persons.published import Published

    published = Published(data, RESOLVED, data.policy)
    return OneId(running.config.data / "one-id", running.database, ONE_ID_RECORDS, published)
