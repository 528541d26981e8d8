"""Metrics that front ends add: over their own rows alone, whoever asks; unknown to others; checked before they run."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from isthmus import markings as m
from isthmus.data.checks import metamorphic
from isthmus.data.checks.lock import differences
from isthmus.data.errors import UnknownName
from isthmus.data.model.ask import Ask
from isthmus.data.privacy import policy
from isthmus.data.query.front_end_metrics import problems_of
from isthmus.kernel import FrontEnd, Value, errors
from isthmus.markings import Where
from tests import shipped

from .conftest import NOW
from .test_attributes import NORTH, SOUTH, Boxes, boxes

__all__ = ["boxes"]  # the fixture

WRAPPED = Where("box.order.attributes.wrap", "in", ("paper", "box"))
NORTHS = (
    m.Count(name="north.gifts", of="box.order", where=WRAPPED, doc="Orders that are wrapped."),
    m.Count(name="north.orders", of="box.order"),
    m.Ratio(name="north.gift-share", numerator="north.gifts", denominator="north.orders"),
    m.Ratio(name="north.goods-an-order", numerator="goods", denominator="north.orders"),
    m.Combined(name="north.more", plus=("sales", "box.order.attributes.ribbons")),
)


def test_a_front_end_asks_its_own_metrics_and_the_group_reads_the_same_number(boxes: Boxes) -> None:
    boxes.declare("north", NORTH, *NORTHS)
    for asker in (boxes.north, policy.owner()):
        assert boxes.rows("north.gifts", as_=asker) == [(2,)]
        assert boxes.rows("north.orders", as_=asker) == [(4,)]  # and not the five of all front ends
        assert boxes.rows("north.gift-share", as_=asker) == [(0.5,)]
        assert boxes.rows("north.goods-an-order", as_=asker) == [(13 / 4,)]  # the packs' own metric, of north's rows
        assert boxes.rows("north.more", as_=asker) == [(127 + 3,)]
    assert boxes.rows("goods", as_=policy.owner()) == [(22,)]  # which stays everybody's where it is asked by its name


def test_a_metric_stands_beside_others_as_it_stands_alone(boxes: Boxes) -> None:
    boxes.declare("north", NORTH, *NORTHS)
    boxes.declare("south", SOUTH, m.Derived(name="south.sales", of="sales"))
    ask = Ask(metrics=("north.orders", "sales", "south.sales", "north.gift-share"))
    assert [tuple(row.values()) for row in boxes.metrics.ask(ask, policy.owner()).rows] == [(4, 1127, 1000, 0.5)]


def test_a_metric_counts_what_that_one_counts_that_it_is_made_of(boxes: Boxes) -> None:
    sums = m.Cumulative(name="north.week", of="box.order.attributes.ribbons", window=7)
    boxes.declare("north", NORTH, sums, m.Derived(name="north.sold", of="north.week"), *NORTHS)
    model = boxes.metrics.seen_by(boxes.north)
    assert (model.unit("north.week"), model.unit("north.sold")) == ("ribbon", "ribbon")  # and not days: its window
    assert model.unit("north.gift-share") == ""


def test_another_front_end_neither_finds_nor_asks_it(boxes: Boxes) -> None:
    boxes.declare("north", NORTH, *NORTHS)
    south = policy.of_front_end(boxes.world.model, "south")
    assert [one.name for one in boxes.metrics.search("wrapped", boxes.metrics.seen_by(boxes.north))] == ["north.gifts"]
    assert boxes.metrics.search("wrapped", boxes.metrics.seen_by(south)) == []
    with pytest.raises(UnknownName, match="north.gifts"):
        boxes.rows("north.gifts", as_=south)
    assert boxes.metrics.seen_by(boxes.north).owners["north.gifts"] == "north team"


def test_a_version_that_defines_it_otherwise_is_asked_at_once_and_a_receipt_says_so(boxes: Boxes) -> None:
    boxes.declare("north", NORTH, *NORTHS)
    receipt = boxes.metrics.ask(Ask(metrics=("north.gifts",)), boxes.north).receipt
    boxes.declare("north", NORTH, m.Count(name="north.gifts", of="box.order"))
    assert boxes.rows("north.gifts") == [(4,)]
    again = boxes.metrics.rerun(receipt.id, {"north": boxes.north})
    assert not again.is_same
    assert "the model was" in again.reasons[0]


SOUTHS_WRAPPED = m.Count(name="south.wrapped", of="box.order", where=Where("box.order.attributes.wrap", "=", True))
LOCKED = m.Count(name="south.locked", of="box.order", where=Where("box.order.attributes.locker", "is not null"))


def test_one_over_an_attribute_that_another_means_otherwise_is_the_same_number_to_the_group(boxes: Boxes) -> None:
    """To the group `wrap` is a text, since north chooses it of three and south answers yes or no."""
    share = m.Ratio(name="south.share", numerator="south.wrapped", denominator="sales")
    boxes.declare("south", SOUTH, SOUTHS_WRAPPED, share)
    south = policy.of_front_end(boxes.world.model, "south")
    for asker in (south, policy.owner()):
        assert boxes.rows("south.wrapped", as_=asker) == [(1,)]
        assert boxes.rows("south.share", "box.order.attributes.wrap", as_=asker)[0] == (True, 0.001)


def test_two_of_front_ends_that_mean_otherwise_are_asked_apart(boxes: Boxes) -> None:
    boxes.declare("north", NORTH, *NORTHS)
    share = m.Ratio(name="south.share", numerator="south.wrapped", denominator="sales")
    boxes.declare("south", SOUTH, SOUTHS_WRAPPED, LOCKED, share)
    with pytest.raises(errors.BadAsk, match=r"south.wrapped is over box.order.attributes.wrap, .* of 'south' apart"):
        boxes.metrics.ask(Ask(metrics=("north.gifts", "south.share")), policy.owner())
    both = Ask(metrics=("north.gifts", "south.locked"))
    assert boxes.metrics.ask(both, policy.owner()).rows == [{"north.gifts": 2, "south.locked": 1}]


def test_every_truth_of_the_model_holds_for_the_metrics_of_front_ends(boxes: Boxes) -> None:
    boxes.declare("north", NORTH, *NORTHS)
    boxes.declare("south", SOUTH, SOUTHS_WRAPPED, LOCKED)
    assert metamorphic.broken(boxes.metrics, policy.owner(), ["north.gifts", "south.wrapped", "south.locked"]) == []


def test_a_diff_shows_what_a_version_would_move_before_it_is_deployed(boxes: Boxes, tmp_path: Path) -> None:
    boxes.declare("north", NORTH, *NORTHS)
    after = Boxes(tmp_path / "after")
    after.declare(
        "north", NORTH, m.Count(name="north.gifts", of="box.order"), m.Count(name="north.lines", of="box.line")
    )
    found = differences(boxes.metrics, after.metrics, policy.owner(), NOW)
    moved = {one.metric: (one.kind, one.old, one.new) for one in found}
    assert moved["north.gifts"] == ("changed", 2, 4)
    assert moved["north.orders"] == ("removed", 4, None)
    assert moved["north.lines"] == ("added", None, 3)
    assert "sales" not in moved


def test_a_version_that_is_no_more_is_held_by_no_question(boxes: Boxes) -> None:
    """Whoever holds a front end that answers in a process of its own holds the process."""

    class Held(FrontEnd):
        """One that a reference can be weak to."""

    boxes.declared = {"north": Held(code="north", name="North", owner="n", attributes=NORTH, metrics=NORTHS)}
    held = weakref.ref(boxes.declared["north"])
    assert boxes.rows("north.gifts") == [(2,)]
    boxes.declare("north", NORTH)
    gc.collect()
    assert held() is None


class Gift(Value):
    """How an order is given away."""

    wrap: bool = False


def declaring(*metrics: object) -> FrontEnd:
    return FrontEnd(code="north", name="North", owner="n", attributes={"order.order": Gift}, metrics=metrics)


GIFTS = m.Count(name="north.gifts", of="order.order", where=Where("order.order.attributes.wrap", "=", True))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (m.Count(name="order.orders", of="order.order"), "call it 'north.orders'"),
        (GIFTS, "'north.gifts' twice"),
        ("north.gifts", "which is none; write one of"),
        (m.Ratio(name="north.a", numerator="north.gift", denominator="order.orders"), "'north.gifts'"),
        (m.Atomic(name="north.b", measure="order.order.attributes.ribbons"), "no attribute 'ribbons'"),
        (m.Count(name="north.c", of="catalog.product"), "catalog.product, whose rows are everybody's"),
        (m.Derived(name="north.d", of="north.d"), "it is made of itself"),
        (
            m.Derived(name="north.h", of="order.orders", where=Where("order.order.state", "=", "done")),
            "'done' is no value",
        ),
        (m.Atomic(name="north.e", measure="order.order.state"), "is not marked as a measure"),
        (m.Cumulative(name="north.f", of="order.sales-growth"), "runs over time"),
        (m.Cumulative(name="north.g", of="order.sales", window_unit="minor"), "Invalid enum value 'minor'"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_is_said_before_it_goes_live(wrong: object, says: str) -> None:
    found = problems_of(shipped.PACKS, declaring(GIFTS, wrong))
    assert len(found) == 1, found
    assert says in found[0]
    with pytest.raises(errors.BuildProblems, match="north"):
        shipped.build([declaring(GIFTS, wrong)])


def test_what_is_right_is_built_also_what_runs_over_time() -> None:
    growth = m.PeriodOverPeriod(name="north.growth", of="north.gifts", period="month")
    running = m.Cumulative(name="north.running", of="order.sales", window=7)
    back = m.Conversion(
        name="north.again", start="north.gifts", goal="order.orders",
        by=("order.order.member_id", "order.order.member_id"), within_days=30,
    )  # fmt: skip
    assert problems_of(shipped.PACKS, declaring(GIFTS, growth, running, back)) == []
    shipped.build([declaring(GIFTS, growth, running, back)])


def test_a_child_has_no_metrics_of_its_own() -> None:
    child = FrontEnd(code="north.kiosk", name="Kiosk", owner="n", when={"channel": "till"}, metrics=(GIFTS,))
    with pytest.raises(errors.BuildProblems, match=r"'north.kiosk' has attributes, metrics or events of its own"):
        shipped.build([FrontEnd(code="north", name="North", owner="n", children=(child,))])
