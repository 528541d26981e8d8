"""Truths generated from the model hold on data that nobody chose."""

from __future__ import annotations

import dataclasses
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.data.answers.metrics import Metrics
from isthmus.data.checks.metamorphic import broken
from isthmus.data.errors import DuplicateKey
from isthmus.data.model.ask import Ask
from isthmus.data.privacy import policy

from .conftest import SHOP_SQL, TRAPS_SQL, World, shop_model, trap_model

SCHEMA = ";".join(part for part in TRAPS_SQL.split(";") if "create table" in part)
ids = st.integers(1, 8)
maybe = st.none() | st.sampled_from(["A", "B", "é'"])


def _insert(table: str, rows: list[tuple[object, ...]]) -> str:
    def literal(value: object) -> str:
        if value is None:
            return "null"
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)

    return "".join(
        f"insert into {table} values ({at}, {', '.join(map(literal, row))});" for at, row in enumerate(rows, 1)
    )


days = st.dates(min_value=date(2024, 1, 1), max_value=date(2024, 4, 1))
customers = st.lists(st.tuples(maybe, st.integers(-9, 99)), max_size=4)
orders = st.lists(
    st.tuples(st.none() | ids, st.integers(-9, 99), days.map(str), st.sampled_from(["done", "new"])), max_size=6
)
items = st.lists(st.tuples(ids, st.integers(0, 9), maybe), max_size=6)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(customers=customers, orders=orders, items=items)
def test_all_truths_hold_on_any_rows(customers: list, orders: list, items: list) -> None:  # pyright: ignore[reportMissingTypeArgument]
    data = SCHEMA + ";" + _insert("customers", customers) + _insert("orders", orders) + _insert("items", items)
    with tempfile.TemporaryDirectory() as folder:
        world = World(trap_model(), data, Path(folder))
        names = ["amount", "qty", "ltv_done", "open_amount"]
        assert broken(world.metrics, policy.owner(), names) == []


def test_all_truths_hold_in_the_shop_for_every_metric(tmp_path: Path) -> None:
    world = World(shop_model(), SHOP_SQL, tmp_path)
    assert broken(world.metrics, policy.owner()) == []


def test_a_broken_truth_is_found(tmp_path: Path) -> None:
    world = World(trap_model(), TRAPS_SQL + "insert into customers values (1, 'E', 1)", tmp_path)
    found = broken(world.metrics, policy.owner(), ["amount"], is_forced=True)
    assert "groups add up to the total" in {one.truth for one in found}


def test_a_check_asks_in_proportion_to_the_metrics_and_says_what_it_is_at(tmp_path: Path) -> None:
    model = trap_model()
    more = {f"again_{at}": msgspec.structs.replace(model.metric("tickets"), name=f"again_{at}") for at in range(30)}
    asked: list[int] = []
    for metrics in (model.metrics, {**model.metrics, **more}):
        world = World(dataclasses.replace(model, metrics=metrics), TRAPS_SQL, tmp_path)
        asks = Counting(world.metrics)
        began: list[str] = []
        assert broken(asks, policy.owner(), began=lambda at, count, name, began=began: began.append(name)) == []  # pyright: ignore
        assert began == list(metrics)
        asked.append(len(asks.asked))
    each = asked[0] / len(model.metrics)
    assert asked[1] - asked[0] <= 2 * each * len(more)


class Counting:
    """Metrics that keep what they were asked."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.asked: set[Ask] = set()

    def ask(self, ask: Ask, *args: Any, **settings: Any) -> Any:
        self.asked.add(ask)
        return self._metrics.ask(ask, *args, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._metrics, name)


@settings(max_examples=15, deadline=None)
@given(table=st.sampled_from(["customers", "orders", "items"]), id=st.integers(1, 5))
def test_a_duplicate_of_any_row_leads_to_a_refusal_and_never_to_another_number(table: str, id: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(trap_model(), TRAPS_SQL, Path(folder))
        asks = [(("ltv", "amount", "qty"), ("customers.region",)), (("amount",), ("items.cat",)), (("qty",), ())]
        before = [world.rows(*metrics, by=by) for metrics, by in asks]
        world.change(f"insert into {table} select * from {table} where id = {id}")
        for (metrics, by), rows in zip(asks, before, strict=True):
            assert _refused_key(world, metrics, by) in (str(id), rows)


def _refused_key(world: World, metrics: tuple[str, ...], by: tuple[str, ...]) -> object:
    """Return the key that a refusal names, or the rows where there is none."""
    try:
        return world.rows(*metrics, by=by)
    except DuplicateKey as refused:
        return refused.facts["examples"][0]  # pyright: ignore[reportIndexIssue]
