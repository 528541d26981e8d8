"""Who is erased is in nothing that the platform keeps: canaries in every personal field of every pack."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest

from isthmus.app.forgetting import PersonForgotten, personal_problems
from isthmus.app.lake_sync import LakeSync
from isthmus.data.errors import NeedsTime
from isthmus.data.model.ask import Ask
from isthmus.data.platform import DataPlatform, open_platform
from isthmus.data.privacy import policy
from isthmus.gateway import auth
from isthmus.gateway.auth import Clients
from isthmus.gateway.http import Gateway
from isthmus.gateway.ready import Readiness
from isthmus.gateway.telemetry.traces import TraceStore
from isthmus.kernel import Caller, Effect, FrontEnd, Meta, Pack, Platform, Value, capability, errors, event
from isthmus.manifest import Personal
from isthmus.markings import Dimension, Distinct, Pii, Ref
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
from isthmus.packs.personal_data.service.export import export_person
from isthmus.packs.personal_data.service.register import Registry, register
from isthmus.packs.promotion import api as promotion
from isthmus.packs.risk import api as risk
from isthmus.packs.subscription import api as subscription
from isthmus.packs.sync import api as sync
from isthmus.packs.venture import api as venture
from isthmus.personal import personal_paths
from isthmus.runtime.events import copies, own_tables
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database, migrate_own
from isthmus.store.relay import Relay
from tests import shipped
from tests.packs.notification.conftest import Post
from tests.waiting import until

from .conftest import ALL, LONG_AGO, SOUTH, Shop, in_flight, stocked

KEPT = ("tea", "north", "DE", "blue")  # what is nobody's stays


class Card(Value):
    """What a buyer has written on an order."""

    words: Annotated[str, Pii("free-text", why="to know it"), Meta(max_length=60)] = ""
    paper: Annotated[str, Dimension()] = "white"


class Engraved(Value):
    """What is engraved into goods."""

    text: Annotated[str, Pii("name", why="to know it"), Meta(max_length=60)] = ""


class Nick(Value):
    """What a member is called by friends."""

    nick: Annotated[str, Pii("name", why="to know it"), Meta(max_length=60)] = ""


@event("north.card-written", version="1.0", subject="order_id")
class CardWritten(Value):
    """Somebody has written a card."""

    order_id: Annotated[str, Ref("order.order")]
    words: Annotated[str, Pii("free-text", why="to know it")]


NORTH = FrontEnd(
    code="north",
    name="North",
    owner="north team",
    uses=(*ALL, "privacy.*"),
    events=(CardWritten,),
    attributes={"order.order": Card, "order.line": Engraved, "member.membership": Nick},
    metrics=(
        Distinct(name="north.cards", field="order.order.attributes.words"),
        Distinct(name="north.engravings", field="order.line.attributes.text"),
    ),
)


STORED_MEANS = "means-of-ann"  # what a subscription is paid with: kept until its member is forgotten, told to nobody
KEEPING = (
    *(order.forget, fulfilment.forget, payment.forget, promotion.forget, notification.forget, account.forget),
    venture.forget,
    subscription.forget,
    devices.forget,  # tests/packs/devices
    messaging.forget,  # tests/packs/messaging
    risk.forget,  # tests/packs/risk
    sync.forget,  # tests/packs/sync
    flags.forget,  # whose experiments no order is in: tests/packs/flags/test_experiments.py
)


@dataclass
class World:
    """A shop behind its gateway that records all calls, with its lake, and what was planted."""

    shop: Shop
    recorder: Recorder
    sync: LakeSync
    data: DataPlatform
    folder: Path
    client: httpx.AsyncClient
    planted: list[str] = field(default_factory=list[str])
    found: set[str] = field(default_factory=set[str])  # tables that have planted words
    last: personal_data.PersonExport | None = None

    def canary(self, of: str, form: str = "{}") -> str:
        word = form.format(f"canary{len(self.planted)}{of}")
        self.planted.append(word)
        return word

    async def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        """Call over HTTP, explained and under a key."""
        headers = {"Isthmus-Explain": "true", "Idempotency-Key": str(uuid4())}
        answer = await self.client.post(f"/v1/{name}", json=fields, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def numbers(self) -> list[dict[str, object]]:
        await self.sync.land()
        shipped_ones = [name for name in self.data.model.metrics if name.partition(".")[0] in ("order", "promotion")]
        metrics = (*shipped_ones, "member.members")
        return [row for name in metrics for row in self._asked(name)]

    def _asked(self, name: str) -> Sequence[dict[str, object]]:
        with suppress(NeedsTime):  # it compares others, which are here too
            return self.data.metrics.ask(Ask(metrics=(name,)), policy.owner(), is_kept=False).rows
        return ()

    async def own_numbers(self) -> list[dict[str, object]]:
        await self.sync.land()
        ask = Ask(metrics=("north.cards", "north.engravings"), by=("order.order.attributes.paper",))
        rows = self.data.metrics.ask(ask, policy.of_keys(self.data.model, "north"), is_kept=False).rows
        return sorted(rows, key=str)

    async def everything(self) -> str:
        return "\n".join(text for _, text in await self.places())

    async def places(self) -> list[tuple[str, str]]:
        """Return all that is kept: each row of each table, and each file of the lake, out of Parquet too."""
        await self.recorder.flush()
        found: list[tuple[str, str]] = []
        connection = await asyncpg.connect(self.shop.database.url)
        try:
            tables = await connection.fetch(
                """select format('%I.%I', schemaname, tablename) as name from pg_tables
                   where schemaname not in ('pg_catalog', 'information_schema')"""
            )
            for table in tables:
                name = table["name"]
                found += [(name, _text(row)) for row in await connection.fetch(f"select * from {name}")]
        finally:
            await connection.close()
        lake = self.data.lake.connect(self.data.lake.head())
        for place in self.folder.rglob("*"):
            if place.suffix == ".parquet":
                rows = lake.execute(f"select * from read_parquet('{place}')").fetchall()
                found.append((str(place.relative_to(self.folder)), str(rows)))
            elif place.is_file():
                found.append((str(place.relative_to(self.folder)), place.read_bytes().decode(errors="replace")))
        return found

    async def unregistered(self) -> list[str]:
        """Return the tables in which planted words are found and that the register of personal data does not name."""
        entries = (await register(self.shop.platform, self.shop.database, has_calls=False)).entries
        known = {one.where.rpartition(".")[0] for one in entries if one.place in ("table", "front-end table")}
        tables = [(where.replace('"', ""), text.lower()) for where, text in await self.places() if "/" not in where]
        self.found = {where for where, text in tables if any(word.lower() in text for word in self.planted)}
        return sorted(self.found - known)

    @property
    def held(self) -> tuple[personal_data.Held, ...]:
        """Return what was exported last."""
        assert self.last is not None
        return self.last.held

    async def exported(self, **whom: Any) -> str:
        """Return all that is held of somebody, in small letters."""
        registry = Registry(database=self.shop.database, lake=self.folder)
        caller = Caller(front_end="*", client="desk", via="cli")
        asked = msgspec.convert(whom, personal_data.Whom, strict=False)
        self.last = await export_person(self.shop.platform, registry, asked, caller)
        return json.dumps(msgspec.to_builtins(self.last), ensure_ascii=False).lower()

    async def left(self) -> list[tuple[str, str]]:
        """Return which planted words are left, and where."""
        places = [(where, text.lower()) for where, text in await self.places()]
        return [(word, where) for word in self.planted for where, text in places if word.lower() in text]

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Tell copies and lake of who is erased for as long as a block runs."""
        copies_consumer = copies.consumer(self.shop.platform, self.shop.database, PersonForgotten)
        own = own_tables.consumer(self.shop.database, PersonForgotten)
        async with in_flight(Relay(self.shop.database, [copies_consumer, own, *self.sync.consumers()]).run()):
            yield

    async def forgotten(self, name: str, **fields: Any) -> None:
        """Erase somebody, and wait until everybody who was to be told has been."""
        async with self.delivering():
            await self.ask(name, **fields)
            wanted = await self._newest()

            async def all_delivered() -> bool:
                async with self.shop.database.platform() as session:
                    behind = await session.fetch_value(
                        "select count(*) from isthmus.consumer where position < $1", wanted
                    )
                return behind == 0

            await until(all_delivered, "that all who keep copies are told")

    async def _newest(self) -> int:
        async with self.shop.database.platform() as session:
            await session.fetch_value("select isthmus.collect(1000)")
            return await session.fetch_value("select max(position) from isthmus.event")


def _text(row: asyncpg.Record) -> str:
    return " ".join(value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in row)


@pytest.fixture
async def world(database: Any, tmp_path: Path) -> AsyncIterator[World]:
    release = shipped.build([NORTH, SOUTH])
    own = {"order.order": Card, "order.line": Engraved, "member.membership": Nick}
    recorder = Recorder(database, release.points, Recording.of({"share": 1.0}), own=lambda _: own)
    provider = payment.TestProvider()
    resources = {
        payment.Providers: payment.Providers([provider]),
        order.Numbers: order.Numbers(database),
        notification.Senders: notification.Senders([Post()]),
    }
    platform = Platform(release, database, resources=resources, recorder=recorder)
    callers = (Caller(front_end=code, client=code) for code in ("north", "south"))
    shop = Shop(platform, database, provider, *callers)
    await stocked(shop)
    await migrate_own(database.url, "north", Path(__file__).parent / "own_migrations")
    folder = tmp_path / "lake"
    data = open_platform(shipped.PACKS, folder, declared=lambda: {"north": NORTH, "south": SOUTH})
    sync = LakeSync(platform, database, data)
    gateway = Gateway(platform, Clients(database), TraceStore(database), Readiness(database, []))
    key = await auth.create_client(database, "north", "desk")
    transport = httpx.ASGITransport(app=gateway)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://north", headers=headers) as client:
        yield World(shop, recorder, sync, data, folder, client)
    assert await shop.broken() == []


async def _promoted(world: World) -> None:
    ten = promotion.Promotion(
        code="ten",
        title="Ten",
        benefit=promotion.PercentOff(basis_points=1000),
        valid_from=LONG_AGO,
        needs_coupon=True,
    )
    await world.shop.platform.call(promotion.put_promotion, promotion.PutPromotion(promotion=ten), world.shop.north)


async def _joined(world: World, who: str) -> str:
    """Have somebody join, with all that a member can say."""
    canary, phone = world.canary, f"+4915{uuid4().int % 10**9:09d}"
    world.planted.append(phone)
    identities = [
        {"kind": "email", "value": canary(who, "{}@example.org"), "is_verified": True},
        {"kind": "phone", "value": phone, "is_verified": False},
        {"kind": "card", "value": canary(who), "is_verified": True},
    ]
    profile = {"given_name": canary(who), "family_name": canary(who), "birthday": "1971-02-03"}
    world.planted.append("1971-02-03")
    joined = await world.ask(
        "member.register", identities=identities, profile=profile, attributes={"nick": canary(who)}
    )
    member_id: str = joined["member_id"]
    async with world.shop.database.platform_transaction() as session:
        words, said, nick = canary(who), canary(who), canary("n")
        await session.execute(
            """insert into fe_north.greeting (member_id, words, said, born, nick)
               values ($1, $2, json_build_object('en', $3::text), '1971-02-03', $4)""",
            *(member_id, words, said, nick),
        )
    external = {"kind": "external", "value": canary(who), "is_verified": False}
    await world.ask("member.put-identity", member_id=member_id, identity=external)
    await world.ask("member.put-address", member_id=member_id, label="home", address=_address(world, who))
    return member_id


def _address(world: World, who: str) -> dict[str, str]:
    fields = {name: world.canary(who) for name in ("city", "street", "recipient", "phone")}
    return {"country": "DE", **fields, "postcode": world.canary("p", "{}")[:16].upper()}


async def _bought(world: World, who: str, member_id: str | None, coupons: tuple[str, ...] = (), **more: Any) -> Any:
    canary = world.canary
    placed = await world.ask(
        "checkout.place-order",
        currency="EUR",
        lines=[
            {"sku": "tea", "quantity": 3, "attributes": {"text": canary(who)}},
            {"sku": "jam", "quantity": 1, "attributes": {"text": canary(who)}},
        ],
        member_id=member_id,
        contact_email=more.get("email") or canary(who, "{}@example.net"),
        address=_address(world, who),
        delivery_method="post",
        coupons=list(coupons),
        attributes={"words": canary(who), "paper": "blue"},
    )
    async with world.shop.database.platform_transaction() as session:
        await session.execute(
            """with sent as (insert into fe_north.parcel (part, order_id) values (1, $1) returning number, part)
               insert into fe_north.letter select number, part, $2 from sent""",
            *(placed["orders"][0]["order_id"], canary(who)),
        )
    token = canary(who, "ok-{}")
    paying = {"payment_id": placed["payment_id"], "method": "card", "token": token}
    await world.ask("checkout.pay-order", **paying)
    return placed


async def _lived(world: World, who: str, member_id: str | None, coupon: str = "", email: str = "") -> None:
    """Have somebody do whatever leaves something behind: buy, cancel, be sent to, return, be refunded by hand."""
    canary = world.canary
    for what in ("ship", "cancel"):
        placed = await _bought(world, who, member_id, (coupon,) if coupon and what == "ship" else (), email=email)
        order_id = placed["orders"][0]["order_id"]
        emitted = CardWritten(order_id=order_id, words=canary(who))
        await _deliver(world, emitted)
        if what == "cancel":
            await world.ask("checkout.cancel-order", order_id=order_id, reason=canary(who))
            continue
        written = {"kind": "order.placed", "reference": f"order/{order_id}/placed", "member_id": member_id}
        letter = {name: canary(who) for name in ("subject", "text")}
        await world.ask("notification.send", **written, **letter, address=canary(who, "{}@example.info"))
        planned = await world.ask("fulfilment.list-shipments", reference=order_id)
        for shipment in planned["items"]:
            named = {"shipment_id": shipment["shipment_id"]}
            await world.ask("fulfilment.ship", **named, carrier="dhl")
            await world.ask("fulfilment.fail", **named, reason=canary(who))
        for at, one in enumerate(placed["orders"]):
            await world.ask("after-sale.ship-order", order_id=one["order_id"], parcel=str(at))
        back = await world.ask("order.request-return", order_id=order_id, lines=[{"line": 0, "quantity": 1}])
        decided = {"return_id": back["return_id"], "is_approved": True, "note": canary(who)}
        await world.ask("order.decide-return", **decided)
        amount = {"minor": 100, "currency": "EUR"}
        refund = {"payment_id": placed["payment_id"], "amount": amount, "reference": str(uuid4())}
        await world.ask("payment.refund", **refund, reason=canary(who, "ok-{}"))


async def _subscribed(world: World, who: str, member_id: str) -> None:
    """Have somebody subscribe, and say why it is to rest."""
    canary = world.canary
    kept = await world.ask(
        "renewals.subscribe",
        member_id=member_id,
        currency="EUR",
        lines=[{"sku": "tea", "quantity": 1, "attributes": {"text": canary(who)}}],
        every_days=7,
        contact_email=canary(who, "{}@example.net"),
        address=_address(world, who),
        token=STORED_MEANS,
        attributes={"words": canary(who)},
    )
    await world.ask("subscription.pause", subscription_id=kept["subscription_id"], reason=canary(who))


async def _deliver(world: World, emitted: CardWritten) -> None:
    """Put an event of the front end's own where events are, and a delivery of it that nobody took."""
    data = json.dumps({"order_id": emitted.order_id, "words": emitted.words})
    async with world.shop.database.platform_transaction() as session:
        await session.execute(
            """insert into isthmus.outbox (id, type, version, subject, front_end, box, time, trace, data)
               values ($1, 'north.card-written', '1.0', $2, 'north', 'north', now(), '', $3)""",
            str(uuid4()),
            emitted.order_id,
            data.encode(),
        )
        await session.execute(
            """insert into runtime.delivery (front_end, capability, event_id, event_type, subject, ask, state,
                   last_error)
               values ('north', 'north.gone', $1, 'north.card-written', $2, $3, 'dead', $4)""",
            str(uuid4()),
            emitted.order_id,
            data.encode(),
            emitted.words,
        )


async def test_a_member_who_is_erased_is_in_no_table_no_file_and_no_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await _promoted(world)
    member_id, other_id = await _joined(world, "ann"), await _joined(world, "ann")
    coupon = world.canary("coupon")
    coupons = [{"code": coupon, "member_id": member_id, "uses_max": 5}]
    await world.ask("promotion.issue-coupons", promotion="ten", coupons=coupons)
    await _lived(world, "ann", member_id, coupon)
    await _lived(world, "ann", other_id)
    basket = await world.ask("order.open-basket", currency="EUR", member_id=member_id)
    line = {"sku": "tea", "quantity": 1, "attributes": {"text": world.canary("basket")}}
    await world.ask("order.set-lines", basket_id=basket["basket_id"], lines=[line])
    await world.ask("order.set-coupons", basket_id=basket["basket_id"], coupons=[coupon])
    await _subscribed(world, "ann", member_id)
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
    await _lived(world, "guest", None, email=world.canary("guest", "{}@example.com"))
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
    ann, bob = await _joined(world, "ann"), await _joined(world, "bob")
    await _lived(world, "ann", ann)
    anns, world.planted = world.planted, []
    await _lived(world, "bob", bob)
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
    member_id = await _joined(world, "ann")
    headers = {"Idempotency-Key": "same"}
    ask = {"member_id": member_id, "label": "work", "address": _address(world, "ann")}
    first = (await world.client.post("/v1/member.put-address", json=ask, headers=headers)).json()
    await world.forgotten("member.erase", member_id=member_id)
    again = await world.client.post("/v1/member.put-address", json=ask, headers=headers)
    assert again.status_code == 200
    assert again.json()["member_id"] == first["member_id"]
    assert [word for word in world.planted if word in again.text] == []


async def test_who_has_had_very_many_orders_is_erased_too(world: World) -> None:
    member_id = await _joined(world, "ann")
    await _bought(world, "ann", member_id)
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
    ann, bob = await _joined(world, "ann"), await _joined(world, "bob")
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
