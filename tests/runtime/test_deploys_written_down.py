"""Who deployed, promoted or went back is an entry of the audit log, in the transaction of the switch; refusals too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest

from isthmus.gateway.auth import Principal
from isthmus.gateway.deploys import SCOPE, DeployEndpoint
from isthmus.kernel import errors
from isthmus.manifest.actions import Doer
from isthmus.packs.audit.service.journal import Journal
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.shadow import shadow as shadows
from isthmus.store import Database

from .deployed import REQUEST, deploy_context, write

ENTRIES = "select content from audit.pending where front_end = 'north' order by id"


async def _written(database: Database) -> list[tuple[str, str, str, str]]:
    """Return who did what through what, and how it ended."""
    async with database.platform() as session:
        rows = await session.fetch(ENTRIES)
    found = [msgspec.json.decode(row["content"]) for row in rows]
    return [(one["client"], one["via"], one["capability"], one["outcome"]) for one in found]


@pytest.fixture
def context(database: Database, tmp_path: Path) -> deploys.DeployContext:
    return deploy_context(database, tmp_path / "own", journal=Journal(database))


async def test_each_decision_about_versions_has_its_entry(context: deploys.DeployContext, tmp_path: Path) -> None:
    ada = context.doer("north", "ada")
    await deploys.deploy(context, write(tmp_path / "work", "first"), REQUEST)
    second = write(tmp_path / "work", "second")
    await deploys.deploy(context, second, msgspec.structs.replace(REQUEST, percent=30))
    await switches.promote(context.database, "north", ada)
    await switches.roll_back(context.database, "north", ada, reason="too dear")
    await deploys.deploy(context, second, msgspec.structs.replace(REQUEST, shadow=5))
    await shadows.stop(context.database, "north", ada)
    said = ["deploy.deploy", "deploy.stage", "deploy.promote", "deploy.rollback", "deploy.shadow", "deploy.stop-shadow"]
    assert await _written(context.database) == [("ada", "cli", act, "done") for act in said]


async def test_a_switch_says_what_held_before_it(context: deploys.DeployContext, tmp_path: Path) -> None:
    await deploys.deploy(context, write(tmp_path / "work", "first"), REQUEST)
    second = write(tmp_path / "work", "second")
    await deploys.deploy(context, second, msgspec.structs.replace(REQUEST, percent=30))
    await switches.promote(context.database, "north", context.doer("north", "ada"))
    async with context.database.platform() as session:
        said = [msgspec.json.decode(row["content"])["ask"] for row in await session.fetch(ENTRIES)]
    deployed, staged, promoted = said
    assert "before" not in deployed
    assert staged["before"] == {"version": deployed["version"], "staged": None, "percent": 0}
    assert promoted["before"] == {"version": deployed["version"], "staged": staged["staged"], "percent": 30}


async def test_a_deploy_that_is_refused_has_an_entry_that_says_why(
    context: deploys.DeployContext, tmp_path: Path
) -> None:
    folder = write(tmp_path / "work", "first", expected="second")
    with pytest.raises(errors.Refusal):
        await deploys.deploy(context, folder, REQUEST)
    assert await _written(context.database) == [("ada", "cli", "deploy.deploy", "runtime.tests-failed")]


class FullJournal(Journal):
    """A journal that cannot be written to."""

    def act(self, *_: Any, **__: Any) -> tuple[str, str, str]:
        return "insert into audit.pending (front_end, content) values (null, null) -- ", "", ""


async def test_nothing_is_switched_that_cannot_be_written_down(
    context: deploys.DeployContext, database: Database, tmp_path: Path
) -> None:
    await deploys.deploy(context, write(tmp_path / "work", "first"), REQUEST)
    full = Doer(caller=context.doer("north", "ada").caller, journal=FullJournal(database))
    with pytest.raises(errors.IsthmusError):
        await switches.roll_back(database, "north", full)
    held = await switches.current(database, "north")
    assert held is not None
    assert held.kind == "deploy"


async def test_a_key_that_may_not_deploy_leaves_an_entry_with_its_name(
    context: deploys.DeployContext, tmp_path: Path
) -> None:
    async def admit(_: bytes | None) -> Principal:
        return Principal(front_end="north", name="team", scopes=(SCOPE,), until=0)

    async def permit(*_: object) -> None:
        raise errors.NotPermitted("no policy permits it", remedy="ask an owner")

    endpoint = DeployEndpoint(context, admit, tmp_path, ("false",), permit)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, endpoint)), base_url="http://deploy") as team:
        assert (await team.post("/rollback")).status_code == 403
    assert await _written(context.database) == [("team", "http", "deploy.rollback", "not-permitted")]
