"""Entries: booked once, balanced, pending until they end, undone and never changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from isthmus.kernel import decode, encode, errors
from isthmus.packs.ledger import api
from isthmus.values import money

from .conftest import CASH, DUE, SALES, Office, draft, leg, sale

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)


async def test_an_entry_of_many_legs_moves_every_account_that_it_names(office: Office) -> None:
    legs = (leg(CASH, 1190), leg(SALES, -1000), leg("liabilities:tax:de", -190), leg("assets:yen", 5, "JPY"))
    (posted,) = await office.post(draft("order/1", *legs, leg(SALES, -5, "JPY"), subject="order-1", memo="first"))
    assert (posted.is_news, posted.state) == (True, "posted")
    entry = await office.entry("order/1")
    assert [one.amount for one in entry.legs][:2] == [money(1190, "EUR"), money(-1000, "EUR")]
    assert (entry.subject, entry.memo, entry.by) == ("order-1", "first", "north-office")
    assert await office.posted(SALES) == -1000
    assert await office.posted(SALES, "JPY") == -5
    await office.check()


async def test_an_owner_is_called_by_any_signs_and_they_come_back(office: Office) -> None:
    owner = "member/a\"b\\c,{d}'null"
    await office.post(draft("order/1", leg(CASH, 100, owner=owner), leg(SALES, -100, owner="member/NULL")))
    assert [one.owner for one in (await office.entry("order/1")).legs] == [owner, "member/NULL"]


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        ((leg(CASH, 100), leg(SALES, -99)), "the legs add up to 0.01 EUR, not to zero"),
        ((leg(CASH, 100), leg(SALES, -100, "USD")), "the legs add up to 1.00 EUR, not to zero"),
        ((leg(CASH, 0), leg(SALES, 0)), "a leg of nothing"),
        ((leg("cash", 1), leg(SALES, -1)), "'cash' is no account"),
        ((leg(CASH, 1, owner="bob"), leg(SALES, -1)), "'bob' is no owner"),
    ],
)
async def test_what_does_not_balance_or_names_no_account_is_refused_with_its_place(
    office: Office, legs: tuple[api.EntryLeg, ...], said: str
) -> None:
    with pytest.raises(errors.BadAsk) as wrong:
        await office.post(sale("fine"), draft("wrong", *legs))
    assert said in str(wrong.value) or "pattern" in str(wrong.value)
    assert (wrong.value.path or "").startswith("$.entries[1].legs")
    assert await office.sql("select count(*) from ledger.entry") == 0


async def test_the_database_itself_refuses_legs_that_do_not_balance(office: Office) -> None:
    await office.post(sale("one"))
    spoilt = """insert into ledger.leg
            (front_end, entry_id, leg, layer, account_id, currency, amount, value_date, booked_at, xid)
        select front_end, entry_id, leg + 10, layer, account_id, currency, amount, value_date, booked_at, xid
        from ledger.leg where amount > 0"""
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await office.sql(spoilt)


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger.leg set amount = amount * 2",
        "delete from ledger.leg",
        "truncate ledger.leg",
        "delete from ledger.entry",
        "update ledger.entry set memo = 'other'",
        "update ledger.entry set state = 'voided', ended_at = now()",
        "delete from ledger.account",
        "update ledger.account set currency = 'USD'",
    ],
)
async def test_nothing_that_was_booked_is_changed_even_by_the_owner_of_the_tables(
    office: Office, statement: str
) -> None:
    await office.post(sale("one"))
    with pytest.raises(asyncpg.CheckViolationError):
        await office.sql(statement)
    await office.check()


async def test_a_reference_books_once_and_another_content_is_a_conflict(office: Office) -> None:
    (first,) = await office.post(sale("one", 500), now=NOON)
    (again,) = await office.post(sale("one", 500), now=NOON + timedelta(days=40))
    assert (again.entry_id, again.is_news, again.value_date) == (first.entry_id, False, first.value_date)
    with pytest.raises(api.ReferenceUsed) as used:
        await office.post(sale("two"), sale("one", 501))
    assert used.value.facts["reference"] == "one"
    assert await office.sql("select count(*) from ledger.entry") == 1
    assert await office.posted(CASH) == 500


async def test_a_batch_books_what_is_new_and_answers_what_was_there(office: Office) -> None:
    await office.post(sale("one"))
    posted = await office.post(sale("one"), sale("two"), sale("two"), sale("three"))
    assert [one.is_news for one in posted] == [False, True, False, True]
    assert await office.posted(CASH) == 3000
    await office.check()


async def test_references_and_balances_are_each_front_ends_own(office: Office, south: Office) -> None:
    await office.post(sale("one", 100))
    await south.post(sale("one", 7))
    assert (await office.posted(CASH), await south.posted(CASH)) == (100, 7)


async def test_linked_entries_are_booked_together_or_not_at_all(office: Office) -> None:
    await office.open("assets:petty", least=0)
    over = draft("b", leg("assets:petty", -1), leg(CASH, 1))
    with pytest.raises(api.BoundExceeded):
        await office.post(sale("a"), over)
    with pytest.raises(api.UnknownEntry):
        await office.entry("a")
    first, second = await office.post(sale("a"), sale("c"))
    assert (await office.entry("c")).linked_to == (await office.entry("a")).linked_to == first.entry_id
    assert second.entry_id != first.entry_id


async def test_what_is_pending_counts_when_it_is_posted_and_is_let_go_when_it_is_voided(office: Office) -> None:
    await office.post(sale("p", 300, is_pending=True), sale("v", 50, is_pending=True))
    before = await office.balance(CASH)
    assert (before.posted.minor, before.pending_debit.minor, before.available.minor) == (0, 350, 0)
    assert (await office.balance(SALES)).pending_credit.minor == 350
    assert (await office.end("p", api.post_pending)).state == "posted"
    assert (await office.end("v", api.void_pending)).state == "voided"
    after = await office.balance(CASH)
    assert (after.posted.minor, after.pending_debit.minor) == (300, 0)
    assert (await office.end("p", api.post_pending)).state == "posted"  # again: as it was
    for reference, how in (("p", api.void_pending), ("v", api.post_pending)):
        with pytest.raises(api.AlreadyEnded):
            await office.end(reference, how)
    assert [one.amount.minor for one in (await office.entry("p")).legs] == [300, -300]
    await office.check()


async def test_what_is_posted_at_once_was_never_pending(office: Office) -> None:
    await office.post(sale("one"))
    for how in (api.post_pending, api.void_pending):
        with pytest.raises(api.AlreadyEnded):
            await office.end("one", how)


async def test_what_is_pending_runs_out_by_itself_and_cannot_be_posted_then(office: Office) -> None:
    await office.post(sale("one", is_pending=True, expires_at=NOON), now=NOON - timedelta(hours=1))
    with pytest.raises(api.AlreadyEnded, match="expired"):
        await office.end("one", api.post_pending, now=NOON)
    expired = await office.call(api.expire_pending, api.ExpirePending(), now=NOON)
    assert expired.entries == 1
    assert (await office.entry("one")).state == "expired"
    assert (await office.balance(CASH)).pending_debit.minor == 0
    await office.check()


async def test_a_reversal_brings_every_balance_back_once(office: Office) -> None:
    await office.post(sale("before", 77))
    await office.post(draft("one", leg(CASH, 119), leg(SALES, -100), leg(DUE, -19)))
    undone = await office.reverse("one", "undo-one", memo="a mistake")
    assert (undone.reverses, (await office.entry("one")).reversed_by) == ("one", "undo-one")
    assert [await office.posted(code) for code in (CASH, SALES, DUE)] == [77, -77, 0]
    assert (await office.reverse("one", "undo-one", memo="a mistake")).entry_id == undone.entry_id
    with pytest.raises(api.AlreadyReversed):
        await office.reverse("one", "undo-again")
    with pytest.raises(api.UnknownEntry):
        await office.reverse("none", "undo-none")
    await office.post(sale("waits", is_pending=True))
    with pytest.raises(api.NotReversible):
        await office.reverse("waits", "undo-waits")
    await office.check()


async def test_closed_days_take_nothing_more_and_say_how_to_go_on(office: Office) -> None:
    may = date(2026, 5, 31)
    await office.post(sale("one", value_date=may), now=NOON)
    await office.call(api.close_period, api.ClosePeriod(closed_through=may, reason="May"), now=NOON)
    with pytest.raises(api.PeriodClosed, match="next-open-day"):
        await office.post(sale("two", value_date=may), now=NOON)
    (late,) = await office.post(sale("late", value_date=may, when_closed="next-open-day"), now=NOON)
    (plain,) = await office.post(sale("plain"), now=NOON)
    assert late.value_date == plain.value_date == date(2026, 6, 1)
    (again,) = await office.post(sale("one", value_date=may), now=NOON)  # a repetition is answered all the same
    assert not again.is_news
    with pytest.raises(api.NothingToReopen):
        await office.call(api.reopen_period, api.ReopenPeriod(closed_through=date(2026, 6, 30), reason="x"))
    period = await office.call(api.reopen_period, api.ReopenPeriod(closed_through=None, reason="an error in May"))
    assert [one.reason for one in period.history] == ["an error in May", "May"]
    assert (await office.post(sale("two", value_date=may)))[0].value_date == may
    assert (await office.call(api.get_period, api.GetPeriod())).closed_through is None
    await office.check()


async def test_the_day_ends_where_the_front_end_is(office: Office) -> None:
    evening = datetime(2026, 5, 31, 23, 30, tzinfo=UTC)
    assert (await office.post(sale("utc"), now=evening))[0].value_date == date(2026, 5, 31)


async def test_entries_are_listed_the_latest_first_by_what_they_are_about(office: Office) -> None:
    for number in range(5):  # at times that differ: what is booked in one millisecond comes in any order
        fields = {"subject": "order-1" if number % 2 else "", "kind": "sale" if number else "odd"}
        await office.post(sale(f"e{number}", **fields), now=NOON + timedelta(seconds=number))
    await office.post(draft("other", leg("assets:bank", 1), leg(CASH, -1)), now=NOON + timedelta(minutes=1))

    async def listed(**ask: object) -> list[str]:
        found, cursor = [], None
        while True:
            asked = api.ListEntries(limit=2, cursor=cursor, **ask)  # type: ignore[arg-type]
            page = await office.call(api.list_entries, asked)
            found += [one.reference for one in page.items]
            if (cursor := page.next_cursor) is None:
                return found

    assert await listed() == ["other", "e4", "e3", "e2", "e1", "e0"]
    assert await listed(account=SALES) == ["e4", "e3", "e2", "e1", "e0"]
    assert await listed(subject="order-1") == ["e3", "e1"]
    assert await listed(account=CASH, kind="odd") == ["e0"]
    assert await listed(without=SALES) == ["other"]
    assert await listed(account=CASH, without="assets:bank") == ["e4", "e3", "e2", "e1", "e0"]
    assert await listed(until=date(2000, 1, 1)) == []
    with pytest.raises(api.BadCursor):
        await office.call(api.list_entries, api.ListEntries(cursor="abc"))


async def test_an_exchange_keeps_its_rate_and_rounds_to_an_account_of_its_own(office: Office) -> None:
    ask = api.Exchange(
        reference="x",
        sold=money(100_05, "USD"),
        currency="JPY",
        rate="151.237",
        source="assets:usd",
        target="assets:jpy",
    )
    entry = await office.call(api.exchange, ask)
    assert entry.metadata == {"rate": "151.237", "pair": "USD/JPY"}
    assert await office.posted("assets:jpy", "JPY") == 15131  # 100.05 x 151.237 = 15,131.26
    assert await office.posted("assets:usd", "USD") == -100_05
    with pytest.raises(api.WrongExchange):
        await office.call(api.exchange, api.Exchange(**{**_fields(ask), "reference": "y", "rate": "0"}))
    with pytest.raises(api.WrongExchange):
        await office.call(api.exchange, api.Exchange(**{**_fields(ask), "reference": "z", "currency": "USD"}))
    too_much = {"reference": "v", "sold": money(10**9, "USD"), "rate": "999999999"}
    with pytest.raises(api.WrongExchange, match="or too much of JPY"):
        await office.call(api.exchange, api.Exchange(**{**_fields(ask), **too_much}))
    await office.check()


def _fields(ask: api.Exchange) -> dict[str, object]:
    return {name: getattr(ask, name) for name in ask.__struct_fields__}


async def test_what_a_flow_records_is_booked_with_its_commit(office: Office) -> None:
    await office.call(api.record, api.Post(entries=(sale("one", 40), sale("two", 2))))
    assert await office.posted(CASH) == 42
    await office.open("assets:petty", least=0)
    over = draft("over", leg("assets:petty", -1), leg(CASH, 1))
    with pytest.raises(errors.IsthmusError, match="nothing is booked"):
        await office.call(api.record, api.Post(entries=(over,)))
    assert await office.posted(CASH) == 42
    await office.check()


WRITTEN = """
    select kind, state, value_date, booked_at, expires_at, ended_at, subject, memo, metadata, legs, reverses, linked_to,
        by, (select array_agg((leg, layer, account_id, leg.currency, amount, leg.value_date, leg.booked_at, xid > 0)
            order by leg) from ledger.leg where leg.entry_id = entry.entry_id) as moved
    from ledger.entry where reference = $1"""


async def test_one_entry_that_a_flow_records_leaves_the_rows_of_any_other(office: Office) -> None:
    said = {"subject": "o-1", "memo": "it's", "metadata": {"a": "b"}, "value_date": date(2026, 5, 30)}
    await office.post(sale("posted", 40, **said), now=NOON)
    await _record(office, sale("recorded", 40, **said))
    assert await office.rows(WRITTEN, "posted") == await office.rows(WRITTEN, "recorded")
    await office.check()


async def test_one_entry_that_a_flow_records_keeps_to_closed_days_limits_and_its_reference(office: Office) -> None:
    may = date(2026, 5, 31)
    await _record(office, sale("first", value_date=may))  # opens its accounts
    await _record(office, sale("first", value_date=may))  # again, and books nothing
    with pytest.raises(errors.IsthmusError, match="conflict"):
        await _record(office, sale("first", 7, value_date=may))
    await office.call(api.close_period, api.ClosePeriod(closed_through=may, reason="May"), now=NOON)
    with pytest.raises(errors.IsthmusError, match="closed"):
        await _record(office, sale("late", value_date=may))
    await _record(office, sale("moved", value_date=may, when_closed="next-open-day"))
    await office.open(DUE, least=0, greatest=10)
    await _record(office, draft("within", leg(CASH, 10), leg(DUE, -10)))
    with pytest.raises(errors.IsthmusError, match="bound"):
        await _record(office, draft("beyond", leg(CASH, 1), leg(DUE, -1)))
    rows = await office.rows("select reference, value_date from ledger.entry order by booked_at, reference")
    moved_to = date(2026, 6, 1)
    assert {row["reference"]: row["value_date"] for row in rows} == {
        "first": may, "moved": moved_to, "within": moved_to,
    }  # fmt: skip
    assert (await office.posted(CASH), (await office.balance(DUE)).available.minor) == (2010, 10)
    await office.check()


async def _record(office: Office, entry: api.EntryDraft) -> None:
    await office.call(api.record, api.Post(entries=(entry,)), now=NOON)


@pytest.mark.parametrize("rate", [None, "", "0", "1/0", "-1", "1e5", "0.00000000001"], ids=repr)
async def test_without_a_rate_that_says_something_nothing_is_exchanged(office: Office, rate: str | None) -> None:
    asked = {
        "reference": "x", "sold": {"currency": "USD", "minor": 1}, "currency": "JPY",
        "source": "assets:usd", "target": "assets:jpy", **({} if rate is None else {"rate": rate}),
    }  # fmt: skip
    with pytest.raises(errors.Refusal):
        await office.call(api.exchange, decode(encode(asked), api.Exchange))
    assert await office.rows("select from ledger.entry") == []
