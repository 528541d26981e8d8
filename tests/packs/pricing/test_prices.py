"""Prices on a real PostgreSQL: quotes, validity, lists, tiers, history, and two front ends side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import pytest

from isthmus.kernel import ALLOW, PASS, Caller, FrontEnd, Pass, Platform, Verdict, answers, veto
from isthmus.packs.pricing import api
from isthmus.packs.pricing.pack import PACK
from isthmus.values import Buyer, money

MakePlatform = Callable[..., Awaitable[Platform]]

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GOLD = Buyer(member_id=UUID(int=1), tier="gold")
NORTH = Caller(front_end="north", client="north-office")
SOUTH = Caller(front_end="south", client="south-office")


@answers(api.choose_price_lists)
def contract_prices_first(buyer: Buyer, location: str) -> tuple[str, ...] | Pass:
    return ("contract", "standard") if "contract" in buyer.segments else PASS


@answers(api.choose_locations)
def zones(location: str) -> tuple[str, ...] | Pass:
    return (location, "zone-1", "") if location == "shop-7" else PASS


@answers(api.grant_sale_price)
def card_price(lines: Sequence[api.ListedLine], buyer: Buyer) -> Sequence[bool | Pass]:
    return [buyer.member_id is not None] * len(lines)


@answers(api.adjust_unit_price)
def gold_price(lines: Sequence[api.ListedLine], buyer: Buyer) -> Sequence[api.UnitPrice | Pass]:
    if buyer.tier != "gold":
        return [PASS] * len(lines)
    return [
        api.UnitPrice(amount=one.amount.times(Fraction(9, 10)), per=one.per, by="south", reason="gold price")
        for one in lines
    ]


@answers(api.validate_price)
def no_dumping(prices: Sequence[api.PriceEntry]) -> Sequence[Verdict]:
    return [
        veto("under a tenth of the shelf price") if (p.sale_amount or p.amount) * 10 < p.amount else ALLOW
        for p in prices
    ]


@answers(api.round_line, when={"channel": "store"})
def to_coins(currency: str) -> api.LineRounding:
    return api.LineRounding(step=5)


@pytest.fixture
async def platform(make_platform: MakePlatform) -> Platform:
    north = FrontEnd(code="north", name="North", owner="n", uses=("pricing.*",))
    rules = (contract_prices_first, zones, card_price, gold_price, no_dumping, to_coins)
    south = FrontEnd(code="south", name="South", owner="s", uses=("pricing.*",), answers=rules)
    return await make_platform(PACK, north, south, clock=lambda: NOW)


def price(sku: str = "tea", amount: int = 500, **fields: object) -> api.PriceEntry:
    return api.PriceEntry(**{"sku": sku, "currency": "USD", "amount": amount, "valid_from": NOW - DAY, **fields})  # type: ignore[arg-type]


async def put(platform: Platform, *prices: api.PriceEntry, caller: Caller = NORTH) -> api.PricesPut:
    return await platform.call(api.put_prices, api.PutPrices(prices=prices), caller)


async def quoted(platform: Platform, *lines: tuple[str, int], caller: Caller = NORTH, **fields: object) -> api.Quote:
    now = fields.pop("now", None)
    asked = tuple(api.QuoteLine(sku=sku, quantity=quantity) for sku, quantity in lines)
    ask = api.QuoteLines(**{"lines": asked, "currency": "USD", **fields})  # type: ignore[arg-type]
    return await platform.call(api.quote, ask, caller, now=now)  # type: ignore[arg-type]


async def amounts(platform: Platform, *lines: tuple[str, int], **fields: object) -> list[int]:
    return [line.amount.minor for line in (await quoted(platform, *lines, **fields)).lines]  # type: ignore[arg-type]


async def test_lines_are_priced_in_the_order_of_the_ask(platform: Platform) -> None:
    await put(platform, price("tea", 500), price("jam", 250, per=2), price("rum", 999, sale_amount=900))
    quote = await quoted(platform, ("rum", 2), ("tea", 1), ("jam", 3), ("tea", 4))
    assert [line.sku for line in quote.lines] == ["rum", "tea", "jam", "tea"]
    assert [line.amount.minor for line in quote.lines] == [1800, 500, 375, 2000]
    assert [line.list_amount.minor for line in quote.lines] == [1998, 500, 375, 2000]


async def test_the_narrowest_location_and_then_the_latest_start_decides(platform: Platform) -> None:
    await put(
        platform,
        price(amount=500),
        price(amount=450, valid_from=NOW - DAY / 2),
        price(amount=400, location="shop-1", valid_from=NOW - 9 * DAY),
    )
    assert await amounts(platform, ("tea", 1)) == [450]
    assert await amounts(platform, ("tea", 1), location="shop-1") == [400]
    assert await amounts(platform, ("tea", 1), location="shop-2") == [450]
    assert await amounts(platform, ("tea", 1), now=NOW - DAY * 0.75) == [500]


async def test_a_price_holds_from_its_start_until_just_before_its_end(platform: Platform) -> None:
    await put(platform, price(amount=500, valid_from=NOW, valid_to=NOW + DAY), price(amount=900, valid_from=NOW - DAY))
    assert await amounts(platform, ("tea", 1), now=NOW) == [500]
    assert await amounts(platform, ("tea", 1), now=NOW - timedelta(microseconds=1)) == [900]
    assert await amounts(platform, ("tea", 1), now=NOW + DAY) == [900]


async def test_a_quantity_tier_counts_all_lines_of_the_sku(platform: Platform) -> None:
    await put(platform, price(amount=500), price(amount=400, min_quantity=10))
    assert await amounts(platform, ("tea", 9)) == [4500]
    assert await amounts(platform, ("tea", 10)) == [4000]
    assert await amounts(platform, ("tea", 4), ("tea", 6)) == [1600, 2400]


async def test_all_lines_without_a_price_are_refused_in_one_error(platform: Platform) -> None:
    await put(platform, price("tea"), price("old", valid_to=NOW), price("new", valid_from=NOW + DAY))
    with pytest.raises(api.NoListPrice, match="no price in USD is valid now for 'old', 'new'") as refused:
        await quoted(platform, ("tea", 1), ("old", 1), ("new", 2))
    assert refused.value.path == "$.lines[1].sku"
    assert [line["path"] for line in refused.value.facts["lines"]] == ["$.lines[1].sku", "$.lines[2].sku"]  # type: ignore[attr-defined]


async def test_a_currency_that_nothing_is_sold_in_is_refused_with_those_that_are(platform: Platform) -> None:
    await put(platform, price("tea"))
    with pytest.raises(api.CurrencyNotSold, match="nothing is sold in EUR: its prices are in USD"):
        await quoted(platform, ("tea", 1), currency="EUR")


async def test_a_line_that_costs_more_than_money_can_say_is_refused(platform: Platform) -> None:
    await put(platform, price("gold", api.AMOUNT_MAX))
    with pytest.raises(api.AmountTooLarge, match="buy fewer") as refused:
        await quoted(platform, ("gold", 1_000_000))
    assert refused.value.path == "$.lines[0].quantity"


async def test_putting_the_same_again_changes_nothing_and_another_amount_supersedes(platform: Platform) -> None:
    assert await put(platform, price("tea"), price("jam")) == api.PricesPut(changed=2, unchanged=0)
    first = (await quoted(platform, ("tea", 1))).lines[0].price_id
    assert await put(platform, price("tea"), price("jam", 300)) == api.PricesPut(changed=1, unchanged=1)
    assert (await quoted(platform, ("tea", 1))).lines[0].price_id == first
    history = await platform.call(api.list_price_history, api.ListPriceHistory(sku="jam"), NORTH)
    assert [(one.entry.amount, one.ended_as, one.put_by) for one in history.items] == [
        (300, "", "north-office"),
        (500, "superseded", "north-office"),
    ]


async def test_a_withdrawn_price_is_not_quoted_and_stays_in_the_history(platform: Platform) -> None:
    await put(platform, price(amount=500), price(amount=400, valid_from=NOW))
    page = await platform.call(api.list_prices, api.ListPrices(sku="tea"), NORTH)
    (cheap,) = [one.price_id for one in page.items if one.entry.amount == 400]
    ask = api.WithdrawPrices(price_ids=(cheap,))
    assert (await platform.call(api.withdraw_prices, ask, NORTH)).withdrawn == 1
    assert (await platform.call(api.withdraw_prices, ask, NORTH)).withdrawn == 0
    assert await amounts(platform, ("tea", 1)) == [500]
    history = await platform.call(api.list_price_history, api.ListPriceHistory(sku="tea"), NORTH)
    assert sorted(one.ended_as for one in history.items) == ["", "withdrawn"]
    with pytest.raises(api.UnknownPrice) as refused:
        await platform.call(api.withdraw_prices, api.WithdrawPrices(price_ids=(cheap, UUID(int=5))), NORTH)
    assert refused.value.path == "$.price_ids[1]"


async def test_wrong_prices_are_refused_together_and_none_is_put(platform: Platform) -> None:
    with pytest.raises(api.PriceRefused, match=r"2 price\(s\) refused") as refused:
        await put(platform, price("tea"), price("jam", sale_amount=501), price("rum", valid_to=NOW - DAY))
    assert refused.value.path == "$.prices[1].sale_amount"
    assert (await platform.call(api.list_prices, api.ListPrices(), NORTH)).items == ()


async def test_prices_are_listed_page_by_page_without_a_gap_or_a_double(platform: Platform) -> None:
    await put(platform, *(price(f"sku-{number:03}") for number in range(25)))
    seen: list[str] = []
    cursor = None
    while True:
        ask = api.ListPrices(limit=10, cursor=cursor)
        page = await platform.call(api.list_prices, ask, NORTH)
        seen += [one.entry.sku for one in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == [f"sku-{number:03}" for number in range(25)]
    for wrong in ("x", "%", "ä", "AAAA"):
        with pytest.raises(api.BadCursor):
            await platform.call(api.list_prices, api.ListPrices(cursor=wrong), NORTH)


async def test_history_is_listed_page_by_page(platform: Platform) -> None:
    for amount in (1, 2, 3):
        await put(platform, price(amount=amount))
    first = await platform.call(api.list_price_history, api.ListPriceHistory(sku="tea", limit=2), NORTH)
    ask = api.ListPriceHistory(sku="tea", limit=2, cursor=first.next_cursor)
    second = await platform.call(api.list_price_history, ask, NORTH)
    assert [one.entry.amount for one in (*first.items, *second.items)] == [3, 2, 1]
    assert second.next_cursor is None


async def test_two_loads_of_the_same_prices_at_once_leave_one_live_price_per_key(platform: Platform) -> None:
    skus = [f"sku-{number}" for number in range(50)]
    loads = [[price(sku, amount) for sku in (skus if amount % 2 else reversed(skus))] for amount in range(100, 108)]
    await asyncio.gather(*(put(platform, *load) for load in loads))
    page = await platform.call(api.list_prices, api.ListPrices(limit=200), NORTH)
    assert len(page.items) == 50
    assert len({one.entry.amount for one in page.items}) == 1


async def test_one_front_end_never_sees_the_prices_of_another(platform: Platform) -> None:
    await put(platform, price("tea", 500))
    with pytest.raises(api.CurrencyNotSold):
        await quoted(platform, ("tea", 1), caller=SOUTH)
    await put(platform, price("tea", 700), caller=SOUTH)
    assert await amounts(platform, ("tea", 1)) == [500]
    assert len((await platform.call(api.list_prices, api.ListPrices(), SOUTH)).items) == 1
    ours = (await quoted(platform, ("tea", 1))).lines[0].price_id
    with pytest.raises(api.UnknownPrice):
        await platform.call(api.withdraw_prices, api.WithdrawPrices(price_ids=(UUID(ours),)), SOUTH)


async def test_a_front_end_chooses_lists_and_locations_and_who_gets_which_price(platform: Platform) -> None:
    await put(
        platform,
        price("tea", 500, sale_amount=450),
        price("tea", 300, price_list="contract"),
        price("jam", 200),
        price("jam", 150, location="zone-1"),
        caller=SOUTH,
    )
    ours = {"caller": SOUTH}
    assert await amounts(platform, ("tea", 2), **ours) == [1000]  # the sale price is for members
    assert await amounts(platform, ("tea", 2), buyer=Buyer(member_id=UUID(int=1)), **ours) == [900]
    assert await amounts(platform, ("tea", 2), buyer=GOLD, **ours) == [900]
    assert await amounts(platform, ("tea", 2), ("jam", 1), buyer=Buyer(segments=("contract",)), **ours) == [600, 200]
    assert await amounts(platform, ("jam", 1), location="shop-7", **ours) == [150]
    assert await amounts(platform, ("jam", 1), location="shop-8", **ours) == [200]
    assert await amounts(platform, ("tea", 1), ("jam", 3), channel="store", **ours) == [500, 600]
    gold = await quoted(platform, ("jam", 1), buyer=GOLD, caller=SOUTH)
    assert [(why.by, why.reason, why.amount) for why in gold.lines[0].applied] == [
        ("south", "gold price", money(-20, "USD"))
    ]


async def test_a_front_end_refuses_prices_by_a_rule_of_its_own(platform: Platform) -> None:
    with pytest.raises(api.PriceRefused, match=r"south\.no_dumping says: under a tenth of the shelf price"):
        await put(platform, price("tea", 500, sale_amount=49), caller=SOUTH)
    await put(platform, price("tea", 500, sale_amount=49), caller=NORTH)


async def test_changes_are_told_once_for_each_price_list(platform: Platform) -> None:
    await put(platform, price("tea"), price("jam"), price("jam", 1, price_list="contract"))
    await put(platform, price("tea"))
    async with platform.store.platform() as session:  # type: ignore[attr-defined]
        rows = await session.fetch("select subject, data from isthmus.outbox order by seq")
    assert [row["subject"] for row in rows] == ["contract", "standard"]
    assert b'"skus":["jam","tea"]' in rows[1]["data"]


async def test_every_condition_holds_after_all_kinds_of_change(platform: Platform) -> None:
    await put(platform, price("tea", sale_amount=0), price("jam", 0))
    await put(platform, price("tea", 100, sale_amount=100))
    async with platform.store.platform() as session:  # type: ignore[attr-defined]
        for condition in PACK.conditions:
            assert list(await session.fetch(condition.sql)) == [], condition.sentence
