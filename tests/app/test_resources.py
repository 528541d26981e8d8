"""What packs bring for their service is made as a server makes it: all of it, one by the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from isthmus.app.config import load_config
from isthmus.app.resources import resources
from isthmus.kernel import ports
from isthmus.store import Database
from tests.shipped import PACKS


async def test_every_resource_is_made_also_one_that_is_another_under_a_second_name(
    database: Database, tmp_path: Path
) -> None:
    made = resources(PACKS, replace(load_config(), data=tmp_path), database)
    assert [kind.__name__ for kind, one in made.items() if one is None] == []
    assert made[ports.Switches] is not None, "else no flag switches anything where a server runs"
