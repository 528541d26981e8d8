"""The same questions to Isthmus, three peers and hand-written SQL, in one run on one DuckDB.

    pip install '.[bench]'
    python -m bench.data_peers [orders] [peer ...]

Each answers "sales and buyers by the buyer's region" and "sales and quantity by region" (two facts: a chasm).
A peer that says something else than the SQL by hand is marked. `python -m bench data_peers` asks the first question
of all of them in turns with Isthmus; the second one MetricFlow refuses, and another takes a minute for.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from bench.data_metrics import MODEL, NOW, interleaved, tables
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.privacy import policy

RUNS = 9
SLOW_S = 5.0  # a question that takes longer is asked once

BY_HAND = {
    "sales, buyers": """select region, sum(total_minor), count(distinct customer_id)
        from sale left join customer on customer.id = sale.customer_id group by all order by all""",
    "two facts": """with a as (select region, sum(total_minor) as s from sale
            left join customer on customer.id = sale.customer_id group by all),
        b as (select region, sum(quantity) as q from line left join sale on sale.id = line.sale_id
            left join customer on customer.id = sale.customer_id group by all)
        select coalesce(a.region, b.region), s, q from a full join b on a.region is not distinct from b.region
        order by all""",
}
MANIFEST = """
semantic_model:
  name: customer
  node_relation: {schema_name: main, alias: customer}
  entities: [{name: customer, type: primary, expr: id}]
  dimensions: [{name: region, type: categorical}]
---
semantic_model:
  name: sale
  node_relation: {schema_name: main, alias: sale}
  defaults: {agg_time_dimension: placed_at}
  entities: [{name: sale, type: primary, expr: id}, {name: customer, type: foreign, expr: customer_id}]
  measures:
    - {name: sales, agg: sum, expr: total_minor}
    - {name: buyers, agg: count_distinct, expr: customer_id}
  dimensions: [{name: placed_at, type: time, type_params: {time_granularity: day}}]
---
semantic_model:
  name: line
  node_relation: {schema_name: main, alias: line}
  defaults: {agg_time_dimension: sold_at}
  entities: [{name: line, type: primary, expr: id}, {name: sale, type: foreign, expr: sale_id}]
  measures: [{name: quantity, agg: sum, expr: quantity}]
  dimensions: [{name: sold_at, type: time, expr: "date '2025-01-01'", type_params: {time_granularity: day}}]
---
metric: {name: sales, type: simple, type_params: {measure: sales}}
---
metric: {name: buyers, type: simple, type_params: {measure: buyers}}
---
metric: {name: quantity, type: simple, type_params: {measure: quantity}}
---
project_configuration:
  time_spines:
    - node_relation: {schema_name: main, alias: days}
      primary_column: {name: ds, time_granularity: day}
"""

Run = Callable[[], list[tuple[Any, ...]]]

ORDERS = 1_000_000
QUESTION = "sales, buyers"


def rows(rounds: int) -> list[dict[str, object]]:
    """Return how long Isthmus takes against each peer, asked in turns; a peer that is not installed is named."""
    connection = duckdb.connect()
    connection.execute(f"set TimeZone = 'UTC'; {tables(ORDERS)}")
    ours, wanted = isthmus(connection)[QUESTION], plain(by_hand(connection)[QUESTION]())
    found: list[dict[str, object]] = []
    for name, make in {"MetricFlow": metricflow, "Ibis": ibis, "Boring Semantic Layer": boring}.items():
        row: dict[str, object] = {"name": f"metric: {QUESTION} by region, {ORDERS:,} orders", "unit": "ms"}
        try:
            theirs = make(connection)[QUESTION]
        except ImportError:
            row |= {
                "value": 0.0,
                "against": f"{name}: NOT RUN, it is not installed",
                "ratio": None,
                "aim": "",
                "met": None,
            }
            found.append(row)
            continue
        if plain(ours()) != wanted:
            raise AssertionError("Isthmus says something else than the SQL by hand")
        is_right = plain(theirs()) == wanted
        mine, other = interleaved(ours, theirs, rounds)
        row |= {"value": round(mine, 1), "against": name if is_right else f"{name} (another number)"}
        found.append(row | {"ratio": mine / other, "aim": "at most 1", "met": mine <= other})
    connection.close()
    return found


def plain(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows in order, whole floats as whole numbers: some peers pass through pandas."""
    return sorted(tuple(map(_plain, row)) for row in found)


def main(orders: int, chosen: list[str]) -> None:
    connection = duckdb.connect()
    connection.execute(f"set TimeZone = 'UTC'; {tables(orders)}")
    peers: dict[str, Callable[[duckdb.DuckDBPyConnection], dict[str, Run]]] = {
        "by hand": by_hand, "Isthmus": isthmus, "MetricFlow": metricflow, "Ibis": ibis, "Boring Semantic Layer": boring,
    }  # fmt: skip
    print(f"{orders:,} orders, {orders * 2:,} lines; ms, median of {RUNS}")
    wanted = {question: sorted(run()) for question, run in by_hand(connection).items()}
    for name, make in peers.items():
        if chosen and name not in chosen:
            continue
        try:
            runs = make(connection)
        except ImportError as missing:
            print(f"{name:24} not here: {missing}")
            continue
        print(
            f"{name:24}"
            + "   ".join(f"{question}: {measured(run, wanted[question])}" for question, run in runs.items())
        )


def measured(run: Run, wanted: list[tuple[Any, ...]]) -> str:
    started = time.perf_counter()
    try:
        rows = sorted(tuple(row) for row in run())
    except Exception as failure:  # peers refuse in many ways
        return f"refused ({type(failure).__name__})"
    first = time.perf_counter() - started
    mark = "" if [tuple(map(_plain, row)) for row in rows] == [tuple(map(_plain, row)) for row in wanted] else " WRONG"
    if first > SLOW_S:
        return f"{first * 1000:.0f}{mark}"
    times: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1000)
    return f"{statistics.median(times):.1f}{mark}"


def by_hand(connection: duckdb.DuckDBPyConnection) -> dict[str, Run]:
    return {question: lambda sql=sql: connection.cursor().execute(sql).fetchall() for question, sql in BY_HAND.items()}


def isthmus(connection: duckdb.DuckDBPyConnection) -> dict[str, Run]:
    folder = Path(tempfile.mkdtemp())
    metrics = Metrics(MODEL, DuckReader(connection, "bench"), Receipts(folder), secret=b"x", now=lambda: NOW)

    def ask(*names: str) -> list[tuple[Any, ...]]:
        metrics._known.clear()  # no answer from memory here; proofs are kept for the snapshot, as they are in use
        return [
            tuple(row.values()) for row in metrics.ask(Ask(metrics=names, by=("customer.region",)), policy.owner()).rows
        ]

    return {"sales, buyers": lambda: ask("sales", "buyers"), "two facts": lambda: ask("sales", "quantity")}


def metricflow(connection: duckdb.DuckDBPyConnection) -> dict[str, Run]:
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
    from metricflow_semantic_interfaces.parsing.dir_to_model import (
        parse_directory_of_yaml_files_to_semantic_manifest as parse,
    )
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    class Client:
        sql_engine_type = SqlEngine.DUCKDB
        sql_plan_renderer = DuckDbSqlPlanRenderer()

    folder = Path(tempfile.mkdtemp())
    (folder / "model.yaml").write_text(MANIFEST)
    engine = MetricFlowEngine(SemanticManifestLookup(parse(str(folder)).semantic_manifest), Client())

    def ask(names: list[str], by: str) -> list[tuple[Any, ...]]:
        request = MetricFlowQueryRequest.create(metric_names=names, group_by_names=[by])
        return connection.cursor().execute(engine.explain(request).sql_statement.sql).fetchall()

    return {
        "sales, buyers": lambda: ask(["sales", "buyers"], "customer__region"),
        "two facts": lambda: ask(["sales", "quantity"], "customer__region"),
    }


def boring(connection: duckdb.DuckDBPyConnection) -> dict[str, Run]:
    import ibis as frames
    from boring_semantic_layer import to_semantic_table

    backend = frames.duckdb.from_connection(connection.cursor())
    customer = to_semantic_table(backend.table("customer"), name="customer").with_dimensions(region=lambda t: t.region)
    sale = to_semantic_table(backend.table("sale"), name="sale").with_measures(
        sales=lambda t: t.total_minor.sum(), buyers=lambda t: t.customer_id.nunique()
    )
    line = to_semantic_table(backend.table("line"), name="line").with_measures(quantity=lambda t: t.quantity.sum())
    bought = sale.join_one(customer, lambda left, right: left.customer_id == right.id)
    both = bought.join_many(line, lambda left, right: left.id == right.sale_id)

    def ask(model: Any, *measures: str) -> list[tuple[Any, ...]]:
        frame = model.group_by("customer.region").aggregate(*measures).execute()
        return list(frame.itertuples(index=False, name=None))

    return {
        "sales, buyers": lambda: ask(bought, "sale.sales", "sale.buyers"),
        "two facts": lambda: ask(both, "sale.sales", "line.quantity"),
    }


def ibis(connection: duckdb.DuckDBPyConnection) -> dict[str, Run]:
    """Ibis is no semantic layer: somebody has to write the two aggregates apart, as by hand."""
    import ibis as frames

    backend = frames.duckdb.from_connection(connection.cursor())
    customer, sale, line = (backend.table(name) for name in ("customer", "sale", "line"))
    bought = sale.left_join(customer, sale.customer_id == customer.id).select(
        customer.region, sale.total_minor, sale.customer_id, sale_id=sale.id
    )
    sold = line.left_join(bought, line.sale_id == bought.sale_id)

    def rows(expression: Any) -> list[tuple[Any, ...]]:
        return list(expression.execute().itertuples(index=False, name=None))

    def two() -> list[tuple[Any, ...]]:
        one = bought.group_by("region").agg(sales=bought.total_minor.sum())
        other = sold.group_by("region").agg(quantity=sold.quantity.sum())
        return rows(one.left_join(other, "region").select("region", "sales", "quantity"))

    def single() -> list[tuple[Any, ...]]:
        return rows(bought.group_by("region").agg(sales=bought.total_minor.sum(), buyers=bought.customer_id.nunique()))

    return {"sales, buyers": single, "two facts": two}


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, sys.argv[2:])
