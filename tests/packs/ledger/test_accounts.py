"""Accounts: limits that hold, balances of now and of then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from isthmus.packs.ledger import api
from tests.waiting import until

from .conftest import CASH, SALES, Office, draft, leg, sale

NOON = datetime(2026, 5, 10, 12, tzinfo=UTC)


async def test_an_account_never_goes_below_zero_nor_above_its_limit(office: Office) -> None:
    await office.open("liabilities:budget", least=0, greatest=1000)
    fill = draft("fill", leg(CASH, 1000), leg("liabilities:budget", -1000))
    await office.post(fill)
    with pytest.raises(api.BoundExceeded, match="liabilities:budget would have 1100 EUR, which is above 1000"):
        await office.post(draft("more", leg(CASH, 100), leg("liabilities:budget", -100)))
    with pytest.raises(api.BoundExceeded, match="would have -1 EUR, which is below 0"):
        await office.post(draft("less", leg(CASH, -1001), leg("liabilities:budget", 1001)))
    await office.post(draft("use", leg(CASH, -1000), leg("liabilities:budget", 1000)))
    assert await office.posted("liabilities:budget") == 0
    await office.check()


async def test_what_is_pending_takes_its_room_until_it_ends(office: Office) -> None:
    await office.open("liabilities:budget", least=0)
    await office.post(draft("fill", leg(CASH, 100), leg("liabilities:budget", -100)))
    await office.post(draft("hold", leg("liabilities:budget", 70), leg(CASH, -70), is_pending=True))
    assert (await office.balance("liabilities:budget")).available.minor == 30
    with pytest.raises(api.BoundExceeded):
        await office.post(draft("second", leg("liabilities:budget", 31), leg(CASH, -31)))
    await office.end("hold", api.void_pending)
    await office.post(draft("third", leg("liabilities:budget", 31), leg(CASH, -31), is_pending=True))
    await office.end("third", api.post_pending)
    assert await office.posted("liabilities:budget") == -69
    await office.check()


async def test_limits_change_while_the_balance_is_within_them(office: Office) -> None:
    await office.open("liabilities:credit", owner="member/7", least=-500)
    account = api.ChangeLimits(code="liabilities:credit", currency="EUR", owner="member/7", least=-500)
    owed = draft("owed", leg("liabilities:credit", 400, owner="member/7"), leg(SALES, -400))
    await office.post(owed)
    with pytest.raises(api.WrongLimits, match="has -4.00 EUR, which is below -399"):
        await office.call(
            api.set_limits, api.ChangeLimits(code=account.code, currency="EUR", owner="member/7", least=-399)
        )
    changed = await office.call(
        api.set_limits, api.ChangeLimits(code=account.code, currency="EUR", owner="member/7", least=-400)
    )
    assert (changed.least, changed.is_limited) == (-400, True)
    with pytest.raises(api.BoundExceeded):
        await office.post(draft("more", leg(account.code, 1, owner="member/7"), leg(SALES, -1)))


async def test_an_account_that_was_booked_on_without_a_limit_gets_none(office: Office) -> None:
    await office.post(sale("one"))
    with pytest.raises(api.AccountHasLegs):
        await office.open(CASH, least=0)
    with pytest.raises(api.WrongLimits):
        await office.call(api.set_limits, api.ChangeLimits(code=CASH, currency="EUR", least=0))
    assert (await office.open(CASH)).is_limited is False  # without a limit it is the one that is there
    with pytest.raises(api.WrongLimits):
        await office.open("assets:other", least=5, greatest=4)
    with pytest.raises(api.WrongLimits):
        await office.open("assets:other", least=1)  # an account begins with nothing
    with pytest.raises(api.UnknownAccount):
        await office.balance("assets:other")


async def test_a_balance_is_the_same_before_and_after_legs_are_summed_up(office: Office) -> None:
    await office.open("assets:petty", least=0)
    for number in range(6):
        await office.post(
            draft(f"e{number}", leg(CASH, 10), leg("assets:petty", 5), leg(SALES, -15)),
            now=NOON + timedelta(days=number),
        )
    before = [await office.posted(code) for code in (CASH, "assets:petty", SALES)]
    folded: list[int] = []

    async def is_summed_up() -> bool:  # what another transaction of the server may still be before is left for later
        folded.append(await office.fold())
        return sum(folded) >= 12

    await until(is_summed_up, "that all is summed up")
    assert (sum(folded), await office.fold()) == (12, 0), "an account with a limit needs no summing up"
    assert before == [await office.posted(code) for code in (CASH, "assets:petty", SALES)] == [60, 30, -90]
    await office.post(draft("late", leg(CASH, 10), leg("assets:petty", 5), leg(SALES, -15)), now=NOON)
    for code, each in ((CASH, 10), ("assets:petty", 5), (SALES, -15)):
        assert await office.posted(code, at=NOON - timedelta(seconds=1)) == 0
        assert await office.posted(code, at=NOON) == 2 * each
        assert await office.posted(code, at=NOON + timedelta(days=3)) == 5 * each
        assert await office.posted(code, on=date(2026, 5, 12)) == 4 * each
        assert await office.posted(code, on=date(2026, 5, 12), at=NOON + timedelta(days=1)) == 3 * each
    await office.check()


async def test_accounts_are_listed_by_code_and_owner(office: Office) -> None:
    owners = ("seller/1", "seller/2")
    for at, owner in enumerate(owners):
        await office.post(draft(f"e{at}", leg(CASH, 9), leg("liabilities:sellers", -9, owner=owner)))
    ask = api.ListAccounts(below="liabilities", limit=1)
    page = await office.call(api.list_accounts, ask)
    following = await office.call(
        api.list_accounts, api.ListAccounts(below="liabilities", limit=1, cursor=page.next_cursor)
    )
    assert [one.owner for one in (*page.items, *following.items)] == [*owners]
    assert following.next_cursor is None
    (mine,) = (await office.call(api.list_accounts, api.ListAccounts(owner="seller/2"))).items
    assert (mine.code, mine.available.minor) == ("liabilities:sellers", 9)
    assert len((await office.call(api.list_accounts, api.ListAccounts())).items) == 3
