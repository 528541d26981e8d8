"""Rows are kept by a metric of what they refer to: sales of those who bought twice."""

from __future__ import annotations

import pytest

from isthmus import markings as m
from isthmus.data.errors import NoPath, NotAnswered, UnknownName
from isthmus.data.model.ask import read_condition
from isthmus.data.privacy.policy import ALL, Opened, Policy
from isthmus.kernel import errors
from isthmus.markings import Has, Where

from .conftest import World


def test_sales_of_those_who_bought_twice(traps: World) -> None:
    """Customer 1 has orders 1 and 2 (10 and 20); 2, 3, 4 and the missing 99 have one each; 5 has none."""
    twice = (Has("customers", "orders", ">=", 2),)
    assert traps.rows("amount", "orders", where=twice) == [(30.0, 2)]
    assert traps.rows("ltv", where=twice) == [(100.0,)]
    assert traps.rows("tickets", where=twice) == [(2,)]
    assert traps.rows("qty", where=twice) == [(1 + 2 + 3,)]


def test_who_has_no_rows_has_nought_of_a_count_and_nothing_of_an_average(traps: World) -> None:
    assert traps.rows("ltv", where=(Has("customers", "orders", "=", 0),)) == [(500.0,)]
    assert traps.rows("ltv", where=(Has("customers", "amount", "<", 40),)) == [(100.0 + 200 + 500,)]
    assert traps.rows("ltv", where=(Has("customers", "avg_amount", "<", 40),)) == [(100.0 + 200,)]
    assert traps.rows("ltv", where=(m.Not(Has("customers", "avg_amount", "<", 40)),)) == [(300.0 + 400 + 500,)]


def test_it_stands_beside_other_filters_groups_and_metrics_with_filters(traps: World) -> None:
    rich = Has("customers", "amount", ">=", 40)  # customers 3 and 4; and of order 6 nobody is known
    assert traps.rows("amount", by=("customers.region",), where=(rich,)) == [("E", 40.0), (None, 50.0)]
    assert traps.rows("amount", where=(rich, Where("orders.status", "=", "done"))) == [(50.0,)]
    either = m.AnyOf((rich, Where("customers.region", "=", "W")))
    assert traps.rows("ltv", where=(either,)) == [(100.0 + 200 + 300 + 400,)]
    done = (Has("customers", "amount_done", ">", 0),)  # customers 1, 2 and 4
    assert traps.rows("ltv", "tickets", where=done) == [(700.0, 2)]


def test_where_several_ways_lead_there_the_asker_says_which(shop: World) -> None:
    """North's member 1 came twice and bought orders 1 and 2; member 3 came once."""
    with pytest.raises(errors.BadAsk, match="buyer_id>member.member.id; receiver_id>member.member.id"):
        shop.rows("baskets", where=(Has("member.member", "visits", ">", 1),))
    assert shop.rows("baskets", "sales", where=(Has("buyer_id>member.member", "visits", ">", 1),)) == [(2, 3050.0)]
    assert shop.rows("visits", where=(Has("member.member", "visits", "=", 2),)) == [(2,)]
    assert shop.rows("baskets", where=(Has("buyer_id>member.member", "baskets", ">=", 2),)) == [(2,)]


def test_amounts_of_two_currencies_are_not_added_up_for_it(shop: World) -> None:
    rich = (Has("buyer_id>member.member", "sales", ">", 500),)
    assert shop.rows("baskets", where=rich) == [(3,)]  # member 1 of north, and member 1 of south
    shop.change("update shop.orders set currency = 'USD' where id = 2")
    assert shop.rows("baskets", where=rich) == [(1,)]  # of north's member there is no one number any more


def test_it_is_read_as_people_type_it_and_refused_where_it_cannot_be(traps: World) -> None:
    assert read_condition("has customers orders >= 2") == Has("customers", "orders", ">=", 2)
    with pytest.raises(UnknownName, match="orderz"):
        traps.rows("amount", where=(Has("customers", "orderz", ">", 1),))
    with pytest.raises(NoPath, match="no reference leads"):
        traps.rows("ltv", where=(Has("orders", "qty", ">", 1),))
    few = Policy(name="few", opens={ALL: Opened()}, cells_min=3)
    with pytest.raises(NotAnswered, match="pick people out"):
        traps.rows("amount", as_=few, where=(Has("customers", "orders", ">", 1),))
    closed = Policy(name="closed", opens={"customers": Opened()})
    with pytest.raises(NotAnswered, match="does not open orders"):
        traps.rows("ltv", as_=closed, where=(Has("customers", "orders", ">", 1),))
