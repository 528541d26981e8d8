"""Who is erased is in nothing that the platform keeps: canaries in every personal field of every pack."""

from __future__ import annotations

import logging
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import asyncpg
import pytest

from isthmus.app.forgetting import personal_problems
from isthmus.kernel import Effect, Pack, Value, capability, errors
from isthmus.manifest import Personal
from isthmus.markings import Pii
from isthmus.packs.account import api as account
from isthmus.packs.devices import api as devices
from isthmus.packs.flags import api as flags
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.inventory import api as inventory
from isthmus.packs.messaging import api as messaging
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.personal_data import api as personal_data
from isthmus.packs.promotion import api as promotion
from isthmus.packs.risk import api as risk
from isthmus.packs.subscription import api as subscription
from isthmus.packs.sync import api as sync
from isthmus.packs.venture import api as venture
from isthmus.personal import personal_paths
from isthmus.store import Database, migrate_own
from tests import shipped
from tests.waiting import until

from . import people
from .people import STORED_MEANS, World, address, bought, joined, lived, promoted, subscribed

world = people.world
KEPT = ("tea", "north", "DE", "blue")  # what is nobody's stays
KEEPING = (
    *(order.forget, fulfilment.forget, payment.forget, promotion.forget, notification.forget, account.forget),
    venture.forget,
    subscription.forget,
    devices.forget,  # tests/packs/devices
    messaging.forget,  # tests/packs/messaging
    risk.forget,  # tests/packs/risk
    sync.forget,  # tests/packs/sync
    personal_data.forget,  # tests/packs/personal_data/test_keys.py
    flags.forget,  # whose experiments no order is in: tests/packs/flags/test_experiments.py
)


async def test_a_member_who_is_erased_is_in_no_table_no_file_and_no_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await promoted(world)
    member_id, other_id = await joined(world, "ann"), await joined(world, "ann")
    coupon = world.canary("coupon")
    coupons = [{"code": coupon, "member_id": member_id, "uses_max": 5}]
    await world.ask("promotion.issue-coupons", promotion="ten", coupons=coupons)
    await lived(world, "ann", member_id, coupon)
    await lived(world, "ann", other_id)
    basket = await world.ask("order.open-basket", currency="EUR", member_id=member_id)
    line = {"sku": "tea", "quantity": 1, "attributes": {"text": world.canary("basket")}}
    await world.ask("order.set-lines", basket_id=basket["basket_id"], lines=[line])
    await world.ask("order.set-coupons", basket_id=basket["basket_id"], coupons=[coupon])
    await subscribed(world, "ann", member_id)
    await world.ask("member.merge", member_id=member_id, other_id=other_id, evidence=world.canary("evidence"))
    numbers, own = await world.numbers(), await world.own_numbers()
    before = (await world.everything()).lower()
    never_kept = [
        word for word in world.planted if word.startswith("ok-")
    ]  # tokens of payers, why money went back by hand
    assert [word for word in world.planted if word.lower() not in before] == never_kept
    assert STORED_MEANS in before
    assert await world.unregistered() == []
    export = await world.exported(member_ids=(member_id,))
    assert [word for word in world.planted if word.lower() not in export] == never_kept
    assert STORED_MEANS not in export
    assert world.found - {one.where for one in world.held} == set()
    assert {"lake.events", "order.order", "member.membership"} <= {
        one.where for one in world.held if one.place == "lake"
    }
    await world.forgotten("member.erase", member_id=member_id)
    left = await world.left()
    assert left == [], "\n".join(map(str, left))
    export = await world.exported(member_ids=(member_id,))
    assert [word for word in world.planted if word.lower() in export] == []
    after = await world.everything()
    assert [word for word in (*KEPT, "subscription") if word not in after] == []
    assert STORED_MEANS not in after
    assert [word for word in world.planted if word.lower() in caplog.text.lower()] == []
    assert await world.numbers() == [*numbers[:-1], {"member.members": 0}]
    assert await world.own_numbers() == own
    left = await world.left()
    assert left == [], "\n".join(map(str, left))


async def test_a_guest_who_is_erased_is_in_no_table_and_no_file(world: World) -> None:
    await lived(world, "guest", None, email=world.canary("guest", "{}@example.com"))
    numbers, own = await world.numbers(), await world.own_numbers()
    export, before = await world.exported(emails=(world.planted[0].upper(),)), (await world.everything()).lower()
    assert [word for word in world.planted if word.lower() in before and word.lower() not in export] == []
    await world.forgotten("privacy.erase-guest", email=world.planted[0].upper())
    connection = await asyncpg.connect(world.shop.database.url)
    try:
        assert await connection.fetchval("""select count(*) from "order".orders where contact_email <> ''""") == 0
    finally:
        await connection.close()
    left = await world.left()
    assert left == [], "\n".join(map(str, left))
    assert (await world.numbers(), await world.own_numbers()) == (numbers, own)


async def test_nobody_else_is_touched(world: World) -> None:
    ann, bob = await joined(world, "ann"), await joined(world, "bob")
    await lived(world, "ann", ann)
    anns, world.planted = world.planted, []
    await lived(world, "bob", bob)
    bobs = sorted({word for word, _ in await world.left()})
    export = await world.exported(member_ids=(ann,))
    assert [word for word in bobs if word.lower() in export and word not in anns] == []
    world.planted = anns
    await world.forgotten("member.erase", member_id=ann)
    everything = (await world.everything()).lower()
    assert [word for word in bobs if word.lower() not in everything] == []
    again = await world.ask("member.erase", member_id=ann)  # safe to repeat
    assert again == {"member_id": ann}


async def test_a_key_that_is_sent_again_after_an_erasure_has_its_answer_without_the_person(world: World) -> None:
    member_id = await joined(world, "ann")
    headers = {"Idempotency-Key": "same"}
    ask = {"member_id": member_id, "label": "work", "address": address(world, "ann")}
    first = (await world.client.post("/v1/member.put-address", json=ask, headers=headers)).json()
    await world.forgotten("member.erase", member_id=member_id)
    again = await world.client.post("/v1/member.put-address", json=ask, headers=headers)
    assert again.status_code == 200
    assert again.json()["member_id"] == first["member_id"]
    assert [word for word in world.planted if word in again.text] == []


async def test_who_has_had_very_many_orders_is_erased_too(world: World) -> None:
    member_id = await joined(world, "ann")
    await bought(world, "ann", member_id)
    async with world.shop.database.platform_transaction() as session:
        await session.execute(
            """insert into "order".orders select (o).* from (
                   select json_populate_record(orders, json_build_object('order_id', gen_random_uuid(),
                       'group_id', gen_random_uuid(), 'number', 100000 + n, 'state', 'cancelled')) as o
                   from "order".orders, generate_series(1, 1200) n) many"""
        )
    counted = "select count(*) from \"order\".orders where contact_email <> '' or address ? 'street'"
    async with world.shop.database.platform() as session:
        assert await session.fetch_value(counted) == 1201
    await world.client.post("/v1/member.erase", json={"member_id": member_id}, headers={"Idempotency-Key": "e"})
    async with world.shop.database.platform() as session:
        assert await session.fetch_value(counted) == 0
        await session.execute("""delete from "order".orders where number > 100000""")


def _letters(*brings: object) -> Pack:
    class Write(Value):
        """Write a letter."""

        to: Annotated[str, Pii("name")]

    class Written(Value):
        """It is written."""

    def write(ask: Any) -> Any:
        """Write a letter."""

    write.__annotations__ |= {"ask": Write, "return": Written}
    api = ModuleType("letters", "Writes letters.")
    api.write = capability("letters.write", version="1.0", effect=Effect.WRITE)(write)  # type: ignore[attr-defined]
    return Pack(name="letters", owner="l", api=api, service=(), brings=brings)


def test_a_pack_that_is_given_personal_data_says_what_becomes_of_it_or_is_refused() -> None:
    (said,) = personal_problems([_letters()])
    assert said.startswith(
        "pack 'letters' is given personal data and does not say how it forgets it (letters.write $.to);"
    )
    kept = Personal(because="letters are not kept", purposes={"name": "to write to them"})
    assert list(personal_problems([_letters(kept)])) == []
    assert "give one of them" in next(personal_problems([_letters(Personal())]))
    assert "is another's" in next(personal_problems([_letters(Personal(forgets=order.forget))]))
    assert list(personal_problems(shipped.PACKS)) == []


def test_each_pack_that_ships_and_keeps_personal_data_is_reached() -> None:
    forgetting = {
        one.forgets.name for pack in shipped.PACKS for one in pack.brings if isinstance(one, Personal) and one.forgets
    }
    assert forgetting == {one.name for one in KEEPING}
    assert [*personal_paths(inventory.Reserve)] == [
        f"$.destination.{name}" for name in ("city", "postcode", "street", "recipient", "phone")
    ]


async def test_own_tables_that_could_not_forget_are_not_made(database: Database, tmp_path: Path) -> None:
    (tmp_path / "0001_create.sql").write_text(
        """create table card (id integer primary key, words text, at date not null);
           comment on column card.words is 'Pii free-text: what the card says';
           comment on column card.at is 'Pii birth-date: to greet on that day'"""
    )
    with pytest.raises(errors.BuildProblems) as refused:
        await migrate_own(database.url, "north", tmp_path)
    nobodys, fixed = refused.value.problems
    assert "card has personal columns (words, at), and nothing says whose a row is" in nobodys
    assert "card.at is personal and cannot be emptied: let it be null" in fixed
    async with database.platform() as session:
        assert await session.fetch_value("select to_regclass('fe_north.card')") is None


async def test_an_own_table_that_refuses_to_forget_holds_up_nobody_and_is_named(world: World) -> None:
    ann, bob = await joined(world, "ann"), await joined(world, "bob")
    async with world.shop.database.platform_transaction() as session:
        await session.execute("update fe_north.greeting set words = 'kept' where member_id = $1", ann)
        await session.execute("alter table fe_north.greeting add check (member_id <> '" + ann + "' or words = 'kept')")
    for member_id in (ann, bob):
        await world.ask("member.erase", member_id=member_id)
    read = "select count(*) from fe_north.greeting where words like 'erased:%'"
    failing = "select last_error from isthmus.consumer where name = 'forgotten-own-tables' and failures > 0"

    async def bob_is_gone_and_ann_is_named() -> bool:
        async with world.shop.database.platform() as session:
            said = await session.fetch_value(failing) or ""
            return await session.fetch_value(read) == 1 and "of 'fe_north.greeting' is broken by it" in said

    async with world.delivering():
        await until(bob_is_gone_and_ann_is_named, "that one is forgotten, and what keeps the other is said")
        async with world.shop.database.platform() as session:
            assert "kept" not in await session.fetch_value(failing)  # no row is quoted
            await session.execute("update isthmus.consumer set failures = 9 where failures > 0")
        assert await world.shop.broken() == ["privacy.copies-are-forgotten"]
        async with world.shop.database.platform() as session:
            await session.execute("alter table fe_north.greeting drop constraint greeting_check")

        async def both_are_gone() -> bool:
            async with world.shop.database.platform() as session:
                is_noted = await session.fetch_value(failing) is None  # with the consumer's next step
                return is_noted and await session.fetch_value(read) == 2

        await until(both_are_gone, "that it is tried again")
