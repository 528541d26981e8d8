"""Orders that somebody looks at: goods stay reserved, money is held, and both ways end with everything right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.app.config import Config
from isthmus.app.resources import resources
from isthmus.flows.checkout import api as checkout
from isthmus.flows.risk_checks import api as risk_checks
from isthmus.kernel import FrontEnd, Platform, errors
from isthmus.packs.inventory import api as inventory
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.promotion import api as promotion
from isthmus.packs.risk import api as risk
from isthmus.packs.risk.service.book import Book
from isthmus.store import Database
from isthmus.values import Address, money
from tests import shipped

from .conftest import LONG_AGO, NORTH, SOUTH, UNITS, Shop, shop_of, stocked

HOME = Address(country="DE", city="Kiel", street="Am Kai 1", postcode="24103")
REVIEW = risk.Rule(code="look", kinds=("order",), when="amount >= 2000", outcome="review")
REJECT = risk.Rule(code="never", kinds=("order",), when="amount >= 9000", outcome="reject")
CHALLENGE = risk.Rule(code="prove", kinds=("order",), when="about.coupons > 5", outcome="challenge")


@dataclass(frozen=True, slots=True)
class Desk:
    """A shop whose orders are judged."""

    shop: Shop
    book: Book

    async def call(self, capability: Any, ask: Any, **more: Any) -> Any:
        return await self.shop.platform.call(capability, ask, self.shop.north, **more)

    async def judge_by(self, *rules: risk.Rule, **more: Any) -> None:
        made = await self.call(risk.put_scenario, risk.PutScenario(rules=rules, **more))
        now = self.shop.platform.clock()
        ask = risk.BackTest(version=made.version, since=now - timedelta(days=1), until=now)
        await self.call(risk.back_test, ask)
        for state in ("shadow", "live"):
            await self.call(risk.run_scenario, risk.RunScenario(version=made.version, state=state))

    async def buy(self, quantity: int = 2, **facts: Any) -> checkout.PlacedOrder:
        line = checkout.BuyLine(sku="tea", quantity=quantity)
        ask = checkout.PlaceOrder(currency="EUR", lines=(line,), contact_email="ann@example.org", **facts)
        return await self.call(checkout.place_order, ask)

    async def pay(self, bought: checkout.PlacedOrder, token: str = "ok") -> checkout.Paid:
        return await self.call(
            checkout.pay_order, checkout.PayOrder(payment_id=bought.payment_id, method="card", token=token)
        )

    async def waiting(self) -> Sequence[risk.Review]:
        return (await self.call(risk.list_reviews, risk.ListReviews())).items

    async def settle(self, outcome: risk.SettledAs, decision_id: UUID | None = None) -> risk.ReviewSettled:
        """Do what a person does, and what the job does that follows it."""
        review = next(one for one in await self.waiting() if decision_id in (None, one.decision_id))
        ask = risk.Settle(decision_id=review.decision_id, outcome=outcome, why="looked at it")
        await self.call(risk.settle_review, ask)
        settled = risk.ReviewSettled(
            decision_id=review.decision_id, kind=review.kind, reference=review.reference, outcome=outcome, by="n"
        )
        await self.call(risk_checks.go_on, settled)
        return settled

    async def available(self) -> int:
        asked = inventory.GetAvailability(skus=("tea",))
        return (await self.call(inventory.get_availability, asked)).items[0].available

    async def order(self, bought: checkout.PlacedOrder) -> order.Order:
        return await self.call(order.get_order, order.GetOrder(order_id=bought.orders[0].order_id))

    async def payment(self, bought: checkout.PlacedOrder) -> payment.Payment:
        return await self.call(payment.get_payment, payment.GetPayment(payment_id=bought.payment_id))


def judging(database: Database, key: Path, north: FrontEnd = NORTH, **more: Any) -> Desk:
    """Return the platform as it ships, with risk beside it."""
    book = Book(database=database, key_file=key)
    plain = shop_of(database)
    given = {
        payment.Providers: payment.Providers([plain.provider]), order.Numbers: order.Numbers(database),
        risk.Watching: book, **more.get("resources", {}),
    }  # fmt: skip
    platform = Platform(shipped.build([north, SOUTH]), database, resources=given)
    return Desk(Shop(platform, database, plain.provider, plain.north, plain.south), book)


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    made = judging(database, tmp_path / "key")
    await stocked(made.shop)
    yield made
    assert await made.shop.broken() == []


async def test_an_order_in_review_keeps_its_goods_and_its_money_is_held_and_not_taken(desk: Desk) -> None:
    await desk.judge_by(REVIEW)
    bought = await desk.buy(address=HOME)
    paid = await desk.pay(bought)
    assert (paid.state, paid.orders[0].state) == ("authorised", order.OrderState.PLACED)
    assert await desk.available() == UNITS - 2
    assert await desk.shop.broken() == []
    await desk.call(checkout.settle_payments, payment.Reconcile())
    assert (await desk.payment(bought)).state == "authorised"
    (waits,) = await desk.waiting()
    assert (await desk.order(bought)).review_until == waits.deadline


async def test_what_is_released_is_taken_and_sent(desk: Desk) -> None:
    await desk.judge_by(REVIEW)
    bought = await desk.buy(address=HOME)
    await desk.pay(bought)
    await desk.settle("release")
    kept = await desk.order(bought)
    assert (kept.state, kept.review_until) == (order.OrderState.PAID, None)
    assert [one.what for one in kept.history] == ["placed", "in-review", "review-ended", "paid"]
    assert (await desk.payment(bought)).state == "captured"
    assert await desk.available() == UNITS - 2


async def test_what_is_rejected_gives_goods_and_money_back(desk: Desk) -> None:
    await desk.judge_by(REVIEW)
    bought = await desk.buy(address=HOME)
    await desk.pay(bought)
    await desk.settle("reject")
    assert (await desk.order(bought)).state is order.OrderState.CANCELLED
    assert (await desk.payment(bought)).state == "voided"
    assert await desk.available() == UNITS


async def test_what_is_released_before_it_is_paid_is_paid_as_any_other(desk: Desk) -> None:
    await desk.judge_by(REVIEW)
    bought = await desk.buy()
    await desk.settle("release")
    assert (await desk.pay(bought)).state == "captured"


async def test_an_order_in_review_does_not_run_out(desk: Desk) -> None:
    await desk.judge_by(REVIEW, decide_within_s=86_400)
    bought = await desk.buy()
    later = desk.shop.platform.clock() + timedelta(hours=23)
    expired = await desk.call(checkout.expire_orders, checkout.ExpireOrders(), now=later)
    assert expired.orders == 0
    assert bought.pay_before is not None
    assert await desk.available() == UNITS - 2
    await desk.settle("reject")


@pytest.mark.parametrize("otherwise", ["release", "reject"])
async def test_at_the_deadline_it_goes_as_was_declared(desk: Desk, otherwise: risk.SettledAs) -> None:
    await desk.judge_by(REVIEW, decide_within_s=3_600, otherwise=otherwise)
    bought = await desk.buy()
    await desk.pay(bought)
    (waits,) = await desk.waiting()
    late = waits.deadline + timedelta(seconds=1)
    assert (await desk.call(risk.settle_due, risk.SettleDue(), now=late)).reviews == 1
    settled = risk.ReviewSettled(
        decision_id=waits.decision_id, kind="order", reference=waits.reference, outcome=otherwise, by="deadline"
    )
    await desk.call(risk_checks.go_on, settled)
    state = (await desk.order(bought)).state
    assert state is (order.OrderState.PAID if otherwise == "release" else order.OrderState.CANCELLED)


async def test_an_order_that_is_rejected_leaves_nothing_but_what_was_decided(desk: Desk) -> None:
    await desk.judge_by(REJECT)
    with pytest.raises(risk_checks.OrderRejected):
        await desk.buy(quantity=10)
    assert await desk.available() == UNITS
    (kept,) = (await desk.call(risk.list_decisions, risk.ListDecisions())).items
    assert (kept.outcome, [one.code for one in kept.reasons]) == ("reject", ["never"])
    await desk.buy(quantity=1)
    kept = (await desk.call(risk.list_decisions, risk.ListDecisions())).items[0]
    assert (kept.outcome, kept.facts.seen["person"].rejected) == ("accept", 1)


async def test_who_buys_in_the_shop_is_not_judged(desk: Desk) -> None:
    await desk.judge_by(risk.Rule(code="all", when="true", outcome="reject"))
    assert (await desk.buy(paid_at_till="cash")).orders[0].state is order.OrderState.COMPLETED


async def test_a_buyer_who_cancels_meanwhile_has_nobody_look_at_it_any_more(desk: Desk) -> None:
    await desk.judge_by(REVIEW)
    bought = await desk.buy()
    await desk.pay(bought)
    cancel = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="no more")
    await desk.call(checkout.cancel_order, cancel)
    assert await desk.waiting() == ()
    late = desk.shop.platform.clock() + timedelta(minutes=2)
    await desk.call(checkout.settle_payments, payment.Reconcile(), now=late)
    assert (await desk.payment(bought)).state == "voided"
    assert await desk.available() == UNITS


async def test_a_person_is_erased_while_their_order_is_looked_at(desk: Desk) -> None:
    await desk.judge_by(REVIEW)
    bought, other = await desk.buy(address=HOME), await desk.buy(address=HOME)
    await desk.pay(bought)
    await desk.pay(other)
    erase = desk.shop.platform.release.offered["privacy.erase-guest"].capability
    await desk.call(erase, erase.ask(email="ann@example.org"))
    assert (await desk.order(bought)).contact_email != "ann@example.org"
    first, second = await desk.waiting()
    await desk.settle("release", first.decision_id)
    await desk.settle("reject", second.decision_id)
    states = {(await desk.order(one)).state for one in (bought, other)}
    assert states == {order.OrderState.PAID, order.OrderState.CANCELLED}
    assert {(await desk.payment(one)).state for one in (bought, other)} == {"captured", "voided"}


async def test_nobody_calls_what_reacts_to_orders_and_reviews_by_hand(desk: Desk) -> None:
    reacts = (risk_checks.check_order, risk_checks.follow_review, risk_checks.close_review, checkout.go_on)
    for one in (*reacts, order.hold_for_review, order.end_review, order.list_in_review):
        assert one.is_internal
        assert one.name in desk.shop.platform.release.offered
        assert one.name not in desk.shop.platform.release.line("north").permitted


def test_what_knows_which_scenarios_run_is_made_as_a_server_makes_it(tmp_path: Path) -> None:
    made = resources(shipped.PACKS, Config(root=tmp_path, data=tmp_path, front_ends=tmp_path), cast(Any, None))
    assert isinstance(made[risk.Watching], Book)


STEPS = st.lists(
    st.sampled_from(["pay", "decline", "silent", "release", "reject", "cancel", "due", "settle-payments", "expire"]),
    min_size=1, max_size=7,
)  # fmt: skip


async def _step(desk: Desk, bought: checkout.PlacedOrder, step: str, now: datetime) -> None:
    if step in ("pay", "decline", "silent"):
        await desk.pay(bought, {"pay": "ok", "decline": "decline", "silent": "timeout"}[step])
    elif step in ("release", "reject"):
        if await desk.waiting():
            await desk.settle("release" if step == "release" else "reject")
    elif step == "cancel":
        cancel = checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="no more")
        await desk.call(checkout.cancel_order, cancel)
    elif step == "due":
        await desk.call(risk.settle_due, risk.SettleDue(), now=now + timedelta(days=2))
    elif step == "settle-payments":
        await desk.call(checkout.settle_payments, payment.Reconcile(), now=now + timedelta(minutes=2))
    else:
        await desk.call(checkout.expire_orders, checkout.ExpireOrders(), now=now + timedelta(hours=1))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
async def test_however_a_review_goes_goods_money_and_coupons_are_right(desk: Desk, steps: list[str]) -> None:
    """Whatever is done in whatever order: in the end it is paid with its goods, or all of it is back."""
    await desk.judge_by(REVIEW)
    await _with_a_coupon(desk)
    more = inventory.Receipt(sku="tea", quantity=5, location="main")
    await desk.call(inventory.receive, inventory.Receive(reference=str(uuid4()), lines=(more,)))
    has = await desk.available()
    used = await _used(desk)
    bought = await desk.buy(3, coupons=("HELLO",))
    now = desk.shop.platform.clock()
    for step in steps:
        with suppress(errors.IsthmusError):  # a provider that is silent too
            await _step(desk, bought, step, now)
    if await desk.waiting():
        await desk.settle("reject")
    for _ in range(2):
        await desk.call(checkout.settle_payments, payment.Reconcile(), now=now + timedelta(minutes=5))
    await desk.call(checkout.expire_orders, checkout.ExpireOrders(), now=now + timedelta(days=3))
    await desk.call(checkout.settle_payments, payment.Reconcile(), now=now + timedelta(days=4))
    state, paid = (await desk.order(bought)).state, await desk.payment(bought)
    if state is order.OrderState.PAID:
        assert (paid.state, has - await desk.available()) == ("captured", 3)
        assert await _used(desk) == used + 1
        await desk.call(checkout.cancel_order, checkout.CancelOrder(order_id=bought.orders[0].order_id, reason="tidy"))
    else:
        assert state in (order.OrderState.CANCELLED, order.OrderState.EXPIRED)
        assert paid.captured.minor == paid.refunded.minor
        assert paid.state in ("open", "voided", "refunded", "refused", "declined")
    assert await desk.available() == has
    assert await _used(desk) == used
    assert await desk.shop.broken() == []


async def _with_a_coupon(desk: Desk) -> None:
    ten = promotion.Promotion(
        code="welcome",
        title="Welcome",
        benefit=promotion.AmountOff(amount=money(300, "EUR")),
        valid_from=LONG_AGO,
        needs_coupon=True,
    )
    with suppress(errors.Refusal):
        await desk.call(promotion.put_promotion, promotion.PutPromotion(promotion=ten))
        issue = promotion.IssueCoupons(promotion="welcome", coupons=(promotion.CouponDraft(code="HELLO", uses_max=99),))
        await desk.call(promotion.issue_coupons, issue)


async def _used(desk: Desk) -> int:
    return (await desk.call(promotion.get_coupon, promotion.GetCoupon(code="HELLO"))).uses
