"""Providers keep their contract: the one in memory, and the one over HTTP against a server of its protocol."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
import uvicorn

from isthmus.app.config import load_config
from isthmus.app.resources import setting_problems
from isthmus.kernel import errors
from isthmus.manifest import Secret
from isthmus.packs.payment import api as payment
from isthmus.packs.payment.service.http_provider import HTTP, HttpProvider, HttpSettings
from isthmus.testing import PaymentProviderContract
from isthmus.values import money
from tests import shipped

from .provider_server import SECRET, ProviderServer


class Served:
    """A server of the protocol, with its address."""

    def __init__(self, server: ProviderServer, url: str) -> None:
        self.server = server
        self.url = url

    def provider(self) -> HttpProvider:
        return HttpProvider("acme", self.url, SECRET, ("card",))


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Give a server of the protocol on an address of this machine."""
    provider = ProviderServer()
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(provider.app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(running.serve(sockets=[listening]))
    yield Served(provider, f"http://127.0.0.1:{listening.getsockname()[1]}")
    running.should_exit = True
    await task
    listening.close()


class TestTheProviderInMemory(PaymentProviderContract):
    async def provider(self) -> payment.Provider:
        return payment.TestProvider()


class TestTheProviderOverHttp(PaymentProviderContract):
    @pytest.fixture(autouse=True)
    def _served(self, served: Served) -> None:
        self.served = served

    async def provider(self) -> payment.Provider:
        return self.served.provider()


async def test_a_provider_that_breaks_after_it_took_the_money_is_looked_up(served: Served) -> None:
    provider, key = served.provider(), uuid4().hex
    with pytest.raises(httpx.HTTPStatusError):
        await provider.authorise(key=key, amount=money(1200, "EUR"), token="breaks")
    assert (await provider.look_up(key=key)).state == "done"
    assert served.server.effects == 1


async def test_what_was_pending_is_told_by_a_signed_notification_and_by_no_other(served: Served) -> None:
    provider, key = served.provider(), f"{uuid4()}/authorise"
    assert (await provider.authorise(key=key, amount=money(1200, "EUR"), token="pending")).state == "unknown"
    payload = served.server.settle(key)
    assert provider.read(payload) == (key, await provider.look_up(key=key))
    with pytest.raises(errors.BadAsk, match="did not sign"):
        provider.read(payload.replace("done", "refused"))


async def test_the_hosted_page_leads_back_with_a_token_that_can_be_paid_with(served: Served) -> None:
    provider = served.provider()
    async with httpx.AsyncClient() as buyer:
        page = await buyer.get(provider.page(money(1200, "EUR"), "http://127.0.0.1/paid"))
    assert "http://127.0.0.1/paid?token=good" in page.text
    assert (await provider.authorise(key=uuid4().hex, amount=money(1200, "EUR"), token="good")).state == "done"


def chosen(**table: object) -> list[str]:
    """Return what is wrong with a provider of these settings."""
    return setting_problems(shipped.PACKS, replace(load_config(), providers={"payment": {"acme": table}}))


def test_a_provider_is_chosen_by_the_settings_and_what_does_not_fit_is_said_at_start() -> None:
    http = "isthmus.packs.payment.service.http_provider:HTTP"
    assert chosen(use=http, url="https://pay.example.org", secret={"secret": "ACME_SECRET"}) == []
    (problem,) = chosen(use=http, url="pay.example.org", secret={"secret": "ACME_SECRET"})
    assert problem.startswith("[providers.payment.acme]: Expected `str` matching regex")
    (problem,) = chosen(use="isthmus.packs.payment.api:Providers")
    assert "is no ProviderType" in problem
    (problem,) = chosen(url="https://pay.example.org")
    assert 'write use = "module:NAME"' in problem


def test_a_provider_is_made_with_its_secret() -> None:
    settings = HttpSettings(url="https://pay.example.org", secret=Secret("ACME_SECRET", "s"))
    assert HTTP.make("acme", settings).name == "acme"
