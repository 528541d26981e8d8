"""Subscriptions, from the day on which an order is due to its payment: once for each period, whatever happens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from isthmus.flows.checkout import api as checkout
from isthmus.flows.renewals import api as renewals
from isthmus.flows.renewals import rules
from isthmus.kernel import Platform, Value, answers, errors
from isthmus.packs.catalog import api as catalog
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.pricing import api as pricing
from isthmus.packs.subscription import api as subscription
from isthmus.packs.subscription import rules as subscription_rules
from isthmus.products.subscription import KIND, SUBSCRIPTION
from isthmus.runtime import left_flows
from isthmus.store import Database
from isthmus.values import money
from tests import shipped
from tests.packs.notification.conftest import Post

from .buyers import BUYER
from .conftest import LONG_AGO, NORTH, Shop, shop_of, stocked
from .test_killed import Market
from .test_killed import market as market

WEEK = 7


@answers(subscription.accept_substitutes)
def something_like_it(every_days: int) -> bool:
    """Bring others instead of what is short."""
    return True


@answers(catalog.choose_substitute)
def the_other(wanted: catalog.Alternative, offers: Sequence[catalog.Alternative]) -> str:
    """Take the first other."""
    return offers[0].sku


@dataclass
class Clock:
    """A shop whose subscriptions are looked at on the days that a test says."""

    shop: Shop
    member_id: UUID
    now: datetime

    async def call(self, capability: Any, ask: Value, key: str | None = None) -> Any:
        return await self.shop.platform.call(capability, ask, self.shop.north, key=key, now=self.now)

    async def subscribed(self, *lines: tuple[str, int], **facts: Any) -> subscription.Subscription:
        wanted = tuple(subscription.SubscribedLine(sku=sku, quantity=count) for sku, count in lines or [("tea", 1)])
        given = {"token": "ok", "every_days": WEEK, "currency": "EUR", "member_id": self.member_id, **facts}
        return await self.call(renewals.subscribe, subscription.Wanted(lines=wanted, **given))

    async def run(self, days: float = 0) -> None:
        """Let days go by, and then the periodic work be done."""
        self.now += timedelta(days=days)
        await self.call(renewals.place_due, renewals.Renew())
        await self.call(renewals.pay_due, renewals.Renew())

    async def seen(self, kept: subscription.Subscription) -> subscription.Subscription:
        ask = subscription.GetSubscription(subscription_id=kept.subscription_id)
        return await self.call(subscription.get_subscription, ask)

    async def states(self, kept: subscription.Subscription) -> list[str]:
        """Return how the periods stand, the first first."""
        return [one.state.value for one in (await self.seen(kept)).periods[::-1]]

    async def orders(self) -> list[order.Order]:
        """Return the member's orders, the first first."""
        found = await self.call(order.list_orders, order.ListOrders(member_id=self.member_id, limit=100))
        asks = [order.GetOrder(order_id=one.order_id) for one in found.items[::-1]]
        return [await self.call(order.get_order, one) for one in asks]

    async def price(self, sku: str, minor: int) -> None:
        entry = pricing.PriceEntry(sku=sku, currency="EUR", amount=minor, valid_from=LONG_AGO)
        await self.call(pricing.put_prices, pricing.PutPrices(prices=(entry,)))

    async def sell_out(self, sku: str) -> None:
        gone = inventory.Adjustment(sku=sku, location="main", quantity=-20)
        await self.call(inventory.adjust, inventory.Adjust(reference=uuid4().hex, reason="broken", lines=(gone,)))


async def joined(shop: Shop, email: str = "ada@example.org") -> UUID:
    identities = (member.Identity(kind="email", value=email, is_verified=True),)
    return (await shop.platform.call(member.register, member.Register(identities=identities), shop.north)).member_id


@pytest.fixture
async def clock(shop: Shop) -> Clock:
    resources = {**shop.platform.resources, notification.Senders: notification.Senders([Post()])}
    shop = replace(shop, platform=Platform(shop.platform.release, shop.database, resources=resources))
    return Clock(shop, await joined(shop), datetime.now(UTC))


@pytest.fixture
async def with_product(database: Database) -> AsyncIterator[Clock]:
    """Give a shop that has switched the product on, and brings others instead of what is short."""
    shop = shop_of(database)
    await stocked(shop)
    front_end = replace(NORTH, products=(SUBSCRIPTION,), answers=(something_like_it, the_other))
    platform = Platform(shipped.build([front_end]), database, resources=shop.platform.resources)
    shop = replace(shop, platform=platform)
    yield Clock(shop, await joined(shop), datetime.now(UTC))
    assert await shop.broken() == []


async def test_what_is_subscribed_to_is_ordered_and_paid_each_period_at_the_price_of_its_day(clock: Clock) -> None:
    kept = await clock.subscribed(("tea", 2))
    await clock.run()
    await clock.run()
    await clock.price("tea", 1100)
    await clock.run(days=WEEK - 1)
    assert len(await clock.orders()) == 1
    await clock.run(days=1)
    assert [one.total for one in await clock.orders()] == [money(2000, "EUR"), money(2200, "EUR")]
    assert {one.state for one in await clock.orders()} == {"paid"}
    assert await clock.states(kept) == ["paid", "paid"]


async def test_the_product_sells_for_less_and_keeps_the_price_that_was_agreed(with_product: Clock) -> None:
    clock = with_product
    kept = await clock.subscribed(("tea", 2), order_kind=KIND)
    seldom = await clock.subscribed(("jam", 1), order_kind=KIND, every_days=60)
    assert [one.agreed for one in kept.lines] == [money(1900, "EUR")]
    assert [one.agreed for one in seldom.lines] == [None]
    await clock.price("tea", 1500)
    await clock.price("jam", 600)
    await clock.run()
    tea, jam = sorted(await clock.orders(), key=lambda one: one.lines[0].sku, reverse=True)
    assert (tea.total, jam.total) == (money(1900, "EUR"), money(570, "EUR"))
    assert [why.reason for why in tea.lines[0].applied] == ["agreed price"]
    lines = (subscription.SubscribedLine(sku="tea", quantity=1), subscription.SubscribedLine(sku="jam", quantity=2))
    changed = await clock.call(
        renewals.change_lines, renewals.ChangeLines(subscription_id=kept.subscription_id, lines=lines)
    )
    assert [one.agreed for one in changed.lines] == [money(950, "EUR"), money(1140, "EUR")]


async def test_what_is_short_is_left_out_and_with_nothing_left_the_period_says_so(clock: Clock) -> None:
    kept = await clock.subscribed(("tea", 1), ("jam", 1))
    await clock.sell_out("jam")
    await clock.run()
    assert [[line.sku for line in one.lines] for one in await clock.orders()] == [["tea"]]
    ask = subscription.Change(subscription_id=kept.subscription_id, every_days=1)
    await clock.call(subscription.change, ask)
    lines = (subscription.SubscribedLine(sku="jam", quantity=1),)
    await clock.call(renewals.change_lines, renewals.ChangeLines(subscription_id=kept.subscription_id, lines=lines))
    await clock.run(days=WEEK)
    first, last = (await clock.seen(kept)).periods[::-1]
    assert (first.state, last.state) == ("paid", "skipped")
    assert last.reason == "of 'jam' there is too little"


async def test_what_is_short_is_replaced_where_the_front_end_says_so(with_product: Clock) -> None:
    clock = with_product
    await clock.subscribed(("jam", 1), order_kind=KIND)
    await clock.sell_out("jam")
    await clock.run()
    (sold,) = await clock.orders()
    assert [(line.sku, line.total.minor) for line in sold.lines] == [("tea", 950)]  # not for the price of jam


async def test_a_refused_payment_is_tried_again_then_the_subscription_rests_and_its_member_is_told(
    clock: Clock,
) -> None:
    kept = await clock.subscribed(token="decline:no-money")
    await clock.run()
    await clock.run()
    assert (await clock.seen(kept)).periods[0].refusals == 1
    await clock.run(days=1)
    assert (await clock.seen(kept)).periods[0].refusals == 2
    await clock.run(days=2)
    assert (await clock.seen(kept)).periods[0].state == "placed"
    await clock.run(days=1)
    seen = await clock.seen(kept)
    assert (seen.state, seen.periods[0].state, seen.periods[0].refusals) == ("paused", "refused", 3)
    assert "no-money" in seen.reason
    assert [one.state for one in await clock.orders()] == ["cancelled"]
    assert await _free(clock, "tea") == 20
    async with clock.shop.database.platform() as session:
        letters = await session.fetch("select subject, address from notification.message")
    assert [(one["subject"], one["address"]) for one in letters] == [("Your subscription rests", "ada@example.org")]
    ask = subscription.Change(subscription_id=kept.subscription_id, token="ok")
    await clock.call(subscription.change, ask)
    await clock.call(subscription.resume, subscription.OneSubscription(subscription_id=kept.subscription_id))
    await clock.run(days=WEEK)
    assert await clock.states(kept) == ["refused", "paid"]


async def test_a_refused_payment_that_succeeds_later_pays_the_same_order(clock: Clock) -> None:
    kept = await clock.subscribed(token="decline:no-money")
    await clock.run()
    await clock.call(subscription.change, subscription.Change(subscription_id=kept.subscription_id, token="ok"))
    await clock.run(days=1)
    assert await clock.states(kept) == ["paid"]
    assert len(await clock.orders()) == 1


async def test_a_payment_of_which_nobody_knows_is_looked_up_and_never_made_twice(clock: Clock) -> None:
    kept = await clock.subscribed(token="timeout")
    await clock.run()
    assert await clock.states(kept) == ["placed"]
    clock.now += timedelta(hours=1)
    await clock.call(checkout.settle_payments, payment.Reconcile())
    await clock.run()
    assert await clock.states(kept) == ["paid"]
    assert len(await clock.orders()) == 1


async def test_a_member_skips_pauses_resumes_and_cancels(clock: Clock) -> None:
    kept = await clock.subscribed(first_at=clock.now + timedelta(days=1))
    skip = subscription.SkipNext(subscription_id=kept.subscription_id, due_at=kept.next_at)
    assert (await clock.call(subscription.skip_next, skip)).next_at == kept.next_at + timedelta(days=WEEK)
    assert (await clock.call(subscription.skip_next, skip)).next_at == kept.next_at + timedelta(days=WEEK)
    with pytest.raises(subscription.NotTheNextPeriod, match="and .* was meant"):
        await clock.call(subscription.skip_next, skip.replace(due_at=kept.next_at + timedelta(hours=1)))
    back = subscription.Change(subscription_id=kept.subscription_id, next_at=kept.next_at)
    with pytest.raises(subscription.NotTheNextPeriod):
        await clock.call(subscription.change, back)
    one = subscription.OneSubscription(subscription_id=kept.subscription_id, reason="away")
    assert (await clock.call(subscription.pause, one)).state == "paused"
    await clock.run(days=30)
    assert await clock.orders() == []
    resumed = await clock.call(subscription.resume, one)
    assert clock.now < resumed.next_at <= clock.now + timedelta(days=WEEK)
    await clock.run(days=WEEK)
    assert await clock.states(kept) == ["skipped", "paid"]
    await clock.call(subscription.cancel, one)
    await clock.call(subscription.cancel, one)
    await clock.run(days=WEEK)
    assert len(await clock.orders()) == 1
    with pytest.raises(subscription.SubscriptionOver, match="is cancelled"):
        await clock.call(subscription.resume, one)
    listed = await clock.call(subscription.list_subscriptions, subscription.ListSubscriptions(member_id=kept.member_id))
    assert [found.state for found in listed.items] == ["cancelled"]


async def test_who_cancels_before_it_is_paid_pays_nothing(clock: Clock) -> None:
    kept = await clock.subscribed(token="decline:no-money")
    await clock.run()
    await clock.call(subscription.cancel, subscription.OneSubscription(subscription_id=kept.subscription_id))
    await clock.run(days=1)
    assert await clock.states(kept) == ["cancelled"]
    assert [one.state for one in await clock.orders()] == ["cancelled"]


async def test_periods_that_went_by_while_servers_were_down_are_ordered_once(clock: Clock) -> None:
    kept = await clock.subscribed()
    await clock.run(days=5 * WEEK + 1)
    await clock.run()
    assert len(await clock.orders()) == 1
    assert (await clock.seen(kept)).next_at == kept.next_at + timedelta(days=6 * WEEK)


async def test_who_is_erased_is_ordered_for_no_more_and_leaves_no_means_behind(clock: Clock) -> None:
    kept = await clock.subscribed(token="secret-means", contact_email="ada@example.org")
    await clock.call(member.erase, member.Erase(member_id=clock.member_id))
    await clock.run(days=WEEK)
    seen = await clock.seen(kept)
    assert (seen.state, seen.periods) == ("ended", ())
    async with clock.shop.database.platform() as session:
        row = await session.fetch_row("select token, contact_email from subscription.subscription")
    assert row is not None
    assert (row["token"], row["contact_email"]) == ("", "")


async def test_subscriptions_of_two_members_who_are_one_go_on_for_that_one(clock: Clock) -> None:
    kept = await clock.subscribed()
    other = await joined(clock.shop, "ada@example.com")
    merge = member.Merge(member_id=other, other_id=clock.member_id, evidence="the same card")
    await clock.call(member.merge, merge)
    clock.member_id = (await clock.seen(kept)).member_id
    await clock.run()
    assert [one.member_id for one in await clock.orders()] == [clock.member_id]


async def test_another_front_end_knows_nothing_of_a_subscription(clock: Clock) -> None:
    kept = await clock.subscribed()
    ask = subscription.GetSubscription(subscription_id=kept.subscription_id)
    with pytest.raises(subscription.UnknownSubscription):
        await clock.shop.platform.call(subscription.get_subscription, ask, clock.shop.south)


async def test_a_past_order_is_ordered_again_by_its_buyer_alone(clock: Clock) -> None:
    kept = await clock.subscribed(("tea", 2), ("jam", 1))
    await clock.run()
    (sold, *_) = await clock.orders()
    await clock.call(catalog.withdraw, catalog.Withdraw(skus=("jam",)))
    wanted = {one.sku for found in await clock.orders() for one in found.lines}
    again = [
        await clock.call(renewals.order_again, renewals.OrderAgain(order_id=one.order_id, member_id=kept.member_id))
        for one in await clock.orders()
    ]
    assert wanted == {"tea", "jam"}
    assert sorted((line.sku, line.quantity) for one in again for line in one.basket.lines) == [("tea", 2)]
    assert [sku for one in again for sku in one.left_out] == ["jam"]
    with pytest.raises(order.UnknownOrder):
        await clock.call(renewals.order_again, renewals.OrderAgain(order_id=sold.order_id, member_id=uuid4()))


@pytest.mark.parametrize("seed", range(5))
async def test_over_any_pauses_skips_and_kills_a_period_has_at_most_one_order(clock: Clock, seed: int) -> None:
    randomness = random.Random(seed)
    more = inventory.Receipt(sku="tea", quantity=1_000, location="main")
    await clock.call(inventory.receive, inventory.Receive(reference="more", lines=(more,)))
    kept = await clock.subscribed(every_days=2)
    one = subscription.OneSubscription(subscription_id=kept.subscription_id)
    for _ in range(25):
        clock.now += timedelta(days=randomness.choice([0, 0, 1, 2, 5]))
        act = randomness.choice(["run", "run", "run", "kill", "kill", "skip", "pause", "resume", "every"])
        if act == "run":
            await asyncio.gather(clock.run(), clock.run(), return_exceptions=True)
        elif act == "kill":
            await _killed(clock, after_s=randomness.random() * 0.06)
        elif act == "skip":
            next_at = (await clock.seen(kept)).next_at
            await clock.call(
                subscription.skip_next, subscription.SkipNext(subscription_id=kept.subscription_id, due_at=next_at)
            )
        elif act == "every":
            days = randomness.choice([1, 2, 3])
            await clock.call(
                subscription.change, subscription.Change(subscription_id=kept.subscription_id, every_days=days)
            )
        else:
            await clock.call(subscription.pause if act == "pause" else subscription.resume, one)
    await left_flows.go_on(clock.shop.platform, clock.shop.database, datetime.now(UTC) + timedelta(hours=1))
    await clock.call(subscription.pause, one)
    for _ in range(2):  # as the periodic work of any server does
        clock.now += timedelta(hours=1)
        await clock.call(checkout.settle_payments, payment.Reconcile())
        await clock.run()
    async with clock.shop.database.platform() as session:
        periods = await session.fetch("select due_at, state, group_id from subscription.period order by due_at")
        groups = await session.fetch('select distinct group_id from "order".orders')
    with_order = [one["group_id"] for one in periods if one["group_id"] is not None]
    assert sorted(with_order) == sorted(one["group_id"] for one in groups)
    assert len({*with_order}) == len(with_order) > 0
    assert {one["state"] for one in periods} <= {"paid", "skipped"}


async def _killed(clock: Clock, after_s: float) -> None:
    task = asyncio.create_task(clock.run())
    await asyncio.sleep(after_s)
    task.cancel()
    with suppress(asyncio.CancelledError, errors.IsthmusError):
        await task


@pytest.mark.parametrize("work", [renewals.place_due, renewals.pay_due], ids=["placing", "paying"])
async def test_a_renewal_that_was_killed_by_the_system_is_finished_once(market: Market, work: Any) -> None:
    identities = (member.Identity(kind="email", value="eve@example.org", is_verified=True),)
    ask = member.Register(identities=identities)
    member_id = (await market.platform.call(member.register, ask, BUYER)).member_id
    ends: list[bool] = []
    for round_, statements in enumerate((3, 8, 14, 22, 34, 60)):
        wanted = subscription.Wanted(
            lines=(subscription.SubscribedLine(sku="tea", quantity=1),),
            token="ok",
            every_days=300,
            currency="EUR",
            member_id=member_id,
        )
        await market.platform.call(renewals.subscribe, wanted, BUYER)
        if work is renewals.pay_due:
            await market.platform.call(renewals.place_due, renewals.Renew(), BUYER)
        ends.append(await market.killed_after(statements, work, renewals.Renew(), uuid4().hex))
        await market.settled()
        later = datetime.now(UTC) + timedelta(hours=1)
        await market.platform.call(renewals.place_due, renewals.Renew(), BUYER, now=later)
        await market.platform.call(renewals.pay_due, renewals.Renew(), BUYER, now=later)
        await market.settled()
        assert await market.left() == {}, f"killed after {statements}"
        async with market.database.platform() as session:
            states = await session.fetch("select state, group_id from subscription.period")
            orders = await session.fetch_value('select count(*) from "order".orders where member_id = $1', member_id)
        assert [one["state"] for one in states] == ["paid"] * (round_ + 1), f"killed after {statements}"
        assert orders == round_ + 1
    assert False in ends


async def _free(clock: Clock, sku: str) -> int:
    found = await clock.call(inventory.get_availability, inventory.GetAvailability(skus=(sku,)))
    return found.items[0].available


@pytest.mark.parametrize(
    ("days_gone", "expected"), [(0, 7), (6.9, 7), (7, 14), (7.1, 14), (20, 21), (21, 28), (700, 707)]
)
def test_the_next_period_is_the_first_that_is_still_to_come(days_gone: float, expected: int) -> None:
    due_at = datetime(2026, 1, 1, tzinfo=UTC)
    next_at = subscription_rules.next_after(due_at, WEEK, due_at + timedelta(days=days_gone))
    assert next_at == due_at + timedelta(days=expected)


def test_a_member_is_told_in_their_language() -> None:
    assert rules.written("en")[0] == "Your subscription rests"
    assert rules.written("zh-CN")[0] != rules.written("en")[0]


INTERNAL = (
    "checkout.place-agreed",
    "renewals.place-period",
    "renewals.notify-refused",
    "renewals.join-members",
    "subscription.open-subscription",
    "subscription.rewrite",
    "subscription.list-due",
    "subscription.begin-period",
    "subscription.note-placed",
    "subscription.note-skipped",
    "subscription.list-unpaid",
    "subscription.begin-try",
    "subscription.end-try",
    "subscription.join-members",
)


@pytest.mark.parametrize("name", INTERNAL)
async def test_what_only_flows_may_call_is_called_by_no_client(clock: Clock, name: str) -> None:
    """`begin-try` would give away what is paid with, and `place-agreed` would let a buyer name the price."""
    capability = clock.shop.platform.release.find(name).capability
    assert capability.is_internal
    with pytest.raises(errors.NotPermitted):
        await clock.call(capability, renewals.Renew())


def test_the_product_answers_what_subscriptions_and_prices_ask() -> None:
    points = {one.point.name for one in SUBSCRIPTION.answers}
    assert points == {"pricing.adjust-unit-price", subscription.keep_prices.name, subscription.retry_days.name}
