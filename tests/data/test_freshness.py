"""An entity or a metric says how old its newest row may be; what is older is flagged, refused, found and logged."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import jsonschema
import pytest
from rich.console import Console

from isthmus.data.checks import lock, quality
from isthmus.data.errors import StaleData
from isthmus.data.exchange.contracts import content
from isthmus.data.model.model import Model, build
from isthmus.data.show import show
from isthmus.kernel import Value, errors
from isthmus.markings import Atomic, Count, Dimension, Key, Measure, Ratio, Time, entity

from .conftest import NOW, World

MakeWorld = Callable[[Model, str], World]


@entity("till.sale", table="till.sale", fresh_hours=24)
class Sale(Value):
    """What a till rang up."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Dimension()]
    amount: Annotated[int, Measure()]
    rung_at: Annotated[datetime, Time()]


METRICS = [
    Atomic(name="sales", measure="till.sale.amount"),
    Count(name="rung", of="till.sale", fresh_hours=2),
    Ratio(name="basket", numerator="sales", denominator="rung"),
]
SQL = "create schema till; create table till.sale (id bigint, front_end varchar, amount bigint, rung_at timestamptz);"
ONE = f"insert into till.sale values (1, 'north', 5, timestamptz '{NOW - timedelta(hours=5)}');"


@pytest.fixture
def till(make_world: MakeWorld) -> World:
    """Give a till whose last sale was five hours ago: young enough for sales, too old for how many."""
    return make_world(build([(Sale, "tills")], METRICS), SQL + ONE)


def test_an_answer_that_is_too_old_is_flagged_by_the_rule_of_its_metric_or_else_its_entity(till: World) -> None:
    assert till.answer("sales").receipt.stale == ()
    assert till.answer("rung").receipt.stale == ("the newest row of till.sale is 5.0 h old, and may be 2 h",)
    assert till.answer("basket").receipt.stale == ()  # its own parts may be older: it says nothing of its own
    till.now += timedelta(hours=20)
    assert till.answer("sales").receipt.stale == ("the newest row of till.sale is 25.0 h old, and may be 24 h",)
    assert till.answer("sales").rows == [{"sales": 5}]


def test_who_asks_for_fresh_rows_is_refused_old_ones(till: World) -> None:
    assert till.rows("sales", is_fresh=True) == [(5,)]
    with pytest.raises(StaleData, match=r"till\.sale is 5\.0 h old, and may be 2 h") as refused:
        till.rows("rung", is_fresh=True)
    assert "isthmus data land" in refused.value.remedy
    till.change(f"insert into till.sale values (2, 'north', 1, timestamptz '{NOW - timedelta(hours=1)}')")
    assert till.rows("rung", is_fresh=True) == [(2,)]


def test_no_row_at_all_is_too_old(make_world: MakeWorld) -> None:
    empty = make_world(build([(Sale, "tills")], METRICS), SQL)
    assert "has no row with a time" in empty.answer("sales").receipt.stale[0]
    assert [found.split(" (")[0] for found in quality.stale(empty.model, empty.metrics.reader(), NOW)] == [
        "till.sale: the newest row is at most 24 h old", "till.sale: the newest row is at most 2 h old",
    ]  # fmt: skip


def test_the_answer_on_a_terminal_says_that_it_is_old(till: World, capsys: pytest.CaptureFixture[str]) -> None:
    show(till.answer("rung"), "table", Console(width=120))
    assert "5.0 h old, and may be 2 h" in capsys.readouterr().out


def test_quality_finds_what_is_too_old(till: World) -> None:
    broken = [one for one in quality.examine(quality.rules(till.model), till.metrics.reader(), NOW) if not one.holds]
    assert [(one.rule, one.owner, one.examples) for one in broken] == [
        (
            "till.sale: the newest row is at most 2 h old",
            "tills",
            ("the newest row of till.sale is 5.0 h old, and may be 2 h",),
        )
    ]


def test_the_contract_and_the_lock_say_how_old_rows_may_be(till: World, tmp_path: Path) -> None:
    found = content(till.model, till.model.entity("till.sale"))
    schema = json.loads((importlib.resources.files("open_data_contract_standard") / "schema.json").read_text())
    jsonschema.Draft201909Validator(schema).validate(found)
    assert found["slaProperties"] == [
        {"property": "freshness", "value": 24, "unit": "h", "element": "till_sale.rung_at"}
    ]
    place = tmp_path / "metrics.lock.json"
    place.write_text(lock.written(till.model))
    assert lock.read(place).entity("till.sale").fresh_hours == 24
    place.write_text(place.read_text()[:100])  # as a merge or a full disk leaves it
    with pytest.raises(errors.BadAsk, match="metrics.lock.json is not JSON in line 5, column 18"):
        lock.read(place)


def test_an_entity_without_a_time_can_not_say_how_old_it_may_be() -> None:
    @entity("till.drawer", table="till.drawer", fresh_hours=1)
    class Drawer(Value):
        """Where money lies."""

        id: Annotated[int, Key()]

    with pytest.raises(errors.BuildProblems, match=r"'till.drawer' may be 1 h old and has no Time\(\)"):
        build([(Drawer, "tills")], [])
