"""Ways of asking: by text or objects, by the size of a number, without a metric; and what an empty answer says."""

from __future__ import annotations

import json

import pytest

from isthmus.data.answers import serve
from isthmus.data.errors import UnknownName
from isthmus.data.model.ask import Ask, read_condition, read_filter
from isthmus.data.privacy import policy
from isthmus.kernel import errors
from isthmus.markings import AnyOf, Where

from .conftest import World


def test_groups_are_kept_by_the_size_of_their_numbers(shop: World) -> None:
    by = ("front_end",)
    assert shop.rows("sales", by=by) == [("north", 3350), ("south", 790)]
    assert shop.rows("sales", by=by, having=(Where("sales", ">", 1000),)) == [("north", 3350)]
    assert shop.rows("sales", "baskets", by=by, having=(Where("sales", "<", 1000), Where("baskets", "=", "2"))) == [
        ("south", 790, 2)
    ]
    largest = shop.answer("sales", by=("buyer_id",), having=(Where("sales", ">=", 300),), order=("-sales",), limit=1)
    assert [row["sales"] for row in largest.rows] == [3750]  # one of each front end is number 1
    assert largest.receipt.is_cut
    with pytest.raises(UnknownName, match="no metric of this answer 'visits'"):
        shop.rows("sales", by=by, having=(Where("visits", ">", 1),))
    with pytest.raises(errors.BadAsk, match="is no number"):
        shop.rows("sales", by=by, having=(Where("sales", ">", "many"),))


def test_a_hidden_number_passes_no_bound(shop: World) -> None:
    few = policy.Policy(name="few", opens={"*": policy.Opened()}, personal=policy.EVERY_KIND, cells_min=3)
    assert shop.rows("baskets", by=("front_end",), as_=few, having=(Where("baskets", ">=", 0),)) == []


def test_a_ranking_says_that_hidden_numbers_have_no_place_in_it(shop: World) -> None:
    few = policy.Policy(name="few", opens={"*": policy.Opened()}, personal=policy.EVERY_KIND, cells_min=3)
    first = shop.answer("baskets", by=("front_end",), order=("-baskets",), limit=1, as_=few)
    assert first.receipt.hidden_cells > 0
    assert first.receipt.notes == (
        f"{first.receipt.hidden_cells} number(s) are hidden and come last: what is first is so of those that are shown",
    )
    assert shop.answer("baskets", by=("front_end",), as_=few).receipt.notes == ()
    assert shop.answer("baskets", by=("front_end",), order=("-baskets",), limit=1).receipt.notes == ()


def test_the_values_of_a_field_are_listed_without_a_metric(shop: World) -> None:
    answer = shop.metrics.ask(Ask(by=("shop.order.front_end",)), policy.owner())
    assert [tuple(row.values()) for row in answer.rows] == [("north", 3), ("south", 2)]
    assert shop.metrics.rerun(answer.receipt.id, {"owner": policy.owner()}).is_same
    assert shop.rows("rows", by=("member.member.tier",)) == [("basic", 2), ("gold", 2)]
    with pytest.raises(errors.BadAsk, match="lists the values of a field"):
        shop.metrics.ask(Ask(), policy.owner())
    few = policy.Policy(name="few", opens={"*": policy.Opened()}, personal=policy.EVERY_KIND, cells_min=3)
    assert shop.rows("rows", by=("member.member.tier",), as_=few) == [("basic", None), ("gold", None)]


def test_where_nothing_has_landed_an_answer_says_so_and_how_it_lands(shop: World) -> None:
    shop.change("delete from shop.orders")
    said = ("the lake holds no row of shop.order yet: `isthmus data land` brings in what there is",)
    assert shop.answer("sales", by=("front_end",)).receipt.notes == said
    assert shop.answer("sales", where=(Where("front_end", "=", "nor"),)).receipt.notes == said


def test_a_filter_that_names_no_value_there_is_says_so(shop: World) -> None:
    answer = shop.answer("sales", by=("time:day",), where=(Where("front_end", "=", "nor"),))
    assert answer.rows == []
    assert answer.receipt.notes == ("no row has shop.order.front_end = 'nor' (did you mean 'north'?)",)
    assert shop.answer("sales", where=(Where("front_end", "=", "north"),)).receipt.notes == ()
    south = policy.of_front_end(shop.model, "south")
    said = shop.answer("sales", as_=south, where=(Where("front_end", "=", "north"),)).receipt.notes
    assert said == ("no row has shop.order.front_end = 'north' (did you mean 'south'?)",)  # of those that it sees


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("front_end = north", Where("front_end", "=", "north")),
        ("  name   !=  a = b ", Where("name", "!=", "a = b")),
        ("name = x in y", Where("name", "=", "x in y")),
        ("tier is not null", Where("tier", "is not null")),
        ("tier not in a, 'b'", Where("tier", "not in", ("a", "b"))),
        ("buyer_id>member.member.tier = gold", Where("buyer_id>member.member.tier", "=", "gold")),
    ],
)
def test_a_condition_is_read_from_left_to_right(text: str, where: Where) -> None:
    assert read_filter(text) == where


@pytest.mark.parametrize("text", ["front_end", "tier is null 3", "= north", "a ~ b"])
def test_what_is_no_condition_is_refused_with_the_operators(text: str) -> None:
    with pytest.raises(errors.BadAsk, match="is no condition"):
        read_filter(text)


async def test_conditions_are_text_or_objects_over_http_and_on_the_command_line(shop: World) -> None:
    north = {"type": "where", "field": "front_end", "op": "=", "value": "north"}
    for where in ("front_end = north", north):
        reply = await serve.ask(
            shop.metrics, policy.owner(), json.dumps({"metrics": ["sales"], "where": [where]}).encode()
        )
        assert json.loads(reply.body)["rows"] == [[3350]]
        text = where if isinstance(where, str) else json.dumps(where)
        assert read_condition(text) == Where("front_end", "=", "north")
    for having in ("sales > 1000", {"field": "sales", "op": ">", "value": 1000, "type": "where"}):
        asked = {"metrics": ["sales"], "by": ["front_end"], "having": [having]}
        reply = await serve.ask(shop.metrics, policy.owner(), json.dumps(asked).encode())
        assert json.loads(reply.body)["rows"] == [["north", 3350]]
    with pytest.raises(errors.BadAsk, match="'sales' is no condition") as refused:
        await serve.ask(shop.metrics, policy.owner(), b'{"metrics": ["sales"], "having": ["sales"]}')
    assert refused.value.path == "$.having"
    both = json.dumps({"type": "any", "parts": [north]})
    assert read_condition(both) == AnyOf((Where("front_end", "=", "north"),))
    with pytest.raises(errors.BadAsk, match="is no condition"):
        read_condition('{"type": "sql"}')
