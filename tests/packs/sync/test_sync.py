"""Sync: what apps change offline is taken once, ordered by the server, merged as declared, and the same everywhere."""

from __future__ import annotations

import asyncio
import base64
import sys
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from isthmus.kernel import Caller, Context, Effect, Pack, decode, encode, errors, flow, implements
from isthmus.packs.sync import api, rules
from isthmus.packs.sync.pack import PACK
from isthmus.personal import Forget, Forgotten, masked
from tests.packs.conftest import MakePlatform

from .conftest import ANN, BASKET, BOB, NORTH, NOW, Desk, Pad

ADDED = api.Operation(
    sequence=1, collection="basket", document="milk", kind="increment", field="quantity", value=1, base=0
)


async def test_what_one_device_changed_offline_is_on_the_other_after_both_have_synced(desk: Desk) -> None:
    phone, laptop = desk.phone("phone-of-ann"), desk.phone("laptop-of-ann")
    phone.change("basket", "milk", "increment", "quantity", 2)
    phone.change("basket", "milk", "set", "note", "the fresh one")
    laptop.change("basket", "milk", "increment", "quantity", 1)
    laptop.change("list", "party", "add", "items", "candles")
    for one in (phone, laptop):
        await one.push()
    assert (
        await phone.pull()
        == await laptop.pull()
        == {
            ("basket", "milk"): {"quantity": 3, "note": "the fresh one"},
            ("list", "party"): {"items": ["candles"]},
        }
    )
    laptop.change("basket", "milk", "delete")
    await laptop.push()
    assert await phone.pull() == {("list", "party"): {"items": ["candles"]}}


async def test_an_operation_whose_answer_was_lost_is_pushed_again_and_counts_once(desk: Desk) -> None:
    phone = desk.phone()
    phone.change("basket", "milk", "increment", "quantity", 2)
    await phone.push(is_answer_lost=True)
    phone.change("basket", "milk", "increment", "quantity", 3)
    pushed = await phone.push()
    assert (pushed.applied, pushed.again, pushed.sequence) == (1, 1, 2)
    assert (await phone.pull())[("basket", "milk")] == {"quantity": 5}


async def test_pushes_of_one_client_at_once_count_each_operation_once(desk: Desk) -> None:
    phone = desk.phone()
    for _ in range(20):
        phone.change("basket", "milk", "increment", "quantity", 1)
    others = [desk.phone(f"tablet-{number}") for number in range(4)]
    for other in others:
        other.change("basket", "milk", "increment", "quantity", 100)
    await asyncio.gather(*(phone.push(is_answer_lost=True) for _ in range(4)), *(other.push() for other in others))
    assert (await phone.pull())[("basket", "milk")] == {"quantity": 420}


async def test_the_last_writer_in_the_order_of_the_server_wins_and_the_other_is_said_to_people(desk: Desk) -> None:
    phone, laptop = desk.phone("phone-of-ann"), desk.phone("laptop-of-ann")
    phone.change("basket", "milk", "set", "note", "two")
    laptop.change("basket", "milk", "set", "note", "three")
    assert (await laptop.push()).conflicts == ()
    (conflict,) = (await phone.push()).conflicts
    assert (conflict.kept, conflict.lost, conflict.kept_by, conflict.lost_by) == (
        "two", "three", "phone-of-ann", "laptop-of-ann",
    )  # fmt: skip
    assert conflict.sentence == ("note of milk: “two” took the place of “three”, which was written on another device")
    listed = await desk.call(api.list_conflicts, api.ListConflicts(member_id=ANN))
    assert [one.conflict_id for one in listed.items] == [conflict.conflict_id]
    assert (await desk.call(api.list_conflicts, api.ListConflicts(member_id=BOB))).items == ()
    assert (await laptop.pull())[("basket", "milk")] == {"note": "two"}
    laptop.change("basket", "milk", "set", "note", "four")  # who has seen it writes over nothing unknown
    assert (await laptop.push()).conflicts == ()
    assert (await desk.call(api.list_conflicts, api.ListConflicts(member_id=ANN))).items == ()


async def test_an_open_conflict_says_what_stands_and_ends_when_somebody_who_has_seen_it_writes_again(
    desk: Desk,
) -> None:
    phone, laptop = desk.phone(), desk.phone("laptop-of-ann")
    for one, words in ((phone, ["white"]), (laptop, ["black", "green"])):
        for said in words:
            one.change("basket", "tea", "set", "note", said)
    for one in (phone, laptop):
        await one.push()
    laptop.change("basket", "tea", "set", "note", "red")  # it has not pulled: it does not know of the other
    await laptop.push()
    ask = api.ListConflicts(member_id=ANN)
    (open_one,) = (await desk.call(api.list_conflicts, ask)).items
    assert (open_one.kept, open_one.lost) == ("red", "white")
    await phone.pull()
    phone.change("basket", "tea", "set", "note", "white after all")
    assert (await phone.push()).conflicts == ()
    assert (await desk.call(api.list_conflicts, ask)).items == ()


async def test_a_conflict_is_settled_by_a_person_and_the_other_value_is_on_all_devices(desk: Desk) -> None:
    phone, laptop = desk.phone("phone-of-ann"), desk.phone("laptop-of-ann")
    for number in range(2):
        for one, said in ((laptop, "three"), (phone, "two")):
            one.change("basket", f"milk-{number}", "set", "note", said)
    await laptop.push()
    first, second = (await phone.push()).conflicts
    await desk.call(api.settle_conflict, api.SettleConflict(conflict_id=first.conflict_id, choose="lost"))
    await desk.call(api.settle_conflict, api.SettleConflict(conflict_id=second.conflict_id, choose="kept"))
    assert await phone.pull() == await laptop.pull() == {
        ("basket", "milk-0"): {"note": "three"}, ("basket", "milk-1"): {"note": "two"},
    }  # fmt: skip
    assert (await desk.call(api.list_conflicts, api.ListConflicts())).items == ()
    with pytest.raises(api.UnknownConflict):
        await desk.call(api.settle_conflict, api.SettleConflict(conflict_id=first.conflict_id, choose="lost"))


async def test_an_element_that_was_added_unseen_stays_when_it_is_removed_elsewhere(desk: Desk) -> None:
    phone, laptop = desk.phone("phone-of-ann"), desk.phone("laptop-of-ann")
    phone.change("list", "party", "add", "items", "candles")
    await phone.push()
    await laptop.pull()
    laptop.change("list", "party", "remove", "items", "candles")
    phone.change("list", "party", "add", "items", "candles")
    await phone.push()
    await laptop.push()
    assert (await laptop.pull())[("list", "party")] == {"items": ["candles"]}
    laptop.change("list", "party", "remove", "items", "candles")
    laptop.change("list", "party", "add", "items", {"what": "cake"})
    await laptop.push()
    assert (await phone.pull())[("list", "party")] == {"items": [{"what": "cake"}]}


async def test_what_was_deleted_comes_back_when_somebody_else_has_gone_on_with_it(desk: Desk) -> None:
    phone, laptop = desk.phone("phone-of-ann"), desk.phone("laptop-of-ann")
    phone.change("basket", "milk", "increment", "quantity", 1)
    await phone.push()
    await laptop.pull()
    laptop.change("basket", "milk", "increment", "quantity", 1)
    phone.change("basket", "milk", "delete")
    await phone.push()
    assert await phone.pull() == {}
    await laptop.push()
    assert await phone.pull() == await laptop.pull() == {("basket", "milk"): {"quantity": 2}}


async def test_a_text_has_what_both_have_written(desk: Desk) -> None:
    phone, laptop = desk.phone("phone-of-ann"), desk.phone("laptop-of-ann")
    mine, theirs = Pad(), Pad()
    phone.change("notes", "n", "edit", "body", mine.write(0, "milk"))
    await phone.push()
    theirs.read((await laptop.pull())[("notes", "n")]["body"]["update"])
    laptop.change("notes", "n", "edit", "body", theirs.write(4, " and bread"))
    phone.change("notes", "n", "edit", "body", mine.write(0, "fresh "))
    await laptop.push()
    await phone.push()
    found = [(await one.pull())[("notes", "n")]["body"] for one in (phone, laptop)]
    assert found[0] == found[1]
    assert found[0]["text"] == "fresh milk and bread" == mine.read(found[0]["update"])


@pytest.mark.parametrize("update", ["", "not base64!", "AAAA", base64.b64encode(b"a sentence").decode(), None, 7])
async def test_what_is_no_update_of_a_text_is_refused_and_nothing_of_the_push_is_taken(desk: Desk, update: Any) -> None:
    phone = desk.phone()
    phone.change("basket", "milk", "increment", "quantity", 1)
    phone.change("notes", "n", "edit", "body", update)
    if update in ("", "AAAA"):  # nothing, and an update that says nothing
        await phone.push()
        return
    with pytest.raises(api.WrongOperation) as refused:
        await phone.push()
    assert refused.value.path == "$.operations[1].value"
    assert await phone.pull() == {}


async def test_a_device_that_was_restored_from_a_backup_is_told_to_take_a_new_id(desk: Desk) -> None:
    phone = desk.phone()
    for number in range(3):
        phone.change("basket", "milk", "increment", "quantity", number)
    await phone.push()
    phone.sequence = 1  # the backup is of a time when it had made one
    phone.change("basket", "milk", "increment", "quantity", 50)
    with pytest.raises(api.SequenceWentBack, match="operation 2 was another one before, and 3 is the last"):
        await phone.push()
    again = desk.phone("phone-of-ann-2")
    again.change("basket", "milk", "increment", "quantity", 50)
    await again.push()
    assert (await again.pull())[("basket", "milk")] == {"quantity": 53}


async def test_two_devices_with_one_id_are_noticed_and_a_gap_is_asked_for(desk: Desk) -> None:
    phone, copy = desk.phone(), desk.phone()
    phone.change("basket", "milk", "increment", "quantity", 1)
    copy.change("basket", "bread", "increment", "quantity", 1)
    await phone.push()
    with pytest.raises(api.SequenceWentBack):
        await copy.push()
    phone.change("basket", "milk", "increment", "quantity", 1)
    phone.pending.clear()
    phone.change("basket", "milk", "increment", "quantity", 1)
    with pytest.raises(api.OperationMissing, match="operation 3 comes after 1"):
        await phone.push()
    somebody = desk.phone(member_id=BOB)
    somebody.change("basket", "milk", "increment", "quantity", 1)
    with pytest.raises(api.ClientTaken):
        await somebody.push()


async def test_a_client_three_versions_old_goes_on_in_its_own_words(desk: Desk) -> None:
    old, new = desk.phone("phone-of-ann", basket=1), desk.phone("laptop-of-ann")
    old.change("basket", "milk", "increment", "qty", 2)
    await old.push()
    new.change("basket", "milk", "increment", "quantity", 1)
    new.change("basket", "milk", "set", "gift", True)
    await new.push()
    assert (await new.pull())[("basket", "milk")] == {"quantity": 3, "gift": True}
    assert (await old.pull())[("basket", "milk")] == {"qty": 3}
    middle = desk.phone("tablet-of-ann", basket=3)
    assert (await middle.pull())[("basket", "milk")] == {"count": 3, "gift": True}
    old.change("basket", "milk", "increment", "quantity", 1)  # a word that its version does not have
    with pytest.raises(api.UnknownField, match="'quantity' of 'basket', in version 1, is not synced"):
        await old.push()
    for version in (1, 3):
        with pytest.raises(
            api.SchemaTooOld, match=f"version {version} of 'list' is not understood; versions 2 to 2 are"
        ):
            await desk.phone("watch-of-ann", list=version).pull()


async def test_a_scope_is_synced_by_who_it_was_shared_with_and_by_nobody_else(desk: Desk) -> None:
    ann, bob = desk.phone("phone-of-ann", scope="party"), desk.phone("phone-of-bob", BOB, scope="party")
    ann.change("list", "party", "add", "items", "candles")
    await ann.push()
    with pytest.raises(api.ScopeOfOthers):
        await bob.pull()
    share = api.ShareScope(scope="party", member_id=ANN, with_member_id=BOB)
    assert (await desk.call(api.share_scope, share)).members == (ANN, BOB)
    assert await bob.pull() == {("list", "party"): {"items": ["candles"]}}
    own = desk.phone("watch-of-bob", BOB)
    assert await own.pull() == {}
    with pytest.raises(api.ScopeOfOthers):  # a member's own scope is nobody's to name
        await desk.phone("watch-of-bob", BOB, scope=str(ANN)).pull()
    with pytest.raises(api.ScopeOfOthers):
        await desk.phone("watch-of-bob", BOB, scope=str(UUID(int=77))).pull()
    await desk.call(api.share_scope, share.replace(is_shared=False))
    with pytest.raises(api.ScopeOfOthers):
        await bob.pull()


async def test_a_client_pulls_the_collections_that_it_wants_and_a_large_scope_in_parts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "DOCUMENTS_MAX", 10)
    phone, other = desk.phone(), desk.phone("laptop-of-ann")
    for number in range(25):
        phone.change("basket", f"sku-{number}", "increment", "quantity", 1)
    phone.change("list", "party", "add", "items", "candles")
    await phone.push()
    assert set(await desk.phone("watch-of-ann").pull("list")) == {("list", "party")}
    assert len(await other.pull()) == 26
    with pytest.raises(api.UnknownField):
        await other.pull("orders")


@pytest.mark.parametrize(
    ("collection", "kind", "field", "value"),
    [
        ("basket", "set", "quantity", 3), ("basket", "increment", "quantity", 1.5),
        ("basket", "increment", "quantity", True),
        ("basket", "add", "note", "x"), ("list", "set", "items", []), ("basket", "set", "note", "x" * 20_000),
        ("notes", "set", "body", "x"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_how_a_field_is_merged_is_refused(
    desk: Desk, collection: str, kind: str, field: str, value: Any
) -> None:
    phone = desk.phone()
    phone.change(collection, "one", kind, field, value)
    with pytest.raises(api.WrongOperation):
        await phone.push()


async def test_money_is_never_decided_by_a_device(desk: Desk) -> None:
    for value in ({"minor": 5, "currency": "EUR"}, {"a": [{"price": {"amount": "1", "currency": "EUR"}}]}):
        phone = desk.phone()
        phone.change("basket", "milk", "set", "note", value)
        with pytest.raises(api.NotDecidedHere):
            await phone.push()
    assert not rules.says_money({"sku": "milk", "wanted": 2})


async def test_a_front_end_that_declares_nothing_syncs_nothing(desk: Desk) -> None:
    phone = desk.phone()
    made = phone.change("basket", "x", "increment", "quantity", 1)
    ask = api.PushOperations(client_id="phone-of-ann", member_id=ANN, operations=(made,))
    with pytest.raises(api.UnknownField, match="'basket' is not synced"):
        await desk.call(api.push, ask, "south")


@flow("till.leave", version="1.0", effect=Effect.WRITE, uses=[api.forget])
def leave(ask: Forget) -> Forgotten:
    """Forget whoever leaves."""
    ...


@implements(leave)
async def _leave(ask: Forget, ctx: Context) -> Forgotten:
    return await ctx.call(api.forget, ask)


till_api = ModuleType("till_api", "Lets people leave.")
till_api.leave = leave  # type: ignore[attr-defined]
TILL = Pack(name="till", owner="till team", api=till_api, service=(sys.modules[__name__],))


async def test_who_is_forgotten_leaves_nothing_and_a_scope_of_others_stays(make_platform: MakePlatform) -> None:
    import dataclasses

    desk = Desk(await make_platform(PACK, TILL, dataclasses.replace(NORTH, uses=("sync.*", "till.*"))))
    phones = [
        desk.phone("phone-of-ann"),
        desk.phone("watch-of-ann", scope="alone"),
        desk.phone("pad-of-ann", scope="both"),
    ]
    for phone in phones:
        phone.change("list", "party", "add", "items", "candles")
        await phone.push()
    await desk.call(api.share_scope, api.ShareScope(scope="both", member_id=ANN, with_member_id=BOB))
    await desk.platform.call(leave, Forget(member_ids=(ANN,)), Caller(front_end="north", client="shop"))
    async with desk.database.platform() as session:
        left = await session.fetch("select scope from sync.document union all select scope from sync.scope_member")
        assert {row[0] for row in left} == {"both"}
        assert await session.fetch("select from sync.client") == []
        for condition in PACK.conditions:
            assert await session.fetch(condition.sql) == []
    assert await desk.phone("phone-of-bob", BOB, scope="both").pull() == {("list", "party"): {"items": ["candles"]}}


async def test_a_guest_is_forgotten_by_what_they_are_known_by_elsewhere(make_platform: MakePlatform) -> None:
    import dataclasses

    desk = Desk(await make_platform(PACK, TILL, dataclasses.replace(NORTH, uses=("sync.*", "till.*"))))
    bought, became_ann, other = UUID(int=71), UUID(int=72), UUID(int=73)
    for guest in (bought, became_ann, other):
        phone = desk.phone(f"phone-{guest}", guest)
        phone.change("basket", "cake", "set", "note", f"for {guest}")
        await phone.push()
    as_ordered = api.Pull(client_id=f"phone-{bought}", member_id=bought, reference="order-7")
    as_member = api.Pull(client_id=f"phone-{became_ann}", member_id=became_ann, reference=str(ANN))
    for ask in (as_ordered, as_ordered, as_member):
        await desk.call(api.pull, ask)
    shop = Caller(front_end="north", client="shop")
    done = await desk.platform.call(leave, Forget(references=("order-8", "order-7")), shop)
    assert done.references == (str(bought), f"sync/north/{bought}")  # what others keep under these is theirs too
    done = await desk.platform.call(leave, Forget(member_ids=(ANN,)), shop)
    assert done.references == (str(became_ann), f"sync/north/{ANN}", f"sync/north/{became_ann}")
    async with desk.database.platform() as session:
        for table in ("client", "document", "operation", "scope", "guest"):
            left = [str(row) for row in await session.fetch(f"select * from sync.{table}")]
            assert [str(other) in row for row in left] == [True] * (table != "guest"), table


async def test_operations_that_no_client_sends_again_are_forgotten(desk: Desk) -> None:
    phone = desk.phone()
    phone.change("basket", "milk", "increment", "quantity", 1)
    await phone.push()
    assert (await desk.call(api.prune, api.Prune())).operations == 0
    assert (await desk.call(api.prune, api.Prune(), now=NOW + timedelta(days=200))).operations == 1
    phone.change("basket", "milk", "increment", "quantity", 1)
    assert (await phone.push()).sequence == 2


def test_a_collection_can_be_written_and_read() -> None:
    assert decode(encode(BASKET), api.Collection) == BASKET
    assert issubclass(api.ScopeOfOthers, errors.NotPermitted)


def test_what_a_device_pulled_and_pushed_can_be_run_again_once_its_name_is_masked() -> None:
    for ask in (
        api.Pull(client_id="phone-of-ann", member_id=ANN),
        api.PushOperations(client_id="phone-of-ann", member_id=ANN, operations=(ADDED,)),
    ):
        hidden = masked(ask, {})
        assert hidden.client_id != ask.client_id
        assert decode(encode(hidden), type(ask)) == hidden
