"""Files of providers and banks against what we believe: matched, or a difference of its kind, and never lost."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from isthmus.packs.reconciliation import api
from isthmus.store import Database, database

from .conftest import FIRST, NOW, Desk, expected, file

CAMT = """<?xml version="1.0"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>
<Ntry><Amt Ccy="EUR">17.70</Amt><CdtDbtInd>DBIT</CdtDbtInd><ValDt><Dt>2026-05-05</Dt></ValDt>
 <NtryDtls><TxDtls><Refs><EndToEndId>pay-1</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">9.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><BookgDt><Dt>2026-05-06</Dt></BookgDt><NtryDtls>
 <TxDtls><Refs><EndToEndId>in-1</EndToEndId></Refs><Amt Ccy="EUR">4.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></TxDtls>
 <TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><Amt Ccy="EUR">5.00</Amt></TxDtls></NtryDtls></Ntry>
</Stmt></BkToCstmrStmt></Document>"""
MT940 = """:20:STATEMENT
:25:DE89370400440532013000
:28C:1/1
:60F:C260501EUR1000,00
:61:2605050505DR17,70NTRFpay-1//X
:86:payout
:61:2605060506CR4,00NTRFNONREF//Y
:86:came in
:62F:C260506EUR986,30
"""
STRIPE = (
    "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,payment_metadata[key]\n"
    "txn_1,2026-05-04 10:11:12,eur,10.00,0.30,9.70,charge,a\n"
)


async def test_what_is_expected_again_adds_nothing_and_sends_no_event(desk: Desk, database: Database) -> None:
    for minor in (1000, 1000, 900):  # as where the flow that expects it was rolled back, and is done again
        await desk.expect(expected("a", minor))
    async with database.platform() as session:
        rows = await session.fetch("select key, amount_minor from reconciliation.expected")
        assert [tuple(row) for row in rows] == [("a", 1000)]
        assert await session.fetch("select 1 from isthmus.outbox") == []


async def test_every_way_in_which_a_file_differs_has_its_kind(desk: Desk) -> None:
    await desk.expect(
        expected("same", 1000, fee=30),
        expected("less", 1000),
        expected("dear", 1000, fee=30),
        expected("yen", 1000),
        expected("twice", 500),
        expected("slow", 700),
        expected("lost", 300),
        expected("back", -200),
    )
    took = await desk.take_in(
        file(
            "same,capture,2026-05-04,EUR,10.00,0.30",
            "less,capture,2026-05-05,EUR,9.50,0",
            "dear,capture,2026-05-05,EUR,10.00,0.45",
            "yen,capture,2026-05-05,JPY,1000,0",
            "twice,capture,2026-05-05,EUR,5.00,0",
            "twice,capture,2026-05-05,EUR,5.00,0",
            "slow,capture,2026-05-19,EUR,7.00,0",
            "back,refund,2026-05-06,EUR,-2.00,0",
            "stranger,capture,2026-05-06,EUR,77.00,0",
        )
    )
    assert (took.lines, took.matched, took.first_day, took.imported_by) == (9, 7, FIRST, "ann")
    assert sorted(await desk.differ()) == [
        ("amount", "less", -50),
        ("currency", "yen", 1000),
        ("duplicate", "twice", 500),
        ("fee", "dear", 15),
        ("late", "slow", 0),
        ("missing-here", "stranger", 7700),
        ("missing-there", "lost", -300),
    ]
    await desk.check()


async def test_what_has_no_reference_is_matched_by_amount_within_days_and_one_to_one(desk: Desk) -> None:
    await desk.expect(expected("a", 400), expected("b", 400), expected("c", 400, FIRST + timedelta(days=9)))
    rows = (",credit,2026-05-05,EUR,4.00,0", ",credit,2026-05-06,EUR,4.00,0", ",credit,2026-05-30,EUR,4.00,0")
    took = await desk.take_in(file(*rows))
    assert took.matched == 2
    assert sorted(await desk.differ()) == [("missing-here", "", 400), ("missing-there", "c", -400)]
    await desk.check()


async def test_several_lines_make_up_one_amount_over_several_files(desk: Desk) -> None:
    await desk.expect(expected("parts", 1000))
    await desk.take_in(file("parts,capture,2026-05-04,EUR,6.00,0", "parts,capture,2026-05-04,EUR,1.00,0"))
    assert await desk.differ() == [("amount", "parts", -300)]
    await desk.take_in(file("parts,capture,2026-05-05,EUR,3.00,0"), name="more.csv")
    assert await desk.differ() == []
    await desk.check()


async def test_a_missing_day_is_made_up_for_by_the_next_file(desk: Desk) -> None:
    await desk.expect(expected("a", 400), expected("z", 100, FIRST + timedelta(days=9)))
    await desk.take_in(file("z,capture,2026-05-13,EUR,1.00,0"))
    assert await desk.differ() == [("missing-there", "a", -400)]
    await desk.take_in(file("a,capture,2026-05-04,EUR,4.00,0"), name="the missing day.csv")
    assert await desk.differ() == []
    (solved,) = await desk.differ(is_open=False)
    assert solved[0] == "missing-there"
    await desk.check()


async def test_a_file_counts_once_whatever_it_is_called(desk: Desk) -> None:
    content = file("a,capture,2026-05-04,EUR,4.00,0")
    await desk.take_in(content)
    with pytest.raises(api.FileKnown, match="may.csv"):
        await desk.take_in(content, name="other.csv")
    listed = await desk.call(api.list_files, api.ListFiles())
    assert [one.name for one in listed.items] == ["may.csv"]


@pytest.mark.parametrize(
    ("form", "content", "matched"), [("camt.053", CAMT, 3), ("mt940", MT940, 2), ("stripe", STRIPE, 1)]
)
async def test_files_of_banks_and_card_processors_are_read(desk: Desk, form: str, content: str, matched: int) -> None:
    rows = (("pay-1", -1770), ("in-1", 400), ("in-2", 500)) if form != "stripe" else (("a", 1000),)
    await desk.expect(*(expected(key, minor) for key, minor in rows[:matched]))
    took = await desk.take_in(content, form=form)
    assert (took.matched, took.lines) == (matched, matched)
    assert await desk.differ() == []


@pytest.mark.parametrize(
    ("form", "content", "why"),
    [
        ("csv", "ref,kind,date,currency,amount,fee\n", "'reference'"),
        ("csv", file("a,capture,2026-05-04,JPY,1.50,0"), "line 2"),
        ("csv", file("a,capture,yesterday,EUR,1.50,0"), "line 2"),
        ("camt.053", "<Document/>", "BkToCstmrStmt"),
        ("camt.053", "no xml", "camt.053"),
        ("mt940", "hello", "no statement"),
    ],
)
async def test_a_file_that_is_not_what_it_is_said_to_be_is_refused_whole(
    desk: Desk, form: str, content: str, why: str
) -> None:
    with pytest.raises(api.UnreadableFile, match=why):
        await desk.take_in(content, form=form)
    assert (await desk.call(api.list_files, api.ListFiles())).items == ()


async def test_a_difference_has_an_age_an_owner_and_an_end(desk: Desk) -> None:
    await desk.take_in(file("stranger,capture,2026-05-06,EUR,77.00,0", "x,capture,2026-05-06,EUR,1.00,0"))
    page = await desk.call(api.list_differences, api.ListDifferences(limit=1), now=NOW + timedelta(days=4))
    (one,) = page.items
    assert one.age_days == 4
    assigned = await desk.call(api.assign, api.Assign(difference_id=one.difference_id, owner="bob"))
    assert assigned.owner == "bob"
    assert len(await desk.differ(owner="bob")) == 1
    ask = api.Resolve(difference_id=one.difference_id, note="a gift", account="income:gifts")
    solved = await desk.call(api.resolve, ask)
    assert (solved.resolved_by, solved.account, solved.owner) == ("ann", "income:gifts", "bob")
    with pytest.raises(api.AlreadyResolved):
        await desk.call(api.resolve, ask)
    with pytest.raises(api.UnknownDifference):
        await desk.call(api.assign, api.Assign(difference_id=10**6, owner="bob"))
    rest = await desk.call(api.list_differences, api.ListDifferences(cursor=page.next_cursor))
    assert [found.reference for found in rest.items] == ["x"]


async def test_another_currency_is_not_booked_on_one_account(desk: Desk) -> None:
    await desk.expect(expected("yen", 1000))
    await desk.take_in(file("yen,capture,2026-05-05,JPY,1000,0"))
    (one,) = (await desk.call(api.list_differences, api.ListDifferences())).items
    with pytest.raises(api.NothingToBook):
        await desk.call(api.resolve, api.Resolve(difference_id=one.difference_id, note="n", account="income:fx"))
    await desk.call(api.resolve, api.Resolve(difference_id=one.difference_id, note="exchanged by hand"))
    assert await desk.differ() == []


@pytest.mark.slow
async def test_two_hundred_thousand_lines_are_matched_in_a_minute(desk: Desk) -> None:
    many = 200_000
    for start in range(0, many, 10_000):
        await desk.expect(*(expected(f"k{number}", 100 + number % 997) for number in range(start, start + 10_000)))
    rows = (f"k{number},capture,2026-05-05,EUR,{(100 + number % 997) / 100:.2f},0" for number in range(7, many + 7))
    began = time.monotonic()
    took = await desk.take_in(file(*rows))
    assert time.monotonic() - began < 60
    assert (took.lines, took.matched) == (many, many - 7)
    kinds = [kind for kind, _, _ in await desk.differ(limit=200)]
    assert kinds.count("missing-here") == 7
    await desk.check()


async def test_a_large_file_may_take_longer_than_other_statements_may(
    desk: Desk, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a million lines one statement takes minutes; here it is a fifth of a second that it takes longer than."""
    monkeypatch.setitem(database._APP_SETTINGS, "statement_timeout", "200ms")  # type: ignore[index]
    content = file(*(f"k{number},capture,2026-05-05,EUR,1.00,0" for number in range(40_000)))
    async with await Database.open(database_url, connections_max=2) as hurried:
        desk.platform.store, store = hurried, desk.platform.store
        took = await desk.take_in(content)
        desk.platform.store = store
    assert took.lines == 40_000


async def test_a_refund_whose_file_comes_before_its_captures_is_matched_as_it_is(desk: Desk) -> None:
    await desk.expect(expected("k1", 1000), expected("k1/refund", -400))
    took = await desk.take_in(file("k1/refund,refund,2026-05-05,EUR,-4.00,0"))
    assert (took.matched, await desk.differ()) == (1, [])
    took = await desk.take_in(file("k1,capture,2026-05-05,EUR,10.00,0"))
    assert (took.matched, await desk.differ()) == (1, [])
    await desk.check()
