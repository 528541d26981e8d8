"""Whoever asks many questions in a row, and adds and subtracts all answers, finds nothing about few people."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import markings as m
from isthmus.data.answers.metrics import Answer
from isthmus.data.errors import NotAnswered
from isthmus.data.model.ask import Ask
from isthmus.data.model.expression import Measured
from isthmus.data.model.model import Model, build
from isthmus.data.privacy import asked
from isthmus.data.privacy.algebra import WORK_MAX, is_safe
from isthmus.data.privacy.asked import Book
from isthmus.data.privacy.policy import ALL, Opened, Policy
from isthmus.data.query.plan import Plan
from isthmus.kernel import Value
from isthmus.markings import Dimension, Key, Measure, Pii, Ref, Time, Where, entity

from .conftest import World

LEAST = 3
PERSONS = Policy(name="persons", opens={ALL: Opened()}, cells_min=LEAST, person="ward.patient")
REGIONS = {"a": "P", "b": "P", "c": "Q", "d": "Q"}
TOWNS, ILLNESSES, SEXES, MONTHS = "abcd", ("flu", "cold", "gout"), ("f", "m"), (1, 2, 3)


@entity("ward.patient", table="ward.patient")
class Patient(Value):
    """Somebody who is ill."""

    id: Annotated[int, Key()]
    name: Annotated[str, Pii("name")]
    sex: Annotated[str, Dimension()]


@entity("ward.town", table="ward.town")
class Town(Value):
    """Where somebody was ill."""

    name: Annotated[str, Key(), Dimension()]
    region: Annotated[str, Dimension()]


@entity("ward.visit", table="ward.visit")
class Visit(Value):
    """One visit."""

    id: Annotated[int, Key()]
    patient_id: Annotated[int | None, Ref("ward.patient")]
    town: Annotated[str, Ref("ward.town"), Dimension()]
    illness: Annotated[str, Dimension()]
    cost: Annotated[int, Measure()]
    fine: Annotated[int | None, Measure()]
    came_at: Annotated[datetime, Time()]


@entity("ward.drug", table="ward.drug")
class Drug(Value):
    """What was given at a visit."""

    id: Annotated[int, Key()]
    visit_id: Annotated[int, Ref("ward.visit")]
    kind: Annotated[str, Dimension()]


@entity("ward.cure", table="ward.cure")
class Cure(Value):
    """Somebody was cured."""

    id: Annotated[int, Key()]
    patient_id: Annotated[int, Ref("ward.patient")]
    cured_at: Annotated[datetime, Time()]


METRICS = (
    m.Count(name="visits", of="ward.visit"),
    m.Atomic(name="cost", measure="ward.visit.cost"),
    m.Atomic(name="fines", measure="ward.visit.fine"),
    m.Count(name="cures", of="ward.cure"),
    m.Count(name="no_flu", of="ward.visit", where=Where("illness", "!=", "flu")),
    m.Derived(name="cost_cold", of="cost", where=Where("illness", "=", "cold")),
    m.Derived(name="cost_women", of="cost", where=Where("ward.patient.sex", "=", "f")),
    m.Combined(name="flu", plus=("visits",), minus=("no_flu",)),
    m.Combined(name="cost_rest", plus=("cost",), minus=("cost_cold",)),
    m.Scaled(name="twice", of="cost", times=2, add=7),
    m.Conversion(
        name="cured", start="visits", goal="cures", within_days=400, show="count",
        by=("ward.visit.patient_id", "ward.cure.patient_id"),
    ),
    m.PeriodOverPeriod(name="before", of="cost", period="month", show="before"),
)  # fmt: skip
DRUG = "ward.drug.kind"
METRIC_NAMES = ("visits", "cost", "fines", "no_flu", "cost_cold", "cost_women", "flu", "cost_rest", "twice", "cured")
FIELDS = ("ward.visit.town", "ward.town.region", "ward.visit.illness", "ward.patient.sex", "time:month")


@dataclass(frozen=True)
class Row:
    """A visit as the test knows it."""

    id: int
    patient: int | None
    sex: str
    town: str
    illness: str
    month: int
    fine: int | None
    is_cured: bool
    drugs: tuple[str, ...]

    def value(self, field: str) -> object:
        region = REGIONS[self.town]
        of = dict(zip(FIELDS, (self.town, region, self.illness, self.sex or None, self.month), strict=True))
        return of[field]

    @property
    def person(self) -> object:
        return ("nobody", self.id) if self.patient is None else self.patient


def model() -> Model:
    return build([(one, "ward") for one in (Patient, Town, Visit, Drug, Cure)], METRICS)


def sql(rows: Sequence[Row]) -> str:
    patients = {row.patient: row for row in rows if row.patient is not None}
    visits = ", ".join(
        f"({row.id}, {'null' if row.patient is None else row.patient}, '{row.town}', '{row.illness}', "
        f"{100 + row.id**2}, {'null' if row.fine is None else row.fine}, '2024-0{row.month}-10 12:00+00')"
        for row in rows
    )
    towns = ", ".join(f"('{one}', '{region}')" for one, region in REGIONS.items())
    drugs = [(row.id, drug) for row in rows for drug in row.drugs]
    return (
        "create schema ward; create table ward.patient (id bigint, name varchar, sex varchar);"
        "create table ward.town (name varchar, region varchar);"
        "create table ward.visit (id bigint, patient_id bigint, town varchar, illness varchar, cost bigint, "
        "fine bigint, came_at timestamptz); create table ward.drug (id bigint, visit_id bigint, kind varchar);"
        "create table ward.cure (id bigint, patient_id bigint, cured_at timestamptz);"
        f"insert into ward.town values {towns};"
        f"insert into ward.visit values {visits};"
        + "".join(f"insert into ward.patient values ({one}, 'x', '{row.sex}');" for one, row in patients.items())
        + "".join(
            f"insert into ward.cure values ({one}, {one}, '2024-06-01 12:00+00');"
            for one, row in patients.items()
            if row.is_cured
        )
        + "".join(f"insert into ward.drug values ({at}, {id}, '{kind}');" for at, (id, kind) in enumerate(drugs))
    )


def some_rows(randomness: random.Random) -> list[Row]:
    """Return visits of which few are alike: one town and one illness are rare, one visit in ten is nobody's."""
    people = [(randomness.choice(SEXES), randomness.random() < 0.7) for _ in range(30)]
    rows: list[Row] = []
    for id in range(40):
        patient = randomness.randrange(len(people)) if randomness.random() < 0.9 else None
        sex, is_cured = ("", False) if patient is None else people[patient]
        town = randomness.choices(TOWNS, [6, 3, 6, 2])[0]
        illness = randomness.choices(ILLNESSES, [6, 4, 1])[0]
        month, fine = randomness.choice(MONTHS), randomness.choice([None, 0, 30 + id, 30 + id])
        drugs = randomness.choice([(), ("x",), ("y",), ("x", "y")])
        rows.append(Row(id, patient, sex, town, illness, month, fine, is_cured, drugs))
    return rows


@dataclass(frozen=True)
class Question:
    """What is asked, and which rows it is about."""

    metrics: tuple[str, ...]
    by: tuple[str, ...]
    filters: tuple[m.Filter, ...]
    passes: Callable[[Row], bool]


def some_question(randomness: random.Random) -> Question:
    fields = (*FIELDS, DRUG)
    metrics = tuple(randomness.sample(METRIC_NAMES, randomness.choice([1, 1, 2])))
    by = tuple(randomness.sample(fields, randomness.choice([0, 0, 1, 1, 2, 3])))
    chosen = [
        some_filter(field, randomness) for field in randomness.sample(fields, randomness.choice([0, 0, 0, 1, 1, 2]))
    ]
    return Question(metrics, by, tuple(one for one, _ in chosen), lambda row: all(passes(row) for _, passes in chosen))


def some_filter(field: str, randomness: random.Random) -> tuple[m.Filter, Callable[[Row], bool]]:
    if field == "time:month":
        month = randomness.choice((2, 3))
        return Where("time", "<", f"2024-0{month}-01"), lambda row: row.month < month
    if field == DRUG:
        kind = randomness.choice("xy")
        return Where(field, "=", kind), lambda row: kind in row.drugs
    known = {"town": TOWNS, "region": "PQ", "illness": ILLNESSES, "sex": SEXES}[field.rpartition(".")[2]]
    some = randomness.sample(list(known), randomness.choice([1, 2]))
    return Where(field, "in", tuple(sorted(some))), lambda row: row.value(field) in some


def weight(metric: str, row: Row) -> tuple[str, int]:
    """Return what a metric adds up of a row, and how often."""
    is_flu, is_cold = row.illness == "flu", row.illness == "cold"
    return {
        "visits": ("count", 1),
        "no_flu": ("count", int(not is_flu)),
        "flu": ("count", int(is_flu)),
        "cured": ("count", int(row.is_cured)),
        "cost": ("cost", 1),
        "twice": ("cost", 2),
        "cost_cold": ("cost", int(is_cold)),
        "cost_rest": ("cost", int(not is_cold)),
        "cost_women": ("cost", int(row.sex == "f")),
        "fines": ("fine", int(bool(row.fine))),
    }[metric]


def leaks(shown: Any, people: Sequence[object]) -> list[tuple[object, ...]]:
    """Return all sets of few people about whom alone something follows, by trying each of them."""
    matrix = np.array(shown, dtype=float) if len(shown) else np.zeros((0, len(people)))
    full = np.linalg.matrix_rank(matrix) if len(shown) else 0
    found: list[tuple[object, ...]] = []
    for size in range(1, LEAST):
        for some in itertools.combinations(sorted(set(people), key=str), size):
            rest = matrix[:, [one not in some for one in people]]
            if full and (np.linalg.matrix_rank(rest) if rest.size else 0) < full:
                found.append(some)
    return found


def groups_of(row: Row, by: Sequence[str]) -> list[tuple[object, ...]]:
    values = [(row.drugs or (None,)) if field == DRUG else (row.value(field),) for field in by]
    return list(itertools.product(*values))


def shown_of(answer: Answer, one: Question, rows: Sequence[Row]) -> Iterator[tuple[str, list[int]]]:
    """Yield what an answer adds up, number by number: of what, and how often each row."""
    for found in answer.rows:
        group = tuple(found[field].month if field == "time:month" else found[field] for field in one.by)
        inside = [one.passes(each) and group in groups_of(each, one.by) for each in rows]
        for metric in one.metrics:
            if found[metric] is not None:
                vector = [weight(metric, each)[1] * is_in for each, is_in in zip(rows, inside, strict=True)]
                yield weight(metric, rows[0])[0], vector


@pytest.mark.parametrize(
    "seed",
    [
        0,  # what the tables of each question alone do not see
        pytest.param(11, marks=pytest.mark.slow),
        *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 11)),
    ],
)
def test_no_questions_in_a_row_show_few_people(seed: int) -> None:
    randomness = random.Random(seed)
    rows = some_rows(randomness)
    with tempfile.TemporaryDirectory() as folder:
        world = World(model(), sql(rows), Path(folder) / "receipts")
        shown: dict[str, list[list[int]]] = {"count": [], "cost": [], "fine": []}
        answers: list[Answer] = []
        for number, one in enumerate([some_question(randomness) for _ in range(20)]):
            if number % 5 == 4:
                world.metrics = world.over(world.model)  # another process asks
            with suppress(NotAnswered):
                answers.append(world.answer(*one.metrics, by=one.by, where=one.filters, as_=PERSONS))
                for kind, vector in shown_of(answers[-1], one, rows):
                    shown[kind].append(vector)
        people = [row.person for row in rows]
        assert {kind: leaks(found, people) for kind, found in shown.items()} == {kind: [] for kind in shown}
        assert all(world.metrics.rerun(one.receipt.id, {PERSONS.name: PERSONS}).is_same for one in answers[::4])


Made = Callable[[Model, str], World]


def crowd(*counts: tuple[str, str, int]) -> str:
    """Return visits of so many people each: town, illness, count."""
    each = [(town, illness) for town, illness, count in counts for _ in range(count)]
    return sql([Row(at, at, "f", town, illness, 1, None, False, ()) for at, (town, illness) in enumerate(each)])


def test_what_was_asked_first_is_shown_and_asked_again_it_is_the_same(make_world: Made) -> None:
    """Without gout there are 2 fewer in town a than all: only one of the two numbers is shown, in every process."""
    world = make_world(model(), crowd(("a", "flu", 9), ("a", "gout", 2), ("b", "flu", 9), ("b", "gout", 9)))
    in_a = (Where("ward.visit.town", "=", "a"),)
    assert world.rows("cost", where=in_a, as_=PERSONS)[0][0] is not None
    no_gout = world.rows("cost", where=(*in_a, Where("illness", "!=", "gout")), as_=PERSONS)
    assert no_gout == [(None,)]
    other = world.over(world.model)
    for metrics in (world.metrics, other):
        asked_again = metrics.ask(Ask(metrics=("cost",), where=in_a), PERSONS)
        assert asked_again.rows[0]["cost"] == sum(100 + at**2 for at in range(11))


def test_what_another_process_showed_counts_too_and_another_state_begins_anew(make_world: Made) -> None:
    world = make_world(model(), crowd(("a", "flu", 7), ("a", "cold", 7), ("b", "flu", 7), ("b", "cold", 7)))
    assert world.rows("visits", as_=PERSONS) == [(28,)]
    (book,) = (world.folder / "asked").iterdir()
    assert len(book.read_text().split()) == 1
    world.over(world.model).ask(Ask(metrics=("visits",), by=("ward.visit.town",)), PERSONS)
    world.rows("visits", by=("illness",), as_=PERSONS)
    assert len(book.read_text().split()) == 3
    world.rows("visits", by=("illness",), as_=PERSONS)
    assert len(book.read_text().split()) == 3  # asked before
    world.change("insert into ward.visit select 99, null, 'a', 'flu', 1, 1, '2024-01-10 12:00+00'")
    world.rows("visits", as_=PERSONS)
    assert len(list((world.folder / "asked").iterdir())) == 2


def test_beyond_its_bounds_nothing_new_is_shown(make_world: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [("x",)] * 9 + [("y",)] * 9 + [("x", "y")] * 2
    world = make_world(
        model(), sql([Row(at, at, "f", "a", "flu", 1, None, False, one) for at, one in enumerate(given)])
    )
    by_drug = {"by": (DRUG,), "as_": PERSONS}
    assert dict(world.rows("cost", **by_drug)).keys() == {"x", "y"}  # pyright: ignore[reportCallIssue]
    assert None not in dict(world.rows("cost", **by_drug)).values()  # pyright: ignore[reportCallIssue]
    assert world.rows("visits", as_=PERSONS) == [(20,)]
    monkeypatch.setattr(asked, "PARTS_MAX", 1)
    assert world.rows("visits", **by_drug) == [("x", None), ("y", None)]
    monkeypatch.setattr(asked, "ROWS_MAX", 5)
    with pytest.raises(NotAnswered, match="20 rows"):
        world.rows("visits", by=("ward.town.region",), as_=PERSONS)
    monkeypatch.setattr(asked, "QUESTIONS_MAX", 1)
    with pytest.raises(NotAnswered, match="1 different questions"):
        world.rows("cost", as_=PERSONS)
    assert world.rows("visits", as_=PERSONS) == [(20,)]  # asked before


FEW = {"p": frozenset([1]), "q": frozenset([2]), "r": frozenset([3, 4]), "s": frozenset([1, 5])}


@pytest.mark.parametrize(
    ("sums", "least", "expected"),
    [
        (("Ap", "A"), 3, False),  # the difference is p
        (("Apr", "A"), 3, True),  # p and r are three people
        (("Apr", "A"), 4, False),
        (("Aps", "A"), 3, False),  # p is in s
        (("ABp", "A", "B"), 2, False),
        (("ABp", "A", "Bq"), 3, False),  # p less q
        (("ABp", "A", "Bq"), 2, True),
        (("Apqr", "Aqr"), 2, False),
        (("Apr", "Bpq", "A", "B", "qr"), 2, False),  # (p + r) + (p + q) - (q + r) is p twice
        (("Apr", "Bpq", "AB", "qr"), 2, False),
        (("Apr", "Bpq", "AB"), 3, True),
    ],
)
def test_what_follows_about_few_people_is_found(sums: tuple[str, ...], least: int, expected: bool) -> None:
    small = {part: people for part, people in FEW.items() if len(people) < least}
    assert is_safe([frozenset(one) for one in sums], small, least) is expected


@given(st.lists(st.sets(st.sampled_from("ABCpqrs"), min_size=1), min_size=1, max_size=7), st.integers(2, 4))
@settings(max_examples=200, deadline=None)
def test_what_is_said_to_be_safe_is_so_by_trying_all_sets_of_people(sums: list[set[str]], least: int) -> None:
    people = {**FEW, **{part: frozenset(range(at * 10, at * 10 + 9)) for at, part in enumerate("ABC", 1)}}
    small = {part: some for part, some in people.items() if len(some) < least}
    matrix = np.array([[part in one for part in people] for one in sums], dtype=float)
    everybody = frozenset().union(*people.values())
    is_leak = any(
        np.linalg.matrix_rank(matrix[:, [not people[part] <= set(some) for part in people]])
        < np.linalg.matrix_rank(matrix)
        for some in itertools.combinations(sorted(everybody), least - 1)
        if any(people[part] <= set(some) for part in people)
    )
    assert is_safe(list(map(frozenset, sums)), small, least) is not is_leak


def asked_of(book: Book, one: Question, rows: Sequence[Row], least: int) -> Iterator[tuple[str, list[int]]]:
    """Ask a book what of a question can be shown, without a database; yield what is added up in each number of it."""
    inside = [[group for group in groups_of(row, one.by) if one.passes(row)] for row in rows]
    number = {group: at for at, group in enumerate(dict.fromkeys(group for own in inside for group in own))}
    at = [(row, number[group]) for row, own in enumerate(inside) for group in own]
    for metric in one.metrics:
        kind = weight(metric, rows[0])[0]
        counts = [weight(metric, row)[1] for row in rows]
        held = [(row, group) for row, group in at if counts[row]]
        persons = {row.person: place for place, row in enumerate(rows)}
        of_group, of_row, of_person = (
            np.array(found, dtype=np.uint64)
            for found in (
                [group for _, group in held],
                [row for row, _ in held],
                [persons[rows[row].person] for row, _ in held],
            )
        )
        cell = Measured(root="ward.visit", agg="count" if kind == "count" else "sum", field=kind)
        planned = SimpleNamespace(
            by=[SimpleNamespace(asked=name) for name in one.by], metrics={metric: cell}, people={metric: (cell,)}
        )
        left = [{**dict(zip(one.by, group, strict=True)), metric: 1} for group in number]
        read = (number, of_group, of_row, of_person)
        book.hide(cast("Plan", planned), left, least, lambda _cell, _people, read=read: read)
        for group, found in zip(number, left, strict=True):
            if found[metric] is not None:
                yield kind, [counts[row] * (group in own) for row, own in enumerate(inside)]


def asked_many(rows: Sequence[Row], count: int) -> tuple[dict[str, list[tuple[int, ...]]], list[int]]:
    """Ask a new book many questions, each third by many groups; return what is shown, and what each one cost."""
    randomness, book, shown, works = random.Random(5), Book(), dict[str, list[tuple[int, ...]]](), list[int]()
    for number in range(count):
        one = some_question(randomness)
        many = tuple(randomness.sample((*FIELDS, DRUG), 5))
        one = Question(one.metrics, one.by if number % 3 else many, one.filters, one.passes)
        for kind, vector in asked_of(book, one, rows, LEAST):
            shown.setdefault(kind, []).append(tuple(vector))
        works.append(book.work)
    return shown, works


@pytest.mark.parametrize(
    ("most", "count", "is_reached"), [pytest.param(WORK_MAX, 300, False, marks=pytest.mark.slow), (60_000, 60, True)]
)
def test_of_many_questions_none_costs_more_than_its_bound_and_none_shows_few(
    most: int, count: int, is_reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a question costs is counted, so it is the same in every process, and so is what is hidden at the bound."""
    monkeypatch.setattr(asked, "WORK_MAX", most)
    rows = some_rows(random.Random(5))
    shown, works = asked_many(rows, count)
    assert 0 < max(works) <= most
    people = [row.person for row in rows]
    found = {kind: leaks(np.linalg.qr(np.array(list(set(own))), mode="r"), people) for kind, own in shown.items()}
    assert found == {kind: [] for kind in shown}
    if is_reached:
        assert (shown, works) == asked_many(rows, count)
        monkeypatch.setattr(asked, "WORK_MAX", WORK_MAX)
        assert max(asked_many(rows, count)[1]) > most  # it is what stopped them
