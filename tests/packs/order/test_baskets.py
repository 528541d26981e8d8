"""Baskets: filled, merged and read."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from isthmus.packs.order import api
from isthmus.values import money

from .conftest import SOUTH, Shop, eur


async def opened(shop: Shop, *lines: tuple[str, int], member_id: uuid.UUID | None = None) -> api.Basket:
    basket = await shop.call(api.open_basket, api.OpenBasket(currency="EUR", member_id=member_id))
    return await filled(shop, basket, *lines) if lines else basket


async def filled(shop: Shop, basket: api.Basket, *lines: tuple[str, int]) -> api.Basket:
    wanted = tuple(api.SetLine(sku=sku, quantity=quantity, shown=eur(100 * quantity)) for sku, quantity in lines)
    return await shop.call(api.set_lines, api.SetLines(basket_id=basket.basket_id, lines=wanted))


def held(basket: api.Basket) -> dict[str, int]:
    return {line.sku: line.quantity for line in basket.lines}


def merge(into: api.Basket, other: api.Basket) -> api.MergeBasket:
    return api.MergeBasket(basket_id=into.basket_id, from_basket_id=other.basket_id)


async def test_a_basket_keeps_what_was_put_in_and_what_it_was_shown_to_cost(shop: Shop):
    basket = await opened(shop, ("tea", 2), ("jam", 1))
    changed = await filled(shop, basket, ("tea", 3), ("jam", 0), ("bun", 4))
    assert held(changed) == {"tea": 3, "bun": 4}
    assert changed.lines[0].shown == eur(300)
    coupons = api.SetCoupons(basket_id=basket.basket_id, coupons=("TEN", "TEN", "FREE"))
    assert (await shop.call(api.set_coupons, coupons)).coupons == ("TEN", "FREE")
    found = await shop.call(api.get_basket, api.GetBasket(basket_id=basket.basket_id))
    assert (held(found), found.coupons, found.version) == ({"tea": 3, "bun": 4}, ("TEN", "FREE"), 4)


async def test_a_guests_basket_is_merged_once_however_often_it_is_asked(shop: Shop):
    mine = await opened(shop, ("tea", 1), member_id=uuid.uuid4())
    guests = await opened(shop, ("tea", 2), ("jam", 1))
    await shop.call(api.set_coupons, api.SetCoupons(basket_id=guests.basket_id, coupons=("TEN",)))
    done = await asyncio.gather(*(shop.call(api.merge_basket, merge(mine, guests)) for _ in range(5)))
    assert all(held(one) == {"tea": 3, "jam": 1} and one.coupons == ("TEN",) for one in done)
    assert (await shop.call(api.get_basket, api.GetBasket(basket_id=guests.basket_id))).lines == ()


async def test_baskets_merged_into_each_other_at_once_lose_nothing(shop: Shop):
    one, other = await opened(shop, ("tea", 1)), await opened(shop, ("jam", 2))
    await asyncio.gather(
        *(shop.call(api.merge_basket, merge(*pair)) for _ in range(4) for pair in ((one, other), (other, one)))
    )
    left = [await shop.call(api.get_basket, api.GetBasket(basket_id=each.basket_id)) for each in (one, other)]
    assert sorted((held(each) for each in left), key=len) == [{}, {"tea": 1, "jam": 2}]


async def test_baskets_of_two_currencies_or_two_members_stay_apart(shop: Shop):
    mine = await opened(shop, ("tea", 1), member_id=uuid.uuid4())
    theirs = await opened(shop, ("jam", 1), member_id=uuid.uuid4())
    with pytest.raises(api.BasketsDiffer, match="the member of the basket is"):
        await shop.call(api.merge_basket, merge(mine, theirs))
    dollars = await shop.call(api.open_basket, api.OpenBasket(currency="USD"))
    line = api.SetLine(sku="tea", quantity=1, shown=money(100, "USD"))
    await shop.call(api.set_lines, api.SetLines(basket_id=dollars.basket_id, lines=(line,)))
    with pytest.raises(api.BasketsDiffer, match="the currency of the basket is EUR, not USD"):
        await shop.call(api.merge_basket, merge(mine, dollars))
    with pytest.raises(api.BasketsDiffer) as shown:
        await shop.call(api.set_lines, api.SetLines(basket_id=mine.basket_id, lines=(line,)))
    assert shown.value.path == "$.lines[0].shown.currency"


async def test_a_basket_holds_no_more_lines_than_an_order(shop: Shop):
    basket = await opened(shop, *((f"s{at}", 1) for at in range(1000)))
    with pytest.raises(api.BasketFull, match="1001 lines, and a basket holds 1000"):
        await filled(shop, basket, ("one-more", 1))


async def test_a_basket_is_known_to_its_own_front_end_only(shop: Shop):
    basket = await opened(shop, ("tea", 1))
    south = Shop(shop.platform, SOUTH)
    theirs = await opened(south)
    for capability, ask in (
        (api.get_basket, api.GetBasket(basket_id=basket.basket_id)),
        (api.set_coupons, api.SetCoupons(basket_id=basket.basket_id, coupons=())),
        (api.merge_basket, merge(theirs, basket)),
    ):
        with pytest.raises(api.UnknownBasket):
            await south.call(capability, ask)
