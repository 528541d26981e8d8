"""The guides of front-end teams, each on an empty database in an empty folder."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ventures import box

from .walk import GUIDES, ROOT, environment, follow, free_port, read, serving

ON_A_SERVER = (
    "first-front-end", "ship-alone",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("attributes", "sharing", "own-data-and-flows", "finance", "storefronts", "mobile")
    ),
    pytest.param(
        "ventures",
        marks=[pytest.mark.slow, pytest.mark.skipif(bool(box.lacking()), reason=f"a venture on Node: {box.lacking()}")],
    ),
)  # fmt: skip
BY_THEMSELVES = ("adopt", "migrations", "products")
IN_CHINESE = ("first-front-end", "ship-alone", "attributes", "sharing", "own-data-and-flows", "storefronts", "mobile")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guides call with curl")
@pytest.mark.parametrize("name", ON_A_SERVER)
async def test_the_guide_does_what_it_says(database_url: str, tmp_path: Path, name: str) -> None:
    await _walked(GUIDES / f"{name}.md", database_url, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the guides call with curl")
@pytest.mark.parametrize("name", IN_CHINESE)
async def test_the_guide_in_chinese_does_what_it_says(database_url: str, tmp_path: Path, name: str) -> None:
    await _walked(ROOT / "docs" / "zh" / "guides" / f"{name}.md", database_url, tmp_path)


async def _walked(page: Path, database_url: str, tmp_path: Path) -> None:
    port = free_port()
    variables = environment(tmp_path, port, ISTHMUS_DATABASE_URL=database_url, CHECKOUT=str(ROOT))
    guide = read(page, port)
    assert len(guide.steps) >= 5
    if guide.first:
        subprocess.run(["bash", "-ec", guide.first], cwd=tmp_path, env=variables, check=True)  # noqa: ASYNC221
    with serving(guide.serve, tmp_path, variables):
        await asyncio.to_thread(follow, guide.steps, tmp_path, variables)


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_the_guide_that_needs_no_server_does_what_it_says(database_url: str, tmp_path: Path, name: str) -> None:
    guide = read(GUIDES / f"{name}.md")
    assert guide.steps
    follow(guide.steps, tmp_path, environment(tmp_path, "1", ISTHMUS_DATABASE_URL=database_url))
