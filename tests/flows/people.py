"""A shop whose lake and calls are kept, and people who do in it whatever leaves something behind: canaries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest

from isthmus.app.forgetting import PersonForgotten
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
from isthmus.kernel import Caller, FrontEnd, Meta, Platform, Value, answers, event
from isthmus.markings import Dimension, Distinct, Pii, Ref
from isthmus.packs.notification import api as notification
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.packs.personal_data import api as personal_data
from isthmus.packs.personal_data.service.export import export_person
from isthmus.packs.personal_data.service.register import Registry, register
from isthmus.packs.promotion import api as promotion
from isthmus.packs.sync import api as sync
from isthmus.runtime.events import copies, own_tables
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import migrate_own
from isthmus.store.relay import Relay
from tests import shipped
from tests.packs.notification.conftest import Post
from tests.waiting import until

from .conftest import ALL, LONG_AGO, SOUTH, Shop, in_flight, stocked


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


@answers(sync.collections)
def kept_on_devices() -> Sequence[sync.Collection]:
    return (sync.Collection(name="list", fields=(sync.Field(name="note"),)),)


NORTH = FrontEnd(
    code="north",
    name="North",
    owner="north team",
    uses=(*ALL, "privacy.*"),
    answers=(kept_on_devices,),
    events=(CardWritten,),
    attributes={"order.order": Card, "order.line": Engraved, "member.membership": Nick},
    metrics=(
        Distinct(name="north.cards", field="order.order.attributes.words"),
        Distinct(name="north.engravings", field="order.line.attributes.text"),
    ),
)


STORED_MEANS = "means-of-ann"  # what a subscription is paid with: kept until its member is forgotten, told to nobody


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


async def promoted(world: World) -> None:
    ten = promotion.Promotion(
        code="ten",
        title="Ten",
        benefit=promotion.PercentOff(basis_points=1000),
        valid_from=LONG_AGO,
        needs_coupon=True,
    )
    await world.shop.platform.call(promotion.put_promotion, promotion.PutPromotion(promotion=ten), world.shop.north)


async def joined(world: World, who: str) -> str:
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
    await world.ask("member.put-address", member_id=member_id, label="home", address=address(world, who))
    return member_id


def address(world: World, who: str) -> dict[str, str]:
    fields = {name: world.canary(who) for name in ("city", "street", "recipient", "phone")}
    return {"country": "DE", **fields, "postcode": world.canary("p", "{}")[:16].upper()}


async def bought(world: World, who: str, member_id: str | None, coupons: tuple[str, ...] = (), **more: Any) -> Any:
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
        address=address(world, who),
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


async def lived(world: World, who: str, member_id: str | None, coupon: str = "", email: str = "") -> None:
    """Have somebody do whatever leaves something behind: buy, cancel, be sent to, return, be refunded by hand."""
    canary = world.canary
    for what in ("ship", "cancel"):
        placed = await bought(world, who, member_id, (coupon,) if coupon and what == "ship" else (), email=email)
        order_id = placed["orders"][0]["order_id"]
        await jotted_down(world, who, member_id, order_id)
        emitted = CardWritten(order_id=order_id, words=canary(who))
        await deliver(world, emitted)
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


async def jotted_down(world: World, who: str, member_id: str | None, order_id: str) -> None:
    """Have two devices of somebody write the same unseen; a guest's has an id of its own, and what they ordered."""
    whose = {"member_id": member_id} if member_id else {"member_id": str(uuid4()), "reference": order_id}
    for device in (world.canary(who, "phone-{}"), world.canary(who, "watch-{}")):
        note = {"sequence": 1, "collection": "list", "document": "party", "kind": "set", "field": "note"}
        await world.ask("sync.push", **whose, client_id=device, operations=[note | {"value": world.canary(who)}])


async def subscribed(world: World, who: str, member_id: str) -> None:
    """Have somebody subscribe, and say why it is to rest."""
    canary = world.canary
    kept = await world.ask(
        "renewals.subscribe",
        member_id=member_id,
        currency="EUR",
        lines=[{"sku": "tea", "quantity": 1, "attributes": {"text": canary(who)}}],
        every_days=7,
        contact_email=canary(who, "{}@example.net"),
        address=address(world, who),
        token=STORED_MEANS,
        attributes={"words": canary(who)},
    )
    await world.ask("subscription.pause", subscription_id=kept["subscription_id"], reason=canary(who))


async def deliver(world: World, emitted: CardWritten) -> None:
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
