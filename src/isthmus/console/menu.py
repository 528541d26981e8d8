"""Every page of the console, in the order of its menu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.traffic import Traffic
from isthmus.kernel import Platform
from isthmus.manifest.actions import REVEAL_PERSONAL

from .brought import brought_pages, brought_searches
from .client import Client
from .pages.calls import Calls, Traces
from .pages.capabilities import Capabilities
from .pages.combinations import Combinations
from .pages.contract_history import ContractHistory
from .pages.cost import Cost
from .pages.dead_letters import DeadLetters
from .pages.deploys import Deploys
from .pages.experience import Experiences
from .pages.find import Search
from .pages.guides import Guides
from .pages.jobs import Jobs
from .pages.levels import Levels
from .pages.lines import Business, Lines
from .pages.map import Map
from .pages.minute import Minute
from .pages.screens import Screens
from .pages.sharing import Sharing
from .pages.silo import Silos
from .pages.thinness import Thinness
from .revealing import reveal
from .web import Page, form


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a part that is not always there adds: pages, metrics with what they say, figures of a front end."""

    pages: Sequence[Page] = ()
    metrics: Mapping[str, str] = field(default_factory=dict[str, str])
    business: Business | None = None


def every_page(
    platform: Platform,
    traffic: Traffic,
    traces: Traces,
    data: Part,
    deploys: Deploys,
    dead_letters: DeadLetters,
    minute: Minute,
    cost: Cost,
    experiences: Experiences,
    combinations: Combinations,
    thinness: Thinness,
    silos: Silos,
    history: ContractHistory,
    jobs: Jobs,
    levels: Levels,
    sharing: Sharing,
) -> list[Page]:
    """Return the pages for what this platform has; what it does not have is in no menu."""
    client = Client(platform)
    return [
        *Map(client, traffic).pages(),
        *Lines(client, traffic, data.business, deploys, dead_letters, cost).pages(),
        *Capabilities(client, traffic, traces, cost, history).pages(),
        *Guides(client).pages(),
        *deploys.pages(),
        *minute.pages(),
        *cost.pages(),
        *experiences.pages(),
        *combinations.pages(),
        *thinness.pages(),
        *silos.pages(),
        *Screens(client, traffic).pages(),
        *brought_pages(client),
        *Calls(client, traces).pages(),
        *levels.pages(),
        *jobs.pages(),
        *sharing.pages(),
        *dead_letters.pages(),
        *Search(client, traces, data.metrics, brought_searches(client)).pages(),
        *data.pages,
        Page("/reveal", "", _reveal, ("POST",), action=REVEAL_PERSONAL, is_anywhere=True),
    ]


async def _reveal(request: Request) -> Response:
    return await reveal(request, await form(request))
