"""The eight questions of metric_traps, with the answers that its README gives."""

from __future__ import annotations

import pytest

from isthmus.data.errors import BrokenReference, DuplicateKey

from .conftest import World

REGION = ("customers.region",)


def test_measures_of_two_entities_are_each_added_up_at_their_own_grain(traps: World) -> None:
    assert traps.rows("ltv", "amount", by=REGION) == [("E", 800, 40), ("W", 300, 60), (None, 400, 110)]


def test_two_facts_meet_by_dimension_and_a_missing_one_counts_nought(traps: World) -> None:
    assert traps.rows("orders", "tickets", by=REGION) == [("E", 1, 2), ("W", 3, 2), (None, 2, 0)]


def test_lines_reach_a_dimension_through_their_order(traps: World) -> None:
    assert traps.rows("amount", "qty", by=REGION) == [("E", 40, 0), ("W", 60, 15), (None, 110, 7)]


def test_totals_do_not_change_with_what_stands_beside_them(traps: World) -> None:
    assert traps.rows("ltv", "amount", "qty", "tickets") == [(1500, 210, 22, 4)]
    assert [traps.rows(name)[0][0] for name in ("ltv", "amount", "qty", "tickets")] == [1500, 210, 22, 4]


def test_a_mean_is_not_weighted_by_the_lines_beside_it(traps: World) -> None:
    assert traps.rows("avg_amount", "qty", by=REGION) == [("E", 40, 0), ("W", 20, 15), (None, 55, 7)]


def test_a_dimension_on_the_many_side_is_answered_by_distinct_keys_and_marked(traps: World) -> None:
    answer = traps.answer("amount", by=("items.cat",))
    assert [tuple(row.values()) for row in answer.rows] == [("A", 60), ("B", 70), (None, 90)]
    assert answer.receipt.non_additive == {"amount": ("items.cat",)}


def test_a_filter_on_the_many_side_asks_for_some_such_row(traps: World) -> None:
    assert traps.rows("ltv_done") == [(700,)]


def test_a_duplicate_key_is_refused_by_name_and_never_becomes_another_number(traps: World) -> None:
    traps.change("insert into customers values (1, 'W', 100)")
    with pytest.raises(DuplicateKey) as refused:
        traps.rows("ltv", "amount", by=REGION)
    assert refused.value.facts == {"entity": "customers", "examples": ("1",)}
    assert "the key (id) of customers is not unique: 1 value(s)" in refused.value.message


def test_a_flagged_answer_says_which_proof_fails(traps: World) -> None:
    traps.change("insert into customers values (1, 'W', 100)")
    receipt = traps.answer("amount", by=REGION, accept=("duplicates",)).receipt
    assert [proof.examples for proof in receipt.proofs if not proof.holds and proof.kind == "key"] == [("1",)]


def test_an_answer_that_does_not_rely_on_a_broken_key_is_given(traps: World) -> None:
    traps.change("insert into customers values (1, 'W', 100)")
    assert traps.rows("amount") == [(210,)]


def test_a_reference_to_nothing_is_in_the_receipt_and_refused_where_the_asker_wants_whole_ones(traps: World) -> None:
    proofs = traps.answer("amount", by=REGION).receipt.proofs
    assert [(proof.subject, proof.examples) for proof in proofs if not proof.holds] == [("orders.customer_id", ("99",))]
    with pytest.raises(BrokenReference, match=r"1 row\(s\) of orders.customer_id refer to nothing, such as 99"):
        traps.rows("amount", by=REGION, is_whole=True)
