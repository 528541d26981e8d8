"""A company that has just been made takes out what nobody needs, from the command line alone."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from .fresh import Fresh

ANSWERS = '''

SHORT = 8  # letters


@answers(till.shorten)
def never_shorter(text: str) -> str | Pass:
    """Leave every note as it is."""
    return PASS if len(text) > SHORT else PASS
'''
POINT = '''

@extension_point("till.shorten", combine=combine.first_answer)
def shorten(text: str) -> str | Pass:
    """Shorten a note. Default: a note of a hundred letters and no more."""
    return text[:100]
'''
SPELL = '''

class Spell(Value):
    """Ask how a note is spelled."""

    text: str


class Spelled(Value):
    """Its letters."""

    letters: tuple[str, ...]


@capability("till.spell", version="1.0", effect=Effect.READ)
def spell(ask: Spell) -> Spelled:
    """Say the letters of a note."""
    ...
'''
SPELLING = """

@implements(api.spell)
async def spell(ask: api.Spell, ctx: Context) -> api.Spelled:
    return api.Spelled(letters=rules.letters_of(ask.text))
"""
RULES = '''
"""What a note says."""

from __future__ import annotations


def letters_of(text: str) -> tuple[str, ...]:
    """Return the letters of a text."""
    return tuple(one for one in text if one.isalpha())
'''
SPELL_TEST = """

def test_letters_are_said_alone() -> None:
    assert api.spell
    assert rules.letters_of("a b") == ("a", "b")
"""
RECORD = """
import asyncio
from isthmus.app.config import load_config
from isthmus.app.platform import running
from isthmus.kernel import Caller


async def main():
    async with running(load_config(), allowed="migrate") as at:
        from acme.packs.till import api

        for code in ("north", "south", "west"):
            for number in range(80):
                note = api.PutNote(subject="tea", text=f"note {number}" + " and more" * (number % 2))
                await at.platform.call(api.put_note, note, Caller(front_end=code))


asyncio.run(main())
"""


@pytest.mark.slow
def test_a_fresh_company_deletes_an_answer_a_question_a_capability_and_a_setting(database_url: str, tmp_path: Path):
    company = Fresh(tmp_path, database_url)
    (company.pack / "rules.py").write_text(RULES.lstrip())
    company.edit(company.pack / "api.py", "Effect, Meta, Value", "Effect, Meta, Pass, Value")
    for text in (POINT, SPELL):
        company.append(company.pack / "api.py", text)
    company.edit(company.pack / "service.py", "import api, storage", "import api, rules, storage")
    company.edit(company.pack / "service.py", "text=ask.text", "text=ctx.answer(api.shorten)(ask.text)")
    company.append(company.pack / "service.py", SPELLING)
    tests = company.folder / "tests" / "test_till.py"
    company.edit(tests, "from acme.packs.till import api", "from acme.packs.till import api, rules")
    company.append(tests, SPELL_TEST)
    own = company.folder / "front_ends" / "north" / "answers.py"
    company.edit(own, "import answers", "import PASS, Pass, answers")
    company.edit(
        own, "from isthmus.packs.pricing", "from acme.packs.till import api as till\nfrom isthmus.packs.pricing"
    )
    company.append(own, ANSWERS)
    manifest = company.manifest("north")
    company.edit(manifest, "answers=(answers.opening_price,)", "answers=(answers.opening_price, answers.never_shorter)")
    company.edit(manifest, 'owner="your-team",', 'owner="your-team",\n    settings={"receipt-paper": "long"},')
    company.begin(RECORD, timedelta(days=8))  # what nobody calls takes a week of calls

    found = company.isthmus("thin", "--all").partition("elsewhere:")[0]
    for what in (
        "north.never_shorter",
        "'receipt-paper' is read by nobody",
        "till.spell",
        "till.check-note",
        "till.shorten",
    ):
        assert what in found
    assert "catalog." not in found, "what came with a release is not deleted here"

    said = company.isthmus("thin", "delete", "north.never_shorter")
    assert "north: 80 recorded calls, as before" in said
    assert "tests: 1 passed" in said
    assert company.lines("delete/north.never_shorter") == [
        "-from isthmus.kernel import PASS, Pass, answers",
        "-from acme.packs.till import api as till",
        "+from isthmus.kernel import answers",
        "-SHORT = 8  # letters",
        "-@answers(till.shorten)",
        "-def never_shorter(text: str) -> str | Pass:",
        '-    """Leave every note as it is."""',
        "-    return PASS if len(text) > SHORT else PASS",
        "-    answers=(answers.opening_price, answers.never_shorter),",
        "+    answers=(answers.opening_price,),",
    ]
    company.isthmus("thin", "delete", "receipt-paper")
    assert company.lines("delete/receipt-paper") == ['-    settings={"receipt-paper": "long"},']

    said = company.isthmus("thin", "delete", "till.check-note")
    assert "south: 80 recorded calls, as before" in said
    gone = company.lines("delete/till.check-note")
    for line in (
        "-    verdict = ctx.answer(api.check_note)(ask)",
        "-class TillRefused(errors.Refusal):",
        '+@capability("till.put-note", version="1.0", effect=Effect.WRITE)',
        "-async def test_a_front_end_may_veto_a_note_and_nothing_is_kept(shop: Running) -> None:",
        '+FRONT_END = FrontEnd(code="shop", name="Shop", owner="test", uses=("till.*",))',
    ):
        assert line in gone, gone
    assert "acme/packs/till/guide.md:8 still names it" in company.run("git", "log", "-1", "delete/till.check-note")

    company.isthmus("thin", "delete", "till.spell")
    gone = company.lines("delete/till.spell")
    assert not [line for line in gone if line.startswith("+") and "import" not in line], gone
    assert "-def letters_of(text: str) -> tuple[str, ...]:" in gone
    assert "-def test_letters_are_said_alone() -> None:" in gone

    assert "north.never_shorter answers till.shorten" in company.refused("thin", "delete", "till.shorten")
    said = company.refused("thin", "delete", "till.list-notes")
    assert "acme.packs.till.api.put_note would have no test left" in said
    assert "came with a release" in company.refused("thin", "delete", "catalog.choose-substitute")
    assert "nothing to delete that is called 'till.nothing'" in company.refused("thin", "delete", "till.nothing")

    for branch in ("delete/north.never_shorter", "delete/till.check-note", "delete/till.spell"):
        company.run("git", "checkout", "-q", branch)
        company.run(sys.executable, "-m", "pytest", "-q", "tests", "front_ends")
        company.run(sys.executable, "-m", "ruff", "check", "-q", "--select", "F", "acme", "front_ends", "tests")
