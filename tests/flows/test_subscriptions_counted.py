"""Subscriptions of a front end, as they are listed and as the data platform counts them."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from isthmus.app.lake_sync import LakeSync
from isthmus.data.model.ask import Ask
from isthmus.data.platform import open_platform
from isthmus.data.privacy import policy
from isthmus.packs.subscription import api as subscription
from tests import shipped

from .test_renewals import Clock, joined
from .test_renewals import clock as clock


async def listed(clock: Clock, **asked: object) -> list[UUID]:
    """Return what all pages of a list have, two on a page."""
    found: list[UUID] = []
    cursor: str | None = None
    while True:
        ask = subscription.ListSubscriptions(limit=2, cursor=cursor, **asked)  # pyright: ignore[reportArgumentType]
        page = await clock.call(subscription.list_subscriptions, ask)
        found += [one.subscription_id for one in page.items]
        if (cursor := page.next_cursor) is None:
            return found


async def test_all_subscriptions_are_listed_once_over_pages_the_latest_first(clock: Clock) -> None:
    eve = await joined(clock.shop, "eve@example.org")
    made = [await clock.subscribed(member_id=one) for one in (clock.member_id, eve, eve, clock.member_id, eve)]
    await clock.call(subscription.pause, subscription.OneSubscription(subscription_id=made[1].subscription_id))
    ids = [one.subscription_id for one in made]
    assert await listed(clock) == sorted(ids, reverse=True)  # all at one moment: then by their ids
    assert {*await listed(clock, member_id=eve)} == {ids[1], ids[2], ids[4]}
    assert await listed(clock, state=subscription.SubscriptionState.PAUSED) == [ids[1]]
    elsewhere = await clock.shop.platform.call(
        subscription.list_subscriptions, subscription.ListSubscriptions(), clock.shop.south
    )
    assert elsewhere.items == ()
    with pytest.raises(subscription.BadCursor):
        await clock.call(subscription.list_subscriptions, subscription.ListSubscriptions(cursor="00"))


async def test_active_subscriptions_and_paid_periods_are_counted(clock: Clock, tmp_path: Path) -> None:
    kept = [await clock.subscribed(every_days=days) for days in (7, 7, 14)]
    await clock.run()
    await clock.run(days=7)
    await clock.call(subscription.pause, subscription.OneSubscription(subscription_id=kept[0].subscription_id))
    await clock.call(subscription.cancel, subscription.OneSubscription(subscription_id=kept[1].subscription_id))
    data = open_platform(shipped.PACKS, tmp_path / "lake")
    await LakeSync(clock.shop.platform, clock.shop.database, data, segments=()).land()
    asked = Ask(metrics=("subscription.active", "subscription.paid-periods"))
    (row,) = data.metrics.ask(asked, policy.owner()).rows
    assert {name: int(row[name]) for name in asked.metrics} == {
        "subscription.active": 1, "subscription.paid-periods": 3 + 2,
    }  # fmt: skip
    by_state = Ask(metrics=("subscription.paid-periods",), by=("subscription.subscription.state",))
    rows = data.metrics.ask(by_state, policy.owner()).rows
    assert {one["subscription.subscription.state"]: int(one["subscription.paid-periods"]) for one in rows} == {
        "active": 1, "paused": 2, "cancelled": 2,
    }  # fmt: skip
