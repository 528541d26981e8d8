"""The console of one server process: every page, over what it runs. It is made when somebody first looks at it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable
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
from isthmus.console.web import Page, console
from isthmus.gateway.http import App
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.manifest.sign_in import SignIn
from isthmus.runtime.deploy.context import DeployContext

from .platform import Running
from .products import held_products

if TYPE_CHECKING:
    from isthmus.data.platform import DataPlatform

    from .lake_sync import LakeSync


def console_of(
    running: Running,
    sign_in: SignIn,
    deploying: DeployContext,
    traces: TraceStore,
    data: DataPlatform | None,
    sync: LakeSync | None,
    allow: Callable[[str], Awaitable[None]] | None,
) -> App:
    """Return the console. allow: raises TooMany where a person asks for more than they may."""
    pages = _pages(running, deploying, traces, data, sync)
    client, packages = Client(running.platform), _catalogues(running)
    return cast(App, console(pages, sign_in, client, packages, running.database, allow))


def _pages(
    running: Running, deploying: DeployContext, traces: TraceStore, data: DataPlatform | None, sync: LakeSync | None
) -> list[Page]:
    """Return the pages of the console."""
    database, platform, traffic = running.database, running.platform, running.traffic
    client = Client(platform)
    cost = Cost(database, traffic, platform, running.config.cost, running.config.group)
    return every_page(
        platform,
        traffic,
        CallLog(traces, database),
        _data_part(running, data, sync),
        Deploys(deploying, client),
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


def _catalogues(running: Running) -> list[str]:
    """Return the packages of this platform that may have sentences for readers: its packs."""
    shipped = (pack for pack in running.packs if pack.api.__name__ in sys.modules)  # others are made at start
    return sorted(pack.api.__name__.removesuffix(".api") for pack in shipped)


def _data_part(running: Running, data: DataPlatform | None, sync: LakeSync | None) -> Part:
    """Return what the console has of data, where the extra `data` is installed."""
    if data is None or sync is None:
        return Part()
    from isthmus.console.pages.data import data_part

    return data_part(Client(running.platform), data, sync.land, sync.one_id, running.database)
