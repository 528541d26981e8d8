"""Growth is read from series whose truth is known: made ones, and published ones that reached their limit."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import _growth_series
from isthmus import markings as m
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.governance.growth.asked import Asking
from isthmus.governance.growth.drivers import drivers
from isthmus.governance.growth.lines import Kind, Line, lines
from isthmus.governance.growth.reading import Growth, Stage, read
from tests.data.conftest import SHOP_METRICS, Member, Sale, World

FIRST = date(2023, 1, 2)
T = np.arange(104.0)
# Volume of yeast by the hour (Carlson 1913, as in Pearl 1927); its limit is 665 by Pearl's own fit.
YEAST = [
    9.6, 18.3, 29.0, 47.2, 71.1, 119.1, 174.6, 257.3, 350.7, 441.0, 513.3, 559.7, 594.8, 629.4, 640.8, 651.1, 655.9,
    659.6, 661.8,
]  # fmt: skip
SUNFLOWER = [
    17.93,
    36.36,
    67.76,
    98.1,
    131.0,
    169.5,
    205.5,
    228.3,
    247.1,
    250.5,
    253.8,
    254.5,
]  # cm, Reed, Holland 1919


def logistic(limit: float, middle: float, speed: float, at: Any = T) -> Any:
    return limit / (1 + np.exp(-speed * (at - middle)))


def counted(levels: Any, seed: int = 3) -> list[float]:
    """Return counts around levels, with the noise that counts have."""
    return [float(one) for one in np.random.default_rng(seed).poisson(levels)]


def reading(values: Any, **how: Any) -> Growth:
    return read(list(map(float, values)), FIRST, **how)


def test_a_line_that_reached_its_limit_says_so_and_how_much_that_is() -> None:
    found = reading(counted(logistic(500, 40, 0.1)))
    assert found.stage is Stage.SATURATED
    assert found.capacity
    assert found.capacity.low <= 500 <= found.capacity.high
    assert found.capacity.high / found.capacity.low < 1.1


def test_a_line_past_its_bend_says_when_it_flattens() -> None:
    seen = counted(logistic(500, 70, 0.08))
    found = reading(seen)
    flat = FIRST + timedelta(weeks=70 + math.log(19) / 0.08 + 1)
    assert found.stage is Stage.SATURATING
    assert found.flattens
    assert found.flattens.low
    assert found.flattens.high
    assert found.flattens.low - timedelta(weeks=4) <= flat <= found.flattens.high + timedelta(weeks=4)
    assert found.ahead[-1] == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize(
    "levels", [logistic(5_000, 150, 0.06), 20 * np.exp(0.03 * T), 20 + 5 * T], ids=["sigmoid", "exponential", "linear"]
)
def test_before_the_bend_no_limit_and_no_date_is_given(levels: Any) -> None:
    found = reading(counted(levels))
    assert found.stage is Stage.GROWING
    assert found.capacity is found.flattens is found.used is None
    assert "before the bend" in found.reason or "too early" in found.reason


@pytest.mark.parametrize(
    ("values", "stage"),
    [
        ([], Stage.EMPTY),
        ([0.0] * 50, Stage.EMPTY),
        ([5.0], Stage.YOUNG),
        (counted(30 + 0 * T[:11]), Stage.YOUNG),
        (counted(200 + 0 * T), Stage.FLAT),
        ([200.0] * 60, Stage.FLAT),
        (counted(500 * np.exp(-0.01 * T)), Stage.SHRINKING),
        ([*counted(300 + 0 * T[:60]), *[0.0] * 30], Stage.ENDED),
    ],
    ids=["nothing", "zeros", "one week", "ten weeks", "constant", "without noise", "falls", "ends"],
)
def test_each_kind_of_line_is_told_apart(values: list[float], stage: Stage) -> None:
    found = reading(values)
    assert found.stage is stage
    assert found.capacity is None


def test_a_yearly_rhythm_is_no_growth() -> None:
    season = np.exp(0.4 * np.sin(2 * np.pi * T / 52))
    assert reading(counted(300 * season)).stage is Stage.FLAT
    grown = reading(counted(logistic(500, 50, 0.08) * season))
    assert grown.stage is Stage.SATURATED
    assert grown.capacity
    assert grown.capacity.middle == pytest.approx(500, rel=0.05)


def test_promotions_and_holidays_do_not_move_the_limit() -> None:
    doubled = np.where(np.arange(104) % 13 == 5, 2.0, 1.0) * np.where(np.arange(104) % 52 == 51, 0.3, 1.0)
    found = reading(counted(logistic(500, 40, 0.1) * doubled))
    assert found.stage is Stage.SATURATED
    assert found.capacity
    assert found.capacity.middle == pytest.approx(500, rel=0.06)


def test_a_break_begins_another_line() -> None:
    merged = reading(counted(np.where(T < 60, 100, 180)))
    assert merged.stage is Stage.FLAT
    assert merged.broke == FIRST + timedelta(weeks=60)
    assert merged.level == pytest.approx(180, rel=0.05)
    late = reading(counted(np.where(T < 96, 100, 180)))
    assert late.stage is Stage.BROKEN
    assert "periods since then are too few" in late.reason
    assert late.broke
    assert abs(late.broke - (FIRST + timedelta(weeks=96))) <= timedelta(weeks=1)


def test_published_growth_is_forecast_from_its_first_part() -> None:
    yeast = read(YEAST[:13], FIRST, days=365)
    assert yeast.capacity
    assert yeast.capacity.low <= 665 <= yeast.capacity.high
    plant = read(SUNFLOWER, FIRST, days=7)
    assert plant.stage is Stage.SATURATED
    assert plant.capacity
    assert plant.capacity.middle == pytest.approx(261, rel=0.05)


def test_what_only_adds_up_is_judged_by_what_each_week_adds() -> None:
    taken_up = np.diff(logistic(5_000, 40, 0.1), prepend=0.0)
    found = reading(np.cumsum(counted(taken_up)), is_total=True)
    assert found.stage is Stage.SATURATED
    assert found.capacity
    assert found.capacity.middle == pytest.approx(5_000, rel=0.05)


def test_what_came_is_never_more_than_the_limit_of_what_adds_up() -> None:
    """Real households of a grocer, the eager ones first: 2,203 had come in the first half of a year, 2,371 in all."""
    known = _growth_series.households()["households, all"]
    came = np.cumsum(known.values)
    found = reading(came[:26], is_total=True)
    assert found.stage is Stage.SATURATING
    assert found.curve == "first purchases"
    assert found.capacity
    assert found.level == came[25]
    assert came[25] < found.capacity.low <= 1.02 * came[-1]
    assert came[-1] <= found.capacity.high
    assert found.ahead[25] == pytest.approx(came[-1], rel=0.03)


def test_a_second_rise_takes_the_limit_back_that_the_first_one_had() -> None:
    """Herbicide-tolerant cotton was flat at 60 % of the acres around 2002 and went on to 94 %."""
    cotton = _growth_series.crops()["ht cotton"].values
    found = reading(cotton[:21], days=365)
    assert found.stage is Stage.GROWING
    assert found.capacity is None
    assert found.reason.startswith("the last 4 periods lie above the curve that explains the others")
    assert reading(_growth_series.crops()["ht soybeans"].values[:14], days=365).stage is Stage.SATURATED


def test_a_price_change_is_a_break_and_the_line_goes_on_from_there() -> None:
    """A line that grew towards 500 sells a third less from one week on, and stays there."""
    found = reading(counted(np.where(T < 70, logistic(500, 30, 0.1), 330)))
    assert found.broke == FIRST + timedelta(weeks=70)
    assert found.stage is Stage.FLAT
    assert found.level == pytest.approx(330, rel=0.05)


def test_ranges_hold_about_as_often_as_they_say() -> None:
    """Of nine in ten, at least seven: noise is drawn anew each time, and the truth is known."""
    found = [reading(counted(logistic(500, 60, 0.08), seed)).capacity for seed in range(10)]
    assert sum(one is not None and one.low <= 500 <= one.high for one in found) >= 7


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1e12, allow_nan=False), max_size=30), st.booleans())
def test_any_series_is_read_without_an_error(values: list[float], is_total: bool) -> None:
    levels = list(np.cumsum(values)) if is_total else values
    found = read(list(map(float, levels)), FIRST, is_total=is_total)
    assert (found.capacity is None) == (found.flattens is None)
    assert found.stage in (Stage.SATURATING, Stage.SATURATED) or found.capacity is None


def test_the_same_series_is_read_the_same_way_twice() -> None:
    seen = counted(logistic(500, 60, 0.08))
    assert reading(seen, seed=7) == reading(seen, seed=7)


def grown_shop(folder: Path, north: Any, south: Any) -> World:
    """Give a shop with so many orders of 10.00 a week at each of two front ends."""
    rows, number = list[str](), 0
    for code, weeks in (("north", north), ("south", south)):
        for week, orders in enumerate(weeks):
            day = FIRST + timedelta(weeks=week, days=2)
            for buyer in range(int(orders)):
                number += 1
                rows.append(f"({number}, '{code}', {buyer % 40 + 1}, null, 'EUR', 1000, '{day} 10:00:00+00')")
    members = ", ".join(
        f"({at}, '{code}', 'm{at}@{code}.example', 'basic')" for code in ("north", "south") for at in range(1, 41)
    )
    sql = f"""
        create schema member; create schema shop;
        create table member.member (id bigint, front_end varchar, email varchar, tier varchar);
        insert into member.member values {members};
        create table shop.orders (id bigint, front_end varchar, buyer_id bigint, receiver_id bigint, currency varchar,
                                  total_minor bigint, placed_at timestamptz);
        insert into shop.orders values {", ".join(rows)};
    """
    metrics = [
        m.Atomic(name="sales", measure="shop.order.total_minor", unit="minor"),
        *(one for one in SHOP_METRICS if one.name in ("baskets", "shoppers")),
    ]
    return World(build([(one, "data-team") for one in (Member, Sale)], metrics), sql, folder / "receipts")


def of(found: list[Line], code: str, metric: str) -> Line:
    return next(one for one in found if (one.code, one.metric) == (code, metric))


def test_lines_of_front_ends_are_read_in_whole_weeks_and_whole_units(tmp_path: Path) -> None:
    weeks = np.arange(60.0)
    world = grown_shop(tmp_path, counted(logistic(60, 25, 0.2, weeks)), counted(20 + 0 * weeks, 5))
    found = lines(world.metrics, policy.owner(), [Kind(metric="sales"), Kind(metric="baskets")])
    assert [(one.code, one.metric) for one in found] == [
        (code, metric) for metric in ("sales", "baskets") for code in ("", "north", "south")
    ]
    north, south, group = (of(found, code, "sales") for code in ("north", "south", ""))
    assert north.unit == "EUR"
    assert north.growth.stage is Stage.SATURATED
    assert north.growth.capacity
    assert north.growth.capacity.middle == pytest.approx(600, rel=0.1)
    assert (north.horizon, north.is_due, south.growth.stage) == ("core", True, Stage.FLAT)
    assert group.values[-1] == pytest.approx(north.values[-1] + south.values[-1])
    assert len(group.values) == 58  # the first and the last week may be cut
    assert north.share
    assert south.share
    assert north.share + south.share == pytest.approx(1)


def test_a_business_with_one_day_of_data_has_no_line_yet(tmp_path: Path) -> None:
    world = grown_shop(tmp_path, [30], [10])
    assert lines(world.metrics, policy.owner(), [Kind(metric="sales"), Kind(metric="baskets")]) == []


def test_two_lines_that_merge_end_and_begin_and_the_group_has_no_break(tmp_path: Path) -> None:
    weeks = np.arange(80.0)
    north, south = counted(40 + 0 * weeks), counted(30 + 0 * weeks, 5)
    both = [a + b if week >= 50 else a for week, (a, b) in enumerate(zip(north, south, strict=True))]
    world = grown_shop(tmp_path, both, [one if week < 50 else 0.0 for week, one in enumerate(south)])
    found = lines(world.metrics, policy.owner(), [Kind(metric="sales")])
    assert of(found, "south", "sales").growth.stage is Stage.ENDED
    merged = of(found, "north", "sales").growth
    assert merged.stage is Stage.FLAT
    assert merged.broke
    assert abs(merged.broke - (FIRST + timedelta(weeks=50))) <= timedelta(weeks=1)
    group = of(found, "", "sales").growth
    assert (group.stage, group.broke) == (Stage.FLAT, None)


def test_a_change_is_divided_between_buyers_orders_and_baskets_to_the_cent(tmp_path: Path) -> None:
    weeks = np.arange(28.0)
    world = grown_shop(tmp_path, np.where(weeks < 14, 20, 60), 10 + 0 * weeks)
    until = FIRST + timedelta(weeks=27)
    (found,) = drivers(Asking(world.metrics, policy.owner(), ""), ("shoppers", "baskets", "sales"), until)
    sql = "select sum(total_minor) / 100 from shop.orders where placed_at >= ? and placed_at < ?"
    for total, begin, end in ((found.after, 13, 0), (found.before, 26, 13)):
        span = [until - timedelta(weeks=begin), until - timedelta(weeks=end)]
        assert world.connection.execute(sql, span).fetchall() == [(total,)]
    assert sum(one.adds for one in found.steps) == pytest.approx(found.after - found.before)
    assert [one.name for one in found.steps] == ["shoppers", "baskets / shoppers", "sales / baskets"]
    assert found.steps[0].adds > 0
    assert found.steps[1].adds > 0
    assert found.steps[2].adds == pytest.approx(0)  # each basket is 10.00, always
