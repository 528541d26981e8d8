"""What a server has and makes when it is first asked for: the console, tokens, deploys, figures, data, packs' sites.

Most servers sell and show none of it. It is a third of what there is to import.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isthmus.gateway.auth import Clients
from isthmus.gateway.http import Gateway
from isthmus.gateway.later import FIGURES, TOKENS, WELL_KNOWN, Later
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.gateway.wire.connections import closing
from isthmus.manifest import Site, brought
from isthmus.manifest.actions import check
from isthmus.manifest.sign_in import SignIn
from isthmus.manifest.sites import Door

from . import process
from .platform import Running, deploy_context

if TYPE_CHECKING:
    from isthmus.data.platform import DataPlatform
    from isthmus.gateway.oauth.tokens import Tokens

    from .lake_sync import LakeSync


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """What these applications are made of. allow: raises TooMany where a person asks for more than they may."""

    running: Running
    gateway: Gateway
    clients: Clients
    tokens: Tokens
    traces: TraceStore
    sign_in: SignIn
    data: DataPlatform | None
    sync: LakeSync | None
    allow: Callable[[str], Awaitable[None]] | None


def mount(on: Mounted) -> None:
    """Mount every one of them on the gateway."""
    running, gateway = on.running, on.gateway
    platform, database, admit = running.platform, running.database, gateway.admit
    deploying = functools.cache(lambda: deploy_context(running))
    made = {
        "/console": Later(
            "isthmus.app.console",
            lambda made: made.console_of(running, on.sign_in, deploying(), on.traces, on.data, on.sync, on.allow),
        ),
        "/deploy": Later(
            "isthmus.gateway.deploys",
            lambda made: made.DeployEndpoint(
                deploying(), admit, running.config.root, process.command("deploy"), functools.partial(check, platform)
            ),
        ),
        FIGURES: Later(
            "isthmus.gateway.telemetry.prometheus",
            lambda made: made.MetricsPage(platform, database, admit, running.traffic.totals),
        ),
        TOKENS: Later("isthmus.gateway.oauth.site", lambda made: _token_site(on, made).tokens),
        WELL_KNOWN: Later("isthmus.gateway.oauth.site", lambda made: _token_site(on, made).document),
        **{one.path: _site(on, one) for one in brought(running.packs, Site)},
    }
    if on.data is not None:
        made["/data"] = Later("isthmus.gateway.metrics", lambda made: made.MetricsService(platform, on.data, admit))
    if importlib.util.find_spec("mcp") is not None:  # the extra `mcp`
        made["/mcp"] = Later("isthmus.gateway.mcp", lambda made: made.Agents(platform, admit))
    for path, app in made.items():
        gateway.mount(path, app)


def _token_site(on: Mounted, made: Any) -> Any:
    granting = made.Granting(on.running.database, on.clients, on.tokens, lambda: on.running.platform.journal)
    return made.TokenSite(granting)


def _site(on: Mounted, site: Site) -> Later:
    module, _, name = site.at.partition(":")
    door = Door(admit=on.gateway.admit, closing=closing)
    given = (on.running.platform, door) if site.has_clients else (on.running.platform,)
    return Later(module, lambda made: getattr(made, name)(*given))
