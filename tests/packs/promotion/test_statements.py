"""How many statements a basket costs: the same for one line and for two hundred, in prices, discounts and tax."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from isthmus.kernel import Caller, FrontEnd, Platform
from isthmus.packs.pricing import api as pricing
from isthmus.packs.pricing.pack import PACK as PRICING
from isthmus.packs.promotion import api as promotion
from isthmus.packs.promotion.pack import PACK as PROMOTION
from isthmus.packs.tax import api as tax
from isthmus.packs.tax.pack import PACK as TAX
from isthmus.store.session import Statements
from isthmus.values import money

NOW = datetime(2026, 5, 4, tzinfo=UTC)
NORTH = Caller(front_end="north")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the statements that calls send from now on."""
    sent: list[str] = []
    send = Statements._run

    async def counted(session: Statements, sql: str, *rest: object) -> object:
        if type(session) is not Statements:  # the platform's own wake the relay, some time after a commit
            sent.append(sql)
        return await send(session, sql, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Statements, "_run", counted)
    return sent


@pytest.mark.parametrize("count", [1, 200])
async def test_a_basket_costs_the_same_number_of_statements_whatever_its_length(
    make_platform: Callable[..., Awaitable[Platform]], statements: list[str], count: int
) -> None:
    uses = ("pricing.*", "promotion.*", "tax.*")
    north = FrontEnd(code="north", name="North", owner="n", uses=uses)
    platform = await make_platform(PRICING, PROMOTION, TAX, north, clock=lambda: NOW)
    skus = [f"sku-{number}" for number in range(count)]
    prices = tuple(pricing.PriceEntry(sku=sku, currency="USD", amount=1, valid_from=NOW) for sku in skus)
    statements.clear()
    await platform.call(pricing.put_prices, pricing.PutPrices(prices=prices), NORTH)
    assert len(statements) == 3
    asks = [
        (
            pricing.quote,
            pricing.QuoteLines(lines=tuple(pricing.QuoteLine(sku=s, quantity=1) for s in skus), currency="USD"),
            1,
        ),
        (
            promotion.evaluate,
            promotion.Evaluate(
                lines=tuple(promotion.PromotionLine(sku=s, quantity=1, amount=money(1, "USD")) for s in skus),
                coupons=("A", "B"),
            ),
            2,
        ),
        (
            tax.calculate,
            tax.Calculate(
                lines=tuple(tax.TaxLine(sku=s, quantity=1, tax_category="x", amount=money(1, "USD")) for s in skus),
                jurisdiction="DE",
            ),
            1,
        ),
    ]
    for capability, ask, expected in asks:
        statements.clear()
        await platform.call(capability, ask, NORTH)  # type: ignore[arg-type]
        assert len(statements) == expected, capability.name
