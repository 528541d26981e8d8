"""What else is judged before it counts: sign-ins, registrations, coupons, payments, returns, payouts.

Each is let through, or kept from happening with nothing left of it; what waits goes on once it is released.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from isthmus.flows.after_sale import api as after_sale
from isthmus.flows.checkout import api as checkout
from isthmus.flows.risk_checks import api as risk_checks
from isthmus.kernel import Caller, FrontEnd, errors
from isthmus.packs.account import api as account
from isthmus.packs.account.service.accounts import Accounts, AccountSettings
from isthmus.packs.account.service.keys import DataKey
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.packs.risk import api as risk
from isthmus.packs.settlement import api as settlement
from isthmus.store import Database
from isthmus.store.watched import watched
from isthmus.values import money

from .conftest import ALL, LONG_AGO, stocked
from .test_bookkeeping import a_tenth_of_tea
from .test_reviews import HOME, Desk, judging

LATER = (datetime.now(UTC) + timedelta(days=90)).date()
SECOND = Caller(front_end="north", client="second")
IDENTITY = member.Identity(kind="email", value="ann@example.org", is_verified=True)
SIGN_IN = account.AskForLink(address="ann@example.org", interaction="a" * 64)
REGISTER = member.Register(identities=(IDENTITY,))
CARD_TRIED = risk.Rule(code="card-tried", kinds=("payment",), when="seen.card.m10 > 1", outcome="reject")


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    accounts = Accounts(database, DataKey(tmp_path / "account"), AccountSettings(issuer="https://id.test/account"))
    settings = {"jurisdiction": "DE", "settlement.iban": "DE89370400440532013000"}
    north = FrontEnd(code="north", name="North", owner="n", uses=ALL, answers=(a_tenth_of_tea,), settings=settings)
    made = judging(database, tmp_path / "key", north, resources={Accounts: accounts})
    await stocked(made.shop)
    yield made
    assert await made.shop.broken() == []


def rule(kind: risk.Kind, outcome: risk.Outcome, when: str = "true") -> risk.Rule:
    return risk.Rule(code="stop", kinds=(kind,), when=when, outcome=outcome)


async def release(desk: Desk, outcome: risk.SettledAs = "release") -> None:
    (waits,) = await desk.waiting()
    await desk.call(risk.settle_review, risk.Settle(decision_id=waits.decision_id, outcome=outcome, why="looked"))


async def count(desk: Desk, what: str) -> int:
    async with desk.shop.database.platform() as session:
        return int(await session.fetch_value(f"select count(*) from {what}"))


async def shipped_order(desk: Desk) -> UUID:
    bought = await desk.buy(address=HOME)
    await desk.pay(bought)
    order_id = bought.orders[0].order_id
    await desk.call(after_sale.ship_order, after_sale.ShipOrder(order_id=order_id, parcel="1", lines=()))
    return order_id


async def coupon_for(desk: Desk, member_id: UUID, code: str = "HELLO") -> None:
    ten = promotion.Promotion(
        code="welcome", title="Welcome", benefit=promotion.AmountOff(amount=money(300, "EUR")), valid_from=LONG_AGO,
        needs_coupon=True,
    )  # fmt: skip
    await desk.call(promotion.put_promotion, promotion.PutPromotion(promotion=ten))
    draft = promotion.CouponDraft(code=code, uses_max=1, member_id=member_id)
    await desk.call(promotion.issue_coupons, promotion.IssueCoupons(promotion="welcome", coupons=(draft,)))


# each: what happens, and where it leaves something


async def sign_in(desk: Desk) -> None:
    await desk.call(account.ask_for_link, SIGN_IN)


async def registration(desk: Desk) -> None:
    await desk.call(member.register, REGISTER)


async def coupon(desk: Desk) -> None:
    try:
        known = await desk.call(member.find_member, member.FindMember(kind="email", value="ann@example.org"))
    except member.NotAMember:
        known = await desk.call(member.register, REGISTER)
    await coupon_for(desk, known.member_id)


async def a_return(desk: Desk) -> None:
    found = (await desk.call(order.list_orders, order.ListOrders())).items
    order_id = found[0].order_id if found else await shipped_order(desk)
    lines = (order.ReturnLine(line=0, quantity=1),)
    await desk.call(order.request_return, order.RequestReturn(order_id=order_id, lines=lines))


async def payout(desk: Desk) -> None:
    found = (await desk.call(settlement.list_settlements, settlement.ListSettlements())).items
    if not found:
        await shipped_order(desk)
        found = (await desk.call(settlement.draw_up, settlement.DrawUp(cut_off=LATER))).items
    ask = settlement.Approve(settlement_id=found[0].settlement_id)
    await desk.shop.platform.call(settlement.approve, ask, SECOND)


STOPPED: dict[risk.Kind, tuple[Any, type[errors.IsthmusError], str]] = {
    "sign-in": (sign_in, risk_checks.SignInStopped, "account.link"),
    "registration": (registration, risk_checks.RegistrationStopped, "member.membership"),
    "coupon": (coupon, risk_checks.CouponStopped, "promotion.coupon"),
    "return": (a_return, risk_checks.ReturnStopped, '"order".return'),
    "payout": (payout, risk_checks.PayoutStopped, "settlement.settlement where state = 'approved'"),
}
KINDS = pytest.mark.parametrize("kind", list(STOPPED))


@KINDS
async def test_what_is_accepted_happens_and_is_on_record(desk: Desk, kind: risk.Kind) -> None:
    happens, _, rows = STOPPED[kind]
    await desk.judge_by(rule(kind, "review", "amount > 99000000"))
    await happens(desk)
    assert await count(desk, rows) == 1
    (kept,) = (await desk.call(risk.list_decisions, risk.ListDecisions())).items
    assert (kept.kind, kept.outcome) == (kind, "accept")


@KINDS
@pytest.mark.parametrize("outcome", ["reject", "challenge"])
async def test_what_is_stopped_leaves_nothing_but_what_was_decided(
    desk: Desk, kind: risk.Kind, outcome: risk.Outcome
) -> None:
    happens, stopped, rows = STOPPED[kind]
    await desk.judge_by(rule(kind, outcome))
    with pytest.raises(stopped) as refused:
        await happens(desk)
    assert refused.value.facts["outcome"] == outcome
    assert await count(desk, rows) == 0
    (kept,) = (await desk.call(risk.list_decisions, risk.ListDecisions())).items
    assert (kept.kind, kept.outcome, str(kept.decision_id)) == (kind, outcome, refused.value.facts["reference"])


@KINDS
async def test_what_waits_for_a_person_goes_on_when_it_comes_again_after_they_released_it(
    desk: Desk, kind: risk.Kind
) -> None:
    happens, stopped, rows = STOPPED[kind]
    await desk.judge_by(rule(kind, "review"))
    for _ in range(2):  # sent again meanwhile it is one review still
        with pytest.raises(stopped):
            await happens(desk)
    assert await count(desk, rows) == 0
    await release(desk)
    await happens(desk)
    assert await count(desk, rows) == 1


@KINDS
async def test_what_a_person_rejects_stays_out(desk: Desk, kind: risk.Kind) -> None:
    happens, stopped, rows = STOPPED[kind]
    await desk.judge_by(rule(kind, "review"))
    with pytest.raises(stopped):
        await happens(desk)
    await release(desk, "reject")
    with pytest.raises(stopped) as refused:
        await happens(desk)
    assert refused.value.facts["outcome"] == "reject"
    assert await count(desk, rows) == 0
    assert await desk.waiting() == ()


async def test_who_has_proved_who_they_are_signs_in(desk: Desk) -> None:
    await desk.judge_by(rule("sign-in", "challenge"))
    with pytest.raises(risk_checks.SignInStopped):
        await sign_in(desk)
    proof = risk.PassChallenge(marks=(risk.Mark(kind="person", value="ann@example.org"),))
    await desk.call(risk.pass_challenge, proof)
    await sign_in(desk)
    assert await count(desk, "account.link") == 1


async def test_a_card_that_is_tried_too_often_is_refused_before_its_provider_is_asked(desk: Desk) -> None:
    await desk.judge_by(CARD_TRIED)
    first, second = await desk.buy(1), await desk.buy(1)
    assert (await desk.pay(first)).state == "captured"
    with pytest.raises(risk_checks.PaymentStopped) as refused:
        await desk.pay(second)
    assert refused.value.facts["outcome"] == "reject"
    kept = await desk.payment(second)
    assert (kept.state, kept.legs) == ("open", ())
    assert await count(desk, f"payment.attempt where payment_id = '{second.payment_id}'") == 0
    await desk.pay(second, "ok-other")


async def test_a_payment_in_review_is_held_and_not_taken_and_both_ways_end_well(desk: Desk) -> None:
    await desk.judge_by(rule("payment", "review"))
    for outcome, state, paid in (("release", "paid", "captured"), ("reject", "cancelled", "voided")):
        bought = await desk.buy(1)
        assert (await desk.pay(bought)).state == "authorised"
        assert (await desk.order(bought)).review_until is not None
        await desk.settle(outcome)  # type: ignore[arg-type]
        assert ((await desk.order(bought)).state, (await desk.payment(bought)).state) == (state, paid)


async def test_of_an_order_that_somebody_looks_at_no_other_review_is_opened_for_its_payment(desk: Desk) -> None:
    look = risk.Rule(code="look", kinds=("order",), when="true", outcome="review")
    await desk.judge_by(rule("payment", "review"), look)
    bought = await desk.buy(1)
    await desk.pay(bought)
    assert [one.kind for one in await desk.waiting()] == ["order"]
    await desk.settle("release")
    assert (await desk.payment(bought)).state == "captured"


async def test_a_payment_review_of_an_order_that_is_cancelled_is_closed(desk: Desk) -> None:
    await desk.judge_by(rule("payment", "review"))
    bought = await desk.buy(1)
    await desk.pay(bought)
    cancel = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="no more")
    await desk.call(checkout.cancel_order, cancel)
    assert await desk.waiting() == ()
    late = desk.shop.platform.clock() + timedelta(minutes=2)
    await desk.call(checkout.settle_payments, payment.Reconcile(), now=late)
    assert (await desk.payment(bought)).state == "voided"


async def test_what_no_rule_is_about_costs_no_statement(desk: Desk) -> None:
    async def asked(name: str) -> set[str]:
        with watched() as found:
            ask = account.AskForLink(address=f"{name}@example.org", interaction="a" * 64)
            await desk.call(account.ask_for_link, ask)
            identity = member.Identity(kind="email", value=f"{name}@example.org")
            await desk.call(member.register, member.Register(identities=(identity,)))
            await desk.pay(await desk.buy(1))
        beside = ("begin", "notify", "execute")  # what a connection has yet to learn, and whom it wakes
        return {one.text for one in found if not one.text.startswith(beside)}

    await asked("first")  # plans are made, numbers are leased
    before = await asked("second")
    assert any("account.link" in one for one in before)
    await desk.judge_by(rule("payout", "reject"))
    await desk.book.refresh()  # as upkeep does
    assert await asked("third") == before
    await desk.judge_by(rule("sign-in", "review", "false"))
    assert [one for one in await asked("fourth") if "risk.see" in one]


async def test_a_kind_that_is_watched_is_on_record_though_no_rule_is_about_it(desk: Desk) -> None:
    await desk.judge_by(rule("payout", "reject"), watches=("sign-in",))
    await sign_in(desk)
    (kept,) = (await desk.call(risk.list_decisions, risk.ListDecisions())).items
    assert (kept.kind, kept.outcome) == ("sign-in", "accept")


def test_what_reacts_is_called_by_nobody_else() -> None:
    checks = (
        risk_checks.check_sign_in, risk_checks.check_registration, risk_checks.check_coupon, risk_checks.check_payment,
        risk_checks.check_return, risk_checks.check_payout,
    )  # fmt: skip
    assert all(one.is_internal for one in checks)


async def test_what_is_no_order_is_judged_too_and_waits_by_being_paid_again(desk: Desk) -> None:
    await desk.judge_by(rule("payment", "review"))
    programme = payment.PutCreditProgramme(code="gift", currency="EUR")
    await desk.call(payment.put_credit_programme, programme)
    card = await desk.call(payment.sell_credit, payment.SellCredit(programme="gift", amount=money(500, "EUR")))
    pay = payment.Authorise(payment_id=card.payment_id, method="card", token="ok")
    with pytest.raises(risk_checks.PaymentStopped) as refused:
        await desk.call(payment.authorise, pay)
    assert refused.value.facts["outcome"] == "review"
    await release(desk)
    assert (await desk.call(payment.authorise, pay)).state == "authorised"
