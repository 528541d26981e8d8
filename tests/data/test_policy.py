"""What a policy keeps back: rows, columns, people, and small cells with what would give them away."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.data.errors import NotAnswered
from isthmus.data.privacy.policy import ALL, Opened, Policy, of_front_end, owner
from isthmus.data.privacy.small_cells import hidden_cells
from isthmus.markings import Where

from .conftest import World

NORTH = Policy(name="north", opens={ALL: Opened(), "member.member": Opened(rows=Where("front_end", "=", "north"))})


def test_what_a_policy_does_not_open_is_closed(shop: World) -> None:
    orders_only = Policy(name="orders-only", opens={"shop.order": Opened()})
    assert shop.rows("sales", as_=orders_only) == [(4140,)]
    with pytest.raises(NotAnswered, match=r"policy 'orders-only' does not open shop.visit"):
        shop.rows("visits", as_=orders_only)
    with pytest.raises(NotAnswered, match=r"does not open member.member"):
        shop.rows("sales", by=("buyer_id>member.member.tier",), as_=orders_only)
    with pytest.raises(NotAnswered, match=r"does not open member.member"):
        shop.rows("sales", where=(Where("buyer_id>member.member.tier", "=", "gold"),), as_=orders_only)


def test_the_orders_of_an_invisible_member_are_invisible(shop: World) -> None:
    gold = Policy(name="gold", opens={ALL: Opened(), "member.member": Opened(rows=Where("tier", "=", "gold"))})
    assert shop.rows("members", as_=gold) == [(2,)]
    assert shop.rows("sales", as_=gold) == [(2050 + 700 + 90,)]  # order 1 goes to a basic member, 3 is of one
    assert shop.rows("visits", as_=gold) == [(3,)]


def test_a_front_end_sees_its_own_rows_and_what_is_shared(shop: World, traps: World) -> None:
    south = of_front_end(shop.model, "south")
    assert shop.rows("sales", "members", by=("front_end",), as_=south) == [("south", 790, 1)]
    with pytest.raises(NotAnswered, match="does not open customers"):
        traps.rows("ltv", as_=of_front_end(traps.model, "south"))
    assert traps.rows("ltv", as_=of_front_end(traps.model, "south", shared=("customers",))) == [(1500,)]


def test_rows_hidden_on_the_many_side_answer_no_filter(traps: World) -> None:
    new_only = Policy(name="new-only", opens={ALL: Opened(), "orders": Opened(rows=Where("status", "=", "new"))})
    assert traps.rows("ltv_done", as_=new_only) == [(0,)]
    assert traps.rows("amount", by=("items.cat",), as_=new_only) == [(None, 40)]
    assert traps.rows("qty", as_=new_only) == [(0,)]


def test_hidden_columns_are_neither_shown_nor_filtered_by(shop: World) -> None:
    hiding = Policy(name="hiding", opens={ALL: Opened(), "member.member": Opened(hidden=("tier",))})
    for ask in ({"by": ("member.member.tier",)}, {"where": (Where("member.member.tier", "=", "gold"),)}):
        with pytest.raises(NotAnswered, match=r"hides member.member.tier"):
            shop.rows("members", as_=hiding, **ask)


def test_personal_data_leaves_as_a_pseudonym_and_cannot_be_guessed_by_filters(shop: World) -> None:
    seen = shop.rows("members", by=("member.member.email",), as_=owner())
    masked = shop.answer("members", by=("member.member.email",), as_=NORTH)
    assert seen[0] == ("ann@example.org", 1)
    assert all(str(row["member.member.email"]).startswith("masked:") for row in masked.rows)
    assert len(masked.rows) == 3
    assert masked.receipt.masked == ("member.member.email",)
    with pytest.raises(NotAnswered, match="filtering by it would show it"):
        shop.rows("members", where=(Where("member.member.email", "=", "ann@example.org"),), as_=NORTH)
    assert shop.rows("emails", as_=NORTH) == [(3,)]


def test_a_small_cell_is_hidden_together_with_one_that_would_give_it_away(traps: World) -> None:
    careful = Policy(name="careful", opens={ALL: Opened()}, cells_min=2)
    answer = traps.answer("amount", by=("customers.region",), as_=careful, order=("-amount",))
    hidden = [row["customers.region"] for row in answer.rows if row["amount"] is None]
    assert {"E", None} <= set(hidden)  # one person in the East, and whom the total would give away
    assert answer.receipt.hidden_cells == len(hidden)
    assert traps.rows("amount", as_=careful) == [(210,)]


def test_a_filter_that_leaves_out_one_person_shows_nothing(traps: World) -> None:
    careful = Policy(name="careful", opens={ALL: Opened()}, cells_min=2)
    assert traps.rows("amount", where=(Where("customers.region", "!=", "E"),), as_=careful) == [(None,)]
    assert traps.rows("amount", where=(Where("orders.status", "=", "done"),), as_=careful) == [(None,)]


def test_people_are_counted_behind_a_cell_not_rows(traps: World) -> None:
    by_person = Policy(name="by-person", opens={ALL: Opened()}, cells_min=3, person="customers")
    assert traps.rows("qty", by=("customers.region",), as_=by_person) == [(None, None), ("W", None)][::-1]
    by_rows = Policy(name="by-rows", opens={ALL: Opened()}, cells_min=3)
    assert ("W", 15) not in traps.rows("qty", by=("customers.region",), as_=by_person)
    assert len(traps.rows("qty", by=("customers.region",), as_=by_rows)) == 2


def test_running_totals_are_not_answered_where_small_cells_are_hidden(traps: World) -> None:
    careful = Policy(name="careful", opens={ALL: Opened()}, cells_min=2)
    with pytest.raises(NotAnswered, match="running total"):
        traps.rows("amount_so_far", by=("time:month",), as_=careful)


@given(
    people=st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=4),
    least=st.integers(2, 6),
)
def test_no_hidden_cell_stands_alone_in_any_line_that_is_added_up(people: list[list[int]], least: int) -> None:
    groups = [(row, column) for row in range(len(people)) for column in range(3)]
    flat = list(itertools.chain.from_iterable(people))
    hidden = hidden_cells(groups, flat, least)
    assert {at for at, count in enumerate(flat) if 0 < count < least} <= hidden
    for axis in (0, 1):
        for kept in {group[1 - axis] for group in groups}:
            line = [at for at, group in enumerate(groups) if group[1 - axis] == kept]
            behind = [flat[at] for at in line if at in hidden]
            is_all = all(at in hidden for at in line if flat[at])
            assert not behind or is_all or (len(behind) > 1 and sum(behind) >= least)
