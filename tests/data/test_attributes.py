"""Attributes of front ends as fields of the model: asked by whose they are, unknown to everybody else."""

from __future__ import annotations

import enum
import json
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import markings as m
from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.errors import NoAttribute, NotADimension, NotAnswered
from isthmus.data.lake.reader import DuckReader
from isthmus.data.model.ask import Ask
from isthmus.data.model.attributes import Declared, dimensions
from isthmus.data.model.model import Model, build
from isthmus.data.privacy import policy
from isthmus.data.privacy.policy import Policy
from isthmus.kernel import FrontEnd, Meta, Value
from isthmus.markings import Dimension, Key, Measure, Pii, Ref, Where, entity

from .conftest import World


@entity("box.order", table="box.orders")
class Order(Value):
    """What was bought."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Key(), Dimension()]
    currency: Annotated[str, Dimension()]
    total_minor: Annotated[int, Measure(unit="minor", currency="currency")]
    attributes: dict[str, Any]


@entity("box.line", table="box.lines")
class Line(Value):
    """One kind of goods in it."""

    id: Annotated[int, Key()]
    front_end: Annotated[str, Key(), Dimension()]
    order_id: Annotated[int, Ref("box.order")]
    quantity: Annotated[int, Measure()]
    attributes: dict[str, Any]


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Gift(Value):
    """How north gives away."""

    wrap: Literal["none", "paper", "box"] = "none"
    note: Annotated[str, Pii("free-text"), Meta(max_length=40)] = ""
    ribbons: Annotated[int, Measure(unit="ribbon"), Meta(description="Ribbons around it.")] = 0
    is_hurried: bool = False
    floor: int | None = None
    size: Size = Size.SMALL
    due: date | None = None
    weight: float = 0.0
    likes: tuple[str, ...] = ()


class Engraving(Value):
    """What north engraves."""

    font: str = "plain"


class Parcel(Value):
    """How south sends."""

    wrap: bool = False
    locker: str = ""


NORTH: Mapping[str, type[Value]] = {"box.order": Gift, "box.line": Engraving}
SOUTH: Mapping[str, type[Value]] = {"box.order": Parcel}

SQL = """
create schema box;
create table box.orders (id bigint, front_end varchar, currency varchar, total_minor bigint, attributes varchar);
insert into box.orders values
    (1, 'north', 'EUR', 100, '{"wrap": "box", "note": "for Ada", "ribbons": 2, "is_hurried": true, "floor": 3,
                               "size": "large", "due": "2024-03-05", "weight": 1.5, "likes": ["a"]}'),
    (2, 'north', 'EUR', 20, '{"wrap": "box", "note": "for Bob", "ribbons": 1, "is_hurried": false,
                              "due": "2024-03-09"}'),
    (3, 'north', 'EUR', 3, '{}'),
    (4, 'north', 'EUR', 4, '{"wrap": "none", "ribbons": "many", "floor": "roof"}'),
    (5, 'south', 'EUR', 1000, '{"wrap": true, "locker": "A1", "floor": 9, "ribbons": 50}');
create table box.lines (id bigint, front_end varchar, order_id bigint, quantity bigint, attributes varchar);
insert into box.lines values
    (1, 'north', 1, 7, '{"font": "bold"}'), (2, 'north', 1, 5, '{"font": "plain"}'), (3, 'north', 2, 1, '{}'),
    (4, 'south', 5, 9, '{"font": "bold"}');
"""

METRICS = [m.Atomic(name="sales", measure="box.order.total_minor"), m.Atomic(name="goods", measure="box.line.quantity")]


def box_model() -> Model:
    return build([(one, "data-team") for one in (Order, Line)], METRICS)


class Boxes:
    """A world whose front ends declare what `declared` holds at that moment."""

    def __init__(self, folder: Path) -> None:
        self.declared: dict[str, FrontEnd] = {}
        for code, attributes in (("north", NORTH), ("south", SOUTH), ("west", {})):
            self.declare(code, attributes)
        self.world = World(box_model(), SQL, folder)
        self.receipts = Receipts(folder)
        self.reader = DuckReader(self.world.connection, "state-0")
        self.metrics = self.metrics_by(lambda: self.declared)

    def declare(self, code: str, attributes: Mapping[str, type[Value]], *metrics: m.AnyMetric) -> None:
        """Have a front end declare this from now on, as a deploy does."""
        own = FrontEnd(code=code, name=code, owner=f"{code} team", attributes=attributes, metrics=metrics)
        self.declared = {**self.declared, code: own}

    def metrics_by(self, declared: Callable[[], Declared]) -> Metrics:
        return Metrics(self.world.model, self.reader, self.receipts, secret=b"test", declared=declared)

    def rows(
        self, metric: str, *by: str, as_: Policy | None = None, where: tuple[Where, ...] = ()
    ) -> list[tuple[Any, ...]]:
        ask = Ask(metrics=(metric,), by=by, where=where)
        return [tuple(row.values()) for row in self.metrics.ask(ask, as_ or self.north).rows]

    @property
    def north(self) -> Policy:
        return policy.of_front_end(self.world.model, "north")

    @property
    def south(self) -> Policy:
        return policy.of_front_end(self.world.model, "south")


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path / "receipts")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wrap", [("box", 120), ("none", 4), (None, 3)]),
        ("is_hurried", [(False, 20), (True, 100), (None, 7)]),
        ("floor", [(3, 100), (None, 27)]),
        ("size", [("large", 100), (None, 27)]),
        ("due:month", [(date(2024, 3, 1), 120), (None, 7)]),
    ],
)
def test_what_a_front_end_declares_groups_its_own_numbers(
    boxes: Boxes, name: str, expected: list[tuple[object, int]]
) -> None:
    assert boxes.rows("sales", f"box.order.attributes.{name}") == expected


def test_what_an_earlier_version_wrote_as_something_else_is_empty_and_no_failure(boxes: Boxes) -> None:
    assert ("none", 4) in boxes.rows("sales", "box.order.attributes.wrap")
    assert boxes.rows("sales", where=(Where("box.order.attributes.floor", ">", 0),)) == [(100,)]


def test_a_filter_takes_values_of_the_attributes_own_type(boxes: Boxes) -> None:
    assert boxes.rows("sales", where=(Where("box.order.attributes.wrap", "=", "box"),)) == [(120,)]
    assert boxes.rows("sales", where=(Where("box.order.attributes.is_hurried", "=", "true"),)) == [(100,)]
    with pytest.raises(Exception, match="'bow' is no value of box.order.attributes.wrap"):
        boxes.rows("sales", where=(Where("box.order.attributes.wrap", "=", "bow"),))


def test_attributes_are_reached_by_references_like_any_field_and_never_multiply(boxes: Boxes) -> None:
    assert boxes.rows("goods", "box.order.attributes.wrap") == [("box", 13)]
    assert boxes.rows("sales", "box.line.attributes.font") == [("bold", 100), ("plain", 100), (None, 27)]
    assert boxes.rows("sales", where=(Where("box.line.attributes.font", "=", "bold"),)) == [(100,)]


def test_what_is_marked_as_a_measure_is_a_metric_of_its_own(boxes: Boxes) -> None:
    assert boxes.rows("box.order.attributes.ribbons") == [(3,)]
    assert boxes.rows("box.order.attributes.ribbons", "box.order.attributes.wrap") == [
        ("box", 3),
        ("none", 0),
        (None, 0),
    ]
    named = boxes.metrics.search("ribbons", boxes.metrics.seen_by(boxes.north))
    assert [(one.name, one.unit, one.doc) for one in named] == [
        ("box.order.attributes.ribbons", "ribbon", "Ribbons around it.")
    ]
    assert boxes.metrics.search("ribbons", boxes.metrics.seen_by(boxes.south)) == []


@pytest.mark.parametrize("name", ["note", "ribbons", "is_hurried", "nonsense"])
def test_nobody_asks_by_the_attributes_of_another_front_end_or_learns_that_they_are_there(
    boxes: Boxes, name: str
) -> None:
    field = f"box.order.attributes.{name}"
    said: list[str] = []
    asks = [Ask(metrics=("sales",), by=(field,)), Ask(metrics=("sales",), where=(Where(field, "is not null"),))]
    for ask in asks:
        with pytest.raises(NoAttribute) as refused:
            boxes.metrics.ask(ask, boxes.south)
        said.append(f"{refused.value.message}; {refused.value.remedy}")
    assert set(said) == {
        f"you have no attribute {name!r} of box.order; yours are locker, wrap; a front end declares its own in "
        "FrontEnd(attributes={...}), and asks for nobody else's"
    }


def test_the_same_name_means_to_each_front_end_its_own(boxes: Boxes) -> None:
    assert boxes.rows("sales", "box.order.attributes.wrap", as_=boxes.south) == [(True, 1000)]
    seen = {name: field.kind for name, field in dimensions(boxes.metrics.seen_by(boxes.south))}
    assert seen == {"box.order.attributes.wrap": "boolean", "box.order.attributes.locker": "text"}


def test_who_sees_everything_sees_all_attributes_and_the_rows_of_others_as_empty(boxes: Boxes) -> None:
    every = policy.owner()
    assert boxes.rows("sales", "front_end", "box.order.attributes.locker", as_=every) == [
        ("north", None, 127),
        ("south", "A1", 1000),
    ]
    assert boxes.rows("sales", "box.order.attributes.floor", as_=every) == [(3, 100), (None, 1027)]
    assert boxes.rows("sales", "box.order.attributes.wrap", as_=every) == [
        ("box", 120), ("none", 4), ("true", 1000), (None, 3)
    ]  # fmt: skip
    owners = {name: field.front_ends for name, field in dimensions(boxes.metrics.seen_by(every))}
    assert owners["box.order.attributes.wrap"] == ("north", "south")


def test_what_says_who_somebody_is_leaves_as_a_pseudonym_and_is_no_filter(boxes: Boxes) -> None:
    field = "box.order.attributes.note"
    shown = [name for name, _ in boxes.rows("sales", field)]
    assert [str(name).startswith("masked:") for name in shown if name] == [True, True]
    with pytest.raises(NotAnswered, match="masks box.order.attributes.note"):
        boxes.rows("sales", where=(Where(field, "=", "for Ada"),))
    assert ("for Ada", 100) in boxes.rows("sales", field, as_=policy.owner())


def test_what_is_marked_as_personal_from_now_on_is_masked_from_now_on(boxes: Boxes) -> None:
    class Marked(Value):
        """The font says who it is."""

        font: Annotated[str, Pii("free-text")] = ""

    field = "box.line.attributes.font"
    assert ("bold", 7) in boxes.rows("goods", field)
    boxes.declare("north", {**NORTH, "box.line": Marked})
    assert all(str(name).startswith("masked:") for name, _ in boxes.rows("goods", field) if name)


def test_a_version_deployed_a_second_ago_is_asked_at_once_and_one_that_dropped_a_field_no_more(boxes: Boxes) -> None:
    class Later(Value):
        """North's next version."""

        font: str = ""
        likes: str = ""

    with pytest.raises(NoAttribute):
        boxes.rows("goods", "box.line.attributes.likes")
    boxes.declare("north", {"box.line": Later})
    assert boxes.rows("goods", "box.line.attributes.likes") == [(None, 13)]
    with pytest.raises(NoAttribute):
        boxes.rows("sales", "box.order.attributes.wrap")


@pytest.mark.parametrize("name", ["weight", "likes", "ribbons"])
def test_what_has_no_few_values_is_no_dimension(boxes: Boxes, name: str) -> None:
    with pytest.raises(NotADimension, match=f"box.order.attributes.{name} is no dimension"):
        boxes.rows("sales", f"box.order.attributes.{name}")


def test_attributes_are_found_by_words_and_say_what_their_class_says(boxes: Boxes) -> None:
    found = dimensions(boxes.metrics.seen_by(boxes.north), "engraves font")
    assert [(name, field.doc) for name, field in found] == [("box.line.attributes.font", "What north engraves.")]


def test_a_policy_that_hides_attributes_hides_each_of_them(boxes: Boxes) -> None:
    opened = {**boxes.north.opens, "box.order": policy.Opened(hidden=("attributes",))}
    hiding = Policy(name="hiding", opens=opened, attributes=("north",))
    with pytest.raises(NotAnswered, match="hides box.order.attributes.wrap"):
        boxes.rows("sales", "box.order.attributes.wrap", as_=hiding)


def test_a_receipt_says_whether_the_attributes_are_still_the_same(boxes: Boxes) -> None:
    receipt = boxes.metrics.ask(Ask(metrics=("sales",), by=("box.order.attributes.wrap",)), boxes.north).receipt
    plain = boxes.metrics.ask(Ask(metrics=("sales",)), boxes.north).receipt
    policies = {"north": boxes.north}
    assert boxes.metrics.rerun(receipt.id, policies).is_same
    boxes.declare("north", {"box.order": Parcel})
    again = boxes.metrics.rerun(receipt.id, policies)
    assert not again.is_same
    assert "the model was" in again.reasons[0]
    assert boxes.metrics.rerun(plain.id, policies).reasons == ()


def test_metrics_of_the_platform_ask_nobody_what_they_declare(boxes: Boxes) -> None:
    def asked() -> Declared:
        raise AssertionError("asked for no reason")

    metrics = boxes.metrics_by(asked)
    assert metrics.ask(Ask(metrics=("sales",), by=("front_end",)), policy.owner()).rows


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(st.text(), part, max_size=2),
    max_leaves=4,
)
FIELDS = ("wrap", "is_hurried", "floor", "size", "due:year", "note")


@given(st.lists(st.dictionaries(st.sampled_from([name.partition(":")[0] for name in FIELDS]), JSON), max_size=5))
@settings(max_examples=25, deadline=None)
def test_whatever_was_ever_written_groups_add_up_to_the_total(written: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        boxes = Boxes(Path(folder))
        for at, one in enumerate(written):
            text = json.dumps(one)
            boxes.world.connection.execute(
                "insert into box.orders values ($1, 'north', 'EUR', 1, $2)", [100 + at, text]
            )
        for name in FIELDS:
            rows = boxes.rows("sales", f"box.order.attributes.{name}", as_=policy.owner())
            assert sum(row[-1] for row in rows) == 1127 + len(written)
