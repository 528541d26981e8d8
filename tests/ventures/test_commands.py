"""`isthmus venture …`, as somebody at a terminal runs it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from isthmus.kernel import errors
from isthmus.packs.venture import api as venture

from .conftest import World, write_charter

NEW = ("new", "live", "--sponsor", "Ada", "--budget", "9000 EUR", "--ends", "2028-01-31")
KILL = ("--kill-sales", "50", "--kill-by", "2027-12-31")


def run(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    url = world.running.config.database_url
    assert url is not None
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": url}
    command = [sys.executable, "-m", "isthmus.cli", "venture", *arguments]
    return subprocess.run(command, cwd=world.folder, env=environment, check=False, capture_output=True, text=True)


def test_a_venture_begins_with_a_charter_and_a_seat(world: World) -> None:
    ran = run(world, *NEW, *KILL, "--url", "http://127.0.0.1:8099")
    assert ran.returncode == 0, ran.stderr
    assert "isthmus venture check live" in ran.stdout
    assert "[settings.account.clients.live]" in ran.stdout
    charter = tomllib.loads((world.folder / "ventures" / "live" / "venture.toml").read_text())
    assert (charter["sponsor"], charter["budget"], charter["kill"]["sales"]) == ("Ada", "9000 EUR", 50)
    assert venture.Charters(world.folder / "ventures", world.folder / "front_ends").of("live").code == "live"
    again = run(world, *NEW, *KILL)
    assert again.returncode == 2
    assert "'live' is the code of a venture already" in again.stderr
    seat = run(world, "new", "group", *NEW[2:], *KILL)
    assert "'group' is the code of a front end already" in seat.stderr
    listed = run(world, "list")
    assert listed.returncode == 0, listed.stderr
    assert "The Tea Box, to 2027-10-31, for head of new business, 40000 EUR" in listed.stdout
    live = listed.stdout[listed.stdout.index("live ") :]
    assert live.startswith("live         Live, to 2028-01-31, for Ada, 9000 EUR, of which 0.00 EUR are spent\n")
    assert live.splitlines()[1] == "             sold nothing"


async def test_a_check_says_what_is_met_and_ends_with_one_where_something_is_not(world: World) -> None:
    met = await _apart(world, "check", "box", "--only", "security")
    assert met.returncode == 0, met.stdout + met.stderr
    assert met.stdout.startswith("met      security")
    unmet = await _apart(world, "check", "liar", "--json")
    assert unmet.returncode == 1
    found = json.loads(unmet.stdout)
    assert [one["is_met"] for one in found["items"]] == [False] * 4
    wrong = await _apart(world, "check", "box", "--only", "boks")
    assert wrong.returncode == 2
    assert "did you mean 'books'?" in wrong.stderr


async def _apart(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:

    return await asyncio.to_thread(run, world, *arguments)  # the platform that is asked runs here


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('budget = "40000 EUR"', 'budget = "much"', "$.budget"),
        ("ends = 2027-10-31", "ends = 2020-01-01", "it ends on 2020-01-01, and starts on 2026-11-01"),
        ("by = 2027-07-31", "by = 2031-07-31", "kill.by is 2031-07-31, outside of"),
        ('sponsor = "head of new business"', "", "sponsor"),
        ("sales = 200", "sales = = 200", "it is no TOML"),
        ('secret = "BOX_KEY"', 'secret = "LIAR_KEY"', "obligations.secret is also that of liar"),
    ],
)
def test_a_charter_that_does_not_say_what_it_has_to_is_refused(world: World, was: str, now: str, said: str) -> None:
    charters = world.running.resource(venture.Charters)
    with world.charter_with("box", was, now), pytest.raises(venture.WrongCharter, match="venture.toml") as raised:
        charters.of("box")
    assert said in str(raised.value)
    assert raised.value.remedy


def test_two_ventures_do_not_have_one_client_or_key(tmp_path: Path) -> None:
    for code in ("one", "two"):
        write_charter(tmp_path, code, "http://127.0.0.1:1", "A" * 43)
    charters = venture.Charters(tmp_path / "ventures", tmp_path / "front_ends")
    with pytest.raises(venture.WrongCharter, match=r"url, name, obligations.client, obligations.key.* of one"):
        charters.of("two")
    with pytest.raises(venture.NoCharter, match="isthmus venture new three"):
        charters.of("three")


def test_a_key_that_is_not_set_here_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    charter = world.running.resource(venture.Charters).of("box")
    monkeypatch.delenv("BOX_KEY")
    with pytest.raises(errors.BadAsk, match="BOX_KEY, which it names, is not set here"):
        charter.secret()


async def test_a_charter_that_has_lapsed_and_a_kill_criterion_that_holds_are_said(world: World) -> None:
    ends = world.charter_with("box", "ends = 2027-10-31", "ends = 2026-11-20")
    with ends, world.charter_with("box", "by = 2027-07-31", "by = 2026-11-10"):
        standing = await world.standing()
    assert standing.is_lapsed
    assert str(standing.kill_on) == "2026-11-10"
    usual = await world.standing()
    assert (usual.is_lapsed, usual.kill_on) == (False, None)


def test_code_of_a_front_end_goes_along_and_drifts(world: World) -> None:
    took = run(world, "take", "liar", "second", "--calls", "5")
    assert took.returncode == 0, took.stderr
    assert "took front_ends/second along as " in took.stdout
    assert "licence: nobody says; ask who owns it before it leaves the company" in took.stdout
    assert "front_end.py" in {path.name for path in (world.folder / "ventures" / "liar" / "liar").iterdir()}
    assert (world.folder / "ventures" / "liar" / "taken-calls.jsonl").is_file()
    again = run(world, "take", "liar", "second")
    assert again.returncode == 2
    assert "has a copy already" in again.stderr
    copy = world.folder / "ventures" / "liar" / "liar" / "front_end.py"
    copy.write_text(copy.read_text() + "\n# our own\n")
    drift = run(world, "drift", "liar")
    assert drift.returncode == 0, drift.stderr
    assert "liar was taken from front_ends/second on " in drift.stdout
    assert "here   1 files changed, 0 came, 0 went; 2 lines more, 0 less" in drift.stdout
    assert json.loads(run(world, "drift", "liar", "--json").stdout)["provenance"]["package"] == "liar"
    nothing = run(world, "drift", "box")
    assert nothing.returncode == 2
    assert "isthmus venture take writes it" in nothing.stderr
    missing = run(world, "take", "box", "secnd")
    assert "did you mean 'second'?" in missing.stderr


def test_the_ladder_is_said_from_its_top(world: World) -> None:
    said = run(world, "ladder")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("core: nothing\nshared: nothing\n")
    assert "  box              venture, head of new business" in said.stdout
    found = {one["code"]: one["rung"] for one in json.loads(run(world, "ladder", "--json").stdout)}
    assert (found["box"], found["ledger"]) == ("independent", "sandbox")
