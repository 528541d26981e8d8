"""Loyalty on a real PostgreSQL, through the platform that isthmus.toml names."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from acme.packs.loyalty import api, rules
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.app.demo import load_demo
from isthmus.app.platform import Running
from isthmus.kernel import Caller
from isthmus.packs.grants import api as grants
from isthmus.store import sharing
from isthmus.testing.platform import browsing

COFFEE = Caller(front_end="coffee", client="till")
BOOKS = Caller(front_end="books", client="till")


async def stamp(platform: Running, caller: Caller, reference: str, spent: int = 350) -> api.Balance:
    return await platform.platform.call(api.stamp, api.Stamp(card="7", spent_minor=spent, reference=reference), caller)


async def test_a_purchase_is_stamped_once_however_often_it_is_told(platform: Running) -> None:
    first = await stamp(platform, COFFEE, "order-1")
    assert first.stamps == 1
    assert await stamp(platform, COFFEE, "order-1") == first


async def test_ten_purchases_at_once_fill_one_card(platform: Running) -> None:
    await asyncio.gather(*(stamp(platform, COFFEE, f"order-{number}") for number in range(10)))
    balance = await platform.platform.call(api.get_balance, api.GetBalance(card="7"), COFFEE)
    assert (balance.stamps, balance.filled) == (0, 1)


async def test_each_front_end_stamps_by_its_own_rule_and_has_cards_of_its_own(platform: Running) -> None:
    assert (await stamp(platform, BOOKS, "order-1", spent=4_500)).stamps == 4  # a stamp for each ten euros
    with pytest.raises(api.UnknownCard):
        await platform.platform.call(api.get_balance, api.GetBalance(card="7"), COFFEE)


async def test_a_card_that_is_shared_is_seen_by_who_got_it_and_no_longer_than_that(platform: Running) -> None:
    await stamp(platform, BOOKS, "order-1", spent=4_500)
    ask = sharing.Draft(kind="loyalty.card", name="7", to="coffee", can="read", reason="one card for both")
    grant = await platform.platform.call(grants.give, ask, BOOKS)
    balance = await platform.platform.call(api.get_balance, api.GetBalance(card="7"), COFFEE)
    assert balance.stamps == 4
    await platform.platform.call(grants.withdraw, grants.WithdrawGrant(grant_id=grant.grant_id), BOOKS)
    with pytest.raises(api.UnknownCard):
        await platform.platform.call(api.get_balance, api.GetBalance(card="7"), COFFEE)


async def test_stamps_go_after_ninety_days_without_one_and_filled_cards_stay(platform: Running) -> None:
    then = datetime.now(UTC) - timedelta(days=91)
    for number in range(12):
        ask = api.Stamp(card="7", spent_minor=350, reference=f"order-{number}")
        await platform.platform.call(api.stamp, ask, COFFEE, now=then)
    assert (await platform.platform.call(api.forget_old, api.ForgetOld(), COFFEE)).cards == 1
    balance = await platform.platform.call(api.get_balance, api.GetBalance(card="7"), COFFEE)
    assert (balance.stamps, balance.filled) == (0, 1)


async def test_a_card_is_looked_up_in_the_console(platform: Running) -> None:
    await stamp(platform, BOOKS, "order-1", spent=4_500)
    async with browsing(platform) as browser:
        assert '<p class="value">4</p>' in (await browser.get("/cards?card=7&front_end=books")).text
        assert "No stamp was ever put on card 7." in (await browser.get("/cards?card=7&front_end=coffee")).text


async def test_demo_data_brings_cards_that_each_front_end_stamps_by_its_own_rule(platform: Running) -> None:
    for _ in range(2):  # loaded again, nothing is stamped twice
        loaded = await load_demo(platform, only=["loyalty.cards"])
        assert [(one.front_end, one.calls, one.refused) for one in loaded] == [("books", 17, ""), ("coffee", 17, "")]
    half = await platform.platform.call(api.get_balance, api.GetBalance(card="demo-half"), COFFEE)
    full = await platform.platform.call(api.get_balance, api.GetBalance(card="demo-full"), COFFEE)
    assert ((half.stamps, half.filled), (full.stamps, full.filled)) == ((5, 0), (2, 1))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is slow
@given(purchases=st.lists(st.integers(0, api.STAMPS_MAX), max_size=30))
def test_no_stamp_is_lost_between_cards(purchases: list[int]) -> None:
    card = api.Balance(card="7", stamps=0, filled=0)
    for stamps in purchases:
        card = rules.stamped(card, stamps)
    assert card.filled * api.CARD_STAMPS + card.stamps == sum(purchases)
    assert 0 <= card.stamps < api.CARD_STAMPS
