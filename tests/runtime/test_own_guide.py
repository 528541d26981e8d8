"""The guide to data and flows of one's own, followed to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.kernel import Caller, Platform
from isthmus.packs.member import api as member
from isthmus.runtime.deploy.loading import load_front_end
from isthmus.store import Database, migrate_own
from tests import shipped

from .own_line import becomes, delivering

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "own-data-and-flows.md"
FILE = re.compile(r"^cat > front_ends/club/(?P<name>\S+) <<'EOF'\n(?P<text>.*?)^EOF$", re.MULTILINE | re.DOTALL)


async def test_the_guides_front_end_greets_whoever_registers(database: Database, tmp_path: Path) -> None:
    for file in FILE.finditer(GUIDE.read_text()):
        (path := tmp_path / "club" / file["name"]).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["text"])
    front_end = load_front_end(tmp_path / "club")
    await migrate_own(database.url, "club", tmp_path / "club" / "migrations")
    platform = Platform(shipped.build([front_end]), database)
    async with delivering(platform, database):
        caller = Caller(front_end="club")
        joined = await platform.call(
            member.register, member.Register(identities=(member.Identity(kind="card", value="4711"),)), caller
        )

        async def greeted() -> list[object]:
            async with database.platform() as session:
                return [row["member_id"] for row in await session.fetch("select member_id from fe_club.greeted")]

        async def left() -> list[object]:
            async with database.platform() as session:
                return [row["last_error"] for row in await session.fetch("select last_error from runtime.delivery")]

        await becomes(greeted, [joined.member_id])
        await becomes(left, [])  # a flow that fails after its first step has greeted too, for a moment


async def test_the_command_says_that_there_are_no_dead_letters(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    monkeypatch.setenv("ISTHMUS_DATABASE_URL", database_url)
    said = await asyncio.to_thread(CliRunner().invoke, cli.main_app, ["dead-letters", "list"])
    assert (said.exit_code, said.output.strip()) == (0, "there are no dead letters"), said
