"""Services outside say taxes and delivery rates: a preview asks them, and the order costs what it showed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Platform
from isthmus.manifest import Secret
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.fulfilment.service import http_rates
from isthmus.packs.order import api as order
from isthmus.packs.tax import api as tax
from isthmus.packs.tax.service import http_service
from isthmus.values import Address, money
from tests.packs.fulfilment.rate_server import RateServer, rate_server
from tests.packs.tax.service_server import SECRET, TaxServer, tax_server

from .conftest import Shop

HOME = Address(country="US", region="OH", city="Dover", recipient="Ada")


class Served:
    """A shop with a tax service and a rate service."""

    def __init__(self, shop: Shop, taxes: TaxServer, rates: RateServer) -> None:
        self.shop, self.taxes, self.rates = shop, taxes, rates

    async def preview(self, **facts: Any) -> checkout.OrderPreview:
        return await self.shop.platform.call(
            checkout.preview_order, self._ask(checkout.PreviewOrder, facts), self.shop.north
        )

    async def place(self, **facts: Any) -> checkout.PlacedOrder:
        return await self.shop.platform.call(
            checkout.place_order, self._ask(checkout.PlaceOrder, facts), self.shop.north
        )

    def _ask(self, kind: Any, facts: dict[str, Any]) -> Any:
        lines = (checkout.BuyLine(sku="tea", quantity=2),)
        return kind(**{"currency": "EUR", "lines": lines, "address": HOME, "delivery_method": "post", **facts})


@pytest.fixture
async def served(shop: Shop) -> AsyncIterator[Served]:
    async with tax_server() as taxes, rate_server() as rates:
        secret = Secret("S", SECRET)
        revenue = http_service.HttpTaxService("acme", http_service.HttpSettings(url=taxes.url, secret=secret))
        post = http_rates.HttpRateService(
            "dhl", http_rates.HttpSettings(url=rates.url, secret=secret, methods=("post",))
        )
        strict = fulfilment.RateSettings(fallback="refuse")
        resources = {
            **shop.platform.resources,
            tax.TaxServices: tax.TaxServices([revenue], shop.database),
            fulfilment.RateServices: fulfilment.RateServices([post], shop.database, strict),
        }
        platform = Platform(shop.platform.release, shop.database, resources=resources)
        yield Served(replace(shop, platform=platform), taxes, rates)


async def test_an_order_costs_what_its_preview_showed_and_asks_nobody_again(served: Served) -> None:
    preview = await served.preview()
    assert preview.bill.delivery_fee == money(990 + 99, "EUR"), "the rate, and a tenth of tax on it"
    assert preview.bill.total == money(2_000 + 200 + 990 + 99, "EUR")
    placed = await served.place(expected_total=preview.bill.total)
    assert placed.bill.total == preview.bill.total
    sold = await served.shop.platform.call(
        order.get_order, order.GetOrder(order_id=placed.orders[0].order_id), served.shop.north
    )
    assert sold.lines[0].tax == money(200, "EUR")
    assert (len(served.taxes.asked), len(served.rates.asked)) == (1, 1)


async def test_an_order_that_nobody_previewed_is_refused_with_what_to_do(served: Served) -> None:
    with pytest.raises(fulfilment.RatesUnknown, match="preview the order"):
        await served.place()
    assert (served.taxes.asked, served.rates.asked) == ([], [])


async def test_no_transaction_is_open_while_services_are_asked(served: Served) -> None:
    connection = await asyncpg.connect(served.shop.database.url)
    seen: list[int] = []
    sql = (
        "select count(*) from pg_stat_activity where datname = current_database() and xact_start is not null"
        " and pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    for route in (*served.taxes.app.router.routes, *served.rates.app.router.routes):
        answering = route.app  # type: ignore[attr-defined]

        async def looking(scope: Any, receive: Any, send: Any, answering: Any = answering) -> None:
            seen.append(await connection.fetchval(sql))
            await answering(scope, receive, send)

        route.app = looking  # type: ignore[attr-defined]
    await served.preview()
    await connection.close()
    assert seen == [0, 0]
