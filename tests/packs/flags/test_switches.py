"""A flag switches an answer and a product of a front end: the rule and the screen change together, and replay stays."""

from __future__ import annotations

import sys
from types import ModuleType

import msgspec
import pytest

from isthmus.kernel import (
    Caller,
    Context,
    Dimension,
    Effect,
    FrontEnd,
    Pack,
    Pass,
    Platform,
    Product,
    Registry,
    Value,
    answers,
    capability,
    combine,
    errors,
    extension_point,
    flow,
    implements,
)
from isthmus.kernel.host import Trace
from isthmus.packs.flags import api
from isthmus.packs.flags.pack import PACK as FLAGS
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.runtime.replay.capabilities import run_again, switched_in
from isthmus.runtime.replay.recorded import RecordedCall
from isthmus.store import Database
from tests.packs.flags.conftest import Desk, MakeFlagDesk

SIZE = Dimension(name="size", values=("small", "large"), default="small")


class Quote(Value):
    """Ask what a cup costs."""

    member_id: str = ""
    size: str = "small"
    country: str = "DE"


class Price(Value):
    """A price, and the box that it was made in."""

    cents: int
    box: str


@capability("cafe.quote", version="1.0", effect=Effect.READ)
def quote(ask: Quote) -> Price:
    """Quote a cup."""
    ...


@extension_point("cafe.cents", combine=combine.first_answer, dimensions=[SIZE])
def cents(ask: Quote) -> int | Pass:
    """Say what a cup costs."""
    return 200


@flow("cafe.order", version="1.0", effect=Effect.WRITE, uses=[quote])
def order(ask: Quote) -> Price:
    """Order a cup, at the price quoted."""
    ...


@implements(quote)
async def _quote(ask: Quote, ctx: Context) -> Price:
    return Price(cents=ctx.answer(cents)(ask), box=ctx.box)


@implements(order)
async def _order(ask: Quote, ctx: Context) -> Price:
    return await ctx.call(quote, ask)


@answers(cents, when={"flag.happy-hour": "on"})
def happy_hour(ask: Quote) -> int | Pass:
    return 100


@answers(cents, when={"size": "large"})
def large(ask: Quote) -> int | Pass:
    return 300


LARGE = Product(name="large-cups", doc="Larger cups.", owner="cafe team", answers=(large,))
CUPS = api.switched(LARGE, by="large-cups")
cafe_api = ModuleType("cafe_api", "Sells coffee.")
for _name, _one in (("quote", quote), ("cents", cents), ("order", order)):
    setattr(cafe_api, _name, _one)
CAFE = Pack(name="cafe", owner="cafe team", api=cafe_api, service=(sys.modules[__name__],))
NORTH = FrontEnd(
    code="north",
    name="North",
    owner="north",
    uses=("flags.*", "cafe.*"),
    answers=(happy_hour,),
    products=(CUPS,),
    order={cents: (happy_hour, *CUPS.answers)},
)
HALF = {"fractional": [["on", 50], ["off", 50]]}


@pytest.fixture
async def cafe(make_desk: MakeFlagDesk) -> Desk:
    return await make_desk(CAFE, NORTH)


async def test_a_flag_switches_an_answer_and_what_the_screen_is_given_together(cafe: Desk) -> None:
    await cafe.put("happy-hour", targeting=HALF)
    members = [f"member-{number}" for number in range(20)]
    bought = {who: await cafe.call(order, Quote(member_id=who)) for who in members}
    shown = {who: (await cafe.ask("happy-hour", who)).value for who in members}
    assert {who: price.cents == 100 for who, price in bought.items()} == shown
    assert set(shown.values()) == {True, False}
    assert {price.box for price in bought.values()} == {"north", "north?flag.happy-hour=on"}


async def test_a_flag_that_is_not_there_off_or_broken_leaves_the_answer_out(cafe: Desk) -> None:
    assert (await cafe.call(quote, Quote(member_id="ann"))).cents == 200
    await cafe.put("happy-hour", default_variant="on")
    assert (await cafe.call(quote, Quote(member_id="ann"))).cents == 100
    await cafe.call(api.kill_flag, api.FlagNamed(key="happy-hour"))
    assert (await cafe.call(quote, Quote(member_id="ann"))).cents == 200
    await cafe.put("happy-hour", targeting={"var": "country"})
    assert (await cafe.call(quote, Quote(member_id="ann"))).cents == 200


async def test_a_flag_switches_a_product_beside_its_own_conditions(cafe: Desk) -> None:
    large_cup = Quote(member_id="ann", size="large")
    assert (await cafe.call(quote, large_cup)).cents == 200
    await cafe.put("large-cups", default_variant="on")
    assert (await cafe.call(quote, large_cup)).cents == 300
    assert (await cafe.call(quote, Quote(member_id="ann"))).cents == 200
    await cafe.put("happy-hour", default_variant="on")
    price = await cafe.call(quote, large_cup)
    assert (price.cents, price.box) == (100, "north?flag.happy-hour=on&flag.large-cups=on&size=large")


async def test_rules_may_look_at_the_plain_fields_of_an_ask(cafe: Desk) -> None:
    await cafe.put("happy-hour", targeting={"if": [{"==": [{"var": "country"}, "FR"]}, "on"]})
    assert [(await cafe.call(quote, Quote(country=one))).cents for one in ("DE", "FR")] == [200, 100]


async def test_a_recorded_call_is_run_again_with_what_flags_were_then(cafe: Desk) -> None:
    await cafe.put("happy-hour", default_variant="on")
    traces: list[Trace] = []
    caller = Caller(front_end="north", client="till")
    await cafe.platform.call_wire("cafe.order", b'{"member_id": "ann"}', caller, on_trace=traces.append)
    assert traces[0].box == "north?flag.happy-hour=on"
    await cafe.call(api.kill_flag, api.FlagNamed(key="happy-hour"))
    recorded = RecordedCall(
        call_id=traces[0].call_id, capability="cafe.order", version="1.0", front_end="north", box=traces[0].box,
        fingerprint="", now=cafe.platform.clock(), took_us=0, ask=msgspec.Raw(b'{"member_id": "ann"}'),
        answer=msgspec.Raw(b"{}"), error="", asked=(), parts=(), events=(),
    )  # fmt: skip
    again, _ = await run_again(cafe.database, cafe.platform, recorded)
    assert again.cents == 100
    assert (await cafe.call(order, Quote(member_id="ann"))).cents == 200
    assert switched_in("north?channel=app&flag.a=on") == (("flag.a", "on"),)


async def test_what_goes_on_later_keeps_what_flags_were_when_it_began(cafe: Desk) -> None:
    await cafe.put("happy-hour", default_variant="on")
    began = Caller(front_end="north", client="till", switched=(("flag.happy-hour", "off"),))
    assert (await cafe.platform.call(quote, Quote(), began)).cents == 200
    of_another_version = Caller(front_end="north", client="till", switched=(("flag.gone", "on"),))
    assert (await cafe.platform.call(quote, Quote(), of_another_version)).cents == 200


def test_two_answers_that_a_flag_lets_meet_are_refused_until_their_order_is_said() -> None:
    unsaid = FrontEnd(code="north", name="North", owner="n", uses=("cafe.*",), answers=(happy_hour, large))
    with pytest.raises(errors.BuildProblems, match="flag.happy-hour=on"):
        Registry().add(CAFE, FLAGS, MEMBER, unsaid).freeze()


async def test_a_platform_without_flags_answers_as_if_all_were_off(database: Database) -> None:
    platform = Platform(Registry().add(CAFE, FLAGS, MEMBER, NORTH).freeze(), database)
    assert (await platform.call(quote, Quote(), Caller(front_end="north"))).cents == 200
