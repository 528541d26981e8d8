"""A process is killed after any statement of what only the books know of, and nothing half done is left.

A chargeback that a provider says, a file that is taken in, and each act of a payout run are one transaction each: all
of it is there, or none, and whoever does it again does it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isthmus.flows.checkout import api as checkout
from isthmus.flows.disputes import api as disputes
from isthmus.kernel import Capability, encode
from isthmus.packs.chargeback import api as chargeback
from isthmus.packs.grants import api as grants
from isthmus.packs.member import api as member
from isthmus.packs.payment import api as payment
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.settlement import api as settlement
from isthmus.store.sharing import Draft
from isthmus.values import money

from . import buyers as program
from . import test_killed as killing
from .buyers import BUYER
from .conftest import Shop
from .test_killed import BANK, DUE, PAID, PAYEES, Market, paying

market = killing.market
MOST = 60  # statements of one act
SOME, EVERY = (1, 3, 5, 7), range(1, MOST)
TODAY = datetime.now(UTC).date()
TOMORROW = TODAY + timedelta(days=1)

few_or_every = pytest.mark.parametrize(
    "numbers", [SOME, pytest.param(EVERY, marks=pytest.mark.slow)], ids=["some", "every"]
)

OF_CHARGEBACK = """select
    (select count(*) from chargeback.chargeback where reference = $1) as notes,
    (select count(*) from ledger.entry where kind = 'chargeback-opened' and subject = $2) as entries,
    (select count(*) from reconciliation.expected where key = 'chargeback/' || $1) as expected,
    (select count(*) from payment.payment where payment_id = $3::uuid and withheld_minor = 700) as withheld"""
OF_FILE = """select
    (select count(*) from reconciliation.file where name = $1) as files,
    (select count(*) from reconciliation.line join reconciliation.file using (front_end, file_id) where name = $1)
        as lines,
    (select count(*) from reconciliation.difference where reference = $1 || '/stranger') as differences,
    (select count(*) from ledger.entry where kind = 'provider-payout' and subject = $1 || '/payout') as payouts,
    (select count(*) from ledger.entry join reconciliation.file on subject = file_id::text
        where kind = 'provider-fees' and name = $1) as fees,
    (select count(*) from reconciliation.expected where provider = 'bank' and key = $1 || '/payout') as bank"""


async def there(market: Market, sql: str, *args: object) -> dict[str, int]:
    async with market.database.platform() as session:
        row = await session.fetch_row(sql, *args)
    assert row is not None
    return {name: int(number) for name, number in dict(row).items()}


async def killed(
    market: Market,
    statements: int,
    act: Capability[Any, Any],
    ask: object,
) -> bool:
    """Kill who does something after so many statements; see that nothing is left, and return whether they had ended."""
    has_ended = await market.killed_after(statements, act, ask, "-")
    assert await market.left() == {}, f"{act.name} killed after {statements}"
    return has_ended


@few_or_every
async def test_a_chargeback_that_was_killed_is_nowhere_or_everywhere(
    market: Market,
    numbers: Iterable[int],
) -> None:
    for statements in numbers:
        bought = await market.placed()
        await market.platform.call(checkout.pay_order, paying(bought), BUYER)
        async with market.database.platform() as session:
            key = await session.fetch_value(
                "select key from payment.attempt where payment_id = $1 and kind = 'capture'", bought.payment_id
            )
        notice = chargeback.ChargebackNotice(
            reference=f"cb-{statements}", key=key, state=chargeback.ChargebackState.OPENED, amount=money(700, "EUR")
        )
        payload = encode(disputes.Disputed(chargeback=notice)).decode()
        program.ProviderSaid(market.folder.with_name("said")).add(payload)
        ask = payment.Notify(provider="test", payload=payload)
        has_ended = await killed(market, statements, disputes.receive_chargeback, ask)
        about = (notice.reference, str(bought.group_id), bought.payment_id)
        found = await there(market, OF_CHARGEBACK, *about)
        assert set(found.values()) in ({0}, {1}), f"killed after {statements}: {found}"
        await market.platform.call(disputes.receive_chargeback, ask, BUYER)
        assert set((await there(market, OF_CHARGEBACK, *about)).values()) == {1}
        assert await market.left() == {}
        if has_ended:
            break


@few_or_every
async def test_a_file_that_was_killed_is_not_there_or_whole(market: Market, numbers: Iterable[int]) -> None:
    for statements in numbers:
        name = f"file-{statements}"
        lines = (
            f"{name}/stranger,capture,{TODAY},EUR,7.00,0.30",
            f"{name}/payout,payout,{TODAY},EUR,-6.70,0",
        )
        content = "\n".join(("reference,kind,date,currency,amount,fee", *lines, ""))
        ask = reconciliation.ImportFile(provider="test", name=name, form="csv", content=content)
        has_ended = await killed(market, statements, reconciliation.import_file, ask)
        whole = {"files": 1, "lines": 2, "differences": 1, "payouts": 1, "fees": 1, "bank": 1}
        found = await there(market, OF_FILE, name)
        assert found in (whole, dict.fromkeys(whole, 0)), f"killed after {statements}: {found}"
        with suppress(reconciliation.FileKnown):
            await market.platform.call(reconciliation.import_file, ask, BUYER)
        assert await there(market, OF_FILE, name) == whole
        if has_ended:
            break


async def prepared(market: Market) -> list[Any]:
    asked = settlement.ListSettlements(state=settlement.SettlementState.PREPARED)
    return list((await market.platform.call(settlement.list_settlements, asked, BUYER)).items)


@few_or_every
@pytest.mark.parametrize("act", ["draw_up", "approve", "make_payout_file"])
async def test_each_act_of_a_payout_run_may_be_killed_and_each_line_is_paid_once(
    market: Market,
    act: str,
    numbers: Iterable[int],
) -> None:
    async with market.database.platform_transaction() as session:
        await session.execute(PAYEES)
    # who is killed is the buyer: who prepares is not who approves
    preparing, approving = (program.SECOND, BUYER) if act == "approve" else (BUYER, program.SECOND)
    draw, pay = settlement.DrawUp(cut_off=TOMORROW), settlement.MakePayoutFile(currency="EUR", execute_on=TOMORROW)
    has_ended = False
    for round_, statements in enumerate(numbers, start=1):
        async with market.database.platform_transaction() as session:
            await session.execute(DUE, f"{act}-{statements}-")
        if act == "draw_up":
            has_ended = await killed(market, statements, settlement.draw_up, draw)
        await market.platform.call(settlement.draw_up, draw, preparing)
        for place, one in enumerate(await prepared(market)):
            approve = settlement.Approve(settlement_id=one.settlement_id)
            if act == "approve" and not place:
                has_ended = await killed(market, statements, settlement.approve, approve)
                if one not in await prepared(market):
                    continue  # it was approved before the kill
            await market.platform.call(settlement.approve, approve, approving)
        if act == "make_payout_file":
            has_ended = await killed(market, statements, settlement.make_payout_file, pay)
        with suppress(settlement.NothingToPay):  # it had been written before the kill
            await market.platform.call(settlement.make_payout_file, pay, BUYER)
        async with market.database.platform() as session:
            assert await session.fetch_value(PAID) == await session.fetch_value(BANK) == 45 * round_
        assert await market.left() == {}
        if has_ended:
            break


OF_LAPSES = """select
    (select coalesce(sum(unspent), 0) from member.points_lot) as live,
    (select coalesce(sum(points), 0) from member.points_gone) as found,
    (select coalesce(sum((data ->> 'points')::bigint), 0) from isthmus.outbox
        where type = 'member.points-lapsed' and front_end = 'north') as said,
    (select coalesce(sum(-amount), 0) from ledger.leg join ledger.account using (account_id)
        where layer = '=' and account.front_end = 'north' and code = 'liabilities:points') as owed"""


@pytest.mark.parametrize("numbers", [(2, 4), pytest.param(EVERY, marks=pytest.mark.slow)], ids=["some", "every"])
async def test_points_that_lapsed_are_booked_once_whoever_is_killed_between_finding_and_booking(
    market: Market, shop: Shop, numbers: Iterable[int]
) -> None:
    south, long_ago = shop.south, datetime.now(UTC) - timedelta(days=9)
    put = member.PutProgramme(code="circle", valid_days=1)
    await shop.platform.call(member.put_programme, put, south)
    await shop.platform.call(grants.give, Draft(kind="member.programme", name="circle", to="north"), south)
    register = member.Register(identities=(member.Identity(kind="email", value="ada@example.org"),))
    ada = (await market.platform.call(member.register, register, BUYER)).member_id
    join = member.JoinProgramme(member_id=ada, programme="circle", owner="south")
    await market.platform.call(member.join_programme, join, BUYER)
    lapsed = 0
    for statements in numbers:
        earn = member.EarnPoints(member_id=ada, reference=f"o-{statements}", points=10)
        await market.platform.call(member.earn_points, earn, BUYER, now=long_ago)
        await shop.platform.call(member.expire_points, member.ExpirePoints(), south)  # who finds it is not who owes it
        lapsed += 10
        assert await there(market, OF_LAPSES) == {"live": 0, "found": 10, "said": lapsed - 10, "owed": 10}
        has_ended = await killed(market, statements, member.expire_points, member.ExpirePoints())
        found = await there(market, OF_LAPSES)
        kept = {"live": 0, "found": 10, "said": lapsed - 10, "owed": 10}
        assert found in (kept, {"live": 0, "found": 0, "said": lapsed, "owed": 0}), f"killed after {statements}"
        for _ in range(2):
            await market.platform.call(member.expire_points, member.ExpirePoints(), BUYER)
        assert await there(market, OF_LAPSES) == {"live": 0, "found": 0, "said": lapsed, "owed": 0}
        if has_ended:
            break
