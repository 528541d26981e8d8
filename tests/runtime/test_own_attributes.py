"""A front end's attributes, wherever it runs and whatever its next version makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import pytest

from isthmus.data.model.model import read_field
from isthmus.kernel import FrontEnd, Meta, Value, errors
from isthmus.kernel.host import CompiledFrontEnd, fit
from isthmus.markings import Count, Derived, Has, Measure, Metric, Question, Rule, Segment, Where
from isthmus.runtime.deploy.changes import attributes_compared, metrics_compared
from isthmus.runtime.deploy.declared import problems_of
from tests import shipped

from .isolated import front_end_folder, loaded

BODY = '''
from typing import Annotated, Literal
from isthmus.kernel import Meta, Value
from isthmus.markings import Measure, Pii

class Gift(Value):
    """How an order is given away."""
    wrap: Literal["none", "box"] = "none"
    note: Annotated[str, Meta(max_length=5)] = ""
    pages: tuple[int, ...] = (1, 2)
    by: Annotated[str, Pii("name", why="to know it")]
    ribbons: Annotated[int, Meta(ge=0), Measure(unit="ribbon")] = 0

@answers(member.tier_for)
def tier(points: int) -> str:
    return "gold"
'''


@pytest.mark.parametrize("mode", ["inline", "process"])
def test_attributes_are_checked_alike_wherever_the_front_end_runs(tmp_path: Path, mode: str) -> None:
    folder = front_end_folder(tmp_path, BODY, "tier", more='attributes={"order.order": Gift}')
    gift = shipped.build([loaded(folder, mode)]).line("north").front_end.attributes["order.order"]
    made = fit({"by": "Ada", "note": "hello"}, gift, "$.attributes")
    assert [getattr(made, name) for name in ("by", "note", "wrap", "pages")] == ["Ada", "hello", "none", (1, 2)]
    for wrong, path, words in (
        ({"by": "Ada", "note": "too long"}, "$.attributes.note", "<= 5"),
        ({"by": "Ada", "wrap": "gold"}, "$.attributes.wrap", "not an allowed value"),
        ({"by": "Ada", "pages": ["x"]}, "$.attributes.pages[0]", "expected `int`"),
        ({"by": "Ada", "notes": "x"}, "$.attributes.notes", "did you mean 'note'"),
        ({}, "$.attributes.by", "is missing"),
    ):
        with pytest.raises(errors.BadAsk, match=words) as refused:
            fit(wrong, gift, "$.attributes")
        assert refused.value.path.replace("[...]", "[0]") == path  # pyright: ignore[reportOptionalMemberAccess]
    marked = {name: read_field(name, hint) for name, hint in get_type_hints(gift, include_extras=True).items()}
    assert {name: one.pii for name, one in marked.items() if one.pii} == {"by": "name"}
    assert {name: one.measure for name, one in marked.items() if one.measure} == {"ribbons": Measure(unit="ribbon")}


@pytest.mark.parametrize("mode", ["inline", "process"])
def test_metrics_are_the_same_wherever_the_front_end_runs(tmp_path: Path, mode: str) -> None:
    body = (
        BODY
        + """
from isthmus.markings import Derived, Where

BOXED = Derived(name="north.boxed", of="order.orders", where=Where("order.order.attributes.wrap", "=", "box"))
"""
    )
    folder = front_end_folder(tmp_path, body, "tier", more='attributes={"order.order": Gift}, metrics=(BOXED,)')
    boxed = Derived(name="north.boxed", of="order.orders", where=Where("order.order.attributes.wrap", "=", "box"))
    assert shipped.build([loaded(folder, mode)]).line("north").front_end.metrics == (boxed,)


BRINGS = """
from isthmus.markings import Question, Rule, Segment, Term, Where

BRINGS = (
    Segment(code="boxed", version=1, metric="order.orders", member="order.order.member_id", least=2),
    Rule(name="wrapped", entity="order.order", holds=Where("order.order.attributes.wrap", "is not null")),
    Term(name="wrap", doc="What is around a gift."),
    Question(name="north.weekly", metrics=("order.sales",), by=("time:week",), daily="06:00"),
)
"""


@pytest.mark.parametrize("mode", ["inline", "process"])
def test_what_a_front_end_brings_of_data_is_the_same_wherever_it_runs(tmp_path: Path, mode: str) -> None:
    folder = front_end_folder(tmp_path, BODY + BRINGS, "tier", more='attributes={"order.order": Gift}, brings=BRINGS')
    brings = shipped.build([loaded(folder, mode)]).line("north").front_end.brings
    assert [type(one).__name__ for one in brings] == ["Segment", "Rule", "Term", "Question"]
    assert brings[3] == Question(name="north.weekly", metrics=("order.sales",), by=("time:week",), daily="06:00")


@pytest.mark.parametrize(
    ("brought", "said"),
    [
        (
            Segment(code="big", version=1, metric="order.salez", member="order.order.member_id"),
            "no metric 'order.salez'",
        ),
        (Segment(code="big", version=1, metric="order.sales", member="memberid"), "no field of order.order 'memberid'"),
        (
            Rule(name="r", entity="order.order", holds=Where("totl_minor", ">", 0)),
            "order.order 'totl_minor'",
        ),
        (Rule(name="r", entity="order.order", holds=Where("total_minor", ">", "x")), "'x' is no value of"),
        (Question(name="north.q", metrics=("order.sales",), by=("time:mont",)), "'mont' is no grain of time"),
        (Question(name="q", metrics=("order.sales",)), "call it north.q"),
        (Count(name="north.c", of="order.order"), "brings a Count, which nothing reads"),
    ],
)
def test_what_cannot_be_asked_is_said_before_the_front_end_goes_live(brought: object, said: str) -> None:
    front_end = FrontEnd(code="north", name="N", owner="n", brings=(brought,))
    (problem,) = problems_of(front_end, shipped.PACKS)
    assert said in problem
    assert problems_of(FrontEnd(code="north", name="N", owner="n", brings=(GOOD,)), shipped.PACKS) == []


GOOD = Segment(
    code="big", version=1, metric="order.sales", member="order.order.member_id", front_end="front_end",
    where=(Has("member.membership", "order.orders", ">=", 2),),
)  # fmt: skip


def test_a_version_says_what_it_makes_of_metrics() -> None:
    def line(*metrics: Metric) -> CompiledFrontEnd:
        return shipped.build([FrontEnd(code="north", name="N", owner="n", metrics=metrics)]).line("north")

    first, other = Count(name="north.a", of="order.order"), Derived(name="north.b", of="order.orders")
    old, new = line(first, other), line(Count(name="north.a", of="order.line"), Count(name="north.c", of="order.order"))
    assert metrics_compared(old, new) == [
        "new: metric north.c",
        "gone: metric north.b",
        "changed: metric north.a; it says another number under its name, of the past too: a new name is safer",
    ]
    assert metrics_compared(old, line(Count(name="north.a", of="order.order", doc="In other words."), other)) == []


def test_a_version_says_what_it_makes_of_attributes() -> None:
    class First(Value):
        note: str = ""
        wrap: Literal["none", "box"] = "none"

    class Second(Value):
        note: Annotated[str, Meta(max_length=9)] = ""
        ribbon: bool = False

    old, new = (
        shipped.build([FrontEnd(code="north", name="N", owner="n", attributes={"order.order": one})]).line("north")
        for one in (First, Second)
    )
    assert attributes_compared(old, new) == [
        "new: attribute order.order.ribbon",
        "gone: attribute order.order.wrap; what was written stays as it is",
        "changed: attribute order.order.note; what was written before may not fit it: a new name is safer",
    ]
    assert attributes_compared(old, old) == []
    assert old.fingerprint != new.fingerprint
