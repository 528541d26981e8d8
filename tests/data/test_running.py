"""Metrics that run over time: totals so far, to-date, windows and levels, by any periods, bounds and own times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Annotated

import pytest

from isthmus import markings as m
from isthmus.data.errors import NeedsTime
from isthmus.data.model.model import Model, build
from isthmus.kernel import Value, errors
from isthmus.markings import AllOf, AnyOf, Dimension, Key, Measure, Not, Time, Where, entity

from .conftest import World

Row = tuple[str, int, str]


@entity("sale", table="sale")
class Sold(Value):
    """Something sold, at a moment and on a day."""

    id: Annotated[int, Key()]
    shop: Annotated[str, Dimension()]
    amount: Annotated[int, Measure()]
    ts: Annotated[datetime, Time()]
    day: Annotated[date, Time(is_default=False)]


@entity("level", table="level")
class Lying(Value):
    """What lies in stock."""

    id: Annotated[int, Key()]
    sku: Annotated[str, Dimension()]
    qty: Annotated[int, Measure()]
    ts: Annotated[date, Time()]


METRICS = [
    m.Atomic(name="sales", measure="sale.amount"),
    m.Atomic(name="dsales", measure="sale.amount", time="sale.day"),
    m.Distinct(name="shops", field="sale.shop"),
    m.Derived(name="last_week", of="sales", period=m.Period(last=7, unit="day")),
    m.Cumulative(name="ytd", of="dsales", reset="year"),
    m.Cumulative(name="mtd", of="dsales", reset="month"),
    m.Cumulative(name="so_far", of="dsales"),
    m.Cumulative(name="tso_far", of="sales"),
    m.Cumulative(name="shops_so_far", of="shops"),
    m.Cumulative(name="w1d", of="sales", window=1, unit="day"),
    m.Cumulative(name="d2", of="dsales", window=2, window_unit="day", unit="minor"),
    m.Cumulative(name="h3", of="sales", window=3, unit="hour"),
    m.Stock(name="stock", measure="level.qty", per=("sku",)),
    m.Stock(name="counted", measure="level.qty", per=("sku",), is_carried=False),
    m.PeriodOverPeriod(name="mom", of="dsales", period="month", show="before"),
]
MONTH, DAY, HOUR = ("time:month",), ("time:day",), ("time:hour",)


@pytest.fixture
def over(make_world: Callable[[Model, str], World]) -> Callable[..., World]:
    """Give a world of sales and levels, each in one short row."""

    def made(sales: list[Row], levels: Sequence[tuple[str, int, str]] = ()) -> World:
        sql = "create table sale(id bigint, shop varchar, amount bigint, ts timestamptz, day date);"
        sql += "create table level(id bigint, sku varchar, qty bigint, ts date);"
        for at, (shop, amount, ts) in enumerate(sales):
            sql += f"insert into sale values ({at}, '{shop}', {amount}, '{ts}+00', '{ts[:10]}');"
        for at, (sku, qty, ts) in enumerate(levels):
            sql += f"insert into level values ({at}, '{sku}', {qty}, '{ts}');"
        return make_world(build([(Sold, ""), (Lying, "")], METRICS), sql)

    return made


def shown(world: World, *metrics: str, **ask: object) -> list[tuple[object, ...]]:
    """Return rows with days as text, for short tables of what is right."""
    return [tuple(str(one) if isinstance(one, date) else one for one in row) for row in world.rows(*metrics, **ask)]


def since(day: str) -> Where:
    return Where("time", ">=", day)


def until(day: str) -> Where:
    return Where("time", "<=", day)


def test_a_year_to_date_begins_anew_inside_a_week(over: Callable[..., World]) -> None:
    world = over([("a", 100, "2024-12-31 10:00"), ("a", 10, "2025-01-02 10:00"), ("a", 1, "2025-01-07 10:00")])
    assert shown(world, "ytd", by=("time:week",)) == [("2024-12-30", 10), ("2025-01-06", 11)]
    assert shown(world, "ytd", by=MONTH) == [("2024-12-01", 100), ("2025-01-01", 11)]
    assert shown(world, "ytd", by=DAY, where=(since("2025-01-07"),)) == [("2025-01-07", 11)]
    assert shown(world, "ytd", by=("time:week",), week_starts="wednesday") == [("2024-12-25", 100), ("2025-01-01", 11)]


@pytest.mark.parametrize("grain", ["quarter", "year"])
def test_a_month_to_date_by_longer_periods_is_that_of_the_last_month(over: Callable[..., World], grain: str) -> None:
    world = over([("a", 100, "2024-01-15 10:00"), ("a", 10, "2024-02-15 10:00"), ("a", 1, "2024-03-07 10:00")])
    assert shown(world, "mtd", by=(f"time:{grain}",)) == [("2024-01-01", 1)]
    assert shown(world, "mtd", by=(f"time:{grain}",), where=(until("2024-02-20"),)) == [("2024-01-01", 10)]


def test_a_window_of_days_ends_with_the_hour_that_is_shown(over: Callable[..., World]) -> None:
    world = over([("a", 100, "2024-03-01 09:30"), ("a", 10, "2024-03-01 20:15"), ("a", 1, "2024-03-02 05:00")])
    rows = dict(shown(world, "w1d", by=HOUR))  # pyright: ignore[reportCallIssue]
    assert rows["2024-03-01 09:00:00"] == rows["2024-03-01 19:00:00"] == 100
    assert rows["2024-03-01 20:00:00"] == rows["2024-03-02 04:00:00"] == 110
    assert rows["2024-03-02 05:00:00"] == 111
    later = dict(shown(world, "w1d", by=HOUR, where=(until("2024-03-02T20:59:59Z"),)))  # pyright: ignore[reportCallIssue]
    assert (later["2024-03-02 09:00:00"], later["2024-03-02 20:00:00"]) == (11, 1)
    assert shown(world, "h3", by=DAY) == [("2024-03-01", 0), ("2024-03-02", 0)]  # nothing in the last three hours


def test_bounds_by_the_hour_show_those_hours_and_count_what_was_before(over: Callable[..., World]) -> None:
    world = over([("a", 100, "2024-03-01 09:30"), ("a", 10, "2024-03-01 20:15"), ("a", 1, "2024-03-02 05:00")])
    rows = shown(world, "tso_far", by=HOUR, where=(since("2024-03-01T18:00:00"),))
    assert (rows[0], rows[2], rows[-1]) == (
        ("2024-03-01 18:00:00", 100), ("2024-03-01 20:00:00", 110), ("2024-03-02 05:00:00", 111),
    )  # fmt: skip
    assert shown(world, "tso_far", by=DAY, where=(Where("time", ">", "2024-03-01"),)) == [("2024-03-02", 111)]
    assert shown(world, "tso_far", by=MONTH, where=(since("2024-03-02"),)) == [("2024-03-01", 111)]
    cut = Where("time", "<", "2024-03-01T20:15:00Z")  # in the midst of an hour: what came after it is not counted
    assert shown(world, "tso_far", by=DAY, where=(cut,)) == [("2024-03-01", 100)]
    assert shown(world, "w1d", by=DAY, where=(Where("time", "<=", "2024-03-01T20:15:00Z"),)) == [("2024-03-01", 110)]


def test_levels_are_shown_in_the_periods_asked_for_also_without_a_row_there(over: Callable[..., World]) -> None:
    world = over([], [("tea", 10, "2024-01-05"), ("rice", 4, "2024-01-07"), ("tea", 3, "2024-03-02")])
    assert shown(world, "stock", by=MONTH, where=(since("2024-02-01"),)) == [("2024-02-01", 14), ("2024-03-01", 7)]
    february = (since("2024-02-01"), Where("time", "<", "2024-03-01"))
    assert shown(world, "stock", by=MONTH, where=february) == [("2024-02-01", 14)]
    assert shown(world, "stock", where=(since("2024-02-01"),)) == [(7,)]
    assert shown(world, "stock", where=(Where("time", "<", "2024-03-01"),)) == [(14,)]
    assert shown(world, "counted", by=MONTH, where=(since("2024-02-01"),)) == [("2024-03-01", 3)]
    until_april = (until("2024-04-30"),)
    assert shown(world, "stock", by=MONTH, where=until_april)[-1] == ("2024-04-01", 7)


def test_periods_are_drawn_from_what_was_asked_beyond_the_last_row_too(over: Callable[..., World]) -> None:
    world = over([("a", 5, "2024-03-01 09:30"), ("a", 7, "2024-03-03 09:30"), ("a", 9, "2024-03-10 09:30")])
    expected = [("2024-03-01", 5), ("2024-03-02", 5), ("2024-03-03", 7), ("2024-03-04", 7)]
    assert shown(world, "d2", by=DAY, where=(until("2024-03-04"),)) == expected
    fifth = (since("2024-03-05"), until("2024-03-05"))
    assert shown(world, "so_far", by=DAY, where=fifth) == [("2024-03-05", 12)]
    assert shown(world, "so_far", by=DAY, where=(Where("time", "=", "2024-03-05"),)) == [("2024-03-05", 12)]
    assert shown(world, "mtd", by=DAY, where=(since("2024-03-05"), until("2024-03-06"))) == [
        ("2024-03-05", 12), ("2024-03-06", 12),
    ]  # fmt: skip
    assert shown(world, "so_far", by=DAY, where=(until("2024-03-12"),))[-1] == ("2024-03-12", 21)
    assert world.rows("so_far", where=(since("2024-03-05"), until("2024-03-09"))) == [(12,)]


def test_a_running_metric_runs_on_as_far_as_what_stands_beside_it(over: Callable[..., World]) -> None:
    world = over(
        [("a", 5, "2024-01-01 09:30"), ("b", 7, "2024-02-03 09:30"), ("a", 9, "2024-03-10 09:30")],
        [("tea", 10, "2024-01-05"), ("rice", 4, "2024-01-07"), ("tea", 3, "2024-03-02"), ("tea", 2, "2024-05-02")],
    )
    assert shown(world, "so_far", "stock", by=MONTH) == [
        ("2024-01-01", 5, 14), ("2024-02-01", 12, 14), ("2024-03-01", 21, 7), ("2024-04-01", 21, 7),
        ("2024-05-01", 21, 6),
    ]  # fmt: skip
    assert shown(world, "sales", "stock", by=MONTH)[-1] == ("2024-05-01", 0, 6)
    assert shown(world, "shops_so_far", "stock", by=MONTH)[-1] == ("2024-05-01", 2, 6)


def test_a_metric_runs_over_its_own_time_by_that_times_name_too(over: Callable[..., World]) -> None:
    world = over(
        [("a", 5, "2024-01-01 09:30"), ("b", 7, "2024-02-03 09:30"), ("a", 9, "2024-03-10 09:30")],
        [("tea", 10, "2024-01-05"), ("tea", 2, "2024-03-02")],
    )
    by_day = ("sale.day:month",)
    assert shown(world, "so_far", by=by_day) == [("2024-01-01", 5), ("2024-02-01", 12), ("2024-03-01", 21)]
    assert shown(world, "mom", by=by_day) == [("2024-01-01", 0), ("2024-02-01", 5), ("2024-03-01", 7)]
    assert shown(world, "stock", by=("level.ts:month",)) == shown(world, "stock", by=MONTH)
    assert shown(world, "so_far", by=by_day, where=(Where("day", ">=", "2024-02-01"),))[0] == ("2024-02-01", 12)
    with pytest.raises(NeedsTime, match="runs over sale.ts, and was asked by sale.day:month"):
        world.rows("tso_far", by=by_day)
    with pytest.raises(NeedsTime, match="by time:week and sale.day:month, which cut it twice"):
        world.rows("so_far", by=("time:week", "sale.day:month"))


def test_a_filter_on_a_bare_name_is_a_filter_on_rows_of_a_running_metric_as_of_any(over: Callable[..., World]) -> None:
    world = over([("a", 5, "2024-01-01 09:30"), ("b", 7, "2024-02-03 09:30"), ("a", 9, "2024-03-10 09:30")])
    a = (Where("shop", "=", "a"),)
    assert shown(world, "so_far", by=MONTH, where=a) == [("2024-01-01", 5), ("2024-02-01", 5), ("2024-03-01", 14)]


def test_times_that_are_asked_for_with_or_are_the_periods_shown(over: Callable[..., World]) -> None:
    world = over([("a", 5, "2024-01-01 09:30"), ("b", 7, "2024-02-03 09:30"), ("a", 9, "2024-03-10 09:30")])
    first, last = Where("time", "<", "2024-02-01"), Where("time", ">=", "2024-03-01")
    assert shown(world, "so_far", by=MONTH, where=(AnyOf((first, last)),)) == [("2024-01-01", 5), ("2024-03-01", 21)]
    assert shown(world, "so_far", by=MONTH, where=(Where("time", "!=", "2024-02-03"),)) == [
        ("2024-01-01", 5), ("2024-02-01", 12), ("2024-03-01", 21),
    ]  # fmt: skip
    assert shown(world, "so_far", by=MONTH, where=(Not(AllOf((since("2024-01-15"), until("2024-02-29")))),)) == [
        ("2024-01-01", 5), ("2024-03-01", 21),
    ]  # fmt: skip
    assert shown(world, "so_far", by=DAY, where=(Where("time", "in", ("2024-01-02", "2024-02-03")),)) == [
        ("2024-01-02", 5), ("2024-02-03", 12),
    ]  # fmt: skip
    with pytest.raises(NeedsTime, match="mixes time with something else"):
        world.rows("so_far", by=MONTH, where=(AnyOf((first, Where("shop", "=", "a"))),))


def test_so_many_periods_that_nobody_reads_them_are_refused(over: Callable[..., World]) -> None:
    world = over([("a", 5, "2024-01-01 09:30")])
    with pytest.raises(errors.BadAsk, match="hours are asked for, and an answer shows at most 100,000"):
        world.rows("tso_far", by=HOUR, where=(since("1900-01-01"), until("2024-01-01")))
    with pytest.raises(errors.BadAsk, match="hours are asked for, and an answer shows at most 100,000"):
        world.rows("tso_far", by=HOUR, where=(since("1900-01-01"),))  # the first 100,000 came, and none that had a row


@pytest.mark.parametrize("day", ["0001-01-01", "1799-12-31", "2200-01-01", "9999-12-31", "9999-12-31T23:59:59-14:00"])
def test_a_day_out_of_all_bounds_is_refused_in_plain_words(over: Callable[..., World], day: str) -> None:
    world = over([("a", 5, "2024-01-01 09:30")])
    with pytest.raises(errors.BadAsk, match="is not within the years 1800 to 2199"):
        world.rows("sales", where=(since(day),))


@pytest.mark.parametrize("hours", [14, 0, -14])
@pytest.mark.parametrize("year", [1, 1799, 2200, 9999])
def test_a_moment_that_a_question_is_of_has_bounds_too(over: Callable[..., World], year: int, hours: int) -> None:
    world = over([("a", 5, "2024-01-01 09:30")])
    moment = datetime(year, 6, 1, tzinfo=timezone(timedelta(hours=hours)))
    with pytest.raises(errors.BadAsk, match="is not within the years 1800 to 2199"):
        world.rows("last_week", as_of=moment)


# --- what the same machinery gives beside


def test_empty_periods_are_filled_on_demand(over: Callable[..., World]) -> None:
    world = over([("a", 5, "2024-03-01 09:30"), ("b", 7, "2024-03-03 09:30")])
    assert shown(world, "sales", by=DAY) == [("2024-03-01", 5), ("2024-03-03", 7)]
    filled = shown(world, "sales", by=DAY, is_filled=True, where=(until("2024-03-04"),))
    assert filled == [("2024-03-01", 5), ("2024-03-02", 0), ("2024-03-03", 7), ("2024-03-04", 0)]
    by_shop = shown(world, "sales", by=(*DAY, "shop"), is_filled=True)
    assert by_shop == [
        ("2024-03-01", "a", 5), ("2024-03-01", "b", 0), ("2024-03-02", "a", 0), ("2024-03-02", "b", 0),
        ("2024-03-03", "a", 0), ("2024-03-03", "b", 7),
    ]  # fmt: skip
    with pytest.raises(NeedsTime, match="empty periods were asked for, and no periods"):
        world.rows("sales", is_filled=True)


def test_weeks_and_years_begin_where_the_asker_says(over: Callable[..., World]) -> None:
    world = over([("a", 5, "2024-03-02 09:30"), ("b", 7, "2024-03-03 09:30"), ("a", 9, "2024-04-10 09:30")])
    assert shown(world, "sales", by=("time:week",))[0] == ("2024-02-26", 12)
    assert shown(world, "sales", by=("time:week",), week_starts="sunday")[:2] == [("2024-02-25", 5), ("2024-03-03", 7)]
    assert shown(world, "sales", by=("time:year",), year_starts=4) == [("2023-04-01", 12), ("2024-04-01", 9)]
    assert shown(world, "sales", by=("time:quarter",), year_starts=2) == [("2024-02-01", 21)]
    assert shown(world, "ytd", by=MONTH, year_starts=4) == [("2024-03-01", 12), ("2024-04-01", 9)]


def test_days_of_the_week_are_a_grain_that_comes_round(over: Callable[..., World]) -> None:
    world = over([("a", 5, "2024-03-01 09:30"), ("b", 7, "2024-03-03 09:30"), ("a", 9, "2024-03-08 09:30")])
    assert shown(world, "sales", by=("time:weekday",)) == [(5, 14), (7, 7)]
    assert shown(world, "sales", by=("time:hour-of-day",)) == [(9, 21)]
    assert shown(world, "sales", by=("time:hour-of-day",), timezone="Asia/Shanghai") == [(17, 21)]
    assert shown(world, "sales", by=("time:weekday", "time:hour-of-day")) == [(5, 9, 14), (7, 9, 7)]
    with pytest.raises(NeedsTime, match="two grains"):
        world.rows("sales", by=("time:weekday", "time:day"))
    with pytest.raises(NeedsTime, match="weekdays and hours of the day recur"):
        world.rows("tso_far", by=("time:weekday",))


def test_a_running_metric_says_what_it_counts_beside_what_its_window_is_counted_in(over: Callable[..., World]) -> None:
    world = over([])
    assert (world.model.unit("d2"), world.model.unit("w1d")) == ("minor", "")
