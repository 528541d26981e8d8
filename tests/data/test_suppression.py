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


@entity("clinic.visit", table="clinic.visit")
class Treated(Value):
    """One visit to the clinic."""

    id: Annotated[int, Key()]
    patient_id: Annotated[int | None, Ref("clinic.patient")]
    town: Annotated[str, Dimension()]
    illness: Annotated[str, Dimension()]
    cost: Annotated[int, Measure()]
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
    m.Combined(name="cost_of_the_rest", plus=("cost",), minus=("cost_flu",)),
)


def clinic() -> Model:
    return build([(Patient, "clinic"), (Treated, "clinic")], METRICS)


Visits = Sequence[tuple[str, str, int]]  # town, illness, how many visits
Made = Callable[[Model, str], World]


def sql(visits: Visits, *, guests: int = 0) -> str:
    """Return a clinic in which each visit costs another amount; one a day, each by another patient, or by a guest."""
    each = [(town, illness) for town, illness, count in visits for _ in range(count)]
    first = datetime(2024, 1, 1, 9, tzinfo=UTC)
    rows = [
        f"({at}, {'null' if at < guests else at}, '{town}', '{illness}', {100 + at * at}, "
        f"'{first + timedelta(days=at)}')"
        for at, (town, illness) in enumerate(each)
    ]
    patients = ", ".join(f"({at}, '')" for at in range(guests, len(each)))
    return (
        "create schema clinic; create table clinic.patient (id bigint, name varchar);"
        "create table clinic.visit (id bigint, patient_id bigint, town varchar, illness varchar, cost bigint, "
        "came_at timestamptz);" + (f"insert into clinic.visit values {', '.join(rows)};" if rows else "")
    ) + (f"insert into clinic.patient values {patients};" if patients else "")


@pytest.fixture
def small_town(make_world: Made) -> World:
    """Give a clinic with 60 visits, of which 3 are for the plague, and 20 for a cold."""
    return make_world(clinic(), sql([("east", "flu", 37), ("east", "cold", 20), ("east", "plague", 3)]))


def where(field: str, op: m.Operator, value: object) -> dict[str, object]:
    return {"where": (Where(field, op, value),)}  # pyright: ignore[reportArgumentType]


def test_a_cell_that_a_table_hides_to_protect_another_is_not_shown_by_a_filter(small_town: World) -> None:
    table = dict(small_town.rows("visits", by=("illness",), as_=ROWS))
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
    rows = [f"({at}, null, 'east', 'flu', {at * at}, '2024-{month}-15')" for at, month in enumerate(each)]
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
    hidden = dict(world.rows(metric, by=("town",), as_=ROWS))
    assert hidden["east"] is None
    assert dict(world.rows(metric, by=("town",)))["east"] is not None
    assert dict(world.rows("cost", by=("town",), as_=ROWS))["east"] is not None


def test_a_metric_that_is_derived_twice_is_compared_with_both_that_it_derives_from(make_world: Made) -> None:
    world = make_world(clinic(), sql([("east", "flu", 37), ("west", "flu", 3), ("east", "cold", 30)]))
    assert world.rows("cost_flu", "cost_flu_in_east", as_=ROWS)[0][1] is None


def test_metrics_that_are_made_of_the_same_counts_are_hidden_together(make_world: Made) -> None:
    towns = [("a", "flu", 9), ("a", "cold", 8), ("b", "flu", 3), ("b", "cold", 40), ("c", "flu", 7), ("c", "cold", 50)]
    world = make_world(clinic(), sql(towns))
    rest = dict(world.rows("cost_of_the_rest", by=("town",), as_=ROWS))
    flu = dict(world.rows("cost_flu", by=("town",), as_=ROWS))
    assert flu["b"] is None
    assert {town for town, number in rest.items() if number is not None} <= {
        town for town, number in flu.items() if number is not None
    }


def test_what_guests_bought_is_hidden_as_what_anybody_bought(make_world: Made) -> None:
    world = make_world(clinic(), sql([("west", "flu", 2), ("east", "flu", 30)], guests=2))
    assert dict(world.rows("cost", by=("town",), as_=PERSONS)) == {"west": None, "east": None}
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


FIELDS = {"town": ("a", "b", "c"), "illness": ("x", "y", "z")}
Counts = dict[tuple[str, str], int]


def tables() -> st.SearchStrategy[Counts]:
    cells = list(itertools.product(*FIELDS.values()))
    count = st.sampled_from([1, 2, 3, 5, 6, 8, 20, 40])  # where none is nought: of one that stands alone, the sum tells
    return st.lists(count, min_size=len(cells), max_size=len(cells)).map(
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
        equations += [
            [int(tuple(cell[axis] for axis in axes) == group) for cell in cells]
            for group in groups
            if group not in hidden
        ]
    assert found(equations, cells, counts) == []


@given(counts=tables())
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_small_cell_follows_from_any_questions_taken_together(make_world: Made, counts: Counts) -> None:
    cells = [cell for cell, count in counts.items() if count]
    world = make_world(clinic(), sql([(*cell, count) for cell, count in counts.items()]))
    chosen: list[dict[str, tuple[str, ...]]] = [{}]
    for field, values in FIELDS.items():
        chosen += [{field: some} for size in (1, 2) for some in itertools.combinations(values, size)]
    equations: list[list[int]] = []
    for axes in groupings():
        by = tuple(list(FIELDS)[axis] for axis in axes)
        for some in chosen:
            filters = tuple(Where(field, "in", values) for field, values in some.items())
            for *group, number in world.rows("visits", by=by, where=filters, as_=ROWS):
                kept = [
                    [cell[axis] for axis in axes] == group
                    and all(cell[list(FIELDS).index(field)] in values for field, values in some.items())
                    for cell in cells
                ]
                equations += [list(map(int, kept))] if number is not None else []
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
