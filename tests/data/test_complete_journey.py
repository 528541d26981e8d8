"""A year of real baskets: totals by front end, department and week equal those of the source, to the cent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import duckdb
import pytest

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.checks.metamorphic import broken
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.kernel import Value
from isthmus.markings import Atomic, Count, Dimension, Distinct, Key, Measure, Ratio, Ref, Time, entity

SOURCE = Path(__file__).resolve().parents[2] / "demo" / "data" / "complete_journey"
TABLES = f"""
create view product as select * from '{SOURCE}/products.parquet';
create view household as select * from '{SOURCE}/demographics.parquet';
create table line as
    select row_number() over () as id, basket_id, household_id, product_id, quantity::bigint as quantity,
        round(sales_value * 100)::bigint as paid_minor, transaction_timestamp as sold_at, week
    from '{SOURCE}/transactions_sample.parquet';
"""


@entity("product", table="product")
class Product(Value):
    """What is sold."""

    product_id: Annotated[str, Key()]
    department: Annotated[str | None, Dimension()]
    brand: Annotated[str | None, Dimension()]


@entity("household", table="household")
class Household(Value):
    """Who answered the questionnaire."""

    household_id: Annotated[str, Key()]
    age: Annotated[str | None, Dimension()]


@entity("line", table="line")
class Line(Value):
    """A line of a till receipt."""

    id: Annotated[int, Key()]
    basket_id: Annotated[str, Dimension()]
    household_id: Annotated[str, Ref("household")]
    product_id: Annotated[str, Ref("product")]
    quantity: Annotated[int, Measure()]
    paid_minor: Annotated[int, Measure(unit="cent")]
    week: Annotated[int, Dimension()]
    sold_at: Annotated[datetime, Time()]


METRICS = [
    Atomic(name="sales", measure="line.paid_minor"),
    Count(name="lines", of="line"),
    Distinct(name="baskets", field="line.basket_id"),
    Ratio(name="basket_value", numerator="sales", denominator="baskets"),
]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    """Give the source's tables."""
    opened = duckdb.connect()
    opened.execute("set TimeZone = 'UTC';" + TABLES)
    return opened


@pytest.fixture
def metrics(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> Metrics:
    """Give the metrics over the source."""
    model = build([(one, "demo") for one in (Product, Household, Line)], METRICS)
    return Metrics(model, DuckReader(connection, "source"), Receipts(tmp_path), secret=b"x")


@pytest.mark.parametrize(
    ("by", "sql"),
    [
        (("product.department", "line.week"), "select department, week, sum(paid_minor), count(*) from joined"),
        (("product.brand", "household.age"), "select brand, age, sum(paid_minor), count(*) from joined"),
        (("time:month",), "select date_trunc('month', sold_at)::date, sum(paid_minor), count(*) from joined"),
    ],
)
def test_totals_equal_the_source_to_the_cent(
    metrics: Metrics, connection: duckdb.DuckDBPyConnection, by: tuple[str, ...], sql: str
) -> None:
    joined = """with joined as (
        select line.*, department, brand, age from line left join product using (product_id)
        left join household using (household_id)) """
    wanted = connection.execute(joined + sql + " group by all order by all nulls last").fetchall()
    answer = metrics.ask(Ask(metrics=("sales", "lines"), by=by), policy.owner())
    assert [tuple(row.values()) for row in answer.rows] == wanted
    assert sum(row["lines"] for row in answer.rows) == 75_000


def test_lines_of_unknown_products_are_counted_and_said(metrics: Metrics) -> None:
    answer = metrics.ask(Ask(metrics=("lines",), by=("product.brand",)), policy.owner())
    proof = next(proof for proof in answer.receipt.proofs if proof.subject == "line.product_id")
    assert (proof.holds, proof.count) == (False, 222)
    assert {row["product.brand"]: row["lines"] for row in answer.rows}[None] >= 222


def test_all_truths_hold_on_real_data(metrics: Metrics) -> None:
    assert broken(metrics, policy.owner()) == []
