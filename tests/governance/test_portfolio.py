"""What follows from growth for who pays, on a year of real shopping at three front ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.cli import growth as command
from isthmus.data.model.ask import Ask
from isthmus.data.privacy import policy
from isthmus.governance.growth import report
from isthmus.governance.growth.asked import Asking
from isthmus.governance.growth.combinations import innovation
from isthmus.governance.growth.drivers import Drivers, drivers
from isthmus.governance.growth.launches import Begun, Budget, lead
from isthmus.governance.growth.lines import OTHERS, Kind, lines
from isthmus.governance.growth.movements import Movement, movements
from isthmus.governance.growth.picture import Picture
from isthmus.governance.growth.portfolio import portfolio, what_if
from isthmus.governance.growth.reading import Stage
from isthmus.governance.growth.report import Report
from isthmus.kernel import errors
from isthmus.manifest import Growing
from isthmus.packs.order.pack import PACK
from tests.data.conftest import World

from .journey import journey

GROWING = next(one for one in PACK.brings if isinstance(one, Growing))
UNTIL = date(2017, 12, 25)
QUARTER = timedelta(weeks=13)
# Brand opens in May. From October on, whoever buys fresh goods on a weekend has them delivered.
HAPPENED = """
delete from "order".lines where front_end = 'brand' and order_id in (
    select order_id from "order".orders where front_end = 'brand' and placed_at < '2017-05-08');
delete from "order".orders where front_end = 'brand' and placed_at < '2017-05-08';
update "order".orders set delivery_method = 'home'
    where front_end = 'fresh' and placed_at >= '2017-10-02' and dayofweek(placed_at) in (0, 6);
update "order".orders set member_id = null where front_end = 'market' and dayofweek(placed_at) = 3;
"""
BOUGHT = """
    with bought as (
        select orders.front_end, person_id, placed_at, total_minor / 100 as sales from "order".orders
        join member.membership using (front_end, member_id)),
    seen as (
        select front_end, person_id,
            sum(sales) filter (where placed_at >= $begin and placed_at < $until) as now,
            count(*) filter (where placed_at < $begin) as earlier,
            sum(sales) filter (where placed_at >= $before and placed_at < $begin) as quarter_before
        from bought group by all),
    together as (
        select *, sum(earlier) over (partition by person_id) as earlier_anywhere,
            sum(now) over (partition by person_id) as now_anywhere from seen)
    select front_end, count(*)::int, round(sum({sales}), 2)::double from together where {condition}
    group by 1 order by 1
"""


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give the year in which brand opened in May and fresh began to deliver."""
    return journey(tmp_path_factory.mktemp("journey"), HAPPENED)


@pytest.fixture(scope="module")
def measured(year: World) -> Report:
    """Give what is read of sales, and what is made of it."""
    platform: Any = SimpleNamespace(metrics=year.metrics, model=year.model, packs=(_pack(),))
    begun = {
        "brand": Begun(on=date(2017, 4, 1), people=3),
        "fresh": Begun(on=date(2017, 6, 1), people=2),  # which had sold elsewhere before: it says nothing of a start
    }
    return report.measure(platform, policy.owner(), begun=begun)


def _pack() -> Any:
    return SimpleNamespace(brings=(dataclasses.replace(GROWING, metrics=("order.sales",), lines=()),))


def of(found: Sequence[Any], code: str) -> Any:
    return next(one for one in found if one.code == code)


def moved(year: World) -> tuple[Movement, ...]:
    assert GROWING.movements
    return movements(Asking(year.metrics, policy.owner()), GROWING.chain, UNTIL, GROWING.movements)


@pytest.mark.parametrize(
    ("kind", "condition", "sales"),
    [
        ("known", "now > 0 and earlier > 0", "now"),
        ("came", "now > 0 and earlier = 0 and earlier_anywhere > 0", "now"),
        ("new", "now > 0 and earlier_anywhere = 0", "now"),
        ("moved", "quarter_before > 0 and now is null and now_anywhere > 0", "quarter_before"),
        ("gone", "quarter_before > 0 and now_anywhere is null", "quarter_before"),
    ],
)
def test_who_is_new_and_who_moved_is_what_sql_over_the_rows_says(
    year: World, kind: str, condition: str, sales: str
) -> None:
    days = {"until": UNTIL, "begin": UNTIL - QUARTER, "before": UNTIL - 2 * QUARTER}
    sql = BOUGHT.format(condition=condition, sales=sales)
    wanted = year.connection.execute(sql, days).fetchall()
    found = [(one.code, getattr(one, kind).people, round(getattr(one, kind).sales, 2)) for one in moved(year)]
    assert found == [(code, people, pytest.approx(amount)) for code, people, amount in wanted]
    assert len(found) == 3


def test_members_who_are_known_moved_and_are_new_add_up_to_a_front_ends_sales(year: World) -> None:
    sql = (
        """select sum(total_minor) / 100 from "order".orders where front_end = ? and placed_at >= ? and placed_at < ?"""
    )
    for one in moved(year):
        (total,) = year.connection.execute(sql, [one.code, UNTIL - QUARTER, UNTIL]).fetchone() or (0,)
        assert sum(part.sales for part in (one.known, one.came, one.new, one.guests)) == pytest.approx(total)
    market = of(moved(year), "market")
    assert market.guests.people == 0
    assert market.guests.sales > 0
    assert of(moved(year), "brand").cannibalised > 0.5  # most who are new to brand had bought elsewhere in the group


def divided(year: World, by: str = "") -> tuple[Drivers, ...]:
    return drivers(Asking(year.metrics, policy.owner(), by), GROWING.chain, UNTIL, GROWING.movements)


@pytest.mark.parametrize("by", ["", "front_end"])
def test_a_change_is_divided_between_new_and_known_members_guests_frequency_basket_and_price(
    year: World, by: str
) -> None:
    found = divided(year, by)
    assert [one.code for one in found] == (["brand", "fresh", "market"] if by else [""])
    for one in found:
        assert sum(step.adds for step in one.steps) == pytest.approx(one.after - one.before, abs=1e-6)
        assert sum(step.share for step in one.steps) == pytest.approx(1)
    parts = [(step.of, step.name) for step in of(found, "market" if by else "").steps]
    assert parts == [
        ("new", "order.buyers"),
        ("known", "order.buyers"),
        ("guests", "order.orders"),
        ("all", "order.orders / order.buyers"),
        ("all", "order.units / order.orders"),
        ("all", "order.sales / order.units"),
    ]


def test_a_price_that_doubles_is_the_price_and_nobody_else(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two quarters of one week again and again, the later one at twice the price."""
    same = """
        create temp table week as
            select * from "order".orders where placed_at >= '2017-03-06' and placed_at < '2017-03-13';
        create temp table goods as select lines.* from "order".lines join week using (front_end, order_id);
        delete from "order".orders; delete from "order".lines;
        insert into "order".orders by name
            select * exclude (week_number) replace (uuid() as order_id, order_id::varchar as channel,
                placed_at + to_days(7 * week_number::int) as placed_at,
                total_minor * (case when week_number >= 28 then 2 else 1 end) as total_minor)
            from week, range(15, 41) weeks (week_number);
        insert into "order".lines by name
            select goods.* replace (orders.order_id as order_id) from goods
            join "order".orders on channel = goods.order_id::varchar and orders.front_end = goods.front_end;
    """
    world = journey(tmp_path_factory.mktemp("prices"), same)
    until = date(2017, 3, 6) + timedelta(weeks=41)
    (found,) = drivers(Asking(world.metrics, policy.owner(), ""), GROWING.chain, until)
    assert found.after == pytest.approx(2 * found.before)
    adds = {step.name: step.adds for step in found.steps}
    assert adds.pop("order.sales / order.units") == pytest.approx(found.before)
    assert adds == {name: pytest.approx(0, abs=1e-6) for name in adds}


def test_how_long_something_new_takes_is_measured_where_a_line_was_seen_to_begin(measured: Report) -> None:
    (one,) = measured.lead.launches
    assert (one.code, one.begun, one.first, one.days) == ("brand", date(2017, 4, 1), date(2017, 5, 8), 37)
    assert measured.lead.days == 37
    assert one.days_to_count == (date(2017, 5, 15) - one.begun).days


def test_the_portfolio_says_what_each_horizon_holds_and_what_must_come_from_something_new(measured: Report) -> None:
    found = measured.portfolio
    assert found
    assert sum(one.share for one in found.holdings) == pytest.approx(1)
    own = [one for one in measured.lines if one.code]
    assert sum(one.sales for one in found.holdings) == pytest.approx(sum(one.late() for one in own))
    assert sorted(code for one in found.holdings for code in one.lines) == ["brand", "fresh", "market"]
    assert sum(one.makers for one in found.holdings) == 5
    need = found.needed
    assert need
    group = of(measured.lines, "")
    assert need.weeks == len(group.values) - 13
    assert need.grew == pytest.approx(sum(group.values[-13:]) / sum(group.values[:13]) - 1)
    assert need.target == pytest.approx(need.now * (1 + need.grew))
    assert need.gap == pytest.approx(need.target - sum(one.ahead for one in need.parts))
    assert need.gap > 0  # brand opened within the year, and will not do so again
    assert sum(one.adds for one in need.parts) == pytest.approx(need.ahead - need.now)


def test_a_venture_that_begins_in_a_year_is_a_year_later_and_what_waiting_costs_is_said(measured: Report) -> None:
    assert measured.portfolio
    found = measured.portfolio.what_if
    assert found
    assert found.like == "brand"
    assert found.now.first_revenue == measured.lines[0].first + timedelta(weeks=len(measured.lines[0].values) + 6)
    assert found.later.first_revenue == found.now.first_revenue + timedelta(weeks=52)
    assert found.now.weeks[:6] == (0.0,) * 6
    assert found.later.weeks[52:] == found.now.weeks[:52]
    assert found.costs == pytest.approx(sum(found.now.weeks) - sum(found.now.weeks[:52]))
    assert found.now.at_target > 0
    with pytest.raises(errors.BadAsk, match="line 'fresh' was not seen to begin"):
        what_if(measured.lines, "order.sales", measured.lead, measured.portfolio.needed, "fresh")


def test_new_combinations_new_front_ends_and_what_was_there_before_are_told_apart(
    measured: Report, year: World
) -> None:
    found = measured.innovation
    assert found
    assert [(one.code, one.parts[-1], one.novelty) for one in sorted(found.earned, key=lambda one: one.code)] == [
        ("brand", "counter", "new line"),
        ("fresh", "counter", "as before"),
        ("fresh", "home", "combination"),
        ("market", "counter", "as before"),
    ]
    home = next(one for one in found.earned if one.novelty == "combination")
    assert home.since == date(2017, 10, 2)
    sql = """select sum(total_minor) / 100 from "order".orders where delivery_method = 'home' and placed_at < ?"""
    end = measured.lines[0].first + timedelta(weeks=len(measured.lines[0].values))
    (delivered,) = year.connection.execute(sql, [end]).fetchone() or (0,)
    assert home.year == pytest.approx(delivered)
    assert found.year["combination"] == pytest.approx(delivered)
    assert found.year["venture"] == 0


def test_each_number_has_a_receipt_that_gives_it_again(measured: Report, year: World) -> None:
    ids = {one.receipt for one in measured.lines} | {one.receipt for one in measured.lead.launches}
    ids |= {id for one in (*measured.drivers, *measured.movements) for id in one.receipts}
    assert measured.innovation
    ids |= {one.receipt for one in measured.innovation.earned}
    assert len(ids) > 10
    for id in ids:
        assert year.metrics.rerun(id, {"owner": policy.owner()}).is_same


def test_of_many_products_the_largest_are_lines_and_the_rest_is_one_that_adds_up(year: World) -> None:
    kind = Kind(
        metric="order.line-sales", cut="product", by="catalog.product.code", label="catalog.product.title", most=1,
        has_group=False,
    )  # fmt: skip
    found = lines(year.metrics, policy.owner(), [kind])
    assert len(found) == 2
    assert found[-1].code == OTHERS
    assert found[0].label
    whole = year.metrics.ask(_weekly("order.line-sales"), policy.owner())
    by_week = {row["time:week"]: row["order.line-sales"] for row in whole.rows}
    for at in range(len(found[0].values)):
        week = found[0].first + timedelta(weeks=at)
        assert sum(one.values[at] for one in found) == pytest.approx(by_week[week] / 100)


def test_members_who_joined_together_are_a_line(year: World) -> None:
    cohort = next(one for one in GROWING.lines if one.name == "cohort")
    kind = Kind(metric=cohort.metric, cut="cohort", by=cohort.by, most=2, has_group=False)
    found = lines(year.metrics, policy.owner(), [kind])
    assert [one.code for one in found] == ["2017-01-01", "2017-04-01", OTHERS]  # with guests, who joined nothing
    sql = """select sum(total_minor) / 100 from "order".orders join member.membership using (front_end, member_id)
        where joined_at < '2017-04-01' and placed_at >= ? and placed_at < ?"""
    end = found[0].first + timedelta(weeks=len(found[0].values))
    (wanted,) = year.connection.execute(sql, [end - QUARTER, end]).fetchone() or (0,)
    assert found[0].late() == pytest.approx(wanted)


def test_a_line_that_begins_on_the_last_day_says_so(year: World) -> None:
    world = World(year.model, "", year.folder)
    world.connection = year.connection
    row = """insert into "order".orders by name select * replace ('late' as front_end, uuid() as order_id,
        null as member_id, timestamptz '2018-01-01 12:00:00+00' as placed_at) from "order".orders limit 1"""
    world.change(row)
    found = lines(world.metrics, policy.owner(), [Kind(metric="order.orders")])
    world.change("""delete from "order".orders where front_end = 'late'""")
    late = of(found, "late").growth
    assert (late.stage, late.reason) == (Stage.EMPTY, "it began in a week that is not over yet")


def test_a_line_is_drawn_with_its_limit_and_what_is_to_come(measured: Report) -> None:
    svg = Picture(of(measured.lines, "brand")).svg('the "line" of <brand>')
    assert svg.startswith("<svg xmlns=")
    assert svg.count("<circle") == of(measured.lines, "brand").growth.periods
    assert "&lt;brand&gt;" in svg
    assert "stroke-dasharray" in svg


def _weekly(metric: str) -> Any:
    return Ask(metrics=(metric,), by=("time:week",))


def test_the_command_says_all_of_it_in_tables_and_sentences(
    measured: Report, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command._show(measured)
    said = " ".join(capsys.readouterr().out.split())
    for sentence in (
        "something new takes 37 days to its first revenue, as measured: brand 37",
        "order.buyers, new",
        "cannibalised",
        "must come from something new",
        "a venture that grows as brand did: begun now, it comes to",
        "combination beside disruption",
    ):
        assert sentence in said
    command._draw(measured.lines, tmp_path / "pictures")
    assert sorted(one.name for one in (tmp_path / "pictures").iterdir()) == [
        f"order.sales-front_end-{code}.svg" for code in ("all", "brand", "fresh", "market")
    ]


def test_without_a_line_that_was_seen_to_begin_days_are_assumed_and_no_venture_is_imagined(year: World) -> None:
    found = lead(year.metrics, policy.owner(), ("order.sales",), {"brand": date(2017, 12, 1)})
    assert (found.days, found.is_measured) == (180, False)
    kept = [one for one in lines(year.metrics, policy.owner(), [Kind(metric="order.sales")]) if one.code != "brand"]
    made = portfolio(kept, "order.sales", (), {}, found)
    assert made
    assert made.what_if is None
    assert made.why_not == "every line was there in the first weeks that are seen: how a new one grows is not known"


def test_a_venture_is_a_line_beside_the_others_and_no_part_of_what_they_must_bring(
    measured: Report, year: World
) -> None:
    brand = of(measured.lines, "brand")
    venture = brand.replace(code="box", metric="venture.sales", is_venture=True, horizon="new", growth=brand.growth)
    found = (*measured.lines, venture)
    granted = Budget(currency="EUR", granted=100, spent=40)
    begun = {"box": Begun(on=date(2017, 4, 1), people=2, budget=granted)}
    begun["brand"] = begun["box"].replace(budget=granted.replace(currency="CNY"))
    made = portfolio(found, "order.sales", (), begun, measured.lead, "box", {"box": 144, "gone": 3})
    assert made
    new = next(one for one in made.holdings if one.horizon == "new")
    assert new.budgets == (granted,), "what another horizon may spend is not its money"
    assert (new.lines, new.makers, new.sales, new.buyers) == (("box",), 2, venture.late(), 144)
    assert made.needed
    assert "box" not in [one.code for one in made.needed.parts]
    assert made.what_if
    assert made.what_if.like == "box"
    earned = innovation(year.metrics, policy.owner(), "order.sales", GROWING.combined, found)
    assert earned
    assert earned.year["venture"] == pytest.approx(venture.late(52))
