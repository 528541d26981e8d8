"""A receipt says what an answer was computed from, and gives the same number again or the reason why not."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.data.answers.receipt import Receipts
from isthmus.data.answers.usage import Usage, Used
from isthmus.data.lake.retention import Kept, ReceiptPruned
from isthmus.data.model.model import build
from isthmus.data.privacy.policy import Opened, Policy, owner
from isthmus.kernel import errors
from isthmus.markings import Derived, Where

from .conftest import NOW, TRAP_METRICS, Customer, Item, Order, Ticket, World

POLICIES = {"owner": owner()}


def test_a_receipt_says_all_that_the_number_was_computed_from(shop: World) -> None:
    receipt = shop.answer("sales", by=("front_end",), where=(Where("currency", "=", "EUR"),)).receipt
    assert 'from "shop"."orders" as r' in receipt.sql
    assert receipt.parameters == ("EUR",)
    assert receipt.model == shop.model.version
    assert receipt.snapshot == "state-0"
    assert [(proof.kind, proof.subject, proof.holds) for proof in receipt.proofs] == [("key", "shop.order", True)]
    assert receipt.newest == {"shop.order": datetime(2024, 3, 31, 0, 30, tzinfo=UTC)}
    assert receipt.lag_s == 11.5 * 3600
    assert (receipt.policy, receipt.rows, receipt.hidden_cells) == ("owner", 2, 0)


def test_asking_a_receipt_again_gives_the_same_number(shop: World) -> None:
    receipt = shop.answer("sales_7_days", "basket_value").receipt
    shop.now = datetime(2024, 6, 1, tzinfo=UTC)
    again = shop.metrics.rerun(receipt.id, POLICIES)
    assert (again.is_same, again.reasons) == (True, ())


def test_a_changed_snapshot_model_or_policy_is_named_as_the_reason(traps: World) -> None:
    receipt = traps.answer("amount_done").receipt
    traps.change("update orders set amount = 11 where id = 1")
    again = traps.metrics.rerun(receipt.id, POLICIES)
    assert not again.is_same
    assert again.reasons == ("snapshot state-0 is not here; asked of state-1 instead",)
    other = [one for one in TRAP_METRICS if one.name != "amount_done"]
    other.append(Derived(name="amount_done", of="amount", where=Where("orders.status", "=", "new")))
    traps.metrics = traps.over(build([(one, "") for one in (Customer, Order, Item, Ticket)], other))
    narrower = {"owner": Policy(name="owner", opens={"orders": Opened()})}
    reasons = traps.metrics.rerun(receipt.id, narrower).reasons
    assert len(reasons) == 3
    assert reasons[0] == f"the model was {receipt.model} and is {traps.metrics.model.version}"
    assert reasons[1].startswith("policy 'owner' was")


def test_data_changed_by_hand_under_the_same_snapshot_is_found(traps: World) -> None:
    receipt = traps.answer("amount").receipt
    traps.connection.execute("update orders set amount = 11 where id = 1")
    again = traps.over(traps.model).rerun(receipt.id, POLICIES)
    assert again.reasons == ("model, policy and snapshot are the same: the data of this snapshot was changed by hand",)


@pytest.mark.parametrize("id", ["0123456789abcdef", "../../secret", ""])
def test_an_unknown_receipt_is_not_found(shop: World, id: str) -> None:
    with pytest.raises(errors.NotFound, match="there is no receipt"):
        shop.metrics.rerun(id, POLICIES)


def test_receipts_go_by_number_and_age_and_one_that_went_says_so_and_when(traps: World) -> None:
    ids = [asked(traps, days=days) for days in (9, 8, 7, 6, 5)]
    receipts = Receipts(traps.folder, Kept(days=400, count=3))
    assert receipts.prune(NOW) == 2
    assert receipts.prune(NOW) == 0
    assert receipts.ids() == set(ids[2:])
    with pytest.raises(ReceiptPruned) as refused:
        receipts.get(ids[0])
    assert refused.value.message == (
        f"receipt {ids[0]} was pruned on 2024-03-31: receipts are kept for 400 days, and at most 3"
    )
    assert (refused.value.slug, "[receipts]" in refused.value.remedy) == ("data.receipt-pruned", True)
    with pytest.raises(errors.NotFound, match="there is no receipt"):
        receipts.get("0123456789abcdef")
    old = Receipts(traps.folder, Kept(days=6))
    assert old.prune(NOW - timedelta(hours=1)) == 1
    assert [one.id for one in old.page(1)] == [ids[4], ids[3]]
    assert old.page(2) == []
    with pytest.raises(ReceiptPruned):
        traps.metrics.rerun(ids[2], POLICIES)


def test_usage_counts_receipts_that_went_too_in_every_process(traps: World) -> None:
    for _ in range(3):
        asked(traps, days=9)
    receipts = Receipts(traps.folder, Kept(count=1))
    seen_before = Usage(receipts)
    assert seen_before.of(["amount"])["amount"].asked == 3
    assert receipts.prune(NOW) == 2
    asked(traps, days=0)
    for usage in (seen_before, Usage(Receipts(traps.folder))):
        assert usage.of(["amount"])["amount"] == Used(asked=4, last=traps.now, askers={"owner": 4})


def asked(world: World, *, days: int) -> str:
    """Ask, and date the receipt as if it had been kept so many days ago."""
    world.now += timedelta(seconds=1)
    id = world.answer("amount").receipt.id
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(world.folder / f"{id}.json", (moment, moment))
    return id


def test_the_same_question_of_the_same_snapshot_is_answered_from_memory(traps: World) -> None:
    first = traps.rows("amount")
    traps.connection.execute("update orders set amount = 11 where id = 1")
    assert traps.rows("amount") == first
    assert traps.rows("amount", as_=Policy(name="other", opens={"*": Opened()})) != first


def test_metrics_are_found_by_the_words_of_their_description(traps: World) -> None:
    assert [metric.name for metric in traps.metrics.search("customers worth")] == ["ltv"]
