"""Orders as a service that stands alone: numbers of its own, and each order by the rules that it was sold under."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from isthmus.governance.exits import exercise
from isthmus.governance.exits.given import Said, made
from isthmus.governance.exits.held import holds
from isthmus.governance.exits.remote import in_place
from isthmus.kernel import (
    ALLOW,
    FrontEnd,
    Platform,
    Product,
    Registry,
    Value,
    Verdict,
    answers,
    encode,
    errors,
    ports,
    veto,
)
from isthmus.packs.order import api
from isthmus.packs.order.pack import PACK
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from isthmus.values import Money
from tests.standing_alone import SECRET, TOKEN, served

from .conftest import DESK, NORTH, MakePlatform, Shop, draft, eur, line

PRESALE = {"order_kind": "presale"}


class Engraving(Value):
    """What is cut into the goods."""

    words: str
    lines: int = 1


@answers(api.cancellation_fee, when=PRESALE)
def one_of_a_presale(order: api.Order) -> Money:
    return eur(1_00)


@answers(api.guard_return, when=PRESALE)
def only_for_a_reason(order: api.Order, lines: tuple[api.ReturnLine, ...], now: datetime) -> Verdict:
    return ALLOW if all(one.reason != "unwanted" for one in lines) else veto("a presale is final")


@answers(api.refund_share, when=PRESALE)
def half(order: api.Order, line: api.OrderLine, reason: str) -> int:
    return 50


@answers(api.cancellation_fee)
def two(order: api.Order) -> Money:
    return eur(2_00)


@answers(api.guard_transition, when=PRESALE)
def held_back(order: api.Order, wanted: api.OrderState) -> Verdict:
    return veto("not before the day") if wanted is api.OrderState.SHIPPED else ALLOW


SELLS_AHEAD = Product(name="ahead", doc="Sold ahead.", owner="n", answers=(), adds={"order_kind": ("presale",)})


def north(*found: object) -> FrontEnd:
    return FrontEnd(
        code="north", name="North", owner="n", uses=("order.*", "desk.*"), attributes={"order.order": Engraving},
        answers=cast(Any, found), products=(SELLS_AHEAD,),
    )  # fmt: skip


THEN, NOW = north(one_of_a_presale, only_for_a_reason, half), north(two, held_back)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is kept of a front end's versions."""

    kept: Platform

    async def line(self, front_end: str, fingerprint: str) -> object:
        found = self.kept.release.line(front_end)
        if found.fingerprint != fingerprint:
            raise errors.RulesNotKept(f"no {fingerprint} of {front_end!r}", remedy="keep it")
        return found


def after_rules_have_changed(database: Database, kept: Platform, pack: Any = PACK) -> Platform:
    resources = {api.Numbers: api.Numbers(database), ports.KeptRules: Rules(kept)}
    return Platform(Registry().add(pack, DESK, NOW).freeze(), database, resources=resources)


async def sold_before(make_platform: MakePlatform, *kinds: str) -> tuple[Shop, list[api.Order]]:
    """Give the shop as it was then, and an order of each kind that was handed over there, or waits to be sent."""
    then = await make_platform(PACK, DESK, THEN)
    then.resources[api.Numbers] = api.Numbers(cast(Database, then.store))
    shop, plan = Shop(then), then.release.line("north").fingerprint
    facts = {"plan": plan, "attributes": {"words": "for Ada"}}
    return shop, [await shop.sold(line("mug", 2, 1_000), order_kind=one, **facts) for one in kinds]


async def said_by(shop: Shop, capability: Any, ask: Value) -> object:
    """Return an answer, or a refusal in words."""
    try:
        return await shop.call(capability, ask)
    except errors.Refusal as refused:
        return type(refused), str(refused), refused.path


def back(order: api.Order, reason: str) -> api.RequestReturn:
    return api.RequestReturn(order_id=order.order_id, lines=(api.ReturnLine(line=0, quantity=1, reason=reason),))


def waiting(plan: str) -> Any:
    return {"plan": plan, "attributes": {"words": "for Bob"}, "order_kind": "presale"}


async def test_an_order_is_treated_as_it_was_sold_also_where_a_service_stands_in_the_packs_place(
    make_platform: MakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    then, (presale, plain) = await sold_before(make_platform, "presale", "standard")
    plan, database = then.platform.release.line("north").fingerprint, cast(Database, then.platform.store)
    unsent = (await then.place(line("pen", 1, 900), **waiting(plan))).orders[0]
    newer = after_rules_have_changed(database, then.platform)
    unknown = (await Shop(newer).place(line("pen", 1, 900), **waiting("gone"))).orders[0]
    asks = (
        (api.cancel_order, api.Cancel(order_id=unsent.order_id, reason="late")),
        (api.cancel_order, api.Cancel(order_id=unknown.order_id, reason="late")),
        (api.mark_shipped, api.MarkShipped(order_id=unsent.order_id, parcel="1")),
        (api.request_return, back(presale, "broken")),
        (api.request_return, back(presale, "unwanted")),
        (api.request_return, back(plain, "unwanted")),
    )
    async with served(PACK, database.url) as address:
        there = Shop(after_rules_have_changed(database, then.platform, in_place(PACK, address, TOKEN, is_undone=True)))
        said = [await said_by(there, *one) for one in asks]
    cancelled, not_kept, held, returned, refused, whole = cast(Sequence[Any], said)
    assert (cancelled.fee, cancelled.was_paid) == (eur(1_00), True), "what was kept of a presale then"
    assert not_kept[0] is errors.RulesNotKept
    assert "not before the day" in held[1], "in the box of the order, by the rules of today"
    assert (returned.refund, whole.refund) == (eur(250), eur(500))
    assert "a presale is final" in refused[1]


async def test_orders_that_stand_alone_have_numbers_of_their_own_and_undone_ones_use_none(
    make_platform: MakePlatform,
) -> None:
    platform = await make_platform(PACK, DESK, THEN)
    database = cast(Database, platform.store)

    def call(number: int, **facts: Any) -> dict[str, Any]:
        ask = draft(line("mug", 1, 700), group_id=uuid.uuid4()).replace(plan="")
        return {"front_end": "north", "call_id": f"c{number}", "ask": ask, **facts}

    said = Said(settings={"number_block": 3})
    async with served(PACK, database.url, said) as address, httpx.AsyncClient(base_url=address) as client:
        client.headers["Authorization"] = f"Bearer {SECRET}"

        async def placed(**sent: Any) -> str:
            body = encode(sent)
            reply = (await client.post("/v1/order.place-order", content=body)).json()
            return reply["answer"]["orders"][0]["number"]

        first = call(1)
        assert [await placed(**one) for one in (first, first, call(2))] == ["1", "1", "2"]
        assert await placed(**call(3, is_undone=True)) == str(2**53)
        assert await placed(**call(4)) == "3"
    async with database.platform() as session:
        leases = await session.fetch('select first, last from "order".number_lease')
    assert [tuple(one) for one in leases] == [(1, 3)]
    with pytest.raises(errors.BadAsk, match="number_block"):
        made(PACK, database, Said(settings={"number_block": 0}))


def test_nothing_holds_the_code_of_orders() -> None:
    assert holds(PACK) == []


@pytest.mark.slow
async def test_orders_stand_alone_and_answer_as_they_did(make_platform: MakePlatform) -> None:
    then, (presale, plain) = await sold_before(make_platform, "presale", "standard")
    plan, database = then.platform.release.line("north").fingerprint, cast(Database, then.platform.store)
    unsent = (await then.place(line("pen", 1, 900), **waiting(plan))).orders[0]
    newer = after_rules_have_changed(database, then.platform)
    newer.recorder = recorder = Recorder(database, newer.release.points, Recording(share=1.0))
    shop = Shop(newer, NORTH)
    await shop.place(line("cup", 1, 300), line("lid", 1, 100), attributes={"words": "for Eve"})
    await shop.call(api.request_return, back(presale, "broken"))
    await shop.call(api.request_return, back(plain, "unwanted"))
    await shop.cancel(unsent.order_id)
    await shop.order(plain.order_id)
    await recorder.flush()
    ground = exercise.Ground(
        platform=newer, database=database, root=Path(), version="1", today=datetime.now(UTC).date()
    )
    ended = await exercise.exercise(ground, PACK)
    assert (ended.ended, ended.calls, ended.package_calls) == ("alone", 5, 5), ended.reason
    assert ended.reason.startswith("order.")
