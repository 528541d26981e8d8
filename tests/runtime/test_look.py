"""`isthmus explain` and `isthmus catalogue` speak of what is deployed, and say so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.kernel import errors
from isthmus.runtime.deploy import deploy as deploys
from isthmus.store import Database

from .deployed import REQUEST, deploy_context, write
from .test_adopt import DOCUMENT

POINT = "pricing.choose-locations"
Run = Callable[..., Awaitable[str]]


@pytest.fixture
async def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give what runs a command beside a folder of front ends, on a database of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", database_url)

    async def run(*command: str) -> str:
        ran = await asyncio.to_thread(CliRunner(env={"COLUMNS": "250"}).invoke, cli.main_app, list(command))
        if ran.exception is not None:
            raise ran.exception
        return ran.output

    return run


async def test_explain_shows_the_deployed_version_and_the_folder_only_where_it_is_asked_for(
    database: Database, run: Run, tmp_path: Path
) -> None:
    await deploys.deploy(deploy_context(database, tmp_path / "own"), write(tmp_path / "work", "first"), REQUEST)
    folder = write(tmp_path / "front_ends", "second")
    for name in ("answers.py", "front_end.py"):
        (folder / name).write_text((folder / name).read_text().replace("where", "elsewhere"))
    said = await run("explain", "north", POINT)
    assert "north.where" in said
    assert "north: v1 (" in said
    assert "wins over the folder of the same code" in said
    said = await run("explain", "north", POINT, "--folder")
    assert "north.elsewhere" in said
    assert "whatever is deployed" in said


async def test_explain_shows_a_staged_version_by_its_name_and_says_who_has_it(
    database: Database, run: Run, tmp_path: Path
) -> None:
    where = deploy_context(database, tmp_path / "own")
    await deploys.deploy(where, write(tmp_path / "work", "first"), REQUEST)
    folder = write(tmp_path / "work", "second")
    for name in ("answers.py", "front_end.py", "test_answers.py"):
        (folder / name).write_text((folder / name).read_text().replace("where", "elsewhere"))
    await deploys.deploy(where, folder, deploys.DeployRequest(made_by="ada", percent=30))
    said = await run("explain", "north", POINT)
    assert "north.where" in said
    assert "for 30 of 100 members" in said
    said = await run("explain", "north", POINT, "--version", "v2")
    assert "north.elsewhere" in said
    assert "north: v2 (" in said
    with pytest.raises(errors.NotFound):
        await run("explain", "north", POINT, "--version", "v3")


async def test_the_catalogue_of_a_front_end_has_what_its_deployed_version_may_call_its_own_flows_too(
    database: Database, run: Run, tmp_path: Path
) -> None:
    await deploys.deploy(deploy_context(database, tmp_path / "own"), write(tmp_path / "work", "first"), REQUEST)
    said = await run("catalogue", "--front-end", "north")
    assert "north.which" in said
    assert "north team" in said
    assert "pricing.quote" in said
    assert "order.place-order" not in said
    with pytest.raises(errors.NotPermitted):
        await run("catalogue", "--front-end", "north", "--folder")


async def test_a_front_end_that_uses_an_adopted_service_can_be_deployed_and_explained(run: Run, tmp_path: Path) -> None:
    document = tmp_path / "service.json"
    document.write_text(json.dumps(DOCUMENT))
    (tmp_path / "isthmus.toml").write_text("")
    await run("adopt", str(document), "--name", "erp", "--url", "http://127.0.0.1:9")
    folder = write(tmp_path / "work", "first")
    manifest = folder / "front_end.py"
    manifest.write_text(manifest.read_text().replace('"catalog.*"', '"catalog.*", "erp.*"'))
    assert "answers everybody" in await run("deploy", str(folder))
    assert "erp.get-order" in await run("catalogue", "--front-end", "north")
