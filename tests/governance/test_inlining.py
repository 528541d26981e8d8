"""What is the same for everybody is no choice: its one answer becomes the platform's own, its one value a constant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.governance.thin.change.code import ByHand
from isthmus.governance.thin.change.constant import write_setting
from isthmus.governance.thin.change.inline import inline_answer
from isthmus.governance.thin.change.named import Code
from isthmus.governance.thin.change.seam import Change
from isthmus.runtime.deploy.loading import load_front_end

from .company import Company, changed, differing, made

READING = """

@implements(api.label)
async def printed(ask: api.Label, ctx: Context) -> api.Printed:
    width = int(ctx.plan.settings.get("label-width", "20"))
    if ctx.plan.settings.get("receipt", "short") == "long":
        # long ones have the word in front
        return api.Printed(text="label " + ask.goods[:width])
    return api.Printed(text=rules.shortened(ask.goods))
"""


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with made(tmp_path, monkeypatch) as found:
        yield found


def inlined(company: Company, name: str) -> Change:
    answer = next(one for one in load_front_end(company.north).answers if one.name == name)
    return inline_answer(Code.of(company.root), company.pack, answer.owned_by("north", 0), {"north": company.north})


def test_the_only_answer_of_a_question_stands_where_it_was_asked(company: Company):
    change = inlined(company, "no_fee")
    assert differing(change, "service.py") == [
        "-    minor += ctx.answer(api.fee)(minor + 1)",
        "+    minor += len(api.SIGN) - 1",
    ]
    assert '+SIGN = "!"' in differing(change, "api.py")
    assert "-def fee(minor: int) -> int:" in differing(change, "api.py")
    assert "-        answers.no_fee," in differing(change, "front_end.py")
    assert "-def no_fee(minor: int) -> int:" in differing(change, "answers.py")
    assert change.notes[0] == "north.no_fee was its only answer, and everybody's who asked"
    assert changed(change) >= {"api.py", "service.py", "front_end.py", "answers.py", "test_answers.py"}


def test_a_product_that_was_its_only_answer_goes_too(company: Company):
    products = company.root / company.name / "products" / "__init__.py"
    products.write_text(
        "from isthmus.kernel import Product, answers\n"
        f"from {company.name}.till import api as till\n\n\n"
        "@answers(till.fee)\n"
        "def twice(amount: int) -> int:\n"
        '    """Twice."""\n'
        "    return amount * till.RATE + amount\n\n\n"
        'TWICE = Product(name="twice", doc="Twice.", owner="till", answers=(twice,))\n'
    )
    company.edit(company.north / "front_end.py", f"from {company.name}.products import cheaper\n", "")
    brought = f"from {company.name}.products import TWICE\nfrom isthmus.kernel import FrontEnd"
    company.edit(company.north / "front_end.py", "from isthmus.kernel import FrontEnd", brought)
    company.edit(company.north / "front_end.py", "    order={till.change_minor: (answers.never, cheaper)},\n", "")
    company.edit(company.north / "front_end.py", "        answers.no_fee,\n    ),", "    ),\n    products=(TWICE,),")
    own = (company.north / "answers.py").read_text()
    (company.north / "answers.py").write_text(own[: own.index("\n\n@answers(till.fee)")])
    (company.north / "test_answers.py").unlink()
    answer = load_front_end(company.north).products[0].answers[0]
    change = inline_answer(Code.of(company.root), company.pack, answer, {"north": company.north})
    assert "+def fee(minor: int) -> int:" in differing(change, "service.py"), "an argument that would be said twice"
    assert "+    return minor * api.RATE + minor" in differing(change, "service.py")
    assert '+    """Twice."""' in differing(change, "service.py"), "it is said what it does now"
    assert "-    products=(TWICE,)," in differing(change, "front_end.py")
    assert '"""What north is."""\n\nfrom' in change.platform[company.north / "front_end.py"]
    assert not [line for line in differing(change, "__init__.py") if line.startswith("+")]
    assert change.platform[products].strip() == ""


def test_an_answer_that_calls_what_stays_with_its_front_end_is_left(company: Company):
    company.edit(company.north / "answers.py", "return len(SIGN) - 1", "return halved(minor)")
    with pytest.raises(ByHand, match="it calls halved"):
        inlined(company, "no_fee")


def test_a_setting_that_is_the_same_everywhere_is_decided_where_it_was_read(company: Company):
    text = company.file("service.py").read_text()
    begin = text.index("\n\n@implements(api.label)")
    company.file("service.py").write_text(text[:begin] + READING)
    code = Code.of(company.root)
    change = write_setting(code, "receipt", "long", [company.north], {"till": company.pack})
    assert differing(change, "service.py") == [
        '-    if ctx.plan.settings.get("receipt", "short") == "long":',
        "-        # long ones have the word in front",
        '-        return api.Printed(text="label " + ask.goods[:width])',
        "-    return api.Printed(text=rules.shortened(ask.goods))",
        "+    # long ones have the word in front",
        '+    return api.Printed(text="label " + ask.goods[:width])',
    ]
    assert differing(change, "front_end.py") == [
        '-    settings={"receipt": "long", "zone": "UTC"},',
        '+    settings={"zone": "UTC"},',
    ]


def test_a_setting_that_other_code_names_is_left(company: Company):
    text = company.file("service.py").read_text()
    begin = text.index("\n\n@implements(api.label)")
    company.file("service.py").write_text(text[:begin] + READING + '\n\nKNOWN = ("receipt", "zone")\n')
    with pytest.raises(ByHand, match=r"till/service\.py:\d+ names 'receipt'"):
        write_setting(Code.of(company.root), "receipt", "long", [company.north], {"till": company.pack})
