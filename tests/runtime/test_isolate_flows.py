"""A front end with flows of its own in a worker: refused at deploy, with the flows by name and the line to write."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from isthmus.kernel import FrontEnd, errors
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.deploy import versions
from isthmus.runtime.isolation.isolate import load_isolated
from isthmus.runtime.isolation.limits import Isolation
from isthmus.store import Database

from .deployed import REQUEST, deploy_context, write
from .isolated import POINTS


async def test_a_front_end_with_flows_of_its_own_is_refused_in_a_worker_and_nothing_is_kept(
    database: Database, tmp_path: Path
) -> None:
    def load(folder: Path) -> FrontEnd:
        return load_isolated(folder, Isolation(mode="process"), POINTS)

    where = dataclasses.replace(deploy_context(database, tmp_path / "own"), load=load)
    with pytest.raises(errors.IsthmusError) as refused:
        await deploys.deploy(where, write(tmp_path / "work", "first"), REQUEST)
    said = str(refused.value)
    assert "front end 'north' has flows, screens or capabilities of its own (north.part, north.which)" in said
    assert '[front_ends.north] isolation = "inline"' in said
    assert await versions.versions(database, "north") == ()
