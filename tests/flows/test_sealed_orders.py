"""Whom orders are for, guests as well, under keys of the orders' own: read as before, found, gone with the key."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from isthmus.packs.order.storage import contacts
from isthmus.packs.personal_data.service.encrypting import encrypt
from isthmus.packs.personal_data.service.envelopes import FileSettings, KeyFile
from isthmus.packs.personal_data.service.keys import PersonKeys
from isthmus.sealing import PersonKeyMissing, Seals
from isthmus.store import embedded
from tests import shipped

from . import people
from .people import World, joined

world = people.world
SEALED: Final = ("order.orders", "fulfilment.shipment")
KEPT_FOR_LONG: Final = ('--schema="order"', "--schema=fulfilment")  # no events, and no answers of the last day
GUEST: Final = "Gwen.Guest@example.net"


@dataclass(frozen=True, slots=True)
class Sealing:
    """A shop whose orders and shipments are kept encrypted."""

    world: World
    keys: PersonKeys

    async def bought(self, street: str, **who: Any) -> str:
        """Buy something, paid and on its way; return the order's id."""
        address = {"country": "DE", "region": "BE", "city": "Berlin", "postcode": "10115", "street": street}
        asked = {"currency": "EUR", "lines": [{"sku": "tea", "quantity": 1}], "delivery_method": "post"}
        placed = await self.world.ask("checkout.place-order", **asked, address=address | {"recipient": "Gwen"}, **who)
        await self.world.ask("checkout.pay-order", payment_id=placed["payment_id"], method="card", token="ok")
        return placed["orders"][0]["order_id"]

    async def rows(self, sql: str, *args: object) -> list[dict[str, Any]]:
        async with self.world.shop.database.platform() as session:
            return [dict(row) for row in await session.fetch(sql, *args)]

    def dump(self, *options: str) -> str:
        url = self.world.shop.database.url
        command = [embedded.program("pg_dump") or "pg_dump", "--data-only", *options, url]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
async def sealing(world: World, tmp_path: Path) -> Sealing:
    envelope = KeyFile("file", FileSettings())
    envelope.begin(tmp_path / "keys")
    keys = PersonKeys(world.shop.database, envelope, SEALED)
    world.shop.platform.resources[Seals] = keys
    return Sealing(world, keys)


async def test_an_order_of_a_guest_and_its_parcel_are_read_as_before_and_stand_nowhere_in_a_dump(
    sealing: Sealing,
) -> None:
    order_id = await sealing.bought("7 Canary Wharf", contact_email=GUEST)
    found = await sealing.world.ask("order.get-order", order_id=order_id)
    assert (found["contact_email"], found["address"]["street"]) == (GUEST, "7 Canary Wharf")
    (sent,) = (await sealing.world.ask("fulfilment.list-shipments", reference=order_id))["items"]
    assert sent["address"]["street"] == "7 Canary Wharf"
    for written in (GUEST.upper(), GUEST.lower()):
        (listed,) = (await sealing.world.ask("order.list-orders", contact_email=written))["items"]
        assert listed["order_id"] == order_id
    dumped = sealing.dump(*KEPT_FOR_LONG)
    assert order_id in dumped
    assert [word for word in (GUEST, GUEST.lower(), "Canary Wharf", "10115", "Gwen") if word in dumped] == []
    (row,) = await sealing.rows('select address::text, contact_email from "order".orders')
    assert row == {"address": '{"region": "BE", "country": "DE"}', "contact_email": ""}, "taxes and reports go by it"


async def test_a_guest_who_is_erased_by_e_mail_is_forgotten_by_the_dumps_that_were_made_before(
    sealing: Sealing,
) -> None:
    orders = [await sealing.bought(f"{at} Canary Wharf", contact_email=GUEST) for at in (7, 8)]
    other = await sealing.bought("9 Other Street", contact_email="other@example.net")
    before = await sealing.rows('select order_id::text as id, sealed_address from "order".orders')
    parcels = await sealing.rows("select reference as id, sealed_address from fulfilment.shipment")
    assert len(await sealing.rows("select from personal_data.key where subject <> '*'")) == 3
    await sealing.world.forgotten("privacy.erase-guest", email=GUEST.upper())
    keys = await sealing.rows("select subject from personal_data.key where subject <> '*'")
    assert [row["subject"] for row in keys] == [other]
    left = await sealing.rows('select order_id::text as id from "order".orders where sealed_email is not null')
    assert [row["id"] for row in left] == [other]
    assert (await sealing.world.ask("order.get-order", order_id=orders[0]))["contact_email"] == ""
    assert (await sealing.world.ask("order.list-orders", contact_email=GUEST))["items"] == []
    # What a dump of before has opens with the keys of today for the other guest alone.
    async with sealing.world.shop.database.platform() as session:
        for table, rows in ((contacts.TABLE, before), ("fulfilment.shipment", parcels)):
            for row in rows:
                if row["id"] == other:
                    (text,) = await sealing.keys.open(session, other, table, [row["sealed_address"]])
                    assert b"9 Other Street" in text
                    continue
                with pytest.raises(PersonKeyMissing, match="their key is not there"):
                    await sealing.keys.open(session, row["id"], table, [row["sealed_address"]])


async def test_a_member_who_is_erased_takes_the_keys_of_their_orders_along(sealing: Sealing) -> None:
    member_id = await joined(sealing.world, "ann")
    await sealing.bought("7 Canary Wharf", contact_email="ann@example.net", member_id=member_id)
    export = await sealing.world.exported(member_ids=(UUID(member_id),))
    assert "7 canary wharf" in export
    assert "ann@example.net" in export
    await sealing.world.forgotten("member.erase", member_id=member_id)
    assert await sealing.rows("select from personal_data.key where subject <> '*'") == []


async def test_a_guest_is_exported_by_e_mail_and_claims_what_is_sealed(sealing: Sealing) -> None:
    order_id = await sealing.bought("7 Canary Wharf", contact_email=GUEST)
    assert "7 canary wharf" in await sealing.world.exported(emails=(GUEST,))
    identity = {"kind": "email", "value": GUEST.lower(), "is_verified": True}
    member = await sealing.world.ask("member.register", identities=[identity])
    assert await sealing.world.ask("checkout.claim-orders", member_id=member["member_id"]) == {"orders": 1}
    found = await sealing.world.ask("order.get-order", order_id=order_id)
    assert (found["member_id"], found["contact_email"]) == (member["member_id"], GUEST)


async def test_an_address_that_is_corrected_is_sealed_again_and_goes_to_the_parcel(sealing: Sealing) -> None:
    order_id = await sealing.bought("7 Canary Wharf", contact_email=GUEST)
    moved = {"country": "DE", "region": "BE", "city": "Berlin", "postcode": "10999", "street": "1 New Street"}
    await sealing.world.ask("after-sale.correct-address", order_id=order_id, address=moved, reason="moved")
    found = await sealing.world.ask("order.get-order", order_id=order_id)
    assert (found["contact_email"], found["address"]["street"]) == (GUEST, "1 New Street")
    (sent,) = (await sealing.world.ask("fulfilment.list-shipments", reference=order_id))["items"]
    assert sent["address"]["street"] == "1 New Street"
    assert "New Street" not in sealing.dump(*KEPT_FOR_LONG)


async def test_orders_and_shipments_that_were_there_are_sealed_by_the_command(sealing: Sealing) -> None:
    resources = sealing.world.shop.platform.resources
    del resources[Seals]  # a server that seals nothing yet
    clear = await sealing.bought("7 Canary Wharf", contact_email=GUEST)
    resources[Seals] = sealing.keys
    late = await sealing.bought("8 Canary Wharf", contact_email=GUEST)
    done = await encrypt(sealing.world.shop.database, sealing.keys, shipped.PACKS)
    assert {one.table: (one.sealed, one.left) for one in done} == {
        "order.orders": (2, 0),  # its address and its e-mail
        "fulfilment.shipment": (1, 0),
    }
    dumped = sealing.dump(*KEPT_FOR_LONG)
    assert [word for word in (GUEST, GUEST.lower(), "Canary Wharf") if word in dumped] == []
    listed = (await sealing.world.ask("order.list-orders", contact_email=GUEST))["items"]
    assert [(one["order_id"], one["address"]["street"]) for one in listed] == [
        (late, "8 Canary Wharf"),
        (clear, "7 Canary Wharf"),
    ]
    again = await encrypt(sealing.world.shop.database, sealing.keys, shipped.PACKS)
    assert [one.sealed for one in again] == [0, 0]
