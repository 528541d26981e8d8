"""A category is moved under another while a promotion runs: what was shown is charged, or the order is refused."""

from __future__ import annotations

import asyncio

from isthmus.flows.checkout import api as checkout
from isthmus.packs.catalog import api as catalog
from isthmus.packs.promotion import api as promotion
from isthmus.values import Money, money

from .conftest import LONG_AGO, Shop
from .test_checkout import tea


async def move_food(shop: Shop, parent: str | None) -> None:
    food = catalog.CategoryDraft(code="food", name="Food", parent=parent)
    await shop.platform.call(catalog.put_categories, catalog.PutCategories(categories=(food,)), shop.north)


async def shown(shop: Shop) -> Money:
    ask = checkout.PreviewOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),))
    return (await shop.platform.call(checkout.preview_order, ask, shop.north)).bill.total


async def test_a_category_is_moved_under_another_while_a_promotion_runs(shop: Shop) -> None:
    sale = catalog.CategoryDraft(code="sale", name="Sale")
    await shop.platform.call(catalog.put_categories, catalog.PutCategories(categories=(sale,)), shop.north)
    half = promotion.Promotion(
        code="half",
        title="Half",
        benefit=promotion.PercentOff(basis_points=5000),
        goods=promotion.Selector(categories=("sale",)),
        valid_from=LONG_AGO,
    )
    await shop.platform.call(promotion.put_promotion, promotion.PutPromotion(promotion=half), shop.north)
    dear, cheap = money(1000, "EUR"), money(500, "EUR")
    assert await shown(shop) == dear

    async def buy(expected: Money) -> Money | str:
        try:
            placed = await shop.platform.call(checkout.place_order, tea(1, expected_total=expected), shop.north)
        except checkout.PriceChanged as changed:
            return changed.slug
        assert placed.orders[0].total == expected
        return placed.bill.total

    bought, _ = await asyncio.gather(
        asyncio.gather(*(buy(expected) for _ in range(6) for expected in (dear, cheap))), move_food(shop, "sale")
    )
    assert set(bought) <= {dear, cheap, "checkout.price-changed"}
    assert await shown(shop) == cheap
    used = await shop.platform.call(promotion.get_promotion, promotion.GetPromotion(code="half"), shop.north)
    assert used.uses == bought.count(cheap)
    assert (await buy(dear), await buy(cheap)) == ("checkout.price-changed", cheap)
    await move_food(shop, None)
    assert await shown(shop) == dear
