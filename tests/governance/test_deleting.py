"""What nobody needs goes with all that only it used, as a person would take it out; what cannot is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.governance.thin.change.code import ByHand
from isthmus.governance.thin.change.delete import delete_answer, delete_capability, delete_setting
from isthmus.governance.thin.change.named import Code
from isthmus.governance.thin.change.seam import Change
from isthmus.governance.thin.change.unasked import delete_point
from isthmus.runtime.deploy.loading import load_front_end

from .company import Company, changed, differing, made


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with made(tmp_path, monkeypatch) as found:
        yield found


def without(company: Company, name: str) -> Change:
    points = {one.name: one for one in company.pack.extension_points().values()}
    return delete_point(Code.of(company.root), company.pack, points[name])


def test_an_answer_goes_with_what_only_it_used_its_test_and_its_place_in_an_order(company: Company):
    answer = next(one for one in load_front_end(company.north).answers if one.name == "never")
    change = delete_answer(Code.of(company.root), answer.owned_by("north", 0), company.north)
    assert differing(change, "answers.py") == [
        "-from fractions import Fraction",
        "-from isthmus.kernel import PASS, Pass, answers",
        "+from isthmus.kernel import answers",
        "-HALF = Fraction(1, 2)",
        "-@answers(till.change_minor)",
        "-def never(minor: int, ask: till.Buy) -> int | Pass:",
        '-    """Half of what is not sold."""',
        "-    return PASS if ask.goods else halved(minor)",
        "-def halved(minor: int) -> int:",
        "-    return int(minor * HALF)",
    ]
    assert differing(change, "front_end.py") == [
        f"-from {company.name}.till import api as till",
        f"-from {company.name}.products import cheaper",
        "-    order={till.change_minor: (answers.never, cheaper)},",
        "-        answers.never,",
    ]
    assert differing(change, "test_answers.py") == [
        "-def test_nothing_is_halved() -> None:",
        "-    assert answers.never(5, None)",
    ]
    assert changed(change) == {"answers.py", "front_end.py", "test_answers.py"}
    assert change.notes == ("tests that went along: test_nothing_is_halved",)
    assert change.name == "north.never"


def test_an_answer_that_other_code_calls_is_left(company: Company):
    with (company.north / "answers.py").open("a") as file:
        file.write("\n\ndef other() -> object:\n    return never(1, None)\n")
    answer = next(one for one in load_front_end(company.north).answers if one.name == "never")
    with pytest.raises(ByHand, match=r"front_ends/north/answers\.py:\d+ names north\.never"):
        delete_answer(Code.of(company.root), answer.owned_by("north", 0), company.north)


def test_a_setting_goes_and_with_the_last_one_the_argument(company: Company):
    change = delete_setting(Code.of(company.root), "receipt", [company.north])
    assert differing(change, "front_end.py") == [
        '-    settings={"receipt": "long", "zone": "UTC"},',
        '+    settings={"zone": "UTC"},',
    ]
    company.edit(company.north / "front_end.py", ', "zone": "UTC"', "")
    change = delete_setting(Code.of(company.root), "receipt", [company.north])
    assert differing(change, "front_end.py") == ['-    settings={"receipt": "long"},']
    with pytest.raises(ByHand, match="does not write 'nothing' in its settings"):
        delete_setting(Code.of(company.root), "nothing", [company.north])


def test_a_capability_goes_with_its_types_its_rules_its_tests_and_its_row_of_the_guide(company: Company):
    change = delete_capability(Code.of(company.root), company.pack, "till.label")
    assert differing(change, "api.py") == [
        "-class Label(Value):",
        '-    """Ask for a label."""',
        "-    goods: str",
        "-class Printed(Value):",
        '-    """A label."""',
        "-    text: str",
        '-@capability("till.label", version="1.0", effect=Effect.READ)',
        "-def label(ask: Label) -> Printed:",
        '-    """Print a label."""',
        "-    ...",
    ]
    assert differing(change, "service.py") == [
        "-@implements(api.label)",
        "-async def printed(ask: api.Label, ctx: Context) -> api.Printed:",
        "-    return api.Printed(text=rules.shortened(ask.goods))",
    ]
    assert differing(change, "rules.py") == [
        "-WIDTH = 20  # letters on a label",
        "-def shortened(text: str) -> str:",
        '-    """Return what fits on a label."""',
        "-    return text[:WIDTH]",
    ]
    assert "-def long_word() -> str:" in differing(change, "test_till.py"), "what only its test called"
    assert differing(change, "guide.md") == ["-| a label | `till.label` |"]
    assert differing(change, "front_end.py") == [
        '-    uses=("till.label", "till.total"),',
        '+    uses=("till.total",),',
    ]
    assert [one.name for one in change.tests] == ["test_till.py"]


def test_a_capability_that_something_needs_is_left_with_the_place(company: Company):
    with company.file("service.py").open("a") as file:
        file.write("\n\nasync def again(ctx: Context) -> object:\n    return await ctx.call(api.label, None)\n")
    line = company.file("service.py").read_text().splitlines().index("    return await ctx.call(api.label, None)") + 1
    with pytest.raises(ByHand, match=rf"till/service\.py:{line} names till\.label"):
        delete_capability(Code.of(company.root), company.pack, "till.label")


def test_a_capability_that_tests_of_something_else_begin_with_is_left(company: Company):
    test = company.root / "tests" / "test_story.py"
    test.write_text(f"from {company.name}.till import api\n\n\ndef test_a_story() -> None:\n    assert api.label\n")
    with pytest.raises(ByHand, match=r"tests/test_story\.py:5 is no test of till"):
        delete_capability(Code.of(company.root), company.pack, "till.label")


def test_a_capability_whose_test_is_the_only_one_of_another_is_left(company: Company):
    company.edit(company.root / "tests" / "test_till.py", "    assert api.label\n", "    assert api.label, api.total\n")
    company.edit(company.root / "tests" / "test_till.py", "    assert api.total is not None\n", "    ...\n")
    with pytest.raises(ByHand, match=r"till\.api\.total would have no test left"):
        delete_capability(Code.of(company.root), company.pack, "till.label")


def test_a_veto_that_nobody_says_goes_with_the_refusal_and_its_error(company: Company):
    company.unanswered()
    change = without(company, "till.check")
    assert differing(change, "service.py") == [
        "-    verdict = ctx.answer(api.check)(ask)",
        "-    if not verdict.is_allowed:",
        '-        raise api.Refused(verdict.vetoes[0].reason, remedy="buy something else")',
    ]
    assert differing(change, "api.py")[:2] == [
        "-from isthmus.kernel import ALLOW, Effect, Value, Verdict, capability, combine, errors, extension_point",
        "+from isthmus.kernel import Effect, Value, capability, combine, extension_point",
    ]
    assert "-class Refused(errors.Refusal):" in differing(change, "api.py")
    assert '+@capability("till.total", version="1.0", effect=Effect.READ)' in differing(change, "api.py")


def test_a_question_that_was_handed_down_goes_with_its_parameter(company: Company):
    company.unanswered()
    change = without(company, "till.change-minor")
    assert differing(change, "rules.py") == [
        "-from collections.abc import Callable",
        "-def summed(ask: api.Buy, change_minor: Callable[[int, api.Buy], int] = api.change_minor) -> int:",
        "+def summed(ask: api.Buy) -> int:",
        "-    minor = change_minor(minor, ask)",
    ]
    assert differing(change, "service.py") == [
        "-    minor = rules.summed(ask, change_minor=ctx.answer(api.change_minor))",
        "+    minor = rules.summed(ask)",
    ]


def test_a_default_that_is_an_expression_stands_where_it_was_asked(company: Company):
    company.unanswered()
    change = without(company, "till.fee")
    assert differing(change, "service.py") == [
        "-    minor += ctx.answer(api.fee)(minor + 1)",
        "+    minor += (minor + 1) * api.RATE // 100",
    ]
    assert "test_a_fee_may_be_nothing" not in change.platform[company.root / "tests" / "test_till.py"]
    assert "no_fee" not in change.platform[company.root / "tests" / "test_till.py"]


def test_a_default_that_is_more_becomes_a_function(company: Company):
    company.unanswered()
    change = without(company, "till.tip")
    assert differing(change, "service.py") == [
        "+from collections.abc import Sequence",
        "-    return api.Total(minor=minor + ctx.answer(api.tip)([minor, 5]))",
        "+    return api.Total(minor=minor + tip([minor, 5]))",
        "+def tip(parts: Sequence[int]) -> int:",
        '+    """Say the tip. Default: the least of the parts that are more than nothing."""',
        "+    found = 0",
        "+    for one in parts:",
        "+        found = min(found, one) if found else one",
        "+    return found",
    ]
    assert "-from collections.abc import Sequence" in differing(change, "api.py")


def test_a_question_that_a_product_answers_is_left(company: Company):
    with pytest.raises(ByHand, match=r"names till\.change-minor"):
        without(company, "till.change-minor")


def test_a_text_that_would_stand_in_another_is_a_function(company: Company):
    company.unanswered()
    company.edit(company.file("api.py"), "    return minor * RATE // 100\n", '    return len(f"{minor}")\n')
    company.edit(
        company.file("service.py"), "text=rules.shortened(ask.goods)", 'text=f"{ctx.answer(api.fee)(1)} of it"'
    )
    change = without(company, "till.fee")
    assert '+    return api.Printed(text=f"{fee(1)} of it")' in differing(change, "service.py")
    assert "+def fee(minor: int) -> int:" in differing(change, "service.py")
