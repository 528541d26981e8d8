"""Each kind of metric, with numbers that can be checked by hand on the four tables and the shop."""

from __future__ import annotations

from datetime import date

import pytest

from isthmus.data.errors import BadMetric, MixedCurrencies, NeedsTime, NotADimension, UnknownName
from isthmus.data.model.model import build
from isthmus.kernel import errors
from isthmus.markings import AnyOf, Atomic, Cumulative, Not, Where

from .conftest import Order, World

MONTH = ("time:month",)
JAN, FEB, MAR = date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)


@pytest.mark.parametrize(
    ("metric", "january", "february", "march"),
    [
        ("amount", 30, 70, 110),
        ("amount_so_far", 30, 100, 210),
        ("buyers_so_far", 1, 3, 5),
        ("amount_two_months", 30, 100, 180),
        ("amount_28_days", 30, 70, 0),
        ("amount_this_quarter", 30, 100, 210),
        ("amount_before", 0, 30, 70),
        ("amount_difference", 30, 40, 40),
        ("amount_growth", None, pytest.approx(4 / 3), pytest.approx(4 / 7)),
        ("largest", 20, 40, 60),
        ("buyers", 1, 2, 2),
    ],
)
def test_a_metric_by_month(traps: World, metric: str, january: float, february: float, march: float) -> None:
    assert traps.rows(metric, by=MONTH) == [(JAN, january), (FEB, february), (MAR, march)]


def test_a_month_without_rows_still_has_its_running_total(traps: World) -> None:
    traps.change("update orders set d = '2024-05-05' where id >= 5")
    april = [row for row in traps.rows("amount_so_far", by=MONTH) if row[0] == date(2024, 4, 1)]
    assert april == [(date(2024, 4, 1), 100)]


def test_a_running_total_looks_back_beyond_the_first_month_asked_for(traps: World) -> None:
    rows = traps.rows("amount", "amount_so_far", by=MONTH, where=(Where("time", ">=", "2024-02-01"),))
    assert rows == [(FEB, 70, 100), (MAR, 110, 210)]


def test_a_running_total_is_the_same_with_another_metric_beside_it(traps: World) -> None:
    alone = traps.rows("amount_so_far", by=("time:month", "orders.status"))
    beside = traps.rows("amount_so_far", "qty", "amount_before", by=("time:month", "orders.status"))
    assert alone == [row[:3] for row in beside if row[2] is not None]


def test_the_period_before_moves_with_the_asked_filter_on_time(traps: World) -> None:
    february = (Where("time", ">=", "2024-02-01"), Where("time", "<", "2024-03-01"))
    assert traps.rows("amount", "amount_before", by=MONTH, where=february) == [(FEB, 70, 30)]


def test_a_ratio_is_of_sums_and_empty_where_it_divides_by_nought(traps: World) -> None:
    rows = traps.rows("per_item", by=("customers.region",))
    assert rows == [("E", None), ("W", 4), (None, pytest.approx(110 / 7))]


def test_metrics_combine_by_adding_and_taking_away(traps: World) -> None:
    assert traps.rows("open_amount", by=("orders.status",)) == [("done", 0), ("new", 40)]


def test_an_empty_lake_has_noughts_and_no_groups(traps: World) -> None:
    traps.change("delete from orders; delete from items")
    assert traps.rows("amount", "orders", "avg_amount", "largest") == [(0, 0, None, None)]
    assert traps.rows("amount_so_far", "amount_before", by=MONTH) == []


def test_filters_and_their_complement_cover_empty_values(traps: World) -> None:
    west = Where("customers.region", "=", "W")
    inside = traps.rows("amount", where=(west,))[0][0]
    assert inside == 60
    assert traps.rows("amount", where=(Not(west),)) == [(150,)]
    assert traps.rows("amount", where=(Where("customers.region", "!=", "W"),)) == [(150,)]
    assert traps.rows("amount", where=(Where("customers.region", "not in", ("W", "E")),)) == [(110,)]
    assert traps.rows("amount", where=(AnyOf((west, Where("customers.region", "is null"))),)) == [(170,)]


def test_conditions_on_the_many_side_are_about_the_same_row(traps: World) -> None:
    both = (Where("items.cat", "=", "B"), Where("items.qty", "<", "3"))
    assert traps.rows("amount", where=both) == [(10,)]
    assert traps.rows("amount", where=(Where("items.cat", "=", "A"), Where("items.cat", "=", "B"))) == [(0,)]


def test_a_period_ends_when_the_question_is_asked(shop: World) -> None:
    assert shop.rows("sales_7_days", "sales_this_month") == [(2440, 3440)]
    assert shop.rows("sales_this_month", as_of=shop.now.replace(day=2)) == [(1000,)]


def test_days_begin_in_the_askers_time_zone_also_when_clocks_change(shop: World) -> None:
    days = dict(shop.rows("sales", by=("time:day",), where=(Where("front_end", "=", "north"),)))  # pyright: ignore[reportCallIssue]
    berlin = dict(  # pyright: ignore[reportCallIssue]
        shop.rows("sales", by=("time:day",), where=(Where("front_end", "=", "north"),), timezone="Europe/Berlin")
    )
    assert days == {date(2024, 3, 1): 1000, date(2024, 3, 30): 2050, date(2024, 3, 31): 300}
    assert berlin == {date(2024, 3, 1): 1000, date(2024, 3, 31): 2350}


def test_a_metrics_own_grain_groups_it_where_nobody_says(shop: World) -> None:
    assert len(shop.rows("sales_by_day")) == 5


def test_stock_adds_up_over_products_and_keeps_its_last_level_over_time(shop: World) -> None:
    assert shop.rows("stock", by=MONTH) == [(JAN, 11), (FEB, 11), (MAR, 7)]
    assert shop.rows("counted_stock", by=MONTH) == [(JAN, 11), (MAR, 3)]
    assert shop.rows("stock") == [(7,)]
    assert shop.rows("stock", by=("shop.level.sku",)) == [("rice", 4), ("tea", 3)]


def test_a_conversion_counts_starts_that_a_goal_of_the_same_person_follows_in_time(shop: World) -> None:
    assert shop.rows("visits", "visit_to_basket", by=("front_end",)) == [
        ("north", 3, pytest.approx(1 / 3)),
        ("south", 1, 0),
    ]


def test_an_order_does_not_follow_itself_so_who_came_back_is_who_bought_again(shop: World) -> None:
    assert shop.rows("baskets", "came_back", by=("shop.order.buyer_id",)) == [(1, 3, 2), (2, 1, 0), (None, 1, 0)]
    assert shop.rows("went_elsewhere") == [(1,)], "of the two, one is at the same front end as the first"
    shop.change("update shop.orders set placed_at = '2024-03-01 10:00:00+00'")  # each follows the others at once
    assert shop.rows("baskets", "came_back") == [(5, 3)]


def test_amounts_of_two_currencies_are_not_added_up(shop: World) -> None:
    shop.change("update shop.orders set currency = 'USD' where id = 5")
    with pytest.raises(MixedCurrencies, match="metric 'sales' would add up amounts in EUR, USD"):
        shop.rows("sales")
    assert shop.rows("sales", by=("shop.order.currency",)) == [("EUR", 4050), ("USD", 90)]
    assert shop.rows("sales", by=("front_end",), where=(Where("front_end", "=", "north"),)) == [("north", 3350)]


@pytest.mark.parametrize(
    ("metrics", "ask", "error", "sentence"),
    [
        (("sales",), {"by": ("time",)}, NeedsTime, "`time` was asked for without a grain"),
        (("emails",), {"by": MONTH}, NeedsTime, "metric 'emails' was asked by time, and member.member has none"),
        (("salse",), {}, UnknownName, "there is no metric 'salse' (did you mean 'sales'?)"),
        (("sales",), {"by": ("time:moth",)}, errors.BadAsk, "'moth' is no grain of time (did you mean 'month'?)"),
        (("sales",), {"by": ("total_minor",)}, NotADimension, "shop.order.total_minor is no dimension"),
        (("sales",), {"by": ("currency:day",)}, NotADimension, "shop.order.currency is no time"),
        (("sales",), {"order": ("-sale",)}, UnknownName, "no column of this answer 'sale' (did you mean 'sales'?)"),
        (("sales",), {"timezone": "Europe/Berln"}, errors.BadAsk, "did you mean 'Europe/Berlin'?"),
        (("sales",), {"where": (Where("time", ">", "soon"),)}, errors.BadAsk, "'soon' is no value of time"),
    ],
)
def test_what_has_no_answer_is_said_with_the_next_step(
    shop: World, metrics: tuple[str, ...], ask: dict[str, object], error: type[errors.IsthmusError], sentence: str
) -> None:
    with pytest.raises(error) as refused:
        shop.rows(*metrics, **ask)
    assert sentence in refused.value.message
    assert refused.value.remedy


@pytest.mark.parametrize("metric", ["amount_so_far_twice", "amount_two_months"])
def test_running_metrics_say_what_they_need(traps: World, metric: str) -> None:
    twice = Cumulative(name="amount_so_far_twice", of="amount_so_far")
    traps.metrics = traps.over(build([(Order, ""), *_others()], [*traps.model.metrics.values(), twice]))
    with pytest.raises((BadMetric, NeedsTime)):
        traps.rows(metric, by=("time:month",) if metric == "amount_so_far_twice" else ())


def test_order_and_limit_take_the_largest(traps: World) -> None:
    answer = traps.answer("amount", by=("orders.customer_id",), order=("-amount",), limit=2)
    assert [tuple(row.values()) for row in answer.rows] == [(99, 60), (4, 50)]
    assert answer.receipt.is_cut


def test_the_number_of_a_field_without_measure_needs_an_aggregate(traps: World) -> None:
    nameless = Atomic(name="nameless", measure="orders.status")
    traps.metrics = traps.over(build([(Order, ""), *_others()], [nameless]))
    with pytest.raises(BadMetric, match="not marked as a measure"):
        traps.rows("nameless")


def _others() -> list[tuple[type, str]]:
    from .conftest import Customer, Item, Ticket

    return [(one, "") for one in (Customer, Item, Ticket)]
