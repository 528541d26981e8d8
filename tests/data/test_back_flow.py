"""What the lake learnt goes back to the business: look-ups while it works, segments that it decides by, HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import pyarrow as pa
import pytest

from isthmus.data.answers import serve
from isthmus.data.answers.segments import Segment, Segments
from isthmus.data.errors import BadMetric, MixedCurrencies
from isthmus.data.privacy import policy
from isthmus.data.query.lookup import Lookup
from isthmus.kernel import errors
from isthmus.markings import Scalar

from .conftest import SHOP_SQL, World

BUYER = "shop.order.buyer_id"


class Connected:
    """A session over one connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.texts: set[str] = set()

    async def fetch_row(self, sql: str, *args: object) -> asyncpg.Record | None:
        self.texts.add(sql)
        return await self.connection.fetchrow(sql, *args)


async def test_a_look_up_on_the_business_database_says_what_the_lake_says(shop: World, empty_url: str) -> None:
    names = ("sales_this_month", "sales_7_days", "baskets", "basket_value")
    by_lake = {row[:2]: row[2:] for row in shop.rows(*names, by=("front_end", BUYER)) if row[1] is not None}
    connection = await asyncpg.connect(empty_url, server_settings={"timezone": "UTC"})
    try:
        await connection.execute(SHOP_SQL)
        session = Connected(connection)
        lookup = Lookup(shop.model, names, ("front_end", BUYER))
        for (front_end, buyer), values in by_lake.items():
            key: dict[str, Scalar] = {"front_end": str(front_end), BUYER: str(buyer)}
            found = await lookup.value(session, key, shop.now)
            assert [float(value or 0) for value in found.values()] == [float(value or 0) for value in values]  # pyright: ignore[reportArgumentType]
        assert len(session.texts) == 1
    finally:
        await connection.close()


def test_a_look_up_from_the_many_side_is_refused(traps: World) -> None:
    with pytest.raises(BadMetric, match="items.cat is on the many side of orders"):
        Lookup(traps.model, ("amount",), ("items.cat",))


class Desk:
    """Where segments are delivered."""

    def __init__(self) -> None:
        self.lists: dict[tuple[str, str], tuple[str, ...]] = {}
        self.count = 0

    async def deliver(self, front_end: str, member: str, segments: tuple[str, ...]) -> None:
        self.lists[front_end, member] = segments
        self.count += 1


SEGMENTS = [
    Segment(code="big", version=1, metric="sales", member=BUYER, least=700),
    Segment(code="frequent", version=1, metric="baskets", member=BUYER, least=2),
]


async def test_members_come_and_go_and_only_changes_are_delivered(shop: World, tmp_path: Path) -> None:
    segments, desk = Segments(tmp_path, SEGMENTS), Desk()
    first = await segments.refresh(shop.metrics, policy.owner(), shop.now, desk.deliver)
    assert desk.lists == {("north", "1"): ("data:big", "data:frequent"), ("south", "1"): ("data:big",)}
    assert (first.delivered, first.joined, first.left) == (2, 3, 0)
    again = await segments.refresh(shop.metrics, policy.owner(), shop.now, desk.deliver)
    assert (again.delivered, desk.count) == (0, 2)
    shop.change("delete from shop.orders where id = 2")
    gone = await segments.refresh(shop.metrics, policy.owner(), shop.now, desk.deliver)
    assert (gone.joined, gone.left) == (0, 1)
    assert desk.lists["north", "1"] == ("data:big",)
    assert {one.snapshot for one in segments.members()} == {"state-1"}


async def test_who_has_not_consented_to_its_purpose_is_in_no_segment_and_who_takes_it_back_leaves(
    shop: World, tmp_path: Path
) -> None:
    agreed = {("north", "1"), ("south", "9")}  # the latter is no member whom the metric finds

    async def consenting(front_end: str, members: Sequence[str], purpose: str) -> set[str]:
        assert purpose == "profiling"
        return {one for one in members if (front_end, one) in agreed}

    free, bound = SEGMENTS[1], msgspec.structs.replace(SEGMENTS[0], purpose="profiling")
    segments, desk = Segments(tmp_path, [free, bound]), Desk()
    owner, later = policy.owner(), shop.now + timedelta(days=1)
    await segments.refresh(shop.metrics, owner, shop.now, desk.deliver, consenting)
    assert desk.lists == {("north", "1"): ("data:big", "data:frequent")}
    agreed.clear()
    shop.change("insert into shop.orders select * from shop.orders where id = 4")  # and it cannot be computed any more
    failed = await segments.refresh(shop.metrics, owner, later, desk.deliver, consenting)
    assert len(failed.failures) == 2
    assert desk.lists == {("north", "1"): ("data:frequent",)}
    agreed.add(("north", "1"))
    nobody_says = Segments(tmp_path / "other", [bound])
    assert (await nobody_says.refresh(shop.metrics, owner, shop.now, desk.deliver)).joined == 0


async def test_a_segment_that_cannot_be_computed_keeps_its_members_for_a_while_and_then_none(
    shop: World, tmp_path: Path
) -> None:
    segments, desk = Segments(tmp_path, SEGMENTS), Desk()
    await segments.refresh(shop.metrics, policy.owner(), shop.now, desk.deliver)
    shop.change("insert into shop.orders select * from shop.orders where id = 4")
    soon = await segments.refresh(shop.metrics, policy.owner(), shop.now + timedelta(days=6), desk.deliver)
    assert (soon.left, len(soon.failures)) == (0, 2)
    assert "is not unique" in soon.failures[0]
    late = await segments.refresh(shop.metrics, policy.owner(), shop.now + timedelta(days=8), desk.deliver)
    assert late.left == 3
    assert desk.lists["south", "1"] == ()


async def test_a_question_over_http_is_answered_as_json_or_arrow_with_its_receipt(shop: World) -> None:
    body = json.dumps({
        "metrics": ["sales"], "by": ["front_end", "time:month"],
        "where": [{"type": "where", "field": "currency", "op": "=", "value": "EUR"}],
    }).encode()  # fmt: skip
    reply = await serve.ask(shop.metrics, policy.owner(), body)
    said = json.loads(reply.body)
    assert said["columns"] == ["front_end", "time:month", "sales"]
    assert said["rows"][0] == ["north", "2024-03-01", 3350]
    assert dict(reply.headers)["isthmus-receipt"] == said["receipt"]["id"]
    streamed = await serve.ask(shop.metrics, policy.owner(), body, serve.ARROW)
    assert pa.ipc.open_stream(streamed.body).read_all().column("sales").to_pylist() == [3350, 700, 90]
    with pytest.raises(errors.BadAsk, match="unknown field 'metrix'"):
        await serve.ask(shop.metrics, policy.owner(), b'{"metrix": []}')
    shop.change("update shop.orders set currency = 'USD' where id = 1")
    with pytest.raises(MixedCurrencies):
        await serve.ask(shop.metrics, policy.owner(), b'{"metrics": ["sales"]}')


def test_a_metric_is_described_as_far_as_the_asker_sees(shop: World) -> None:
    said = json.loads(serve.describe(shop.metrics, policy.owner(), "basket_value"))
    assert said["metric"] | {"type": "ratio", "numerator": "sales", "denominator": "baskets"} == said["metric"]
    assert "shop.order.currency" in said["by"]
    assert said["by"][0] == "time"
    narrow = policy.Policy(name="narrow", opens={"shop.visit": policy.Opened()})
    assert json.loads(serve.describe(shop.metrics, narrow, "basket_value"))["by"] == ["time"]
    with pytest.raises(errors.NotFound, match="there is no metric 'basket'"):
        serve.describe(shop.metrics, policy.owner(), "basket")


def test_the_catalogue_lists_metrics_with_kind_owner_and_usage(traps: World) -> None:
    traps.answer("ltv", as_=policy.owner("north"))
    one = {"name": "ltv", "kind": "atomic", "unit": "", "owner": "", "doc": "What customers are worth."}
    last = traps.now.isoformat().replace("+00:00", "Z")
    for asking, used in (
        ("north", {"asked": 1, "last": last, "askers": {"north": 1}}),
        ("south", {"asked": 0, "last": None, "askers": {}}),
    ):
        said = json.loads(serve.catalogue(traps.metrics, policy.owner(asking), "worth"))
        assert said["metrics"] == [one | {"usage": used}]
