"""Rows are grouped and filtered by what something was at their time: the tier that a buyer had at the order."""

from __future__ import annotations

import pytest

from isthmus.data.errors import NotADimension
from isthmus.data.privacy.policy import ALL, Opened, Policy, owner
from isthmus.markings import Where

from .conftest import World

NOW, THEN = "buyer_id>member.member.tier", "buyer_id>member.member.tier@then"
HISTORY = """
create table member.member_history as select *, timestamptz '2024-02-20 00:00+00' as valid_from,
    cast(null as timestamptz) as valid_to from member.member;
update member.member_history set tier = 'basic', valid_to = '2024-03-15 00:00+00' where id = 1 and front_end = 'north';
insert into member.member_history values
    (1, 'north', 'ann@example.org', 'gold', '2024-03-15 00:00+00', null);
"""


@pytest.fixture
def lake(shop: World) -> World:
    """Give the shop in which north's member 1 was basic until 15 March, and is gold since."""
    shop.change(HISTORY)
    return shop


def test_an_order_stands_in_the_group_that_its_buyer_was_in_then(lake: World) -> None:
    """Order 1 (1 March) was bought as basic, order 2 (30 March) as gold; south's 4 is older than any known state."""
    north = (Where("front_end", "=", "north"),)
    assert lake.rows("sales", by=(NOW,), where=north) == [("basic", 300.0), ("gold", 3050.0)]
    assert lake.rows("sales", by=(THEN,), where=north) == [("basic", 1300.0), ("gold", 2050.0)]
    assert lake.rows("baskets", by=(THEN,)) == [("basic", 2), ("gold", 2), (None, 1)]
    assert lake.rows("baskets", by=(NOW, THEN), where=north) == [
        ("basic", "basic", 1),
        ("gold", "basic", 1),
        ("gold", "gold", 1),
    ]


def test_it_is_filtered_by_in_the_same_way_and_the_receipt_gives_it_again(lake: World) -> None:
    answer = lake.answer("sales", where=(Where(THEN, "=", "gold"), Where("front_end", "=", "north")))
    assert [int(row["sales"]) for row in answer.rows] == [2050]
    assert lake.metrics.rerun(answer.receipt.id, {"owner": owner()}).is_same


def test_who_may_not_see_a_row_does_not_see_what_it_was(lake: World) -> None:
    gold = Policy(name="gold", opens={ALL: Opened(), "member.member": Opened(rows=Where("tier", "=", "gold"))})
    lake.change("update shop.orders set receiver_id = null")  # or an order is unseen with who received it
    assert lake.rows("sales", by=(THEN,), as_=gold) == [("basic", 1000.0), ("gold", 2750.0), (None, 90.0)]


def test_what_has_no_past_is_refused_with_the_reason(lake: World) -> None:
    with pytest.raises(NotADimension, match="the past of what is personal is not kept"):
        lake.rows("sales", by=("buyer_id>member.member.email@then",))
    with pytest.raises(NotADimension, match="the row's own"):
        lake.rows("sales", by=("shop.order.currency@then",))
    with pytest.raises(NotADimension, match="several shop.visit"):
        lake.rows("members", by=("shop.visit.front_end@then",))
