"""A tax service says what is due: asked outside of transactions, kept, and stood in for only where that is declared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from isthmus.app.config import load_config
from isthmus.app.resources import setting_problems
from isthmus.kernel import (
    PASS,
    Caller,
    Context,
    Effect,
    FrontEnd,
    Pack,
    Pass,
    Platform,
    answers,
    errors,
    flow,
    implements,
)
from isthmus.manifest import Secret
from isthmus.packs.tax import api
from isthmus.packs.tax.pack import PACK
from isthmus.packs.tax.service.http_service import HttpSettings, HttpTaxService
from isthmus.store import Database
from isthmus.testing import TaxServiceContract
from isthmus.values import Address, Buyer, money
from tests import shipped

from .service_server import SECRET, TaxServer, tax_server

NOW = datetime(2026, 5, 4, tzinfo=UTC)
NORTH = Caller(front_end="north", client="north-office")
MakePlatform = Callable[..., Awaitable[Platform]]
Make = Callable[..., Awaitable[Platform]]


@pytest.fixture
async def server() -> AsyncIterator[TaxServer]:
    async with tax_server() as running:
        yield running


def service(server: TaxServer, **facts: Any) -> HttpTaxService:
    settings = {"url": server.url, "secret": Secret("TAX", SECRET), "jurisdictions": ("US",), **facts}
    return HttpTaxService("acme", HttpSettings(**settings))


class TestHttp(TaxServiceContract):
    @pytest.fixture(autouse=True)
    def _server(self, server: TaxServer) -> None:
        self.server = server

    async def service(self) -> api.TaxService:
        return service(self.server)


@answers(api.exempt_line)
def charities(lines: Any, buyer: Buyer) -> list[str | Pass]:
    return ["a charity" if buyer.tier == "charity" else PASS] * len(lines)


@pytest.fixture
async def make(make_platform: MakePlatform, database: Database, server: TaxServer) -> Make:
    """Give what opens a platform whose tax in the US is said by the server; Germany has rates of its own."""

    async def made(**settings: Any) -> Platform:
        timeout = settings.pop("timeout_ms", 3_000)
        services = api.TaxServices([service(server, timeout_ms=timeout)], database, api.TaxSettings(**settings))
        north = FrontEnd(code="north", name="N", owner="n", uses=("tax.*",), answers=(charities,))
        platform = await make_platform(PACK, north, resources={api.TaxServices: services}, clock=lambda: NOW)
        places = tuple(api.Jurisdiction(code=code) for code in ("DE", "US"))
        await platform.call(api.put_jurisdictions, api.PutJurisdictions(jurisdictions=places), NORTH)
        rates = tuple(
            api.RateEntry(jurisdiction=code, name="own", rate_ppm=ppm, valid_from=NOW - timedelta(days=1))
            for code, ppm in (("DE", 190_000), ("US", 50_000))
        )
        await platform.call(api.put_rates, api.PutRates(rates=rates), NORTH)
        return platform

    return made


def ask(*amounts: int, jurisdiction: str = "US-OH", **facts: Any) -> api.Calculate:
    lines = tuple(
        api.TaxLine(sku=f"s{at}", quantity=1, tax_category="standard", amount=money(amount, "USD"))
        for at, amount in enumerate(amounts or (1000,))
    )
    return api.Calculate(lines=lines, jurisdiction=jurisdiction, **facts)


async def calculate(platform: Platform, given: api.Calculate, now: datetime = NOW) -> api.TaxQuote:
    return await platform.call(api.calculate, given, NORTH, now=now)


async def assess(platform: Platform, given: api.Calculate, now: datetime = NOW) -> api.TaxQuote:
    return await platform.call(api.assess, given, NORTH, now=now)


async def test_what_the_service_said_is_what_is_calculated_for_an_hour_without_asking_again(
    make: Make, server: TaxServer
) -> None:
    platform = await make()
    said = await assess(platform, ask(1000, 333, delivery_fee=money(500, "USD")))
    assert (said.service, said.tax, said.gross) == ("acme", money(183, "USD"), money(2016, "USD"))
    assert said.delivery is not None
    assert [one.name for one in said.summary] == ["sales"]
    given = ask(1000, 333, delivery_fee=money(500, "USD"))
    assert await calculate(platform, given) == said
    assert await assess(platform, given, NOW + timedelta(minutes=59)) == said
    assert len(server.asked) == 1
    with pytest.raises(api.NotAssessed, match="has not been asked for these lines"):
        await calculate(platform, given, NOW + timedelta(hours=2))


async def test_a_replay_is_given_what_was_said_then(make: Make, server: TaxServer) -> None:
    platform = await make()
    then = await assess(platform, ask())
    server.says = {"lines": [{"taxes": []}]}
    later = await assess(platform, ask(), NOW + timedelta(days=1))
    assert later.tax == money(0, "USD")
    assert await calculate(platform, ask(), NOW + timedelta(minutes=1)) == then


async def test_what_is_not_covered_is_calculated_by_own_rates_and_nobody_is_asked(
    make: Make, server: TaxServer
) -> None:
    platform = await make()
    quote = await assess(platform, ask(jurisdiction="DE"))
    assert (quote.tax, quote.service, quote.is_fallback) == (money(190, "USD"), "", False)
    assert server.asked == []


@pytest.mark.parametrize(
    "says",
    [
        None,
        {"lines": []},
        {"lines": [{"taxes": [{"name": "x", "rate_ppm": 1, "jurisdiction": "US", "tax_minor": -1}]}]},
        {"lines": [{"taxes": [{"name": "", "rate_ppm": 1, "jurisdiction": "US", "tax_minor": 1}]}]},
        {"wrong": 1},
    ],
)
async def test_a_service_that_fails_or_talks_nonsense_is_refused_or_stood_in_for_as_declared(
    make: Make, server: TaxServer, says: object
) -> None:
    server.says, server.breaks = says, says is None
    with pytest.raises(api.NotAssessed, match="it does not answer"):
        await assess(await make(), ask())
    lenient = await make(fallback="own-rates")
    for quote in (await assess(lenient, ask()), await calculate(lenient, ask())):
        assert (quote.tax, quote.service, quote.is_fallback) == (money(50, "USD"), "", True)


async def test_a_service_that_is_late_is_not_waited_for(make: Make, server: TaxServer) -> None:
    held = asyncio.Event()

    async def hangs(scope: Any, receive: Any, send: Any) -> None:
        await held.wait()

    server.app.router.routes[0].app = hangs  # type: ignore[attr-defined]
    with pytest.raises(api.NotAssessed):
        await assess(await make(timeout_ms=50), ask())
    held.set()


async def test_exempt_lines_bear_none_whatever_the_service_says(make: Make, server: TaxServer) -> None:
    platform = await make()
    quote = await assess(platform, ask(buyer=Buyer(tier="charity")))
    assert (quote.tax, quote.lines[0].exempt_because) == (money(0, "USD"), "a charity")
    assert server.asked[0]["lines"][0]["is_exempt"]


async def test_a_service_is_told_where_goods_go_and_not_to_whom(make: Make, server: TaxServer) -> None:
    home = Address(country="US", region="OH", city="Dover", street="1 Elm", recipient="Ada", phone="1")
    await assess(await make(), ask(destination=home))
    assert (server.asked[0]["destination"]["street"], "Ada" in str(server.asked)) == ("1 Elm", False)


async def test_two_who_ask_at_once_have_the_same_answer(make: Make) -> None:
    platform = await make()
    both = await asyncio.gather(*(assess(platform, ask(777)) for _ in range(4)))
    assert len({one.tax for one in both}) == 1
    assert await calculate(platform, ask(777)) == both[0]


async def test_nobody_is_asked_while_a_transaction_is_open(
    make_platform: MakePlatform, database: Database, server: TaxServer, database_url: str
) -> None:
    @flow("desk.buy", version="1.0", effect=Effect.WRITE, uses=[api.assess])
    def buy(asked: api.Calculate) -> api.TaxQuote:
        """Ask in a transaction, which nobody may."""
        ...

    @implements(buy)
    async def do_buy(asked: api.Calculate, ctx: Context) -> api.TaxQuote:
        return await ctx.call(api.assess, asked)

    desk, works = ModuleType("desk", "What nobody may."), ModuleType("works")
    desk.buy, works.do_buy = buy, do_buy  # type: ignore[attr-defined]
    pack = Pack(name="desk", owner="tests", api=desk, service=(works,))
    north = FrontEnd(code="north", name="N", owner="n", uses=("tax.*", "desk.*"))
    services = api.TaxServices([service(server)], database)
    platform = await make_platform(PACK, pack, north, resources={api.TaxServices: services})
    with pytest.raises(errors.Fault, match="waited for in a transaction"):
        await platform.call(buy, ask(), NORTH)
    assert server.asked == []
    assert (await assess(platform, ask())).service == "acme"


async def test_answers_are_forgotten_after_so_many_days_and_hold_no_goods(make: Make, database_url: str) -> None:
    platform = await make(kept_days=30)
    await assess(platform, ask())
    connection = await asyncpg.connect(database_url)
    try:
        row = str(tuple(await connection.fetchrow("select * from tax.assessment")))
    finally:
        await connection.close()
    assert "s0" not in row
    for days, gone in ((29, 0), (31, 1)):
        at = NOW + timedelta(days=days)
        found = await platform.call(api.forget_assessments, api.ForgetAssessments(), NORTH, now=at)
        assert found == api.AssessmentsForgotten(assessments=gone)


def test_a_service_is_chosen_by_the_settings_and_what_does_not_fit_is_said_at_start() -> None:
    def chosen(**table: object) -> list[str]:
        use = "isthmus.packs.tax.service.http_service:HTTP"
        providers = {"tax": {"acme": {"use": use, "secret": {"secret": "TAX"}, **table}}}
        settings = {"tax": {"fallback": table.pop("fallback", "refuse")}}
        return setting_problems(shipped.PACKS, replace(load_config(), providers=providers, settings=settings))

    assert chosen(url="https://tax.example.org", jurisdictions=["US"]) == []
    (problem,) = chosen(url="https://tax.example.org", timeout_ms=60_000)
    assert "$.timeout_ms" in problem
