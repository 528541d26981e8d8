"""A promotion's budget is held in the books: reserved by orders, posted when they are paid, and never passed."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections import Counter
from contextlib import suppress
from uuid import uuid4

import pytest

from isthmus.app import platform as app
from isthmus.flows.budgets import api as budgets
from isthmus.flows.budgets import rules
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Caller, FrontEnd, Platform, errors, ports
from isthmus.packs.grants import api as grants
from isthmus.packs.ledger import api as ledger
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.store import Database
from isthmus.store.sharing import Draft
from tests import shipped

from .buyers import BUYER
from .conftest import ALL, LONG_AGO, NORTH, SOUTH, RulesOf, Shop
from .test_bookkeeping import Books, books_of, eur
from .test_killed import Market, market

__all__ = ["market"]

LEFT, USED = "equity:budgets:ten-off", "equity:budgets-used:ten-off"
# Of our own, without the pack's statements: what legs hold in every layer, and what orders use.
HELD = """select -coalesce(sum(amount), 0)::bigint from ledger.leg join ledger.account using (account_id)
    where code like $2 and leg.front_end = $1"""
USES = "select coalesce(sum(amount), 0)::bigint from promotion.use where returned_at is null and promotion = 'ten-off'"
PASSED = "select count(*) from promotion.promotion where spent > budget"


def ten_off(budget: int | None) -> promotion.PutPromotion:
    return promotion.PutPromotion(
        promotion=promotion.Promotion(
            code="ten-off",
            title="A tenth off",
            benefit=promotion.PercentOff(basis_points=1_000),
            valid_from=LONG_AGO,
            budget=None if budget is None else eur(budget),
        )
    )


async def held(books: Books, like: str = LEFT) -> int:
    async with books.shop.database.platform() as session:
        return await session.fetch_value(HELD, "north", like)


@pytest.fixture
async def books(shop: Shop) -> Books:
    return books_of(shop)


async def settled(books: Books) -> budgets.SettledBudgets:
    return await books.call(budgets.settle, budgets.SettleBudgets())


async def test_a_budget_is_given_in_the_books_reserved_by_an_order_and_posted_once_it_is_paid(books: Books) -> None:
    await books.call(promotion.put_promotion, ten_off(500))
    assert await books.stands(LEFT, USED) == [-500, 0]
    placed = await books.bought(("tea", 2), is_paid=False)
    assert await books.stands(LEFT, USED) == [-500, 0]  # it is only reserved
    assert await held(books) == 300
    assert (await settled(books)).posted == 0
    await books.pay(placed.payment_id)
    assert (await settled(books)).posted == 1
    assert await books.stands(LEFT, USED) == [-300, -200]
    assert await held(books) == 300
    await books.check()


async def test_what_is_not_paid_gives_its_part_back_and_so_does_a_paid_order_that_is_cancelled(books: Books) -> None:
    await books.call(promotion.put_promotion, ten_off(500))
    for is_paid in (False, True):
        placed = await books.bought(("tea", 2), is_paid=is_paid)
        await settled(books)
        ask = checkout.CancelOrder(order_id=placed.orders[0].order_id, reason="changed my mind")
        await books.call(checkout.cancel_order, ask)
        assert await books.stands(LEFT, USED) == [-500, 0]
        assert await held(books) == 500
    states = await books.call(ledger.list_entries, ledger.ListEntries(kind=rules.RESERVED))
    assert Counter(one.state for one in states.items) == {"voided": 1, "posted": 2}
    await books.check()


async def test_orders_stop_at_the_end_of_a_budget(books: Books) -> None:
    await books.call(promotion.put_promotion, ten_off(250))
    bills = [(await books.bought(("tea", 1))).bill for _ in range(4)]
    assert [sum(one.amount.minor for one in bill.discounts) for bill in bills] == [100, 100, 0, 0]
    await settled(books)
    assert await books.stands(LEFT) == [-50]
    await books.check()


async def test_the_books_stop_what_the_promotion_would_still_allow(books: Books) -> None:
    await books.call(promotion.put_promotion, ten_off(250))
    legs = rules.moved("ten-off", rules.LEFT, rules.GIVEN, eur(200))  # finance takes most of it for something else
    taken = ledger.EntryDraft(reference="taken", kind="budget-given", legs=legs)
    await books.call(ledger.post, ledger.Post(entries=(taken,)))
    with pytest.raises(promotion.BudgetExhausted, match="'ten-off' has no 1.00 EUR left"):
        await books.bought(("tea", 1))
    assert await books.stands(LEFT, USED) == [-50, 0]


async def test_a_budget_is_raised_lowered_and_taken_away_and_never_below_what_was_used(books: Books) -> None:
    await books.call(promotion.put_promotion, ten_off(250))
    await books.bought(("tea", 2))
    await settled(books)
    for budget, left in ((400, 200), (200, 0), (300, 100)):
        await books.call(promotion.put_promotion, ten_off(budget))
        assert await books.stands(LEFT, USED) == [-left, -200]
    with pytest.raises(promotion.PromotionRefused):
        await books.call(promotion.put_promotion, ten_off(199))
    await books.call(promotion.put_promotion, ten_off(None))
    assert await books.stands(LEFT, USED) == [0, -200]
    await books.bought(("tea", 2))  # without a budget nothing is reserved
    assert await books.stands(LEFT, USED) == [0, -200]
    await books.check()


async def test_what_was_used_before_there_were_books_is_held_once_they_are_kept(shop: Shop) -> None:
    less = [pack for pack in shipped.PACKS if pack.name != "budgets"]
    ends = [dataclasses.replace(one, uses=tuple(f"{pack.name}.*" for pack in less)) for one in (NORTH, SOUTH)]
    resources = {payment.Providers: payment.Providers([shop.provider]), order.Numbers: order.Numbers(shop.database)}
    without = Platform(app.build(less, ends), shop.database, resources=resources)
    before = Books(Shop(without, shop.database, shop.provider, shop.north, shop.south))
    await before.call(promotion.put_promotion, ten_off(500))
    early = await before.bought(("tea", 2))
    books = books_of(shop)
    books.shop.platform.resources[ports.KeptRules] = RulesOf(without)
    await books.bought(("tea", 1), is_paid=False)
    assert await books.stands(LEFT, USED) == [-300, -200]
    assert await held(books) == 200
    ask = checkout.CancelOrder(order_id=early.orders[0].order_id, reason="changed my mind")
    await books.call(checkout.cancel_order, ask)
    assert (await settled(books)).adjusted == 1
    assert await held(books) == 400


def test_codes_that_accounts_cannot_spell_have_accounts_of_their_own() -> None:
    codes = ["ten-off", "Ten-Off", "ten.off", "ten_off", "...", "TEN-OFF"]
    assert len({rules.segment(code) for code in codes}) == len(codes)
    legs = [rules.moved(code, rules.LEFT, rules.USED, eur(1)) for code in codes]
    assert [ledger.fault_of(one) for one in legs] == [None] * len(codes)


CODES = ("north", "south", "east")
ENDS = [FrontEnd(code=code, name=code, owner=code, uses=ALL) for code in CODES]


async def three_front_ends(shop: Shop, budget: int) -> Platform:
    """Return a platform with three front ends that all take part in the first one's promotion."""
    resources = {payment.Providers: payment.Providers([shop.provider]), order.Numbers: order.Numbers(shop.database)}
    platform = Platform(shipped.build(ENDS), shop.database, resources=resources)
    await platform.call(promotion.put_promotion, ten_off(budget), caller("north"))
    for code in CODES[1:]:
        await platform.call(grants.give, Draft(kind="promotion.promotion", name="ten-off", to=code), caller("north"))
        ask = promotion.SwitchOn(owner="north", code="ten-off")
        await platform.call(promotion.switch_on, ask, caller(code))
    return platform


def caller(code: str) -> Caller:
    return Caller(front_end=code, client=f"{code}-till")


async def redeemed(platform: Platform, code: str) -> str:
    reference = str(uuid4())
    use = promotion.DiscountUse(promotion="ten-off", amount=eur(100))
    try:
        await platform.call(promotion.redeem, promotion.Redeem(reference=reference, discounts=(use,)), caller(code))
    except errors.Refusal as refused:
        return refused.slug
    return reference


async def test_three_front_ends_at_the_end_of_a_budget_use_it_up_and_never_more(shop: Shop) -> None:
    platform = await three_front_ends(shop, 2_050)
    more = await Database.open(shop.database.url, connections_max=24)
    platform.store, store = more, platform.store
    came = await asyncio.gather(*(redeemed(platform, code) for _ in range(16) for code in CODES))
    used = [one for one in came if "." not in one]
    assert Counter(one for one in came if "." in one) == {"promotion.budget-exhausted": 48 - 20}
    assert len(used) == 20
    await platform.call(budgets.settle, budgets.SettleBudgets(), caller("north"))
    await more.close()
    platform.store = store
    async with shop.database.platform() as session:
        assert await session.fetch_value(USES) == 2_000
        assert await session.fetch_value(HELD, "north", LEFT) == 50
        assert await session.fetch_value(PASSED) == 0


@pytest.mark.parametrize("seed", range(4))
async def test_orders_that_buy_cancel_and_settle_at_once_leave_budget_and_books_one(shop: Shop, seed: int) -> None:
    """Whatever runs at once, budgets.true-up and orders: what the books hold is what orders use, and no more."""
    randomness = random.Random(seed)
    platform = await three_front_ends(shop, 1_000 + randomness.randrange(500))
    taken: dict[str, list[str]] = {code: [] for code in CODES}

    async def one(code: str) -> None:
        what = randomness.random()
        if what < 0.6:
            if "." not in (reference := await redeemed(platform, code)):
                taken[code].append(reference)
        elif what < 0.85 and taken[code]:
            ask = promotion.ReturnUses(reference=taken[code].pop())
            await platform.call(promotion.return_uses, ask, caller(code))
        else:
            with suppress(errors.Refusal):
                await platform.call(budgets.settle, budgets.SettleBudgets(), caller("north"))

    for _ in range(4):
        await asyncio.gather(*(one(randomness.choice(CODES)) for _ in range(12)))
    await platform.call(budgets.settle, budgets.SettleBudgets(), caller("north"))
    state = await platform.call(promotion.get_promotion, promotion.GetPromotion(code="ten-off"), caller("north"))
    async with shop.database.platform() as session:
        uses = await session.fetch_value(USES)
        left = await session.fetch_value(HELD, "north", LEFT)
    assert state.spent == eur(uses)
    assert state.promotion.budget is not None
    assert left == state.promotion.budget.minor - uses >= 0


async def test_an_order_that_is_killed_anywhere_reserves_all_or_nothing(market: Market) -> None:
    """Of orders that are killed after each of their statements, those that are there have what they use reserved."""
    await market.platform.call(promotion.put_promotion, ten_off(100_000), BUYER)
    ask = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),))
    for statements in range(1, 60):
        has_ended = await market.killed_after(statements, checkout.place_order, ask, uuid4().hex)
        assert await market.left() == {}, f"killed after {statements}"
        async with market.database.platform() as session:
            uses = await session.fetch_value(USES)
            left = await session.fetch_value(HELD, BUYER.front_end, LEFT)
        assert left == 100_000 - uses, f"killed after {statements}"
        if has_ended:
            break
    assert uses > 0
