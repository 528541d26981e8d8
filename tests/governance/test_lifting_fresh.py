"""A company that has just been made lets what one front end alone uses be its own, from the command line alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isthmus.governance.thin.findings import ALONE_DAYS

from .fresh import Fresh
from .test_deleting_fresh import RULES, SPELL, SPELL_TEST, SPELLING

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
                note = api.PutNote(subject="tea", text=f"note {number}")
                await at.platform.call(api.put_note, note, Caller(front_end=code))
                if code == "west":
                    await at.platform.call(api.spell, api.Spell(text=f"note {number}"), Caller(front_end=code))


asyncio.run(main())
"""


@pytest.mark.slow
def test_a_fresh_company_lifts_a_setting_and_a_capability(database_url: str, tmp_path: Path):
    company = Fresh(tmp_path, database_url)
    (company.pack / "rules.py").write_text(RULES.lstrip())
    company.append(company.pack / "api.py", SPELL)
    service = company.pack / "service.py"
    company.edit(service, "import api, storage", "import api, rules, storage")
    company.edit(
        service,
        "    note = api.Note(",
        '    paper = ctx.plan.settings.get("till.paper", "short")\n    note = api.Note(',
    )
    company.edit(service, "text=ask.text,", 'text=f"{ask.text} ({paper})",')
    company.append(service, SPELLING)
    tests = company.folder / "tests" / "test_till.py"
    company.edit(tests, "from acme.packs.till import api", "from acme.packs.till import api, rules")
    company.append(tests, SPELL_TEST)
    company.edit(
        company.manifest("south"), 'owner="your-team",', 'owner="your-team",\n    settings={"till.paper": "long"},'
    )
    company.begin(RECORD, ago=ALONE_DAYS)
    found = company.isthmus("thin", "--all")
    assert "setting 'till.paper' has a value for south alone" in found
    assert "capability till.spell: west alone calls it" in found

    said = company.isthmus("thin", "lift", "till.paper")
    assert "south: 80 recorded calls, as before" in said
    assert "north: 80 recorded calls, as before" in said
    lifted = company.lines("lift/till.paper")
    for line in (
        '-    paper = ctx.plan.settings.get("till.paper", "short")',
        "+    paper = ctx.answer(api.paper)()",
        '+@extension_point("till.paper", combine=combine.first_answer)',
        "+@answers(till.paper)",
        '+    return "long"',
        '-    settings={"till.paper": "long"},',
        "+        answers.own_paper,",
    ):
        assert line in lifted, lifted

    said = company.isthmus("thin", "lift", "till.spell")
    assert "west: 160 recorded calls, as before" in said
    lifted = company.lines("lift/west.spell")
    for line in (
        '+@capability("west.spell", version="1.0", effect=Effect.READ)',
        "+    return Spelled(letters=letters_of(ask.text))",
        "+    capabilities=(spell.spell,),",
        "+    implementations=(spell.do_spell,),",
    ):
        assert line in lifted, lifted
    assert "west's clients call west.spell from now on" in company.run("git", "log", "-1", "lift/west.spell")
    assert "nothing to lift at 'till.nothing'" in company.refused("thin", "lift", "till.nothing")

    for branch in ("lift/till.paper", "lift/west.spell"):
        company.run("git", "checkout", "-q", branch)
        company.run(sys.executable, "-m", "pytest", "-q", "tests", "front_ends")
        company.run(sys.executable, "-m", "ruff", "check", "-q", "--select", "F", "acme", "front_ends")
