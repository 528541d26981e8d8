"""Texts beside Yjs of npm, which no one here wrote: an app in a browser keeps them with it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Desk, Pad, Phone

HERE = Path(__file__).parent
MADE = HERE.parents[2] / "build" / "yjs"
INSTALLS_WITHIN_S = 300

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def modules() -> Path:
    """Install the package, or skip with the reason."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("texts were NOT compared with Yjs: there is no node and npm")
    if not (MADE / "node_modules" / "yjs").is_dir():
        MADE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(MADE), "yjs@13"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLS_WITHIN_S)
        if done.returncode:
            pytest.skip(f"texts were NOT compared with Yjs: {done.stderr[-300:]}")
    return MADE / "node_modules"


async def test_apps_with_yjs_and_others_have_the_same_text_whatever_they_wrote_offline(
    desk: Desk, modules: Path
) -> None:
    def yjs(updates: list[str], *edits: tuple[int, int, str]) -> Any:
        asked = json.dumps({"updates": updates, "edits": edits})
        command = ["node", str(HERE / "yjs.mjs"), str(modules), asked]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    async def pulled(phone: Phone) -> Any:
        return (await phone.pull())["notes", "n"]["body"]

    async def pushed(phone: Phone, update: str) -> None:
        phone.change("notes", "n", "edit", "body", update)
        await phone.push()

    browser, other, pad = desk.phone(), desk.phone("pad-of-ann"), Pad()
    await pushed(browser, yjs([], (0, 0, "buy milk 🥛"))["update"])
    kept = await pulled(other)
    assert (kept["text"], pad.read(kept["update"])) == ("buy milk 🥛", "buy milk 🥛")
    mine = yjs([kept["update"]], (4, 4, "oat milk"), (0, 0, "Please "))  # both write offline
    theirs = pad.write(0, "Today: ")
    assert mine["text"] == "Please buy oat milk 🥛"
    await pushed(other, theirs)
    await pushed(browser, mine["update"])
    found = await pulled(other)
    assert found["text"] == (await pulled(browser))["text"] == pad.read(found["update"])
    assert yjs([found["update"]])["text"] == yjs([kept["update"], mine["update"], theirs])["text"] == found["text"]
    assert [one for one in ("Please ", "Today: ", "oat milk 🥛") if one not in found["text"]] == []
