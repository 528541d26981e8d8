"""What a front end without a grant learns of others, over every capability: nothing from lists, counts or errors."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID, uuid4

import msgspec
import pytest

from isthmus.kernel import Caller, Capability, Effect, FrontEnd, Platform, decode, encode, errors
from isthmus.packs.order import api as order
from isthmus.packs.payment import api as payment
from isthmus.store import Database
from isthmus.store.session import Statements
from tests import shipped

from .conftest import ALL, NORTH, SOUTH, Shop, stocked

EAST = FrontEnd(code="east", name="East", owner="east team", uses=ALL)
EUR = {"currency": "EUR", "minor": 100}
# What others will have, or have not, under the names that an ask gives.
NAMES: Mapping[str, Any] = {
    "sku": "tea", "skus": ["tea"], "reference": "order-1", "references": ["order-1"], "lot": "lot-1",
    "serial": "unit-1", "location": "hall", "currency": "EUR", "amount": EUR, "kind": "email",
    "value": "ada@example.org",
    "contact_email": "ada@example.org", "text": "tea", "jurisdiction": "DE", "code": "circle", "promotion": "spring",
    "coupons": ["SPRING-1"], "price_list": "outlet", "country": "DE", "quantity": 1, "category": "food",
}  # fmt: skip
CODES = {
    "promotion.get-promotion": "spring",
    "promotion.get-coupon": "SPRING-1",
    "catalog.get-category": "food",
    "catalog.list-versions": "tea",
}
NOBODYS = "00000000-0000-4000-8000-000000000000"  # before all others, where two are locked in their order
KINDS = ("catalog.list-relations", "grants.list-grants", "invoicing.list-invoices", "ledger.list-entries")
NOT_NAMED = {"order_kind", "channel", "cursor", "limit", "by_front_end", "at", "on", "attributes"}
OUTSIDER = Caller(front_end="east", client="east-till")
PACKS = ("inventory", "member", "promotion", "pricing", "payment", "catalog", "order", "fulfilment", "grants")


def filled(kind: Any, names: Mapping[str, Any], name: str = "") -> Any:
    """Return a value of a type, with what `names` has for its fields."""
    if name in names:
        return names[name]
    if get_origin(kind) is Annotated:
        return filled(get_args(kind)[0], names, name)
    if get_origin(kind) in (Union, types.UnionType):
        return filled(next(one for one in get_args(kind) if one is not type(None)), names, name)
    if get_origin(kind) is tuple:
        return [filled(get_args(kind)[0], names)]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        wanted = {one.encode_name: filled(one.type, names, one.name) for one in _required(kind)}
        tag = kind.__struct_config__
        return {tag.tag_field: tag.tag, **wanted} if tag.tag_field else wanted
    return {UUID: NOBODYS, int: 1, bool: False}.get(kind, "x")


def _required(kind: type) -> list[msgspec.structs.FieldInfo]:
    return [one for one in msgspec.structs.fields(kind) if one.required]


def asks_of(capability: Capability[Any, Any], names: Mapping[str, Any]) -> list[Any]:
    """Return asks of a capability: one with what it must have, and one for each thing that it may be asked by."""
    names = {**names, "code": CODES.get(capability.name, names["code"])}
    if capability.name in KINDS:
        names = {name: value for name, value in names.items() if name != "kind"}
    least = filled(capability.ask, names)
    asks = [least]
    for field in msgspec.structs.fields(capability.ask):
        if field.name in names and field.name not in NOT_NAMED and not field.required:
            asks.append({**least, field.name: names[field.name]})
    found: list[Any] = []
    for ask in asks:
        try:
            found.append(decode(encode(ask), capability.ask))
        except errors.BadAsk:
            continue
    return found


class World:
    """A platform with three front ends: two that share and trade, and one that has no part in it."""

    def __init__(self, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        self.platform = platform
        self.by_name = {one.name: one for pack in shipped.PACKS for one in pack.capabilities().values()}
        self.sent: list[str] = []
        send = Statements._run

        async def counted(session: Statements, sql: str, *rest: object) -> object:
            if type(session) is not Statements:  # the platform's own wake the relay, some time after a commit
                self.sent.append(sql)
            return await send(session, sql, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(Statements, "_run", counted)

    async def do(self, front_end: str, capability: str, /, **ask: Any) -> Any:
        found = self.by_name[capability]
        caller = Caller(front_end=front_end, client=f"{front_end}-till")
        return await self.platform.call(found, decode(encode(ask), found.ask), caller)

    async def answer(self, capability: Capability[Any, Any], ask: Any, to: str = "east") -> tuple[str, list[str]]:
        """Return what a front end is answered, and the statements that it took."""
        self.sent.clear()
        try:
            answered = encode(
                await self.platform.call(capability, ask, Caller(front_end=to, client=f"{to}-till"))
            ).decode()
        except errors.IsthmusError as problem:
            answered = f"{problem.slug} {problem} {problem.path} {problem.remedy} {sorted(problem.facts.items())}"
        return answered, list(self.sent)

    async def all_that_is_read(self, by: str) -> dict[str, list[str]]:
        answered: dict[str, list[str]] = {}
        for name, one in self.by_name.items():
            if one.effect is Effect.READ and not one.is_internal and name.partition(".")[0] in PACKS:
                answered[name] = [(await self.answer(one, ask, by))[0] for ask in asks_of(one, NAMES)]
        return answered

    async def trade(self, front_end: str) -> dict[str, UUID | str]:
        """Have all that others could learn of: a member with points, an order that was sent and returned, coupons."""
        who = [{"kind": "email", "value": "ada@example.org", "is_verified": True}]
        member = await self.do(front_end, "member.register", identities=who)
        await self.do(front_end, "member.earn-points", member_id=member.member_id, reference="order-1", points=50)
        tea = [{"sku": "tea", "quantity": 2}]
        bought = await self.do(
            front_end, "checkout.place-order", currency="EUR", lines=tea, member_id=member.member_id,
            address={"country": "DE", "city": "Kiel"},
        )  # fmt: skip
        await self.do(front_end, "checkout.pay-order", payment_id=bought.payment_id, method="card", token="ok")
        sent = bought.orders[0].order_id
        await self.do(front_end, "after-sale.ship-order", order_id=sent)
        back = await self.do(front_end, "order.request-return", order_id=sent, lines=[{"line": 0, "quantity": 1}])
        basket = await self.do(front_end, "order.open-basket", currency="EUR")
        await self.do(front_end, "inventory.reserve", reference="order-1", lines=[{"sku": "jam", "quantity": 1}])
        shipments = await self.do(front_end, "fulfilment.list-shipments")
        return {
            "member_id": member.member_id, "order_id": sent, "group_id": bought.group_id,
            "payment_id": bought.payment_id, "return_id": back.return_id, "basket_id": basket.basket_id,
            "shipment_id": shipments.items[0].shipment_id,
        }  # fmt: skip

    async def share(self) -> str:
        """Have the north own what a group would, and the south use it; return the code of a gift card."""
        north = "north"
        await self.do(north, "inventory.put-locations", items=[{"code": "hall", "country": "DE"}])
        lines = [
            {"sku": "tea", "quantity": 9, "location": "hall", "lot": "lot-1", "expires_on": "2199-01-01"},
            {"sku": "gem", "quantity": 1, "location": "hall", "serials": ["unit-1"]},
        ]
        await self.do(north, "inventory.receive", reference="note-9", lines=lines)
        await self.do(north, "member.put-programme", code="circle", name="The circle")
        percent = {"type": "percent-off", "basis_points": 1000}
        spring = {"code": "spring", "title": "Spring", "benefit": percent, "valid_from": "2020-01-01T00:00:00Z",
                  "needs_coupon": True}  # fmt: skip
        await self.do(north, "promotion.put-promotion", promotion=spring)
        await self.do(north, "promotion.issue-coupons", promotion="spring", coupons=[{"code": "SPRING-1"}])
        outlet = {"sku": "tea", "currency": "EUR", "amount": 1, "price_list": "outlet",
                  "valid_from": "2020-01-01T00:00:00Z"}  # fmt: skip
        await self.do(north, "pricing.put-prices", prices=[outlet])
        await self.do(north, "payment.put-credit-programme", code="circle", name="Cards", currency="EUR")
        kinds = ("inventory.location hall", "member.programme circle", "promotion.promotion spring",
                 "pricing.price outlet", "payment.credit_programme circle")  # fmt: skip
        for kind, name in map(str.split, kinds):
            await self.do(north, "grants.give", kind=kind, name=name, to="south")
        await self.do("south", "inventory.put-locations", items=[{"code": "hall", "lent_by": "north"}])
        card = await self.do(
            "south", "payment.sell-credit", owner="north", programme="circle", amount=EUR, received_as="cash"
        )
        return card.code


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give three front ends with the same goods, of which the east has sold some."""
    provider = payment.TestProvider()
    resources = {payment.Providers: payment.Providers([provider]), order.Numbers: order.Numbers(database)}
    platform = Platform(shipped.build([NORTH, SOUTH, EAST]), database, resources=resources)
    north, south = (Caller(front_end=code, client=code) for code in ("north", "south"))
    shop = Shop(platform, database, provider, north, south)
    await stocked(shop)
    await stocked(replace(shop, south=OUTSIDER))
    return World(platform, monkeypatch)


async def test_whatever_is_asked_has_the_same_answer_whether_or_not_others_have_anything(world: World) -> None:
    await world.trade("east")
    before = {code: await world.all_that_is_read(code) for code in ("east", "south")}
    await world.share()
    for code in ("north", "south"):
        await world.trade(code)
    after = {code: await world.all_that_is_read(code) for code in before}
    changed = {
        code: {name for name, answered in after[code].items() if answered != before[code][name]} for code in after
    }
    assert changed["east"] == set()
    assert len(changed["south"]) > 10, "the same asks tell those who share a good deal"
    assert [name for name, answered in before["east"].items() if not answered] == [], "no ask of it could be made"
    assert len(before["east"]) > 50


async def test_what_others_have_is_refused_in_the_words_and_statements_of_what_nobody_has(world: World) -> None:
    card = await world.share()
    ids = await world.trade("north")
    refused, differing = 0, dict[str, object]()
    for name, one in world.by_name.items():
        if one.is_internal or name.partition(".")[0] not in PACKS:
            continue
        for field in msgspec.structs.fields(one.ask):
            pair = _pair(field.name, ids, card if name == "payment.get-credit" else None)
            if pair is None:
                continue
            answered = [await world.answer(one, ask) for value in pair for ask in _asking(one, field.name, value)]
            if len(answered) < 2:
                continue
            theirs, nobodys = (
                (re.sub(re.escape(str(v)), "…", t[0]), t[1]) for v, t in zip(pair, answered, strict=True)
            )
            refused += theirs[0].startswith(name.partition(".")[0])
            if theirs != nobodys:
                differing[f"{name} {field.name}"] = (theirs, nobodys)
    assert differing == {}
    assert refused > 30


def _pair(field: str, ids: Mapping[str, UUID | str], card: str | None) -> tuple[str, str] | None:
    """Return what the north has for a field, and what nobody has."""
    if field in ids:
        return str(ids[field]), str(uuid4())
    if card is not None and field == "code":
        return card, card[:-1] + ("A" if card[-1] != "A" else "B")
    return None


def _asking(capability: Capability[Any, Any], field: str, value: str) -> list[Any]:
    asks = asks_of(capability, {**NAMES, field: value})
    return asks[:1] if field in {one.name for one in _required(capability.ask)} else asks[-1:]
