"""A company that has just been made lifts, sinks, brings a seam and takes its pack out, from the command line alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .fresh import RULES

SEAM = '''

@answers("till.shorten-text", at="till.worded")
def at_most_a_line(text: str) -> str:
    """Keep a line: notes are printed on labels."""
    return text[:10]
'''
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
            for number in range(40):
                subject = "wine" if code == "south" and number % 3 == 0 else "tea"
                note = api.PutNote(subject=subject, text=f"note {number}" + " and more" * (number % 2))
                await at.platform.call(api.put_note, note, Caller(front_end=code))
            since = datetime(2026, 1, 1, tzinfo=UTC)
            price = pricing.PriceEntry(sku="tea", currency="EUR", amount=313, valid_from=since)
            await at.platform.call(pricing.put_prices, pricing.PutPrices(prices=(price,)), Caller(front_end=code))
            for number in range(200):
                line = pricing.QuoteLine(sku="tea", quantity=1 + number)
                quote = pricing.QuoteLines(lines=(line,), currency="EUR")
                await at.platform.call(pricing.quote, quote, Caller(front_end=code))


asyncio.run(main())
"""


@pytest.mark.slow
def test_a_fresh_company_lifts_sinks_brings_its_own_seam_and_takes_its_pack_out(database_url: str, tmp_path: Path):
    folder = tmp_path / "acme"
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": database_url}

    def run(*command: str, at: Path = folder) -> str:
        done = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def isthmus(*arguments: str, at: Path = folder) -> str:
        return run(sys.executable, "-m", "isthmus.cli", *arguments, at=at)

    def commit() -> None:
        run("git", "add", ".")
        run("git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "Change")

    isthmus("new", "platform", "acme", at=tmp_path)
    isthmus("new", "pack", "till")
    for code in ("north", "south", "west"):
        isthmus("new", "front-end", code)
        manifest = folder / "front_ends" / code / "front_end.py"
        manifest.write_text(manifest.read_text().replace('"tax.*",', '"tax.*",\n        "till.*",'))
    pack = folder / "acme" / "packs" / "till"
    (pack / "rules.py").write_text(RULES.lstrip())
    service = (pack / "service.py").read_text().replace("import api, storage", "import api, rules, storage")
    (pack / "service.py").write_text(service.replace("text=ask.text", "text=rules.worded(ask)"))
    with (folder / "isthmus.toml").open("a") as settings:
        settings.write("\n[record]\nshare = 1.0\n")
    with (folder / "front_ends" / "north" / "answers.py").open("a") as answers:
        answers.write(SEAM)
    run("git", "init", "-q")
    commit()
    (tmp_path / "record.py").write_text(RECORD)
    environment["PYTHONPATH"] = str(folder)
    run(sys.executable, str(tmp_path / "record.py"))

    found = isthmus("thin")
    assert "packs/till/rules.py:11: worded was called 40 times for south" in found
    assert "extension point catalog." not in found, "what came with a release is not changed here"
    assert " findings in packs that came with a release" in found
    said = isthmus("thin", "lift", "packs/till/rules.py:11")
    assert "south: 241 recorded calls, as before" in said
    said = isthmus("seam", "north")
    assert "left on branch seam/till.shorten-text" in said
    assert "north: 241 recorded calls, 20 come out otherwise" in said
    assert "south: 241 recorded calls, 20 come out otherwise" not in said
    opening = "north.opening_price, south.opening_price, west.opening_price"
    assert f"sink: 3 front ends answer pricing.adjust-unit-price the same: {opening}" in isthmus("thin", "sink")
    said = isthmus("thin", "sink", "pricing.adjust-unit-price", "--as", "opening")
    assert "west: 241 recorded calls, as before" in said
    for pack in ("till", "pricing"):
        assert '"ended":"green"' in isthmus("eject", pack, "--check", "--json"), pack

    branches = {
        "lift/till.adjust-text": "front_ends/south", "seam/till.shorten-text": "tests", "sink/opening": "front_ends",
    }  # fmt: skip
    for branch, tests in branches.items():
        run("git", "checkout", "-q", branch)
        run(sys.executable, "-m", "pytest", "-q", tests)
