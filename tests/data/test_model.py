"""The model is read from marked classes, and says everything that is wrong at once."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from isthmus.data.errors import AmbiguousPath, NoPath, UnknownName
from isthmus.data.model.model import build
from isthmus.data.model.paths import join_path
from isthmus.kernel import Value, errors
from isthmus.markings import Atomic, Count, Dimension, Key, Ref, Time, entity

from .conftest import Sale, World, shop_model, trap_model


def test_a_reference_to_a_key_with_a_front_end_matches_the_rows_own(shop: World) -> None:
    reference = shop.model.entity("shop.order").references[0]
    assert reference.pairs == (("buyer_id", "id"), ("front_end", "front_end"))
    tiers = shop.rows("sales", by=("buyer_id>member.member.tier",))
    assert tiers == [("basic", 300), ("gold", 3750), (None, 90)]


def test_a_second_way_to_a_field_must_be_chosen_by_the_asker(shop: World) -> None:
    with pytest.raises(AmbiguousPath) as refused:
        shop.rows("sales", by=("member.member.tier",))
    assert refused.value.facts["paths"] == ("buyer_id>member.member.tier", "receiver_id>member.member.tier")
    assert shop.rows("sales", by=("receiver_id>member.member.tier",)) == [("basic", 1300), ("gold", 2750), (None, 90)]


def test_many_to_many_is_answered_only_on_the_askers_word(traps: World) -> None:
    with pytest.raises(NoPath) as refused:
        traps.rows("tickets", by=("orders.status",))
    path = "customer_id>~orders.customer_id>orders.status"
    assert path in refused.value.remedy
    answer = traps.answer("tickets", by=(path,))
    assert [tuple(row.values()) for row in answer.rows] == [("done", 2), ("new", 1), (None, 1)]
    assert answer.receipt.non_additive == {"tickets": (path,)}


def test_a_wrong_step_is_named_with_the_steps_that_there_are(traps: World) -> None:
    with pytest.raises(UnknownName, match=r"no reference of orders 'costumer_id' \(did you mean 'customer_id'\?\)"):
        join_path(traps.model, "orders", "costumer_id>customers.region", "amount")


def test_the_version_follows_what_numbers_depend_on_and_nothing_else() -> None:
    as_it_is = [(Sale, "")]
    one = build([*as_it_is, *_member()], [Count(name="baskets", of="shop.order")])
    documented = build([*as_it_is, *_member()], [Count(name="baskets", of="shop.order", doc="Baskets.", owner="x")])
    changed = build([*as_it_is, *_member()], [Count(name="baskets", of="member.member")])
    assert one.version == documented.version != changed.version
    assert trap_model().version == trap_model().version != shop_model().version


def test_all_that_is_wrong_with_a_model_is_said_at_once() -> None:
    @entity("a", table="a")
    class NoKey(Value):
        """Without a key."""

        x: Annotated[int, Ref("b.c")]
        first: Annotated[int, Time()]
        second: Annotated[int, Time()]

    class Unmarked(Value):
        """Not an entity."""

    with pytest.raises(errors.BuildProblems) as refused:
        build([(NoKey, ""), (Unmarked, "")], [Count(name="n", of="a"), Count(name="n", of="a")])
    found = "\n".join(refused.value.problems)
    assert "entity 'a' has no field marked Key()" in found
    assert "a.x refers to 'b.c', which is no entity" in found
    assert "several default times: first, second" in found
    assert "Unmarked is listed as an entity and has no @entity" in found
    assert "two metrics are called 'n'" in found


def test_metrics_that_name_what_is_not_there_are_found_when_the_model_is_built() -> None:
    with pytest.raises(errors.BuildProblems) as refused:
        build([(Sale, ""), *_member()], [Atomic(name="sales", measure="shop.order.totl_minor")])
    assert "metric 'sales': there is no field of shop.order 'totl_minor'" in refused.value.problems[0]


def test_closed_sets_are_known_to_filters() -> None:
    @entity("parcel", table="parcel")
    class Parcel(Value):
        """A parcel."""

        id: Annotated[int, Key()]
        state: Annotated[Literal["packed", "shipped"] | None, Dimension()]

    model = build([(Parcel, "")], [])
    assert model.entity("parcel").field("state").values == ("packed", "shipped")
    assert model.entity("parcel").field("state").is_nullable


def _member() -> list[tuple[type, str]]:
    from .conftest import Member

    return [(Member, "")]
