"""A setting and a capability of one front end alone become its own, as a person would write it, or stay and say why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.governance.thin.change.code import ByHand
from isthmus.governance.thin.change.moved import move_capability
from isthmus.governance.thin.change.named import Code
from isthmus.governance.thin.change.seam import Change
from isthmus.governance.thin.change.settings import lift_setting
from isthmus.runtime.deploy.loading import load_front_end

from .company import Company, added, differing, made

READING = """

@implements(api.total)
async def add_up(ask: api.Buy, ctx: Context) -> api.Total:
    size = ctx.plan.settings.get(RECEIPT, "short")
"""


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with made(tmp_path, monkeypatch) as found:
        yield found


def reading(company: Company) -> None:
    """Let the pack read the setting `receipt`."""
    service = company.file("service.py")
    company.edit(
        service, "from . import api, rules\n", 'from . import api, rules\n\nRECEIPT = "receipt"  # long or short\n'
    )
    company.edit(service, "    verdict = ctx", '    size = ctx.plan.settings.get(RECEIPT, "short")\n    verdict = ctx')
    company.edit(service, "    return api.Total(", "    minor += 0 * len(size)\n    return api.Total(")


def lifted(company: Company, named: str = "") -> Change:
    front_end = load_front_end(company.north)
    packs = {"till": company.pack}
    return lift_setting(Code.of(company.root), "receipt", front_end, company.north, packs, company.root, named)


def moved(company: Company) -> Change:
    return move_capability(Code.of(company.root), company.pack, "till.label", "north", company.north)


def test_a_setting_becomes_an_answer_and_its_default_the_questions(company: Company):
    reading(company)
    change = lifted(company)
    assert differing(change, "service.py") == [
        '-RECEIPT = "receipt"  # long or short',
        '-    size = ctx.plan.settings.get(RECEIPT, "short")',
        "+    size = ctx.answer(api.receipt)()",
    ]
    assert differing(change, "api.py") == [
        '+@extension_point("till.receipt", combine=combine.first_answer)',
        "+def receipt() -> str:",
        '+    """Say the receipt. Default: `short`."""',
        '+    return "short"',
    ]
    assert differing(change, "answers.py") == [
        "+@answers(till.receipt)",
        "+def own_receipt() -> str:",
        '+    """Say the receipt, as the setting receipt did."""',
        '+    return "long"',
    ]
    assert differing(change, "front_end.py") == [
        '-    settings={"receipt": "long", "zone": "UTC"},',
        '+    settings={"zone": "UTC"},',
        "+        answers.own_receipt,",
    ]
    assert '    assert own_receipt() == "long"' in added(change, "test_own_receipt.py")
    assert '    assert till.receipt() == "short"' in added(change, "test_receipt.py")
    assert change.title == "Let north answer till.receipt"


def test_a_setting_without_a_default_is_nothing_for_others(company: Company):
    reading(company)
    company.edit(company.file("service.py"), 'get(RECEIPT, "short")', "get(RECEIPT)")
    change = lifted(company, "till.how-long")
    assert "    assert till.how_long() is None" in added(change, "test_how_long.py")
    assert differing(change, "api.py") == [
        '+@extension_point("till.how-long", combine=combine.first_answer)',
        "+def how_long() -> str | None:",
        '+    """Say the receipt. Default: nothing."""',
        "+    return None",
    ]


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        (
            "    return api.Total(",
            '    other = ctx.plan.settings.get("receipt", "long")\n    return api.Total(',
            "read with 'long'",
        ),
        ("    return api.Total(", "    size = ctx.plan.settings[RECEIPT]\n    return api.Total(", "names RECEIPT"),
        ("    return api.Total(", '    size = "receipt"\n    return api.Total(', "names 'receipt'"),
        ('.get(RECEIPT, "short")', ".get(RECEIPT, size_of(ask))", "is no plain text"),
        ("ctx.plan.settings.get", "own.plan.settings.get", "is read by no pack"),
    ],
)
def test_a_setting_that_is_read_otherwise_is_refused(company: Company, was: str, now: str, said: str):
    reading(company)
    company.edit(company.file("service.py"), was, now)
    with pytest.raises(ByHand, match=said):
        lifted(company)


def test_a_question_that_is_there_already_wants_another_name(company: Company):
    reading(company)
    with pytest.raises(ByHand, match="till has a fee already"):
        lifted(company, "till.fee")


def test_a_capability_moves_with_its_types_its_rules_and_its_tests(company: Company):
    change = moved(company)
    assert added(change, "label.py") == [
        '"""Print a label."""',
        "from __future__ import annotations",
        "from isthmus.kernel import Context, Effect, Value, capability, implements",
        "WIDTH = 20  # letters on a label",
        "class Label(Value):",
        '    """Ask for a label."""',
        "    goods: str",
        "class Printed(Value):",
        '    """A label."""',
        "    text: str",
        "def shortened(text: str) -> str:",
        '    """Return what fits on a label."""',
        "    return text[:WIDTH]",
        '@capability("north.label", version="1.0", effect=Effect.READ)',
        "def label(ask: Label) -> Printed:",
        '    """Print a label."""',
        "    ...",
        "@implements(label)",
        "async def printed(ask: Label, ctx: Context) -> Printed:",
        "    return Printed(text=shortened(ask.goods))",
    ]
    assert not [line for line in differing(change, "api.py") if line.startswith("+")]
    assert len(differing(change, "rules.py")) == 4
    assert differing(change, "front_end.py") == [
        "+from . import label",
        '-    uses=("till.label", "till.total"),',
        '+    uses=("till.total",),',
        "+    capabilities=(label.label,),",
        "+    implementations=(label.printed,),",
    ]
    assert "+    assert label" in differing(change, "test_till.py")
    assert "+    assert len(shortened(long_word())) == 20" in differing(change, "test_till.py")
    assert change.renamed == ("till.label", "north.label")
    assert change.notes == ("north's clients call north.label from now on",)


def test_who_works_on_the_same_rows_is_said_where_a_capability_stays(company: Company):
    service = company.file("service.py")
    company.edit(
        service,
        "\n\n@implements(api.label)",
        '\n\nPUT = "insert into till.roll (goods) values ($1)"\n\n\n@implements(api.label)',
    )
    company.edit(service, "    return api.Printed(", "    await ctx.session.execute(PUT)\n    return api.Printed(")
    with pytest.raises(ByHand) as found:
        moved(company)
    assert "nothing else works on till.roll: make tables of north's own" in (found.value.remedy or "")
    service.write_text(service.read_text() + '\n\nCOUNT = "select count(*) from till.roll"\n')
    with pytest.raises(ByHand) as found:
        moved(company)
    assert "till/service.py, COUNT works on till.roll too" in (found.value.remedy or "")


def test_a_capability_that_works_on_rows_of_the_pack_stays(company: Company):
    service = company.file("service.py")
    company.edit(
        service, "    return api.Printed(", '    await ctx.session.execute("select 1")\n    return api.Printed('
    )
    with pytest.raises(ByHand, match=r"service\.py:\d+ uses ctx\.session, so it works on what is till's"):
        moved(company)


def test_a_capability_that_shares_a_rule_with_another_stays(company: Company):
    service = company.file("service.py")
    company.edit(service, "    verdict = ctx", "    rules.shortened(ask.goods)\n    verdict = ctx")
    with pytest.raises(ByHand, match="uses shortened, which till needs too"):
        moved(company)


def test_a_capability_that_a_flow_calls_stays(company: Company):
    with company.file("service.py").open("a") as file:
        file.write("\n\nasync def again(ctx: Context) -> object:\n    return await ctx.call(api.label, None)\n")
    with pytest.raises(ByHand, match=r"names till\.label"):
        moved(company)


def test_a_capability_that_reads_its_packs_rows_by_another_capability_moves(company: Company):
    company.edit(
        company.file("service.py"),
        "    return api.Printed(text=rules.shortened(ask.goods))",
        "    sold = await ctx.call(api.total, api.Buy(goods=ask.goods, minor=1))\n"
        '    return api.Printed(text=rules.shortened(f"{ask.goods} {sold.minor}"))',
    )
    (lines,) = [text.splitlines() for path, text in moved(company).platform.items() if path.name == "label.py"]
    assert "    sold = await ctx.call(till.total, till.Buy(goods=ask.goods, minor=1))" in lines
    assert f"from {company.name}.till import api as till" in lines
