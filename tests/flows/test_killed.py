"""A process is killed after any statement of a payment, and others finish or undo what it began."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench._wire import Tap, tapped
from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.governance import doctor
from isthmus.kernel import Capability, Platform, encode, errors
from isthmus.packs.inventory import api as inventory
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.settlement import api as settlement
from isthmus.runtime import left_flows
from isthmus.store import Database
from isthmus.values import Address, money

from . import buyers as program
from .buyers import BUYER, Buyers
from .conftest import Shop

LATER = timedelta(hours=1)  # as of when all that was left is gone on with: its own time is minutes
STATEMENTS_MAX = 120


class Market:
    """The shop of these tests: its buyers, the wire between them and the database, and what they leave."""

    def __init__(self, platform: Platform, database: Database, folder: Path, tap: Tap, buyers: Buyers) -> None:
        self.platform = platform
        self.database = database
        self.folder = folder
        self.tap = tap
        self.buyers = buyers

    async def placed(self, **facts: Any) -> checkout.PlacedOrder:
        lines = (checkout.BuyLine(sku="tea", quantity=1),)
        ask = checkout.PlaceOrder(currency="EUR", lines=lines, **facts)
        return await self.platform.call(checkout.place_order, ask, BUYER)

    async def killed_after(self, statements: int, wanted: Capability[Any, Any], ask: object, key: str) -> bool:
        """Kill a buyer after so many statements of a call; return whether they had come to the end before."""
        self.tap.heard = lambda _: None
        await self.buyers.start(wanted.name, self.tap.url, str(self.folder), encode(ask).hex(), key)
        self.tap.answers = 0
        self.tap.heard = lambda number: self.buyers.kill() if number == statements else None
        has_ended = await self.buyers.run()
        await self._rolled_back()
        return has_ended

    async def _rolled_back(self) -> None:
        """Let PostgreSQL notice that who was killed is gone: until then their transaction holds its rows."""
        async with self.database.platform() as session:
            sql = """select count(*) from pg_stat_activity where datname = current_database()
                     and xact_start is not null and pid <> pg_backend_pid()"""
            while await session.fetch_value(sql):  # each look takes as long as a round trip
                pass

    async def settled(self) -> None:
        """Let the periodic work be done by another process, when its time has come."""
        for _ in range(2):
            await left_flows.go_on(self.platform, self.database, datetime.now(UTC) + LATER)
            now = datetime.now(UTC) + LATER
            await self.platform.call(checkout.settle_payments, payment.Reconcile(), BUYER, now=now)

    async def left(self) -> dict[str, Any]:
        """Return what must not be there any more: conditions that do not hold, money and flows in between."""
        async with self.database.platform() as session:
            findings = await doctor.examine(session, self.platform.release.packs.values(), 5)
            between = await session.fetch_value("select count(*) from payment.payment where state = 'authorised'")
            asked = await session.fetch_value("select count(*) from payment.attempt where ended_at is null")
            flows = await session.fetch_value("select count(*) from isthmus.saga where ask is not null")
            rows = await session.fetch("select key from payment.attempt where state = 'done'")
        charged = {key for key, said in program.ProviderOutcomes(self.folder).items() if said.state == "done"}
        found = {
            "broken": [one.name for one in findings if not one.holds],
            "held": between,
            "asked": asked,
            "flows": flows,
            "the provider alone knows": sorted(charged ^ {row["key"] for row in rows}),
        }
        return {what: number for what, number in found.items() if number}

    async def written_down(self, capability: str) -> int:
        """Return how many entries say that a command was done."""
        async with self.database.platform() as session:
            return await session.fetch_value(
                """select count(*) from audit.pending
                   where content::json->>'capability' = $1 and content::json->>'outcome' = 'done'""",
                capability,
            )

    async def state_of(self, payment_id: object) -> str:
        ask = payment.GetPayment(payment_id=payment_id)  # type: ignore[arg-type]
        return (await self.platform.call(payment.get_payment, ask, BUYER)).state


@pytest.fixture
async def market(shop: Shop, tmp_path: Path) -> AsyncIterator[Market]:
    folder = tmp_path / "provider"
    folder.mkdir()
    more = inventory.Receipt(sku="tea", quantity=1_000, location="main")
    await shop.platform.call(inventory.receive, inventory.Receive(reference="more", lines=(more,)), shop.north)
    async with tapped(shop.database.url) as tap:
        with Buyers() as buyers:
            platform = program.platform_of(shop.database, folder)
            yield Market(platform, shop.database, folder, tap, buyers)


def paying(bought: checkout.PlacedOrder) -> checkout.PayOrder:
    return checkout.PayOrder(payment_id=bought.payment_id, method="card", token="ok")


async def tried(market: Market, statements: int, key: str, **facts: Any) -> tuple[bool, str]:
    """Have a buyer pay who is killed after so many statements; return whether they had ended, and the payment."""
    bought = await market.placed(**facts)
    has_ended = await market.killed_after(statements, checkout.pay_order, paying(bought), key)
    await market.settled()
    assert await market.left() == {}, f"killed after {statements}"
    return has_ended, await market.state_of(bought.payment_id)


async def test_a_payment_that_was_killed_is_finished_or_undone_by_another_process(market: Market) -> None:
    came: list[str] = []
    for statements in (2, 6, 9, 11):
        _, state = await tried(market, statements, uuid.uuid4().hex)
        came.append(state)
        assert state in ("open", "captured"), f"killed after {statements}"
        assert await market.written_down(checkout.pay_order.name) == came.count("captured")
    assert {*came} == {"open", "captured"}


@pytest.mark.slow
@pytest.mark.parametrize("with_key", [True, False], ids=["with a key", "without"])
@pytest.mark.parametrize("facts", [{}, {"address": Address(country="DE", city="Kiel")}], ids=["fetched", "sent"])
async def test_a_payment_may_be_killed_after_any_statement(market: Market, with_key: bool, facts: Any) -> None:
    for statements in range(1, STATEMENTS_MAX):
        has_ended, state = await tried(market, statements, uuid.uuid4().hex if with_key else "-", **facts)
        assert state in ("open", "captured"), f"killed after {statements}"
        if has_ended:
            break
    assert has_ended
    assert state == "captured"


@pytest.mark.slow
async def test_who_sends_the_key_again_after_a_kill_pays_once(market: Market) -> None:
    for statements in range(1, STATEMENTS_MAX):
        bought, key = await market.placed(), uuid.uuid4().hex
        has_ended = await market.killed_after(statements, checkout.pay_order, paying(bought), key)
        paid = await market.platform.call(checkout.pay_order, paying(bought), BUYER, key=key)
        assert paid.state == "captured"
        await market.settled()
        assert await market.left() == {}, f"killed after {statements}"
        if has_ended:
            break


@pytest.mark.slow
async def test_a_cancellation_may_be_killed_after_any_statement(market: Market) -> None:
    for statements in range(1, STATEMENTS_MAX):
        bought = await market.placed()
        await market.platform.call(checkout.pay_order, paying(bought), BUYER)
        cancel = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="changed my mind")
        has_ended = await market.killed_after(statements, checkout.cancel_order, cancel, uuid.uuid4().hex)
        await market.settled()
        assert await market.left() == {}, f"killed after {statements}"
        state = await market.state_of(bought.payment_id)
        assert state in ("captured", "refunded")
        if has_ended:
            break
    assert state == "refunded"


async def bought_and_sent(market: Market, quantity: int, *sent: order.ShippedLine) -> checkout.PlacedOrder:
    lines = (checkout.BuyLine(sku="tea", quantity=quantity),)
    placed = await market.platform.call(checkout.place_order, checkout.PlaceOrder(currency="EUR", lines=lines), BUYER)
    await market.platform.call(checkout.pay_order, paying(placed), BUYER)
    ship = after_sale.ShipOrder(order_id=placed.orders[0].order_id, lines=sent)
    await market.platform.call(after_sale.ship_order, ship, BUYER)
    return placed


async def a_return(market: Market) -> tuple[checkout.PlacedOrder, Capability[Any, Any], object]:
    """Goods come back, and their money goes."""
    placed = await bought_and_sent(market, 2)
    wanted = order.RequestReturn(order_id=placed.orders[0].order_id, lines=(order.ReturnLine(line=0, quantity=2),))
    back = await market.platform.call(order.request_return, wanted, BUYER)
    decide = order.DecideReturn(return_id=back.return_id, is_approved=True)
    await market.platform.call(order.decide_return, decide, BUYER)
    return placed, after_sale.refund_return, after_sale.RefundReturn(return_id=back.return_id)


async def a_closing(market: Market) -> tuple[checkout.PlacedOrder, Capability[Any, Any], object]:
    """The rest of what was ordered never comes."""
    placed = await bought_and_sent(market, 3, order.ShippedLine(line=0, quantity=1))
    return placed, after_sale.close_lines, after_sale.CloseLines(order_id=placed.orders[0].order_id, reason="lost")


async def by_hand(market: Market) -> tuple[checkout.PlacedOrder, Capability[Any, Any], object]:
    """Money is given back by hand."""
    placed = await bought_and_sent(market, 2)
    refund = payment.Refund(payment_id=placed.payment_id, amount=money(2000, "EUR"), reference="goodwill")
    return placed, payment.refund, refund


@pytest.mark.slow
@pytest.mark.parametrize("with_key", [True, False], ids=["with a key", "without"])
@pytest.mark.parametrize("scenario", [a_return, a_closing, by_hand])
async def test_money_that_goes_back_may_be_killed_after_any_statement(
    market: Market, scenario: Any, with_key: bool
) -> None:
    for statements in range(1, STATEMENTS_MAX):
        placed, wanted, ask = await scenario(market)
        has_ended = await market.killed_after(statements, wanted, ask, uuid.uuid4().hex if with_key else "-")
        await market.settled()
        assert await market.left() == {}, f"killed after {statements}"
        asked = order.GetOrder(order_id=placed.orders[0].order_id)
        sold = await market.platform.call(order.get_order, asked, BUYER)
        found = payment.GetPayment(payment_id=placed.payment_id)
        paid = await market.platform.call(payment.get_payment, found, BUYER)
        assert sold.refunded == paid.refunded in (money(0, "EUR"), money(2000, "EUR")), f"killed after {statements}"
        returns = await market.platform.call(order.list_returns, order.ListReturns(order_id=sold.order_id), BUYER)
        assert all(one.state is not order.ReturnState.RECEIVED for one in returns.items), f"killed after {statements}"
        if has_ended:
            break
    assert has_ended
    assert paid.refunded == money(2000, "EUR")


@pytest.mark.slow
async def test_an_order_may_be_killed_after_any_statement_of_being_placed(market: Market) -> None:
    for statements in range(1, STATEMENTS_MAX):
        place = checkout.PlaceOrder(currency="EUR", lines=(checkout.BuyLine(sku="tea", quantity=1),))
        has_ended = await market.killed_after(statements, checkout.place_order, place, uuid.uuid4().hex)
        assert await market.left() == {}, f"killed after {statements}"
        if has_ended:
            break


async def test_an_old_payment_that_nobody_goes_on_with_is_found_by_the_doctor_and_settled(market: Market) -> None:
    """As a server left it that knew of no sagas: the money is held, and the order paid for or run out."""
    bought = await market.placed()
    ask = payment.Authorise(payment_id=bought.payment_id, method="card", token="ok")
    await market.platform.call(payment.authorise, ask, BUYER)
    async with market.database.platform() as session:
        await session.execute("update payment.attempt set ended_at = now() - interval '1 hour'")
    assert (await market.left())["broken"] == ["checkout.held-money-is-under-way"]
    await market.settled()
    assert await market.left() == {}
    assert await market.state_of(bought.payment_id) == "captured"


async def test_money_that_is_held_for_an_order_that_ran_out_is_let_go(market: Market) -> None:
    bought = await market.placed()
    ask = payment.Authorise(payment_id=bought.payment_id, method="card", token="ok")
    await market.platform.call(payment.authorise, ask, BUYER)
    await market.platform.call(checkout.expire_orders, checkout.ExpireOrders(), BUYER, now=datetime.now(UTC) + LATER)
    await market.settled()
    assert await market.left() == {}
    assert await market.state_of(bought.payment_id) == "voided"


async def test_whoever_ran_a_flow_is_asked_for_nothing_by_those_who_go_on(market: Market) -> None:
    """A key that is sent again gets the answer of those who went on."""
    bought, key = await market.placed(), uuid.uuid4().hex
    await market.killed_after(8, checkout.pay_order, paying(bought), key)
    await market.settled()
    try:
        state = (await market.platform.call(checkout.pay_order, paying(bought), BUYER, key=key)).state
    except errors.Refusal as refused:
        state = refused.slug
    assert state in ("captured", "payment.declined")
    assert await market.left() == {}


PAYEES = """insert into settlement.payee (front_end, payee, currency, iban)
    select 'north', 'front-end/' || n, 'EUR', 'FR1420041010050500013M02606' from generate_series(1, 2) n"""
DUE = """insert into settlement.item (front_end, reference, payee, kind, subject, currency, gross_minor,
        commission_minor, amount_minor, happened_at)
    select 'north', $1::text || n, 'front-end/' || (n % 2 + 1), 'between-front-ends', 's', 'EUR', n, 0, n, now()
    from generate_series(1, 9) n"""
PAID = "select coalesce(sum(total_minor), 0)::bigint from settlement.payout_file"
BANK = """select coalesce(-sum(amount), 0)::bigint from ledger.leg join ledger.account using (account_id)
    where code = 'assets:bank'"""


async def test_settling_that_was_killed_pays_each_line_once(market: Market) -> None:
    async with market.database.platform_transaction() as session:
        await session.execute(PAYEES)
    day = (datetime.now(UTC) + timedelta(days=1)).date()
    draw, pay = settlement.DrawUp(cut_off=day), settlement.MakePayoutFile(currency="EUR", execute_on=day)
    for round_, statements in enumerate((1, 2, 4, 6, 8), start=1):
        async with market.database.platform_transaction() as session:
            await session.execute(DUE, f"{statements}-")
        await market.killed_after(statements, settlement.draw_up, draw, "-")
        assert await market.left() == {}, f"killed after {statements}"
        await market.platform.call(settlement.draw_up, draw, BUYER)
        prepared = settlement.ListSettlements(state=settlement.SettlementState.PREPARED)
        for one in (await market.platform.call(settlement.list_settlements, prepared, BUYER)).items:
            approve = settlement.Approve(settlement_id=one.settlement_id)
            await market.platform.call(settlement.approve, approve, program.SECOND)
        await market.killed_after(statements, settlement.make_payout_file, pay, "-")
        assert await market.left() == {}, f"killed after {statements}"
        with suppress(settlement.NothingToPay):  # it had been written before the kill
            await market.platform.call(settlement.make_payout_file, pay, BUYER)
        async with market.database.platform() as session:
            assert await session.fetch_value(PAID) == await session.fetch_value(BANK) == 45 * round_
    assert await market.left() == {}
