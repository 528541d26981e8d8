"""Sets of products that fit are told from those that do not, and a change is tried on last week's calls."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isthmus.governance.explore import sets
from isthmus.governance.explore.patch import patch
from isthmus.governance.explore.what_if import Change, NoSuchAnswer, Outcome, changed, what_if
from isthmus.kernel import Caller, Platform
from isthmus.kernel.host import Release
from isthmus.runtime.deploy.loading import load_front_end
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from tests.governance.planted import stall
from tests.governance.planted import stall_products as goods

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
PRODUCTS = {one.name: one for one in (goods.APP, goods.HALF, goods.NO_JAM, goods.THIRD)}
FRONT_END = '''"""What north is."""

from isthmus.kernel import FrontEnd
from tests.governance.planted import stall
from tests.governance.planted.stall_products import HALF

from . import answers

FRONT_END = FrontEnd(
    code="north",
    name="North",
    owner="north team",
    uses=("stall.*",),
    products=(HALF,),
    answers=(
        answers.ten_cents_off_tea,
        answers.no_knives,
    ),
)
'''
ANSWERS = '''"""What north answers."""

from isthmus.kernel import PASS, answers, veto
from isthmus.values import money
from tests.governance.planted import stall


@answers(stall.price)
def ten_cents_off_tea(goods):
    return [money(one.price.minor - 10, "EUR") if one.sku == "tea" else PASS for one in goods]


@answers(stall.allow)
def no_knives(goods):
    return veto("we sell no knives") if any(one.sku == "knife" for one in goods) else PASS
'''


async def sold(database: Database, running: Release, at: datetime = NOW - timedelta(days=1)) -> None:
    """Sell three times: tea to Ada, tea and jam to Ada, jam to a guest."""
    recorder = Recorder(database, running.points, Recording(share=1.0))
    platform = Platform(running, database, clock=lambda: at, recorder=recorder)
    for skus, member in ((["tea"], "ada"), (["tea", "jam"], "ada"), (["jam"], None)):
        bought = tuple(stall.goods(sku, 2) for sku in skus)
        await platform.call(stall.sell, stall.Sell(goods=bought, member_id=member), Caller(front_end="north"))
    await recorder.flush()


def test_every_set_of_products_is_told_to_fit_to_want_one_order_or_to_conflict():
    running = stall.release(products=(goods.HALF,))
    found = {one.products: one for one in sets.combined(running, "north", PRODUCTS, {})}
    assert len(found) == 16
    assert found["half",].is_live
    assert {products for products, one in found.items() if one.fit == "one order away"} == {
        (*before, "half", *after)
        for before in ((), ("app-price",)) for after in (("third",), ("no-jam", "third"))
    }  # fmt: skip
    both = found["half", "third"]
    assert both.needs == "order={stall.price: [half, third_off]}"
    assert "with any ask, and nothing says which goes first" in both.witness
    assert all(one.earned is None for one in found.values())
    assert found["app-price", "no-jam"].fit == "fits"


async def test_what_a_set_earned_is_what_was_paid_while_it_was_switched_on(database: Database):
    before, running = stall.release(products=(goods.NO_JAM,)), stall.release(products=(goods.HALF,))
    await sold(database, running)
    recorder = Recorder(database, before.points, Recording(share=1.0))
    platform = Platform(before, database, clock=lambda: NOW, recorder=recorder)
    await platform.call(stall.sell, stall.Sell(goods=(stall.goods("tea", 3),)), Caller(front_end="north"))
    await recorder.flush()
    tried = await sets.tried(database, running.line("north"), running, PRODUCTS)
    assert tried == {
        frozenset({"half"}): sets.Earned(orders=3, paid={"EUR": 2 * 90 + 2 * (90 + 50) + 2 * 50}),
        frozenset({"no-jam"}): sets.Earned(orders=1, paid={"EUR": 270}),
    }
    live = sets.combined(running, "north", PRODUCTS, tried)[0]
    assert (live.products, live.is_live, live.earned) == (("half",), True, tried[frozenset({"half"})])


async def test_sets_of_what_answers_a_question_are_own_answers_and_products_and_say_what_they_earned(
    database: Database,
):
    running = stall.release(products=(goods.HALF,))
    front_end = running.line("north").front_end
    assert sets.saying(front_end, PRODUCTS) == {
        "stall.allow": ["no_knives", "no-jam"],
        "stall.price": ["ten_cents_off_tea", "app-price", "half", "third"],
    }
    before = stall.release(answers=(stall.no_knives,), products=(goods.NO_JAM,))  # a version that is gone
    await sold(database, running)
    recorder = Recorder(database, before.points, Recording(share=1.0))
    platform = Platform(before, database, clock=lambda: NOW, recorder=recorder)
    await platform.call(stall.sell, stall.Sell(goods=(stall.goods("tea", 3),)), Caller(front_end="north"))
    await recorder.flush()
    tried = await sets.tried(database, running.line("north"), running, PRODUCTS, "stall.price")
    assert tried == {
        frozenset({"ten_cents_off_tea", "half"}): sets.Earned(orders=3, paid={"EUR": 560}),
        frozenset(): sets.Earned(orders=1, paid={"EUR": 300}),
    }
    found = {frozenset(one.products): one for one in sets.answered(running, "north", "stall.price", PRODUCTS, tried)}
    assert len(found) == 16
    live = found[frozenset({"ten_cents_off_tea", "half"})]
    assert (live.is_live, live.fit, live.earned) == (True, "fits", tried[frozenset(live.products)])
    both = found[frozenset({"half", "third"})]
    assert (both.fit, both.needs, both.earned) == ("one order away", "order={stall.price: [half, third_off]}", None)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (Change(products=("half",)), {"orders_changed": 2, "moved": {"EUR": -200}, "members": 1}),
        (Change(products=("no-jam",)), {"orders_changed": 2, "refused": 2, "members": 1, "moved": {}}),
        (Change(products=("app-price",)), {"orders_changed": 0, "members": 0}),  # nobody bought in the app
        (Change(answer="ten_cents_off_tea", when={"channel": ("app",)}), {"orders_changed": 2, "moved": {"EUR": 40}}),
        (Change(question="stall.price", said=()), {"orders_changed": 2, "moved": {"EUR": 40}}),
        (Change(question="stall.allow", said=("no-jam",)), {"orders_changed": 2, "refused": 2}),
    ],
)
async def test_a_change_says_which_orders_money_and_members_would_differ(
    database: Database, change: Change, wanted: dict[str, object]
):
    running = stall.release()
    await sold(database, running)
    async with database.platform() as session:  # what is older than a week counts for nothing
        await session.execute("update runtime.recorded_call set recorded_at = $1", NOW - timedelta(days=8))
    await sold(database, running, NOW - timedelta(days=300))  # whenever a call says that it happened
    variant = changed(running.line("north").front_end, change, PRODUCTS)
    found = await what_if(database, running, variant, NOW)
    assert (found.calls, found.orders, found.problems) == (3, 3, ())
    assert {name: getattr(found, name) for name in wanted} == wanted
    assert found.took_ms < 2_000


async def test_who_goes_first_is_tried_too_and_what_cannot_be_made_says_why(database: Database):
    running = stall.release(products=(goods.HALF,))
    await sold(database, running)
    front_end = running.line("north").front_end
    first = Change(point="stall.price", first=("half.half", "north.ten_cents_off_tea"))
    found = await what_if(database, running, changed(front_end, first, PRODUCTS), NOW)
    assert (found.orders_changed, found.moved) == (2, {"EUR": -2 * 2 * 40})
    both = await what_if(database, running, changed(front_end, Change(products=("half", "third")), PRODUCTS), NOW)
    assert both == Outcome(problems=both.problems)
    assert "nothing says which goes first" in both.problems[0]
    with pytest.raises(NoSuchAnswer, match="no product is called 'free'"):
        changed(front_end, Change(products=("free",)), PRODUCTS)
    with pytest.raises(NoSuchAnswer, match="'free' does not answer 'stall.allow'"):
        changed(front_end, Change(question="stall.allow", said=("free",)), PRODUCTS)
    with pytest.raises(NoSuchAnswer, match="has no answer 'wrong' of its own"):
        changed(front_end, Change(answer="wrong"), PRODUCTS)


@pytest.mark.parametrize(
    "change",
    [
        Change(products=("half", "no-jam")),
        Change(products=()),
        Change(answer="no_knives", when={"channel": ("store", "app")}),
        Change(question="stall.allow", said=("no-jam",)),
        Change(question="stall.price", said=("half",)),
        Change(point="stall.price", first=("half.half", "north.ten_cents_off_tea")),
    ],
)
def test_the_same_change_as_code_is_a_patch_that_git_takes_and_makes_the_same_front_end(tmp_path: Path, change: Change):
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "front_end.py").write_text(FRONT_END)
    (folder / "answers.py").write_text(ANSWERS)
    front_end = load_front_end(folder)
    variant = changed(front_end, change, PRODUCTS)
    written = patch(change, front_end, PRODUCTS, folder, tmp_path)
    for command in (["init", "-q"], ["apply", "-"]):
        subprocess.run(["git", *command], cwd=tmp_path, input=written, text=True, check=True)
    again = load_front_end(folder)
    assert [one.name for one in again.products] == [one.name for one in variant.products]
    assert [(one.name, one.when) for one in again.answers] == [(one.name, one.when) for one in variant.answers]
    assert {point.name: [one.name for one in said] for point, said in again.order.items()} == {
        point.name: [one.name for one in said] for point, said in variant.order.items()
    }
