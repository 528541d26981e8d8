"""A company with planted faults: what `isthmus thin` finds are these and no others, and the tool takes them out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from .fresh import RULES, Fresh

POINTS = '''

@extension_point("till.close-word", combine=combine.first_answer)
def close_word(text: str) -> str:
    """Say the last word of a note. Default: none."""
    return ""


@extension_point("till.sign", combine=combine.first_answer)
def sign(text: str) -> str:
    """Say who signs a note. Default: nobody."""
    return ""
'''
PRODUCT = '''
"""Products of Acme."""

from isthmus.kernel import Product, answers
from acme.packs.till import api as till

END = "stop"


@answers(till.close_word)
def full_stop(text: str) -> str:
    """End each note with a word that says so."""
    return f"{text[-1:]} {END}"


STOP = Product(name="stop", doc="An end to each note.", owner="till team", answers=(full_stop,))
'''
PUT = """\
    text = rules.worded(ask)
    paper = ctx.plan.settings.get("till.paper", "short")
    if ctx.plan.settings.get("till.ink", "blue") == "black":
        text = f"{text}."
    text = f"{text} {ctx.answer(api.sign)(text)} {ctx.answer(api.close_word)(text)} {paper}"
    note = api.Note(
        note_id=ctx.new_id(), subject=ask.subject, text=text, put_at=ctx.now, letters=len(text)
    )
"""
DESK = '''
"""What the desk shows of notes."""

from isthmus.kernel import Context
from acme.packs.till import api as till


async def kept(ctx: Context, ask: till.PutNote) -> tuple[object, ...]:
    note = await ctx.call(till.put_note, ask)
    listed = await ctx.call(till.list_notes, till.ListNotes(subject=note.subject))
    return note.note_id, note.text, note.put_at, listed.items
'''
SIGNED = {
    "north": 'text[:1] if len(text) < 60 else "north"',
    "south": 'text[:1] if len(text) < 14 else "south"',  # looks alike, and is not
}
SIGNING = '''

@answers(till.sign)
def {name}(text: str) -> str:
    """Sign a note."""
    return {says}
'''
COPIES = {"south": "cheap_start", "west": "first_weeks"}  # what they call north's opening price
RECORD = """
import asyncio
from datetime import UTC, datetime
from isthmus.app.config import load_config
from isthmus.app.platform import running
from isthmus.kernel import Caller


async def main():
    async with running(load_config(), allowed="migrate") as at:
        from acme.packs.till import api
        from isthmus.packs.pricing import api as pricing

        for code in ("north", "south", "west"):
            caller = Caller(front_end=code)
            for number in range(220):
                subject = "wine" if code == "south" and number % 3 == 0 else "tea"
                note = api.PutNote(subject=subject, text=f"note {number}" + " and more" * (number % 2))
                await at.platform.call(api.put_note, note, caller)
            await at.platform.call(api.list_notes, api.ListNotes(subject="tea"), caller)
            since = datetime(2026, 1, 1, tzinfo=UTC)
            price = pricing.PriceEntry(sku="tea", currency="EUR", amount=313, valid_from=since)
            await at.platform.call(pricing.put_prices, pricing.PutPrices(prices=(price,)), caller)
            for number in range(200):
                line = pricing.QuoteLine(sku="tea", quantity=1 + number)
                await at.platform.call(pricing.quote, pricing.QuoteLines(lines=(line,), currency="EUR"), caller)


asyncio.run(main())
"""


def planted(company: Fresh) -> None:
    """Plant a branch, knobs, copies, look-alikes, a question, a field and an event that nobody needs."""
    api, service = company.pack / "api.py", company.pack / "service.py"
    (company.pack / "rules.py").write_text(RULES.lstrip())
    company.append(api, POINTS)
    company.edit(api, "    put_at: datetime\n", "    put_at: datetime\n    letters: int\n")
    company.edit(service, "import api, storage", "import api, rules, storage")
    was = "    note = api.Note(note_id=ctx.new_id(), subject=ask.subject, text=ask.text, put_at=ctx.now)\n"
    company.edit(service, was, PUT)
    company.edit(
        company.pack / "storage.py",
        'put_at=row["put_at"])',
        'put_at=row["put_at"], letters=len(row["text"]))',
    )
    (company.folder / "acme" / "products" / "__init__.py").write_text(PRODUCT.lstrip())
    for code in ("north", "south", "west"):
        manifest, own = company.manifest(code), company.manifest(code).with_name("answers.py")
        paper = ', "till.paper": "long"' if code == "south" else ""
        settings = f'settings={{"till.ink": "black"{paper}}},'
        company.edit(manifest, 'owner="your-team",', f'owner="your-team",\n    {settings}\n    products=(STOP,),')
        company.edit(
            manifest, "from isthmus.kernel import", "from acme.products import STOP\nfrom isthmus.kernel import"
        )
        manifest.with_name("desk.py").write_text(DESK.lstrip())
        if code in SIGNED:
            company.edit(own, "from isthmus.packs", "from acme.packs.till import api as till\nfrom isthmus.packs")
            company.append(own, SIGNING.format(name=f"of_{code}", says=SIGNED[code]))
            company.edit(manifest, "answers.opening_price,", f"answers.opening_price, answers.of_{code},")
        if code in COPIES:
            for file in (own, manifest, manifest.with_name("test_answers.py")):
                company.edit(file, "opening_price", COPIES[code])


def queued(company: Fresh) -> None:
    """Let two of four changes of a front end change the platform too."""
    commit = ("git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "Change")
    company.run("git", "init", "-q")
    for paths in (("acme", "tests", "isthmus.toml"), ("front_ends",), (".",)):  # a change of all front ends at once
        company.run("git", "add", *paths)
        company.run(*commit)
    for number, is_both in enumerate((False, True, True)):
        company.append(company.manifest("north"), f"# change {number}\n")
        if is_both:
            company.append(company.pack / "rules.py", f"# change {number}\n")
        company.run("git", "add", ".")
        company.run(*commit)


@pytest.mark.slow
def test_a_fresh_company_is_told_of_what_was_planted_and_of_nothing_else(database_url: str, tmp_path: Path):
    company = Fresh(tmp_path, database_url)
    planted(company)
    queued(company)
    (tmp_path / "record.py").write_text(RECORD)
    company.run(sys.executable, str(tmp_path / "record.py"))

    report: Any = msgspec.json.decode(company.isthmus("thin", "--json"))
    ours = [one for one in report["findings"] if not one.get("is_elsewhere")]
    branch = (
        RULES.lstrip().splitlines().index('    if ask.subject.startswith("wine"):  # whoever buys wine is old enough')
    )
    assert {(one["verdict"], one.get("kind", "branch"), one.get("name") or one["where"]) for one in ours} == {
        ("lift", "branch", f"packs/till/rules.py:{branch + 1}"),
        ("lift", "setting", "till.paper"),
        ("delete", "constant", "till.ink"),
        ("delete", "default", "till.close-word"),
        ("delete", "point", "till.check-note"),
        ("delete", "field", "till.put-note:$.letters"),
        ("delete", "event", "till.note-put"),
    }
    terms = {one["name"]: one for one in report["index"]["terms"]}
    assert "2 of 4 changes of a front end" in terms["no-queue"]["evidence"]
    assert terms["no-queue"]["value"] == 0.5
    alike = company.isthmus("thin", "sink")
    copies = "north.opening_price, south.cheap_start, west.first_weeks"
    assert f"sink: 3 front ends answer pricing.adjust-unit-price the same: {copies}" in alike
    assert "differ: north.of_north and south.of_south on till.sign agree on" in alike
    assert alike.count("sink:") == 1

    for name, branch_name, line in (
        ("till.ink", "till.ink", '+    text = f"{text}."'),
        ("till.close-word", "till.close-word", '-END = "stop"'),
        ("till.note-put", "till.note-put", '-@event("till.note-put", version="1.0", subject="note_id")'),
        ("till.put-note:$.letters", "till.put-note-letters", "-    letters: int"),
    ):
        said = company.isthmus("thin", "delete", name, "--calls", "60")
        assert "west: 60 recorded calls, as before" in said, said
        assert line in company.lines(f"delete/{branch_name}"), company.lines(f"delete/{branch_name}")
        company.run("git", "checkout", "-q", f"delete/{branch_name}")
        company.run(sys.executable, "-m", "pytest", "-q", "tests", "front_ends")
        company.run(sys.executable, "-m", "ruff", "check", "-q", "--select", "F", "acme", "front_ends", "tests")
        company.run("git", "checkout", "-q", "-")
