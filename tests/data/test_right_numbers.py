"""Numbers that came out wrong once, each in the smallest world that shows it, with the value reckoned by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import pytest

from isthmus import markings as m
from isthmus.data.errors import DuplicateKey, MixedCurrencies, NumberTooLarge, TiedLevels
from isthmus.data.model.model import Model, build
from isthmus.data.privacy import policy
from isthmus.kernel import Value, errors
from isthmus.markings import AllOf, AnyOf, Dimension, Key, Measure, Not, Pii, Ref, Time, Where, entity

from .conftest import World

Make = Callable[[Model, str], World]


@entity("member", table="member")
class Member(Value):
    """Who buys."""

    id: Annotated[int, Key()]
    email: Annotated[str, Pii("email")]


@entity("ord", table="ord")
class Bought(Value):
    """An order."""

    id: Annotated[int, Key(), Dimension()]
    member_id: Annotated[int | None, Ref("member")]
    currency: Annotated[str | None, Dimension()]
    placed: Annotated[datetime, Time()]


@entity("product", table="product")
class Product(Value):
    """What can be bought."""

    id: Annotated[int, Key()]
    colour: Annotated[str, Dimension()]


@entity("line", table="line")
class Part(Value):
    """A line of an order."""

    id: Annotated[int, Key()]
    ord_id: Annotated[int, Ref("ord")]
    product_id: Annotated[int, Ref("product")]
    shop: Annotated[str, Dimension()]
    cat: Annotated[str, Dimension()]
    amount: Annotated[int | None, Measure(unit="minor", currency="ord.currency")]
    qty: Annotated[int, Measure()]
    weight: Annotated[Decimal, Measure(), Dimension()]
    ts: Annotated[datetime, Time()]
    day: Annotated[date, Time(is_default=False)]


METRICS = [
    m.Atomic(name="amount", measure="line.amount"),
    m.Atomic(name="qty", measure="line.qty"),
    m.Atomic(name="weight", measure="line.weight"),
    m.Atomic(name="heaviest", measure="line.weight", agg="max"),
    m.Count(name="orders", of="ord"),
    m.Count(name="lines", of="line"),
    m.Count(name="lines_by_day", of="line", time="line.day"),
    m.Count(name="shoe_orders", of="ord", where=Where("line.cat", "=", "shoes")),
    m.PeriodOverPeriod(name="lines_before", of="lines", period="day", show="before"),
]
SQL = """
create table member(id bigint, email varchar); insert into member values (1, 'a'), (2, 'b');
create table product(id bigint, colour varchar); insert into product values (10, 'red'), (11, 'blue');
create table ord(id bigint, member_id bigint, currency varchar, placed timestamptz);
insert into ord values (1, 1, 'EUR', '2024-01-01 10:00+00'), (2, 2, 'USD', '2024-01-02 10:00+00'),
    (3, 1, 'EUR', '2024-01-03 10:00+00');
create table line(id bigint, ord_id bigint, product_id bigint, shop varchar, cat varchar, amount bigint, qty bigint,
    weight decimal(38, 9), ts timestamptz, day date);
insert into line values
    (1, 1, 10, 'north', 'shoes', 100, 1, 0.1, '2024-01-01 10:00+00', '2024-01-01'),
    (2, 1, 11, 'north', 'shirts', 50, 2, 0.000000001, '2024-01-01 23:59:59+00', '2024-01-01'),
    (3, 2, 11, 'south', 'shoes', 7, 3, 1, '2024-01-02 00:00+00', '2024-01-02'),
    (4, 3, 11, 'north', 'shoes', 30, 1, 2, '2024-01-03 10:00+00', '2024-01-03');
"""
PEOPLE = policy.Policy(name="p", opens={"*": policy.Opened()}, personal=policy.EVERY_KIND, cells_min=1, person="member")


@pytest.fixture
def world(make_world: Make) -> World:
    """Give orders with lines, some in euros and some in dollars."""
    return make_world(build([(one, "") for one in (Member, Bought, Product, Part)], METRICS), SQL)


# --- every join is proved, whatever it is made for


def test_a_duplicate_behind_the_currency_refuses_what_it_would_inflate(world: World) -> None:
    assert world.rows("amount", by=("shop",)) == [("north", 180), ("south", 7)]
    world.change("insert into ord values (1, 1, 'EUR', '2024-01-01 10:00+00')")
    with pytest.raises(DuplicateKey, match="key \\(id\\) of ord"):
        world.rows("amount", by=("shop",))
    assert world.rows("qty") == [(7,)]  # it joins nothing


def test_a_duplicate_on_the_way_to_people_refuses_too(world: World) -> None:
    assert world.rows("qty", by=("shop",), as_=PEOPLE) == [("north", 4), ("south", 3)]
    world.change("insert into ord values (1, 1, 'EUR', '2024-01-01 10:00+00')")
    with pytest.raises(DuplicateKey):
        world.rows("qty", by=("shop",), as_=PEOPLE)


def test_a_duplicate_that_the_askers_visible_rows_are_told_by_refuses_too(world: World) -> None:
    red = policy.Policy(
        name="red", opens={"*": policy.Opened(), "line": policy.Opened(rows=Where("product.colour", "=", "red"))}
    )
    assert world.rows("qty", as_=red) == [(1,)]
    world.change("insert into product values (10, 'red')")
    with pytest.raises(DuplicateKey, match="of product"):
        world.rows("qty", as_=red)
    assert world.rows("orders", as_=red) == [(3,)]  # it reads no line


def test_a_receipt_names_each_join_that_it_proved(world: World) -> None:
    proofs = world.answer("amount", by=("shop",)).receipt.proofs
    assert [one.subject for one in proofs] == ["ord", "line", "line.ord_id"] or {one.subject for one in proofs} == {
        "ord", "line", "line.ord_id"
    }  # fmt: skip


# --- conditions on the many side


@pytest.mark.parametrize(
    ("where", "right"),
    [
        ((Where("line.cat", "=", "shirts"), Where("product.colour", "=", "red")), 0),  # the shirt is blue
        ((Where("line.cat", "=", "shoes"), Where("product.colour", "=", "red")), 1),
        ((AllOf((Where("product.colour", "=", "blue"), Where("line.qty", "=", 1))),), 1),
        (
            (Where("line.cat", "=", "shirts"), AnyOf((Where("product.colour", "=", "red"), Where("line.qty", "=", 9)))),
            0,
        ),
        (
            (Where("line.cat", "=", "shirts"), AnyOf((Where("product.colour", "=", "red"), Where("line.qty", "=", 2)))),
            1,
        ),
        ((AnyOf((AllOf((Where("line.cat", "=", "shirts"), Where("product.colour", "=", "red"))),)),), 0),
        ((Not(AllOf((Where("line.cat", "=", "shoes"), Where("product.colour", "=", "blue")))),), 1),
        ((Where("line.cat", "=", "shoes"), Not(Where("product.colour", "=", "red"))), 2),  # and no red line at all
    ],
)
def test_conditions_are_about_the_same_row_however_far_they_lead(
    world: World, where: tuple[m.Filter, ...], right: int
) -> None:
    assert world.rows("orders", where=where) == [(right,)]


def test_a_metrics_own_filter_means_the_same_beside_another_metric(world: World) -> None:
    red = (Where("product.colour", "=", "blue"),)
    alone = world.rows("shoe_orders", where=red)
    assert world.rows("shoe_orders", "orders", where=red)[0][0] == alone[0][0]


# --- a day is a day


@pytest.mark.parametrize("metric", ["lines", "lines_by_day"])
@pytest.mark.parametrize(
    ("op", "value", "right"),
    [
        ("<", "2024-01-02", 2), ("<=", "2024-01-02", 3), ("=", "2024-01-01", 2), ("!=", "2024-01-01", 2),
        (">", "2024-01-01", 2), (">=", "2024-01-02", 2), ("in", ("2024-01-01", "2024-01-03"), 3),
        ("not in", ("2024-01-01",), 2), ("<", "2024-01-02T00:00:00Z", 2), (">=", "2024-01-02T00:00:00Z", 2),
    ],
)  # fmt: skip
def test_a_day_means_the_same_on_times_and_on_dates(
    world: World, metric: str, op: m.Operator, value: str | tuple[str, ...], right: int
) -> None:
    assert world.rows(metric, where=(Where("time", op, value),)) == [(right,)]


def test_a_day_is_the_askers_and_may_lie_inside_any_filter(world: World) -> None:
    first = Where("line.ts", "=", "2024-01-02")
    assert world.rows("lines", where=(first,)) == [(1,)]
    assert world.rows("lines", where=(first,), timezone="Asia/Tokyo") == [(2,)]  # 23:59 in London is 8:59 there
    assert world.rows("lines", where=(Not(first),)) == [(3,)]
    assert world.rows("orders", where=(first,)) == [(1,)]  # on the many side
    by_day = world.rows("lines", "lines_before", by=("time:day",), where=(Where("time", "=", "2024-01-02"),))
    assert by_day == [(date(2024, 1, 2), 1, 2)]


def test_a_moment_of_a_date_is_refused(world: World) -> None:
    with pytest.raises(errors.BadAsk, match="is no value of time, which is a date"):
        world.rows("lines_by_day", where=(Where("time", ">", "2024-01-01T18:00:00Z"),))


# --- numbers


def test_sums_go_beyond_64_bits_and_say_where_they_end(world: World) -> None:
    world.change("update line set qty = 9223372036854775807")
    assert world.rows("qty") == [(4 * 9223372036854775807,)]
    answer = world.answer("qty", by=("shop",))
    assert [row["qty"] for row in answer.rows] == [3 * 9223372036854775807, 9223372036854775807]
    assert answer.table.to_pylist()[0]["qty"] == 3 * 9223372036854775807
    world.change(
        "alter table line alter qty type hugeint; update line set qty = 170141183460469231731687303715884105727"
    )
    with pytest.raises(NumberTooLarge, match="beyond what is kept exactly"):
        world.rows("qty")


def test_filters_take_numbers_that_no_column_could_hold(world: World) -> None:
    assert world.rows("lines", where=(Where("line.qty", "<", str(10**30)),)) == [(4,)]
    with pytest.raises(errors.BadAsk, match="is no value of"):
        world.rows("lines", where=(Where("line.qty", "<", "9" * 5000),))
    assert world.rows("lines", where=(Where("line.qty", ">", 1.5),)) == [(2,)]  # not more than one


def test_decimals_are_as_exact_as_they_are_kept_also_in_filters(world: World) -> None:
    assert world.answer("weight").rows == [{"weight": Decimal("3.100000001")}]
    assert world.answer("heaviest", "lines", "orders").rows[0]["heaviest"] == 2
    assert world.rows("lines", where=(Where("line.weight", ">", "0.0000000005"),)) == [(4,)]
    assert world.rows("lines", where=(Where("line.weight", "=", "0.000000001"),)) == [(1,)]
    assert world.rows("lines", where=(Where("line.weight", "in", ("0.1", "0.0000000001")),)) == [(1,)]
    with pytest.raises(errors.BadAsk, match="which is a decimal"):
        world.rows("lines", where=(Where("line.weight", ">", "0." + "1" * 39),))


def test_an_amount_without_a_currency_is_added_to_no_other(world: World) -> None:
    north = (Where("shop", "=", "north"),)
    assert world.rows("amount", where=north) == [(180,)]
    world.change("update ord set currency = null where id = 3")
    with pytest.raises(MixedCurrencies, match="would add up amounts in EUR and without a currency"):
        world.rows("amount", where=north)
    assert world.rows("amount", by=("ord.currency",)) == [("EUR", 150), ("USD", 7), (None, 30)]
    world.change("update line set amount = null where ord_id = 3")  # a row without an amount has none to add
    assert world.rows("amount", where=north) == [(150,)]


def test_two_amounts_that_are_each_in_one_currency_are_not_added_up_if_it_is_another(world: World) -> None:
    @entity("refund", table="refund")
    class Refund(Value):
        """Money given back."""

        id: Annotated[int, Key()]
        code: Annotated[str, Dimension()]
        back: Annotated[int, Measure(unit="minor", currency="code")]

    world.change("create table refund(id bigint, code varchar, back bigint); insert into refund values (1, 'USD', 5)")
    world.change("update ord set currency = 'EUR'")
    metrics = [
        *METRICS,
        m.Atomic(name="back", measure="refund.back"),
        m.Combined(name="net", plus=("amount",), minus=("back",)),
    ]
    world.metrics = world.over(build([(one, "") for one in (Member, Bought, Product, Part, Refund)], metrics))
    assert world.rows("amount", "back") == [(187, 5)]
    with pytest.raises(MixedCurrencies, match="metric 'net' would add up amounts in EUR, USD"):
        world.rows("net")


def test_an_amount_whose_order_is_not_there_has_no_currency(world: World) -> None:
    world.change("delete from ord where id <> 1")
    with pytest.raises(MixedCurrencies, match="EUR and without a currency"):
        world.rows("amount")


def test_an_aggregate_that_is_none_is_a_problem_of_the_model_and_not_of_the_engine() -> None:
    parts = [(one, "") for one in (Member, Bought, Product, Part)]
    wrong = [
        m.Atomic(name="a", measure="line.qty", agg="sum(1); drop table line; --"),  # type: ignore[arg-type]
        m.Atomic(name="b", measure="line.shop", agg="sum"),
        m.Count(name="c", of="line", where=Where("line.qty", "= 1 or 1 =", 1)),  # type: ignore[arg-type]
        m.Percentile(name="d", measure="line.qty", share=90),
        m.Cumulative(name="e", of="b", window=3, window_unit="days"),  # type: ignore[arg-type]
    ]
    with pytest.raises(errors.BuildProblems) as found:
        build(parts, wrong)
    assert len(found.value.problems) == 5
    assert "metric 'b': line.shop is a text, and there is no sum of that" in found.value.problems


def test_an_operator_that_is_none_never_reaches_the_engine(world: World) -> None:
    with pytest.raises(errors.BadAsk, match="is no operator"):
        world.rows("lines", where=(Where("line.qty", "= 1 or 1 =", 1),))  # type: ignore[arg-type]


def test_two_references_on_one_field_are_a_problem_and_so_are_two_of_any_marking() -> None:
    @entity("twice", table="twice")
    class Twice(Value):
        """Refers to two things at once."""

        id: Annotated[int, Key()]
        who: Annotated[int | None, Ref("member"), Ref("product")]
        much: Annotated[int, Measure(), Measure(unit="minor")]

    with pytest.raises(errors.BuildProblems) as found:
        build([(Twice, ""), (Member, ""), (Product, "")], [])
    assert [problem.partition(" is marked")[0] for problem in found.value.problems] == ["twice.who", "twice.much"]


def test_the_receipt_of_a_metric_that_is_gone_says_so(world: World) -> None:
    receipt = world.answer("weight").receipt
    world.model = build([(one, "") for one in (Member, Bought, Product, Part)], METRICS[:2])
    world.metrics = world.over(world.model)
    again = world.metrics.rerun(receipt.id, {"owner": policy.owner()})
    assert not again.is_same
    assert again.reasons[-1].startswith("it has no answer any more: there is no metric 'weight'")


# --- levels


@entity("level", table="level")
class Level(Value):
    """What lies in stock."""

    id: Annotated[int, Key()]
    sku: Annotated[str, Dimension()]
    state: Annotated[str, Dimension()]
    qty: Annotated[int, Measure()]
    ts: Annotated[date, Time()]


LEVELS = [
    m.Stock(name="stock", measure="level.qty", per=("sku",)),
    m.Stock(name="counted", measure="level.qty", per=("sku",), is_carried=False),
    m.Stock(name="sound", measure="level.qty", per=("sku",), where=Where("level.state", "=", "sound")),
]
LEVELS_SQL = """
create table level(id bigint, sku varchar, state varchar, qty bigint, ts date);
insert into level values (1, 'tea', 'sound', 10, '2024-01-05'), (2, 'rice', 'sound', 4, '2024-01-07'),
    (3, 'tea', 'spoilt', 3, '2024-03-02');
"""


@pytest.fixture
def levels(make_world: Make) -> World:
    """Give tea, which spoils in March, and rice."""
    return make_world(build([(Level, "")], LEVELS), LEVELS_SQL)


def test_a_level_is_in_a_state_by_its_last_row_and_not_by_an_earlier_one(levels: World) -> None:
    sound = (Where("state", "=", "sound"),)
    assert levels.rows("stock", where=sound) == [(4,)]
    assert levels.rows("sound") == [(4,)]
    by_month = [(date(2024, 1, 1), 14), (date(2024, 2, 1), 14), (date(2024, 3, 1), 4)]
    assert levels.rows("stock", by=("time:month",), where=sound) == by_month
    assert levels.rows("sound", by=("time:month",)) == by_month
    assert levels.rows("sound", "stock")[0] == (4, 7)
    assert levels.rows("stock", where=(Where("sku", "=", "tea"),)) == [(3,)]


def test_two_levels_of_one_series_at_one_moment_are_not_chosen_between_in_silence(levels: World) -> None:
    levels.change("insert into level values (4, 'tea', 'sound', 99, '2024-03-02')")
    with pytest.raises(TiedLevels, match="1 time\\(s\\) level has two rows of one series \\(sku\\) at one moment"):
        levels.rows("stock")
    answer = levels.answer("stock", accept=("duplicates",))
    assert answer.rows == [{"stock": 103}]
    assert [one.holds for one in answer.receipt.proofs if one.kind == "level"] == [False]


# --- metrics that are new here


def test_a_median_and_a_percentile_lie_among_the_rows(world: World) -> None:
    more = [
        m.Atomic(name="middle", measure="line.qty", agg="median"),
        m.Percentile(name="most", measure="line.qty", share=0.9, where=Where("line.shop", "=", "north")),
        m.Cumulative(name="middle_so_far", of="middle"),
    ]
    world.metrics = world.over(build([(one, "") for one in (Member, Bought, Product, Part)], [*METRICS, *more]))
    assert world.rows("middle") == [(1.5,)]  # of 1, 1, 2, 3
    assert world.rows("middle", "lines", by=("shop",)) == [("north", 1, 3), ("south", 3, 1)]
    assert world.rows("most") == [(pytest.approx(1.8),)]  # of 1, 1, 2
    assert world.rows("middle_so_far", by=("time:day",))[1] == (date(2024, 1, 2), 2)  # of 1, 2, 3
    assert world.answer("middle", by=("shop",)).receipt.non_additive == {"middle": ("shop",)}


def test_a_metric_times_a_constant_and_one_added_is_exact_in_whole_numbers(world: World) -> None:
    more = [
        m.Scaled(name="thrice", of="qty", times=3, add=1),
        m.Scaled(name="hours", of="lines", times=0.25),
        m.Ratio(name="share", numerator="thrice", denominator="lines"),
    ]
    world.metrics = world.over(build([(one, "") for one in (Member, Bought, Product, Part)], [*METRICS, *more]))
    assert world.rows("thrice", "hours", "share") == [(22, 1.0, 5.5)]
    assert world.rows("thrice", by=("shop",)) == [("north", 13), ("south", 10)]


def test_what_nobody_measured_is_not_nought(world: World) -> None:
    @entity("line", table="line")
    class Measured(Value):
        """A line with a weight, where somebody weighed it."""

        id: Annotated[int, Key()]
        shop: Annotated[str, Dimension()]
        qty: Annotated[int | None, Measure()]
        ts: Annotated[datetime, Time()]

    metrics = [
        m.Atomic(name="qty", measure="line.qty"),
        m.Count(name="lines", of="line"),
        m.Count(name="southern", of="line", where=Where("line.shop", "=", "south")),
        m.Atomic(name="southern_qty", measure="line.qty", where=Where("line.shop", "=", "south")),
    ]
    world.model = build([(Measured, "")], metrics)
    world.change("update line set qty = null where shop = 'south'")
    assert world.rows("qty", by=("shop",)) == [("north", 4), ("south", None)]
    assert world.rows("qty", "lines", by=("time:day",)) == [
        (date(2024, 1, 1), 3, 2), (date(2024, 1, 2), None, 1), (date(2024, 1, 3), 1, 1),
    ]  # fmt: skip
    assert world.rows("southern_qty", "lines", by=("time:day",)) == [
        (date(2024, 1, 1), 0, 2), (date(2024, 1, 2), None, 1), (date(2024, 1, 3), 0, 1),
    ]  # fmt: skip
    assert world.rows("qty", where=(Where("shop", "=", "nowhere"),)) == [(0,)]  # no row is a known zero
