"""What few people stand behind cannot be found by asking twice: by filters, metrics, margins, guests or extremes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Annotated, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus import markings as m
from isthmus.data.errors import DuplicateKey, NotAnswered
from isthmus.data.model.model import Model, build
from isthmus.data.privacy.policy import ALL, Opened, Policy
from isthmus.data.privacy.small_cells import hidden_cells
from isthmus.kernel import Value
from isthmus.markings import Dimension, Key, Measure, Pii, Ref, Time, Where, entity

from .conftest import World

LEAST = 5
ROWS = Policy(name="by-rows", opens={ALL: Opened()}, cells_min=LEAST)
PERSONS = Policy(name="by-persons", opens={ALL: Opened()}, cells_min=LEAST, person="clinic.patient")


@entity("clinic.patient", table="clinic.patient")
class Patient(Value):
    """Somebody who is ill."""

    id: Annotated[int, Key()]
    name: Annotated[str, Pii("name")] = ""


@entity("clinic.cure", table="clinic.cure")
class Cured(Value):
    """Somebody was cured."""

    id: Annotated[int, Key()]
    patient_id: Annotated[int | None, Ref("clinic.patient")]
    cured_at: Annotated[datetime, Time()]


@entity("clinic.visit", table="clinic.visit")
class Treated(Value):
    """One visit to the clinic."""

    id: Annotated[int, Key()]
    patient_id: Annotated[int | None, Ref("clinic.patient")]
    town: Annotated[str, Dimension()]
    region: Annotated[str, Dimension()]
    illness: Annotated[str, Dimension()]
    cost: Annotated[int, Measure()]
    fine: Annotated[int | None, Measure()]
    came_at: Annotated[datetime, Time()]


METRICS = (
    m.Count(name="visits", of="clinic.visit"),
    m.Atomic(name="cost", measure="clinic.visit.cost"),
    m.Atomic(name="dearest", measure="clinic.visit.cost", agg="max"),
    m.Derived(name="cost_flu", of="cost", where=Where("illness", "=", "flu")),
    m.Derived(name="cost_flu_in_east", of="cost_flu", where=Where("town", "=", "east")),
    m.Derived(name="cost_this_month", of="cost", period=m.Period(unit="month", is_to_date=True)),
    m.Ratio(name="flu_share", numerator="cost_flu", denominator="cost"),
    m.PeriodOverPeriod(name="cost_before", of="cost", period="month", show="before"),
    m.PeriodOverPeriod(name="cost_growth", of="cost", period="month"),
    m.Count(name="no_flu", of="clinic.visit", where=Where("clinic.visit.illness", "!=", "flu")),
    m.Count(name="no_x", of="clinic.visit", where=Where("clinic.visit.illness", "!=", "x")),
    m.Combined(name="flu", plus=("visits",), minus=("no_flu",)),
    m.Atomic(name="fines", measure="clinic.visit.fine"),
    m.Atomic(name="fined", measure="clinic.visit.fine", agg="count"),
    m.Count(name="cures", of="clinic.cure"),
    m.Conversion(
        name="cured", start="visits", goal="cures", within_days=900, show="count",
        by=("clinic.visit.patient_id", "clinic.cure.patient_id"),
    ),
    m.Conversion(
        name="cured_soon", start="visits", goal="cures", within_days=1, show="count",
        by=("clinic.visit.patient_id", "clinic.cure.patient_id"),
    ),
    m.Combined(name="cost_of_the_rest", plus=("cost",), minus=("cost_flu",)),
)  # fmt: skip


def clinic() -> Model:
    return build([(Patient, "clinic"), (Treated, "clinic"), (Cured, "clinic")], METRICS)


REGIONS = {"a": "P", "b": "P", "c": "Q", "d": "Q"}  # of towns; the others are regions of their own
Visits = Sequence[tuple[str, str, int]]  # town, illness, how many visits
Made = Callable[[Model, str], World]


def sql(visits: Visits, *, guests: int = 0) -> str:
    """Return a clinic in which each visit costs another amount; one a day, each by another patient, or by a guest."""
    each = [(town, illness) for town, illness, count in visits for _ in range(count)]
    first = datetime(2024, 1, 1, 9, tzinfo=UTC)
    rows = [
        f"({at}, {'null' if at < guests else at}, '{town}', '{REGIONS.get(town, town)}', '{illness}', "
        f"{100 + at * at}, null, '{first + timedelta(days=at)}')"
        for at, (town, illness) in enumerate(each)
    ]
    patients = ", ".join(f"({at}, '')" for at in range(guests, len(each)))
    return (
        "create schema clinic; create table clinic.patient (id bigint, name varchar);"
        "create table clinic.visit (id bigint, patient_id bigint, town varchar, region varchar, "
        "illness varchar, cost bigint, fine bigint, "
        "came_at timestamptz); create table clinic.cure (id bigint, patient_id bigint, cured_at timestamptz);"
        + (f"insert into clinic.visit values {', '.join(rows)};" if rows else "")
    ) + (f"insert into clinic.patient values {patients};" if patients else "")


@pytest.fixture
def small_town(make_world: Made) -> World:
    """Give a clinic with 60 visits, of which 3 are for the plague, and 20 for a cold."""
    return make_world(clinic(), sql([("east", "flu", 37), ("east", "cold", 20), ("east", "plague", 3)]))


def where(field: str, op: m.Operator, value: object) -> dict[str, object]:
    return {"where": (Where(field, op, value),)}  # pyright: ignore[reportArgumentType]


def test_a_cell_that_a_table_hides_to_protect_another_is_not_shown_by_a_filter(small_town: World) -> None:
    table = dict(small_town.rows("visits", by=("illness",), as_=ROWS))  # pyright: ignore[reportCallIssue]
    assert table == {"flu": 37, "cold": None, "plague": None}
    assert small_town.rows("visits", as_=ROWS) == [(60,)]
    for ask in (
        where("illness", "=", "cold"),
        where("illness", "in", ("cold", "flu")),
        where("illness", "!=", "cold"),
        {"where": (m.Not(Where("illness", "=", "cold")),)},
        {"where": (m.AnyOf((Where("illness", "=", "cold"), Where("illness", "=", "flu"))),)},
    ):
        assert small_town.rows("visits", as_=ROWS, **ask) == [(None,)], ask
    assert small_town.rows("visits", as_=ROWS, **where("illness", "=", "flu")) == [(37,)]
    assert small_town.rows("visits", as_=ROWS, **where("illness", "in", ("cold", "plague"))) == [(23,)]


def test_two_periods_that_differ_by_one_visit_are_not_both_answered(small_town: World) -> None:
    def until(moment: str) -> object:
        ((cost,),) = small_town.rows("cost", as_=ROWS, **where("time", "<", moment))
        return cost

    assert None in (until("2024-02-10"), until("2024-02-11"))
    assert None in (until("2024-02-10T09:00:00Z"), until("2024-02-10T09:00:01Z"))
    assert until("2024-02-01") == sum(100 + at * at for at in range(31))  # whole months are many people


def test_a_month_that_is_hidden_is_not_shown_as_the_one_before_the_next(make_world: Made) -> None:
    world = make_world(clinic(), sql([]))
    months = (("01", 3), ("02", 50), ("03", 40), ("04", 60))
    each = [month for month, count in months for _ in range(count)]
    rows = [f"({at}, null, 'east', 'east', 'flu', {at * at}, null, '2024-{month}-15')" for at, month in enumerate(each)]
    world.change(f"insert into clinic.visit values {', '.join(rows)}")

    def shown(metric: str, **ask: object) -> list[int]:
        found = world.rows(metric, by=("time:month",), as_=ROWS, **ask)
        return [cast(date, month).month for month, number in found if number is not None]

    assert shown("cost") == [2, 4]
    assert shown("cost_before") == [1, 3]  # before January there is nothing
    assert shown("cost_growth") == []
    assert not {2, 4} & set(shown("cost_before", **where("time", ">=", "2024-02-01")))  # what lies before counts too
    whole = {cast(date, month).month: number for month, number in world.rows("cost_before", by=("time:month",))}
    assert (whole[2], whole[4]) == (5, sum(at * at for at in range(53, 93)))


def test_a_period_does_not_end_where_the_asker_says(small_town: World) -> None:
    small_town.now = datetime(2024, 2, 29, 12, tzinfo=UTC)
    day_before = datetime(2024, 2, 28, 12, tzinfo=UTC)
    with pytest.raises(NotAnswered, match="leave `as_of` out"):
        small_town.rows("cost_this_month", as_=ROWS, as_of=day_before)
    assert small_town.rows("cost_this_month", as_of=day_before) != small_town.rows("cost_this_month")
    answer = small_town.answer("cost_this_month", as_=ROWS)
    assert answer.rows[0]["cost_this_month"] == sum(100 + at * at for at in range(31, 60))
    assert small_town.metrics.rerun(answer.receipt.id, {ROWS.name: ROWS}).is_same
    assert small_town.rows("cost", as_=ROWS, as_of=day_before) == small_town.rows("cost", as_=ROWS)


def test_a_filter_by_a_number_of_ones_own_is_refused_since_it_picks_people_out(small_town: World) -> None:
    with pytest.raises(NotAnswered, match=r"clinic.visit.cost is no dimension.*grouped by"):
        small_town.rows("visits", as_=ROWS, **where("cost", "<", 150))
    assert small_town.rows("visits", **where("cost", "<", 150)) == [(8,)]


@pytest.mark.parametrize("metric", ["cost_flu", "flu_share", "cost_of_the_rest"])
def test_a_derived_metric_is_hidden_where_it_leaves_out_few_of_what_it_derives_from(
    make_world: Made, metric: str
) -> None:
    world = make_world(
        clinic(), sql([("east", "flu", 37), ("east", "plague", 3), ("west", "flu", 30), ("west", "cold", 9)])
    )
    hidden = dict(world.rows(metric, by=("town",), as_=ROWS))  # pyright: ignore[reportCallIssue]
    assert hidden["east"] is None
    assert dict(world.rows(metric, by=("town",)))["east"] is not None  # pyright: ignore[reportCallIssue]
    assert dict(world.rows("cost", by=("town",), as_=ROWS))["east"] is not None  # pyright: ignore[reportCallIssue]


def test_a_metric_that_is_derived_twice_is_compared_with_both_that_it_derives_from(make_world: Made) -> None:
    world = make_world(clinic(), sql([("east", "flu", 37), ("west", "flu", 3), ("east", "cold", 30)]))
    assert world.rows("cost_flu", "cost_flu_in_east", as_=ROWS)[0][1] is None


def test_metrics_that_are_made_of_the_same_counts_are_hidden_together(make_world: Made) -> None:
    towns = [("a", "flu", 9), ("a", "cold", 8), ("b", "flu", 3), ("b", "cold", 40), ("c", "flu", 7), ("c", "cold", 50)]
    world = make_world(clinic(), sql(towns))
    rest = dict(world.rows("cost_of_the_rest", by=("town",), as_=ROWS))  # pyright: ignore[reportCallIssue]
    flu = dict(world.rows("cost_flu", by=("town",), as_=ROWS))  # pyright: ignore[reportCallIssue]
    assert flu["b"] is None
    assert {town for town, number in rest.items() if number is not None} <= {
        town for town, number in flu.items() if number is not None
    }


def test_what_guests_bought_is_hidden_as_what_anybody_bought(make_world: Made) -> None:
    world = make_world(clinic(), sql([("west", "flu", 2), ("east", "flu", 30)], guests=2))
    assert dict(world.rows("cost", by=("town",), as_=PERSONS)) == {"west": None, "east": None}  # pyright: ignore[reportCallIssue]
    many = make_world(clinic(), sql([("west", "flu", 20), ("east", "flu", 30)], guests=20))
    assert all(number for _, number in many.rows("cost", by=("town",), as_=PERSONS))


def test_the_greatest_of_many_is_one_persons_number(small_town: World) -> None:
    with pytest.raises(NotAnswered, match="one of them"):
        small_town.rows("dearest", as_=ROWS)
    assert small_town.rows("dearest") == [(100 + 59 * 59,)]


def test_the_same_cells_are_hidden_whatever_the_order_of_rows_and_columns(make_world: Made) -> None:
    towns = [
        (town, illness, 3 if (town, illness) == ("a", "flu") else 9) for town in "abcd" for illness in ("flu", "cold")
    ]
    shown: set[frozenset[object]] = set()
    for order in (towns, towns[::-1], towns[3:] + towns[:3]):
        world = make_world(clinic(), sql(order))
        for by in (("town", "illness"), ("illness", "town")):
            answer = world.answer("visits", by=by, as_=ROWS)
            shown.add(frozenset((row["town"], row["illness"]) for row in answer.rows if row["visits"] is None))
    assert len(shown) == 1, shown


def test_a_refusal_names_offending_keys_to_nobody_who_may_not_see_them(small_town: World) -> None:
    small_town.change("insert into clinic.visit select * from clinic.visit where id = 7")
    with pytest.raises(DuplicateKey, match="such as 7") as all_of_it:
        small_town.rows("visits")
    with pytest.raises(DuplicateKey, match="1 value") as some:
        small_town.rows("visits", as_=ROWS)
    assert (all_of_it.value.facts["examples"], some.value.facts["examples"]) == (("7",), ())
    flagged = small_town.answer("visits", as_=ROWS, accept=("duplicates",))
    assert [(proof.count, proof.examples) for proof in flagged.receipt.proofs if not proof.holds] == [(1, ())]


def test_a_town_is_not_found_by_its_region_nor_by_a_filter_on_the_others_of_it(make_world: Made) -> None:
    world = make_world(clinic(), sql([("a", "flu", 3), ("b", "flu", 50), ("c", "flu", 50), ("d", "flu", 6)]))
    by_town = dict(world.rows("visits", by=("town",), as_=ROWS))  # pyright: ignore[reportCallIssue]
    assert dict(world.rows("visits", by=("region",), as_=ROWS)) == {"P": 53, "Q": 56}  # pyright: ignore[reportCallIssue]
    assert (by_town["a"], by_town["b"]) == (None, None)
    assert world.rows("visits", as_=ROWS, **where("town", "=", "b")) == [(None,)]
    assert world.rows("cost", as_=ROWS, **where("town", "in", ("b", "c", "d"))) == [(None,)]


def test_a_metric_that_leaves_out_few_is_hidden_beside_the_one_that_does_not(small_town: World) -> None:
    small_town.change("update clinic.visit set illness = 'flu' where illness = 'plague'")
    small_town.change("update clinic.visit set illness = 'cold' where illness = 'flu' and id not in (1, 2)")
    assert small_town.rows("visits", "no_flu", "flu", as_=ROWS) == [(60, None, None)]
    assert small_town.rows("visits", "no_flu", "flu") == [(60, 58, 2)]
    assert small_town.rows("no_flu", by=("town",), as_=ROWS) == [("east", None)]


def test_who_did_not_reach_a_goal_is_hidden_as_who_did_and_so_are_two_goals_that_few_lie_between(
    small_town: World,
) -> None:
    after = "insert into clinic.cure select id, patient_id, came_at + interval"
    small_town.change(f"{after} '20 hour' from clinic.visit where id < 58")
    assert small_town.rows("cured", "cured_soon", as_=ROWS) == [(None, None)]
    small_town.change("delete from clinic.cure where id > 40")
    assert small_town.rows("cured", "cured_soon", as_=ROWS) == [(41, 41)]


def test_who_has_no_value_stands_behind_no_sum(small_town: World) -> None:
    small_town.change("update clinic.visit set fine = 7777 where id = 9")
    assert small_town.rows("fines", "fined", as_=ROWS) == [(None, None)]
    small_town.change("update clinic.visit set fine = 0 where id <> 9")
    assert small_town.rows("fines", as_=ROWS) == [(None,)]
    assert small_town.rows("fined", as_=ROWS) == [(60,)]
    small_town.change("update clinic.visit set fine = id where id > 1")
    assert small_town.rows("fines", as_=ROWS) == [(sum(range(2, 60)),)]
    small_town.change("update clinic.visit set fine = null where id = 3")
    assert small_town.rows("fined", as_=ROWS) == [(None,)]


FIELDS = {"town": ("a", "b", "c"), "illness": ("x", "y", "z")}
Counts = dict[tuple[str, str], int]


def tables() -> st.SearchStrategy[Counts]:
    cells = list(itertools.product(*FIELDS.values()))
    count = st.sampled_from([0, 0, 1, 2, 3, 5, 6, 8, 20, 40])
    return st.lists(count, min_size=len(cells), max_size=len(cells)).map(  # pyright: ignore[reportReturnType]
        lambda found: dict(zip(cells, found, strict=True))
    )


def groupings() -> Iterator[tuple[int, ...]]:
    for size in range(3):
        yield from itertools.combinations(range(2), size)


@given(counts=tables())
@settings(max_examples=150, deadline=None)
def test_no_small_cell_follows_from_all_tables_that_are_shown_together(counts: Counts) -> None:
    cells = [cell for cell, count in counts.items() if count]
    equations: list[list[int]] = []
    for axes in groupings():
        sums: dict[tuple[object, ...], int] = {}
        for cell in cells:
            group = tuple(cell[axis] for axis in axes)
            sums[group] = sums.get(group, 0) + counts[cell]
        groups = list(sums)
        hidden = {groups[at] for at in hidden_cells(groups, list(sums.values()), LEAST)}
        for other in {0, 1} - set(axes) if axes else ():  # the table with the other dimension is there as well
            people = [counts[cell] for cell in cells]
            found_beside = hidden_cells(cells, people, LEAST, beside=(other,))
            hidden |= {tuple(cells[at][axis] for axis in axes) for at in found_beside}
        equations += [
            [int(tuple(cell[axis] for axis in axes) == group) for cell in cells]
            for group in groups
            if group not in hidden
        ]
    assert found(equations, cells, counts) == []


@given(counts=tables())
@settings(max_examples=1, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_small_cell_follows_from_any_questions_taken_together(make_world: Made, counts: Counts) -> None:
    """Who adds and subtracts all answers finds no small cell: by any dimensions, filters, and metrics with filters."""
    cells = [cell for cell, count in counts.items() if count]
    world = make_world(clinic(), sql([(*cell, count) for cell, count in counts.items()]))
    values = {**FIELDS, "region": ("P", "Q")}
    chosen: list[dict[str, tuple[str, ...]]] = [{}]
    for field, known in values.items():
        chosen += [{field: some} for size in (1, 2) for some in itertools.combinations(known, size)]

    def of(cell: tuple[str, str], field: str) -> str:
        return {"town": cell[0], "illness": cell[1], "region": REGIONS[cell[0]]}[field]

    equations: list[list[int]] = []
    for by in ((), ("town",), ("illness",), ("region",), ("town", "illness"), ("region", "illness")):
        for some in chosen:
            filters = tuple(Where(field, "in", known) for field, known in some.items())
            answer = world.answer("visits", "no_x", by=by, where=filters, as_=ROWS)
            for row in answer.rows:
                for metric in ("visits", "no_x"):
                    kept = [
                        all(of(cell, field) == row[field] for field in by)
                        and all(of(cell, field) in known for field, known in some.items())
                        and (metric == "visits" or cell[1] != "x")
                        for cell in cells
                    ]
                    equations += [list(map(int, kept))] if row[metric] is not None else []
    assert found(equations, cells, counts) == []


def found(equations: Sequence[Sequence[int]], cells: Sequence[tuple[str, str]], counts: Counts) -> list[object]:
    """Return the small cells whose number the equations leave no choice for."""
    known = rank(equations)
    units = {cell: [int(cell == other) for other in cells] for cell in cells if counts[cell] < LEAST}
    return [cell for cell, unit in units.items() if rank([*equations, unit]) == known]


def rank(rows: Sequence[Sequence[int]]) -> int:
    left = [[Fraction(value) for value in row] for row in rows]
    done = 0
    for column in range(len(left[0]) if left else 0):
        pivot = next((at for at in range(done, len(left)) if left[at][column]), None)
        if pivot is None:
            continue
        left[done], left[pivot] = left[pivot], left[done]
        for at in range(done + 1, len(left)):
            if left[at][column]:
                share = left[at][column] / left[done][column]
                left[at] = [value - share * own for value, own in zip(left[at], left[done], strict=True)]
        done += 1
    return done
