"""TPC-H: nine of its queries are metrics of one model, and their published answers come out.

Questions and data are those of the TPC-H specification (tpc.org, revision 3). Rows come from `tpchgen-cli`, which
writes what the TPC's own dbgen writes. Answers are those published with DuckDB's extension tpch (`dbgen/answers` of
duckdb/duckdb), which at scale factor 1 are the qualification answers of the specification; xtdb/xtdb publishes the same
for scale factor 0.01. Nothing was computed here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import duckdb
import pytest

from isthmus import markings as m
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.errors import AmbiguousPath
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.kernel import Value
from isthmus.markings import AllOf, AnyOf, Dimension, Key, Measure, Ref, Time, Where, entity

TABLES: Final = ("region", "nation", "supplier", "customer", "part", "orders", "lineitem")


@entity("region", table="region")
class Region(Value):
    """A part of the world."""

    r_regionkey: Annotated[int, Key()]
    r_name: Annotated[str, Dimension()]


@entity("nation", table="nation")
class Nation(Value):
    """A country."""

    n_nationkey: Annotated[int, Key()]
    n_name: Annotated[str, Dimension()]
    n_regionkey: Annotated[int, Ref("region")]


@entity("supplier", table="supplier")
class Supplier(Value):
    """Who sells."""

    s_suppkey: Annotated[int, Key()]
    s_nationkey: Annotated[int, Ref("nation")]


@entity("customer", table="customer")
class Customer(Value):
    """Who buys."""

    c_custkey: Annotated[int, Key()]
    c_nationkey: Annotated[int, Ref("nation")]
    c_mktsegment: Annotated[str, Dimension()]


@entity("part", table="part")
class Part(Value):
    """What is sold."""

    p_partkey: Annotated[int, Key()]
    p_brand: Annotated[str, Dimension()]
    p_type: Annotated[str, Dimension()]
    p_size: Annotated[int, Dimension()]
    p_container: Annotated[str, Dimension()]
    is_promoted: Annotated[bool, Dimension()]


@entity("orders", table="orders")
class Order(Value):
    """What was bought at once."""

    o_orderkey: Annotated[int, Key()]
    o_custkey: Annotated[int, Ref("customer")]
    o_orderdate: Annotated[date, Time()]
    o_orderpriority: Annotated[str, Dimension()]
    o_shippriority: Annotated[int, Dimension()]


@entity("lineitem", table="lines")
class Line(Value):
    """So much of one part in an order. What the queries calculate from columns of one row is a column of its view."""

    l_orderkey: Annotated[int, Key(), Ref("orders")]
    l_linenumber: Annotated[int, Key()]
    l_partkey: Annotated[int, Ref("part")]
    l_suppkey: Annotated[int, Ref("supplier")]
    l_returnflag: Annotated[str, Dimension()]
    l_linestatus: Annotated[str, Dimension()]
    l_shipmode: Annotated[str, Dimension()]
    l_shipinstruct: Annotated[str, Dimension()]
    l_quantity: Annotated[Decimal, Measure()]
    l_extendedprice: Annotated[Decimal, Measure()]
    l_discount: Annotated[Decimal, Measure()]
    revenue: Annotated[Decimal, Measure()]
    charge: Annotated[Decimal, Measure()]
    given: Annotated[Decimal, Measure()]
    is_late: Annotated[bool, Dimension()]
    is_sent_early: Annotated[bool, Dimension()]
    l_shipdate: Annotated[date, Time()]
    l_receiptdate: Annotated[date, Time(is_default=False)]


LINES: Final = """
create view part as select *, p_type like 'PROMO%' as is_promoted from raw_part;
create view lines as select *, l_extendedprice * (1 - l_discount) as revenue,
    l_extendedprice * (1 - l_discount) * (1 + l_tax) as charge, l_extendedprice * l_discount as given,
    l_commitdate < l_receiptdate as is_late, l_shipdate < l_commitdate as is_sent_early from lineitem;
"""
URGENT: Final = Where("orders.o_orderpriority", "in", ("1-URGENT", "2-HIGH"))
FROM_NATION: Final = "l_suppkey>s_nationkey>nation.n_name"
TO_NATION: Final = "l_orderkey>o_custkey>c_nationkey>nation.n_name"
TO_REGION: Final = "l_orderkey>o_custkey>c_nationkey>n_regionkey>region.r_name"
METRICS: Final = [
    m.Atomic(name="quantity", measure="lineitem.l_quantity"),
    m.Atomic(name="price", measure="lineitem.l_extendedprice"),
    m.Atomic(name="revenue", measure="lineitem.revenue"),
    m.Atomic(name="charge", measure="lineitem.charge"),
    m.Atomic(name="given", measure="lineitem.given"),
    m.Atomic(name="mean_quantity", measure="lineitem.l_quantity", agg="avg"),
    m.Atomic(name="mean_price", measure="lineitem.l_extendedprice", agg="avg"),
    m.Atomic(name="mean_discount", measure="lineitem.l_discount", agg="avg"),
    m.Count(name="lines", of="lineitem"),
    m.Count(name="orders", of="orders"),
    m.Derived(name="urgent_lines", of="lines", where=URGENT),
    m.Combined(name="other_lines", plus=("lines",), minus=("urgent_lines",)),
    m.Derived(name="promoted_revenue", of="revenue", where=Where("part.is_promoted", "=", True)),
    m.Ratio(name="promoted_share", numerator="promoted_revenue", denominator="revenue"),
    m.Atomic(name="sold", measure="lineitem.revenue", time="orders.o_orderdate"),
    m.Derived(name="sold_from_brazil", of="sold", where=Where(FROM_NATION, "=", "BRAZIL")),
    m.Ratio(name="brazils_share", numerator="sold_from_brazil", denominator="sold"),
]


def between(field: str, first: object, last: object) -> tuple[Where, Where]:
    return Where(field, ">=", str(first)), Where(field, "<=", str(last))


def discounted(brand: str, kind: str, least: int, size: int) -> AllOf:
    """Return one of the three kinds of goods of query 19."""
    containers = {
        "SM": ("SM CASE", "SM BOX", "SM PACK", "SM PKG"),
        "MED": ("MED BAG", "MED BOX", "MED PKG", "MED PACK"),
        "LG": ("LG CASE", "LG BOX", "LG PACK", "LG PKG"),
    }
    return AllOf((
        Where("part.p_brand", "=", brand),
        Where("part.p_container", "in", containers[kind]),
        *between("lineitem.l_quantity", least, least + 10),
        *between("part.p_size", 1, size),
    ))  # fmt: skip


def traded(one: str, other: str) -> AllOf:
    return AllOf((Where(FROM_NATION, "=", one), Where(TO_NATION, "=", other)))


QUERIES: Final = {
    1: Ask(
        metrics=("quantity", "price", "revenue", "charge", "mean_quantity", "mean_price", "mean_discount", "lines"),
        by=("lineitem.l_returnflag", "lineitem.l_linestatus"),
        where=(Where("time", "<=", "1998-09-02"),),
    ),
    3: Ask(
        metrics=("revenue",),
        by=("orders.o_orderkey", "orders.o_orderdate", "orders.o_shippriority"),
        where=(
            Where("customer.c_mktsegment", "=", "BUILDING"),
            Where("orders.o_orderdate", "<", "1995-03-15"),
            Where("time", ">", "1995-03-15"),
        ),
        order=("-revenue", "orders.o_orderdate"),
        limit=10,
    ),
    4: Ask(
        metrics=("orders",),
        by=("orders.o_orderpriority",),
        where=(
            Where("time", ">=", "1993-07-01"),
            Where("time", "<", "1993-10-01"),
            Where("lineitem.is_late", "=", True),
        ),
    ),
    6: Ask(
        metrics=("given",),
        where=(
            *between("time", "1994-01-01", "1994-12-31"),
            *between("lineitem.l_discount", "0.05", "0.07"),
            Where("lineitem.l_quantity", "<", 24),
        ),
    ),
    7: Ask(
        metrics=("revenue",),
        by=(FROM_NATION, TO_NATION, "time:year"),
        where=(
            AnyOf((traded("FRANCE", "GERMANY"), traded("GERMANY", "FRANCE"))),
            *between("time", "1995-01-01", "1996-12-31"),
        ),
    ),
    8: Ask(
        metrics=("brazils_share",),
        by=("time:year",),
        where=(
            Where(TO_REGION, "=", "AMERICA"),
            Where("part.p_type", "=", "ECONOMY ANODIZED STEEL"),
            *between("time", "1995-01-01", "1996-12-31"),
        ),
    ),
    12: Ask(
        metrics=("urgent_lines", "other_lines"),
        by=("lineitem.l_shipmode",),
        where=(
            Where("lineitem.l_shipmode", "in", ("MAIL", "SHIP")),
            Where("lineitem.is_late", "=", True),
            Where("lineitem.is_sent_early", "=", True),
            *between("lineitem.l_receiptdate", "1994-01-01", "1994-12-31"),
        ),
    ),
    14: Ask(metrics=("promoted_share",), where=between("time", "1995-09-01", "1995-09-30")),
    19: Ask(
        metrics=("revenue",),
        where=(
            AnyOf((
                discounted("Brand#12", "SM", 1, 5),
                discounted("Brand#23", "MED", 10, 10),
                discounted("Brand#34", "LG", 20, 15),
            )),
            Where("lineitem.l_shipmode", "in", ("AIR", "AIR REG")),
            Where("lineitem.l_shipinstruct", "=", "DELIVER IN PERSON"),
        ),
    ),
}  # fmt: skip

SMALL: Final[dict[int, list[tuple[Any, ...]]]] = {
    1: [
        ("A", "F", 380456, 532348211.65, 505822441.4861, 526165934.000839, 25.575155, 35785.709307, 0.050081, 14876),
        ("N", "F", 8971, 12384801.37, 11798257.2080, 12282485.056933, 25.778736, 35588.509684, 0.047759, 348),
        ("N", "O", 742802, 1041502841.45, 989737518.6346, 1029418531.523350, 25.454988, 35691.129209, 0.049931, 29181),
        ("R", "F", 381449, 534594445.35, 507996454.4067, 528524219.358903, 25.597168, 35874.006533, 0.049828, 14902),
    ],
    3: [
        (47714, "1995-03-11", 0, 267010.5894), (22276, "1995-01-29", 0, 266351.5562),
        (32965, "1995-02-25", 0, 263768.3414), (21956, "1995-02-02", 0, 254541.1285),
        (1637, "1995-02-08", 0, 243512.7981), (10916, "1995-03-11", 0, 241320.0814),
        (30497, "1995-02-07", 0, 208566.6969), (450, "1995-03-05", 0, 205447.4232),
        (47204, "1995-03-13", 0, 204478.5213), (9696, "1995-02-20", 0, 201502.2188),
    ],
    4: [("1-URGENT", 93), ("2-HIGH", 103), ("3-MEDIUM", 109), ("4-NOT SPECIFIED", 102), ("5-LOW", 128)],
    6: [(1193053.2253,)],
    7: [
        ("FRANCE", "GERMANY", "1995-01-01", 268068.5774), ("FRANCE", "GERMANY", "1996-01-01", 303862.298),
        ("GERMANY", "FRANCE", "1995-01-01", 621159.4882), ("GERMANY", "FRANCE", "1996-01-01", 379095.8854),
    ],
    8: [("1995-01-01", 0), ("1996-01-01", 0)],
    14: [(0.15486546,)],
    19: [(22923.0280,)],
}  # fmt: skip
FULL: Final[dict[int, list[tuple[Any, ...]]]] = {
    1: [
        ("A", "F", 37734107, 56586554400.73, 53758257134.87, 55909065222.827692, 25.522006, 38273.129735, 0.049985,
         1478493),
        ("N", "F", 991417, 1487504710.38, 1413082168.0541, 1469649223.194375, 25.516472, 38284.467761, 0.050093, 38854),
        ("N", "O", 74476040, 111701729697.74, 106118230307.6056, 110367043872.497010, 25.502227, 38249.117989,
         0.049997, 2920374),
        ("R", "F", 37719753, 56568041380.90, 53741292684.6040, 55889619119.831932, 25.505794, 38250.854626, 0.050009,
         1478870),
    ],
    3: [
        (2456423, "1995-03-05", 0, 406181.0111), (3459808, "1995-03-04", 0, 405838.6989),
        (492164, "1995-02-19", 0, 390324.0610), (1188320, "1995-03-09", 0, 384537.9359),
        (2435712, "1995-02-26", 0, 378673.0558), (4878020, "1995-03-12", 0, 378376.7952),
        (5521732, "1995-03-13", 0, 375153.9215), (2628192, "1995-02-22", 0, 373133.3094),
        (993600, "1995-03-05", 0, 371407.4595), (2300070, "1995-03-13", 0, 367371.1452),
    ],
    4: [("1-URGENT", 10594), ("2-HIGH", 10476), ("3-MEDIUM", 10410), ("4-NOT SPECIFIED", 10556), ("5-LOW", 10487)],
    6: [(123141078.2283,)],
    7: [
        ("FRANCE", "GERMANY", "1995-01-01", 54639732.7336), ("FRANCE", "GERMANY", "1996-01-01", 54633083.3076),
        ("GERMANY", "FRANCE", "1995-01-01", 52531746.6697), ("GERMANY", "FRANCE", "1996-01-01", 52520549.0224),
    ],
    8: [("1995-01-01", pytest.approx(0.03, abs=0.005)), ("1996-01-01", pytest.approx(0.04, abs=0.005))],
    12: [("MAIL", 6202, 9324), ("SHIP", 6200, 9262)],
    14: [(0.16380778626395543,)],
    19: [(3083843.06,)],
}  # fmt: skip


def world(folder: Path, scale: str) -> Metrics:
    """Return the metrics over generated data of a size; 1 has six million lines."""
    tool = shutil.which("tpchgen-cli", path=str(Path(sys.executable).parent)) or shutil.which("tpchgen-cli")
    assert tool, "tpchgen-cli is not here; install isthmus[test]"
    subprocess.run([tool, "parquet", "-s", scale, "--output-dir", str(folder)], check=True, capture_output=True)
    connection = duckdb.connect()
    for name in TABLES:
        view = "raw_part" if name == "part" else name
        connection.execute(f"create view {view} as select * from '{folder}/{name}.parquet'")
    connection.execute(LINES)
    entities = [(one, "tpc") for one in (Region, Nation, Supplier, Customer, Part, Order, Line)]
    reader = DuckReader(connection, f"sf{scale}")
    now = datetime(1999, 1, 1, tzinfo=UTC)
    return Metrics(build(entities, METRICS), reader, Receipts(folder / "receipts"), secret=b"t", now=lambda: now)


def answered(metrics: Metrics, number: int) -> list[tuple[Any, ...]]:
    answer = metrics.ask(QUERIES[number], policy.owner())
    return [tuple(map(_plain, row.values())) for row in answer.rows]


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value) if isinstance(value, date) else value


def published(answers: dict[int, list[tuple[Any, ...]]], number: int) -> list[tuple[Any, ...]]:
    """Return the published rows, each number to as many digits as it was published with."""
    return [
        tuple(pytest.approx(one, rel=1e-6, abs=1e-6) if isinstance(one, float) else one for one in row)
        for row in answers[number]
    ]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Metrics:
    return world(tmp_path_factory.mktemp("tpch"), "0.01")


@pytest.mark.parametrize("number", SMALL)
def test_a_query_of_tpch_has_its_published_answer(small: Metrics, number: int) -> None:
    assert answered(small, number) == published(SMALL, number)


def test_whose_nation_is_meant_is_asked_and_not_guessed(small: Metrics) -> None:
    with pytest.raises(AmbiguousPath) as refused:
        small.ask(Ask(metrics=("revenue",), by=("nation.n_name",)), policy.owner())
    assert refused.value.facts["paths"] == (FROM_NATION, TO_NATION)


@pytest.mark.slow
def test_the_qualification_answers_of_the_specification_come_out_of_six_million_lines(tmp_path: Path) -> None:
    metrics = world(tmp_path, "1")
    for number in FULL:
        assert answered(metrics, number) == published(FULL, number), f"query {number}"
