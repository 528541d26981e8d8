"""Two small worlds: the four tables of metric_traps, and a shop with money, times, several front ends and people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import duckdb
import pytest

from isthmus import markings as m
from isthmus.data.answers.metrics import Answer, Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import Model, build
from isthmus.data.privacy import policy
from isthmus.kernel import Value
from isthmus.markings import Dimension, Key, Measure, Pii, Ref, Time, Where, entity

NOW = datetime(2024, 3, 31, 12, tzinfo=UTC)
TRAPS_SQL = (Path(__file__).parent / "metric_traps" / "data.sql").read_text()


@entity("customers", table="customers")
class Customer(Value):
    """Who buys."""

    id: Annotated[int, Key()]
    region: Annotated[str | None, Dimension()]
    ltv: Annotated[float, Measure()]


@entity("orders", table="orders")
class Order(Value):
    """What was bought."""

    id: Annotated[int, Key()]
    customer_id: Annotated[int | None, Ref("customers")]
    amount: Annotated[float, Measure()]
    d: Annotated[date, Time()]
    status: Annotated[str, Dimension()]


@entity("items", table="items", time="orders.d")
class Item(Value):
    """A line of an order."""

    id: Annotated[int, Key()]
    order_id: Annotated[int, Ref("orders")]
    qty: Annotated[int, Measure()]
    cat: Annotated[str, Dimension()]


@entity("tickets", table="tickets")
class Ticket(Value):
    """A complaint."""

    id: Annotated[int, Key()]
    customer_id: Annotated[int, Ref("customers")]


TRAP_METRICS = [
    m.Atomic(name="ltv", measure="customers.ltv", doc="What customers are worth."),
    m.Atomic(name="amount", measure="orders.amount"),
    m.Atomic(name="avg_amount", measure="orders.amount", agg="avg"),
    m.Atomic(name="largest", measure="orders.amount", agg="max"),
    m.Atomic(name="qty", measure="items.qty"),
    m.Count(name="orders", of="orders"),
    m.Count(name="tickets", of="tickets"),
    m.Distinct(name="buyers", field="orders.customer_id"),
    m.Derived(name="amount_done", of="amount", where=Where("orders.status", "=", "done")),
    m.Derived(name="ltv_done", of="ltv", where=Where("orders.status", "=", "done")),
    m.Ratio(name="per_item", numerator="amount", denominator="qty"),
    m.Combined(name="open_amount", plus=("amount",), minus=("amount_done",)),
    m.Cumulative(name="amount_so_far", of="amount"),
    m.Cumulative(name="buyers_so_far", of="buyers"),
    m.Cumulative(name="amount_two_months", of="amount", window=2, unit="month"),
    m.Cumulative(name="amount_28_days", of="amount", window=28, unit="day"),
    m.Cumulative(name="amount_this_quarter", of="amount", reset="quarter"),
    m.PeriodOverPeriod(name="amount_before", of="amount", period="month", show="before"),
    m.PeriodOverPeriod(name="amount_growth", of="amount", period="month"),
    m.PeriodOverPeriod(name="amount_difference", of="amount", period="month", show="difference"),
]


def trap_model() -> Model:
    return build([(one, "data-team") for one in (Customer, Order, Item, Ticket)], TRAP_METRICS)


class World:
    """A database, the metrics over it, and a way to ask them in one line."""

    def __init__(self, model: Model, sql: str, folder: Path, now: datetime = NOW) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        self.connection.execute(sql)
        self.folder = folder
        self.now = now
        self.changes = 0
        self.model = model
        self.metrics = self.over(model)

    def over(self, model: Model) -> Metrics:
        reader = DuckReader(self.connection, f"state-{self.changes}")
        return Metrics(model, reader, Receipts(self.folder), secret=b"test", now=lambda: self.now)

    def change(self, sql: str) -> None:
        """Change the data, which makes another snapshot."""
        self.connection.execute(sql)
        self.changes += 1
        self.metrics = self.over(self.model)

    def answer(self, *metrics: str, as_: policy.Policy | None = None, **ask: object) -> Answer:
        return self.metrics.ask(Ask(metrics=metrics, **ask), as_ or policy.owner())  # pyright: ignore[reportArgumentType]

    def rows(self, *metrics: str, as_: policy.Policy | None = None, **ask: object) -> list[tuple[object, ...]]:
        answer = self.answer(*metrics, as_=as_, **ask)
        return [tuple(_number(row[name]) for name in answer.columns) for row in answer.rows]


def _number(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


@pytest.fixture
def traps(tmp_path: Path) -> World:
    """Give the four tables of metric_traps with their metrics."""
    return World(trap_model(), TRAPS_SQL, tmp_path / "receipts")


@entity("member.member", table="member.member")
class Member(Value):
    """A person with an account."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Key(), Dimension()]
    email: Annotated[str, Pii("email")]
    tier: Annotated[str, Dimension()]


@entity("shop.order", table="shop.orders")
class Sale(Value):
    """A basket that was paid, or not."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Dimension()]
    buyer_id: Annotated[int | None, Ref("member.member")]
    receiver_id: Annotated[int | None, Ref("member.member")]
    currency: Annotated[str, Dimension()]
    total_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    placed_at: Annotated[datetime, Time()]


@entity("shop.visit", table="shop.visits")
class Visit(Value):
    """Somebody looked."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Dimension()]
    member_id: Annotated[int | None, Ref("member.member")]
    seen_at: Annotated[datetime, Time()]


@entity("shop.level", table="shop.levels")
class Level(Value):
    """What lay in stock after a count."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Dimension()]
    sku: Annotated[str, Dimension()]
    on_hand: Annotated[int, Measure()]
    counted_at: Annotated[datetime, Time()]


SHOP_METRICS = [
    m.Atomic(name="sales", measure="shop.order.total_minor"),
    m.Count(name="baskets", of="shop.order"),
    m.Count(name="visits", of="shop.visit"),
    m.Count(name="members", of="member.member"),
    m.Distinct(name="shoppers", field="shop.order.buyer_id"),
    m.Distinct(name="emails", field="member.member.email"),
    m.Ratio(name="basket_value", numerator="sales", denominator="baskets"),
    m.Conversion(
        name="visit_to_basket", start="visits", goal="baskets", within_days=7,
        by=("shop.visit.member_id", "shop.order.buyer_id"),
    ),
    m.Conversion(
        name="came_back", start="baskets", goal="baskets", within_days=30, show="count",
        by=("shop.order.buyer_id", "shop.order.buyer_id"),
    ),
    m.Conversion(
        name="went_elsewhere", start="baskets", goal="baskets", within_days=30, show="count",
        by=("shop.order.buyer_id", "shop.order.buyer_id"), apart="shop.order.front_end",
    ),
    m.Stock(name="stock", measure="shop.level.on_hand", per=("front_end", "sku")),
    m.Stock(name="counted_stock", measure="shop.level.on_hand", per=("front_end", "sku"), is_carried=False),
    m.Derived(name="sales_7_days", of="sales", period=m.Period(last=7, unit="day")),
    m.Derived(name="sales_this_month", of="sales", period=m.Period(unit="month", is_to_date=True)),
    m.Derived(name="sales_by_day", of="sales", grain=("time:day",)),
]  # fmt: skip

SHOP_SQL = """
create schema member; create schema shop;
create table member.member (id bigint, front_end varchar, email varchar, tier varchar);
insert into member.member values
    (1, 'north', 'ann@example.org', 'gold'), (2, 'north', 'bob@example.org', 'basic'),
    (3, 'north', 'cem@example.org', 'basic'), (1, 'south', 'dot@example.org', 'gold');
create table shop.orders (id bigint, front_end varchar, buyer_id bigint, receiver_id bigint, currency varchar,
                          total_minor bigint, placed_at timestamptz);
insert into shop.orders values
    (1, 'north', 1, 2, 'EUR', 1000, '2024-03-01 10:00:00+00'),
    (2, 'north', 1, 1, 'EUR', 2050, '2024-03-30 23:30:00+00'),
    (3, 'north', 2, 3, 'EUR', 300, '2024-03-31 00:30:00+00'),
    (4, 'south', 1, 1, 'EUR', 700, '2024-02-10 08:00:00+00'),
    (5, 'south', null, null, 'EUR', 90, '2024-03-25 08:00:00+00');
create table shop.visits (id bigint, front_end varchar, member_id bigint, seen_at timestamptz);
insert into shop.visits values
    (1, 'north', 1, '2024-02-28 10:00:00+00'), (2, 'north', 3, '2024-03-01 10:00:00+00'),
    (3, 'north', 1, '2024-03-02 10:00:00+00'), (4, 'south', null, '2024-03-02 10:00:00+00');
create table shop.levels (id bigint, front_end varchar, sku varchar, on_hand bigint, counted_at timestamptz);
insert into shop.levels values
    (1, 'north', 'tea', 10, '2024-01-05 00:00:00+00'), (2, 'north', 'tea', 7, '2024-01-20 00:00:00+00'),
    (3, 'north', 'rice', 4, '2024-01-07 00:00:00+00'), (4, 'north', 'tea', 3, '2024-03-02 00:00:00+00');
"""


def shop_model() -> Model:
    return build([(one, "data-team") for one in (Member, Sale, Visit, Level)], SHOP_METRICS)


@pytest.fixture
def shop(tmp_path: Path) -> World:
    """Give the shop."""
    return World(shop_model(), SHOP_SQL, tmp_path / "receipts")


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[[Model, str], World]:
    """Give what makes a world of a model and SQL."""
    return lambda model, sql: World(model, sql, tmp_path / "receipts")
