"""Subscriptions under a key of their own: ordered and paid as before, and gone from copies with their member."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from isthmus.packs.member import api as member
from isthmus.packs.personal_data.service.encrypting import encrypt
from isthmus.packs.personal_data.service.envelopes import FileSettings, KeyFile
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.packs.subscription import api as subscription
from isthmus.packs.subscription.pack import PACK
from isthmus.sealing import PersonKeyMissing, Seals
from isthmus.values import Address

from .test_renewals import WEEK, Clock
from .test_renewals import clock as clock

TABLE: Final = "subscription.subscription"
HOME: Final = Address(country="DE", city="Berlin", postcode="10115", street="7 Canary Wharf")
EMAIL: Final = "Ada.Canary@example.net"
PLANTED: Final = ("canary", "10115", "means-of-ada", "new street")


@dataclass(frozen=True, slots=True)
class Sealing:
    """A shop whose subscriptions are kept encrypted."""

    clock: Clock
    keys: PersonKeys

    async def subscribed(self) -> subscription.Subscription:
        return await self.clock.subscribed(
            address=HOME, contact_email=EMAIL, delivery_method="post", token="ok-means-of-ada"
        )

    async def rows(self, sql: str = f"select * from {TABLE}") -> list[dict[str, Any]]:
        async with self.clock.shop.database.platform() as session:
            return [dict(row) for row in await session.fetch(sql)]

    async def in_the_clear(self) -> list[str]:
        said = str(await self.rows()).lower()
        return [word for word in PLANTED if word in said]


@pytest.fixture
def sealing(clock: Clock, tmp_path: Path) -> Sealing:
    envelope = KeyFile("file", FileSettings())
    envelope.begin(tmp_path / "keys")
    keys = PersonKeys(clock.shop.database, envelope, [TABLE])
    clock.shop.platform.resources[Seals] = keys
    return Sealing(clock, keys)


async def test_what_is_sealed_is_ordered_paid_and_sent_where_it_was_to_go(sealing: Sealing) -> None:
    kept = await sealing.subscribed()
    assert kept.address == HOME
    assert await sealing.in_the_clear() == []
    await sealing.clock.run()
    moved = HOME.replace(street="1 New Street")
    ask = subscription.Change(subscription_id=kept.subscription_id, address=moved, token="ok-other-means-of-ada")
    assert (await sealing.clock.call(subscription.change, ask)).address == moved
    await sealing.clock.run(days=WEEK)
    first, second = await sealing.clock.orders()
    assert [(one.state, one.contact_email) for one in (first, second)] == [("paid", EMAIL)] * 2
    assert (first.address, second.address) == (HOME, moved)
    assert await sealing.in_the_clear() == []


async def test_who_cancels_leaves_no_means_to_pay_and_what_is_said_besides_stays(sealing: Sealing) -> None:
    kept = await sealing.subscribed()
    ask = subscription.OneSubscription(subscription_id=kept.subscription_id, reason="enough")
    assert (await sealing.clock.call(subscription.cancel, ask)).address == HOME
    (row,) = await sealing.rows()
    assert (row["token"], row["sealed_token"]) == ("", None)
    assert await sealing.clock.shop.broken() == []


async def test_an_erased_member_takes_the_keys_of_their_subscriptions_along(sealing: Sealing) -> None:
    kept = await sealing.subscribed()
    (before,) = await sealing.rows()
    await sealing.clock.call(member.erase, member.Erase(member_id=sealing.clock.member_id))
    assert await sealing.rows("select from personal_data.key where subject <> '*'") == []
    async with sealing.clock.shop.database.platform() as session:
        for column in ("sealed_address", "sealed_email", "sealed_token"):
            with pytest.raises(PersonKeyMissing, match="their key is not there"):
                await sealing.keys.open(session, str(kept.subscription_id), TABLE, [before[column]])


async def test_subscriptions_that_were_there_are_sealed_by_the_command(sealing: Sealing) -> None:
    resources = sealing.clock.shop.platform.resources
    del resources[Seals]
    kept = await sealing.subscribed()
    assert await sealing.in_the_clear() == ["canary", "10115", "means-of-ada"]
    resources[Seals] = sealing.keys
    (done,) = await encrypt(sealing.clock.shop.database, sealing.keys, (PACK,))
    assert (done.table, done.sealed, done.left) == (TABLE, 3, 0)
    assert await sealing.in_the_clear() == []
    assert (await sealing.clock.seen(kept)).address == HOME
    await sealing.clock.run()
    assert [one.state for one in await sealing.clock.orders()] == ["paid"]
