"""Join traps that others published with their tables, the wrong number that SQL gives, and the right one.

`Fanned`: "Understanding symmetric aggregates" of Looker's documentation (cloud.google.com/looker/docs/best-practices).
`Chasm`: "SQL chasm trap" by Vesko Vujovic (blog.veskovujovic.me/posts/sql-chasm-trap). Tables and totals are theirs.
The wrong numbers are computed too, by the join that both pages warn of: else a case would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from isthmus import markings as m
from isthmus.data.model.model import Model, build
from isthmus.kernel import Value
from isthmus.markings import Dimension, Key, Measure, Ref, entity

from .conftest import World

Make = Callable[[Model, str], World]


@entity("orders", table="orders")
class Order(Value):
    """One order, with what it came to."""

    order_id: Annotated[int, Key(), Dimension()]
    user_id: Annotated[int, Dimension()]
    total: Annotated[float, Measure()]


@entity("order_items", table="order_items")
class Item(Value):
    """So many of one thing in an order."""

    order_id: Annotated[int, Key(), Ref("orders")]
    item_id: Annotated[int, Key(), Dimension()]
    quantity: Annotated[int, Measure()]


FANNED = """
create table orders (order_id bigint, user_id bigint, total decimal(9, 2));
insert into orders values (1, 100, 50.36), (2, 101, 24.12), (3, 137, 50.36);
create table order_items (order_id bigint, item_id bigint, quantity bigint, unit_price decimal(9, 2));
insert into order_items values (1, 50, 1, 23.00), (1, 63, 2, 13.68), (2, 63, 1, 13.68), (2, 72, 1, 5.08),
    (2, 79, 1, 5.36), (3, 78, 1, 50.36);
"""
FANNED_METRICS = [
    m.Atomic(name="total", measure="orders.total"),
    m.Atomic(name="mean_total", measure="orders.total", agg="avg"),
    m.Count(name="orders", of="orders"),
    m.Atomic(name="items", measure="order_items.quantity"),
]


def test_an_orders_total_is_the_documented_one_beside_its_items(make_world: Make) -> None:
    world = make_world(build([(Order, "o"), (Item, "o")], FANNED_METRICS), FANNED)
    joined = "select sum(total), sum(quantity) from orders join order_items using (order_id)"
    assert [float(one) for one in world.connection.execute(joined).fetchall()[0]] == [223.44, 7]
    assert world.rows("total", "items") == [(124.84, 7)]
    assert world.rows("orders", "items") == [(3, 7)]
    assert world.rows("total", "items", by=("orders.user_id",)) == [(100, 50.36, 3), (101, 24.12, 3), (137, 50.36, 1)]


def test_orders_by_the_items_in_them_are_counted_once_each_and_said_not_to_add_up(make_world: Make) -> None:
    world = make_world(build([(Order, "o"), (Item, "o")], FANNED_METRICS), FANNED)
    answer = world.answer("orders", by=("order_items.item_id",))
    assert sum(row["orders"] for row in answer.rows) == 6
    assert answer.receipt.non_additive == {"orders": ("order_items.item_id",)}


@entity("bought", table="orders")
class Bought(Value):
    """An order, by whose name it is."""

    order_id: Annotated[int, Key(), Dimension()]
    customer: Annotated[str, Dimension()]


@entity("sales", table="sales")
class Sale(Value):
    """What was sold in it."""

    order_id: Annotated[int, Key(), Ref("bought")]
    product_id: Annotated[int, Key()]
    quantity_sold: Annotated[int, Measure()]


@entity("payments", table="payments")
class Payment(Value):
    """What was paid for it."""

    payment_id: Annotated[str, Key()]
    order_id: Annotated[int, Ref("bought")]
    amount: Annotated[float, Measure()]


CHASM = """
create table orders (order_id bigint, customer varchar);
insert into orders values (1, 'Alice');
create table sales (order_id bigint, product_id bigint, quantity_sold bigint);
insert into sales values (1, 101, 5), (1, 102, 3);
create table payments (order_id bigint, payment_id varchar, amount bigint);
insert into payments values (1, 'P1', 100), (1, 'P2', 50);
"""


def test_two_facts_of_one_order_are_not_multiplied_by_each_other(make_world: Make) -> None:
    metrics = [m.Atomic(name="sold", measure="sales.quantity_sold"), m.Atomic(name="paid", measure="payments.amount")]
    world = make_world(build([(Bought, "o"), (Sale, "o"), (Payment, "o")], metrics), CHASM)
    joined = (
        "select sum(quantity_sold), sum(amount) from orders join sales using (order_id) join payments using (order_id)"
    )
    assert world.connection.execute(joined).fetchall() == [(16, 300)]
    assert world.rows("sold", "paid", by=("bought.order_id",)) == [(1, 8, 150)]
    assert world.rows("sold", "paid", by=("bought.customer",)) == [("Alice", 8, 150)]
