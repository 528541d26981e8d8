"""What is no capability's call is asked of the policies too: questions to the lake go by `data.ask`."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from isthmus.gateway.auth import Principal
from isthmus.gateway.events import EventService
from isthmus.gateway.metrics import MetricsService
from isthmus.gateway.telemetry.prometheus import MetricsPage
from isthmus.kernel import FrontEnd, Platform, Registry, ports
from isthmus.packs.policy import api
from isthmus.packs.policy.service.policies import DEFAULT, Policies

OWN = 'forbid (principal, action == Action::"data.ask", resource) when { context.via == "http" };'


async def asked(front_end: str) -> httpx.Response:
    """Ask for a metric with a key of a front end whose scopes have `data.ask`."""
    north = FrontEnd(code="north", name="N", owner="n", settings={api.RULES: OWN})
    south = FrontEnd(code="south", name="S", owner="s")
    policies = Policies((), [("default", DEFAULT.read_text())])
    platform = Platform(Registry().add(north, south).freeze(), cast(Any, None), resources={ports.Guard: policies})

    async def admit(_: bytes | None) -> Principal:
        return Principal(front_end=front_end, name="bi", scopes=("data.ask",), until=0)

    service = MetricsService(platform, cast(Any, None), admit)
    transport = httpx.ASGITransport(cast(Any, service))
    async with httpx.AsyncClient(transport=transport, base_url="http://data") as client:
        return await client.get("/data/nothing-is-here")


@pytest.mark.parametrize(("front_end", "slug"), [("north", "policy.forbidden"), ("south", "gateway.no-such-path")])
async def test_a_key_that_a_policy_forbids_questions_is_answered_none(front_end: str, slug: str) -> None:
    assert (await asked(front_end)).json()["slug"] == slug


@pytest.mark.parametrize(
    ("service", "path", "action"),
    [(EventService, "/v1/events", "events.read"), (MetricsPage, "/metrics", "metrics.read")],
)
@pytest.mark.parametrize(("front_end", "slug"), [("north", "policy.forbidden"), ("south", "gateway.no-such-path")])
async def test_a_key_that_a_policy_forbids_events_or_figures_reads_none(
    service: Any, path: str, action: str, front_end: str, slug: str
) -> None:
    own = f'forbid (principal, action == Action::"{action}", resource) when {{ context.via == "http" }};'
    north = FrontEnd(code="north", name="N", owner="n", settings={api.RULES: own})
    south = FrontEnd(code="south", name="S", owner="s")
    policies = Policies((), [("default", DEFAULT.read_text())])
    platform = Platform(Registry().add(north, south).freeze(), cast(Any, None), resources={ports.Guard: policies})

    async def admit(_: bytes | None) -> Principal:
        return Principal(front_end=front_end, name="reader", scopes=(action,), until=0)

    made = service(platform, cast(Any, None), admit, cast(Any, None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://gateway") as client:
        assert (await client.get(f"{path}/nothing")).json()["slug"] == slug
