"""A rate service says what deliveries cost: asked outside of transactions, kept, stood in for as declared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from isthmus.app.config import load_config
from isthmus.app.resources import setting_problems
from isthmus.kernel import Platform
from isthmus.manifest import Secret
from isthmus.packs.fulfilment import api
from isthmus.packs.fulfilment.pack import PACK
from isthmus.packs.fulfilment.service.http_rates import HttpRateService, HttpSettings
from isthmus.store import Database
from isthmus.testing import RateServiceContract
from isthmus.values import Address, money
from tests import shipped

from .conftest import NORTH, NOW, OHIO, Desk, front_end, method, rate
from .rate_server import SECRET, RateServer, rate_server

NEW_ZEALAND = Address(country="NZ")
Make = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def server() -> AsyncIterator[RateServer]:
    async with rate_server() as running:
        yield running


def service(server: RateServer) -> HttpRateService:
    settings = HttpSettings(url=server.url, secret=Secret("DHL", SECRET), methods=("express",))
    return HttpRateService("dhl", settings)


class TestHttp(RateServiceContract):
    NOWHERE = NEW_ZEALAND

    @pytest.fixture(autouse=True)
    def _server(self, server: RateServer) -> None:
        self.server = server

    async def service(self) -> api.RateService:
        return service(self.server)


@pytest.fixture
async def make(make_platform: Callable[..., Awaitable[Platform]], database: Database, server: RateServer) -> Make:
    """Give what opens a shop whose express rates are said by the server; mail has a zone of its own."""

    async def made(**settings: Any) -> Desk:
        services = api.RateServices([service(server)], database, api.RateSettings(**settings))
        platform = await make_platform(PACK, front_end("north"), resources={api.RateServices: services})
        desk = Desk(platform)
        await desk.methods(method("express", rate("us", 2_000, country="US")), method("mail", rate("all", 1_500)))
        return desk

    return made


async def request(desk: Desk, *, grams: int = 500, now: Any = NOW, **fields: Any) -> api.DeliveryQuote:
    lines = (api.DeliveryLine(sku="apple", quantity=1, weight_grams=grams),)
    asked = api.QuoteDelivery(lines=lines, amount=money(1_000, "USD"), **{"address": OHIO, **fields})
    return await desk.platform.call(api.request_quote, asked, NORTH, now=now)


async def test_what_a_service_said_is_quoted_without_asking_again(make: Make, server: RateServer) -> None:
    desk = await make()
    said = await request(desk)
    assert (said.method, said.fee, said.options[0].zone) == ("express", money(1_040, "USD"), "dhl")
    assert said.promise_to == NOW + timedelta(hours=2)
    assert await desk.quote() == said
    assert await request(desk, now=NOW + timedelta(minutes=30)) != said, "a promise counts from now"
    assert len(server.asked) == 1
    assert [one.fee.minor for one in said.options] == [1_040, 1_500]


async def test_other_goods_are_another_ask_and_nobody_is_asked_in_an_order(make: Make, server: RateServer) -> None:
    desk = await make(fallback="refuse")
    await request(desk, grams=500)
    with pytest.raises(api.RatesUnknown, match="has not been asked for these goods"):
        await desk.quote(grams=1_500)
    assert (await request(desk, grams=1_500)).fee == money(1_140, "USD")
    assert (await desk.quote(grams=1_500)).fee == money(1_140, "USD")
    assert len(server.asked) == 2


async def test_where_the_service_does_not_go_the_way_is_closed(make: Make) -> None:
    quote = await request(await make(), address=NEW_ZEALAND)
    assert [one.method for one in quote.options] == ["mail"]
    with pytest.raises(api.Undeliverable, match="express has no zone"):
        await request(await make(), address=NEW_ZEALAND, method="express")


@pytest.mark.parametrize("says", [None, {"rates": [{"method": "mail", "fee_minor": 1}]}, {"rates": [{"method": "x"}]}])
async def test_a_service_that_fails_or_talks_nonsense_is_stood_in_for_or_refused_as_declared(
    make: Make, server: RateServer, says: object
) -> None:
    server.says, server.breaks = says, says is None
    quote = await request(await make())
    assert {one.method: one.fee.minor for one in quote.options} == {"express": 2_000, "mail": 1_500}
    with pytest.raises(api.RatesUnknown, match="does not answer"):
        await request(await make(fallback="refuse"))


async def test_a_service_is_told_where_goods_go_and_not_to_whom(make: Make, server: RateServer) -> None:
    home = Address(country="US", region="OH", street="1 Elm", recipient="Ada", phone="1")
    await request(await make(), address=home)
    assert (server.asked[0]["destination"]["street"], "Ada" in str(server.asked)) == ("1 Elm", False)


async def test_answers_are_forgotten_after_so_many_days(make: Make) -> None:
    desk = await make(kept_days=30)
    await request(desk)
    for days, gone in ((29, 0), (31, 1)):
        at = NOW + timedelta(days=days)
        found = await desk.platform.call(api.forget_rates, api.ForgetRates(), NORTH, now=at)
        assert found == api.RatesForgotten(answers=gone)


def test_a_service_is_chosen_by_the_settings_and_what_does_not_fit_is_said_at_start() -> None:
    def chosen(**table: object) -> list[str]:
        use = "isthmus.packs.fulfilment.service.http_rates:HTTP"
        providers = {"shipping": {"dhl": {"use": use, "secret": {"secret": "DHL"}, **table}}}
        return setting_problems(shipped.PACKS, replace(load_config(), providers=providers))

    assert chosen(url="https://rates.example.org", methods=["express"]) == []
    (problem,) = chosen(url="https://rates.example.org")
    assert "methods" in problem
