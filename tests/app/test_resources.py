"""What packs bring for their service is made as a server makes it: all of it, one by the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.app.config import load_config
from isthmus.app.resources import resources
from isthmus.kernel import errors, ports
from isthmus.manifest import NoSettings, Resource, brought
from isthmus.store import Database
from tests.shipped import PACKS


async def test_every_resource_is_made_also_one_that_is_another_under_a_second_name(
    database: Database, tmp_path: Path
) -> None:
    made = resources(PACKS, replace(load_config(), data=tmp_path), database)
    assert [kind.__name__ for kind, one in made.items() if one is None] == []
    assert made[ports.Switches] is not None, "else no flag switches anything where a server runs"


SETTINGS = {
    "audit": {"kept_days": {}},
    "identity": {"key": "identity.key"},
    "personal-data": {"sealed": []},
    "risk": {"key": "risk.key"},
}


async def test_what_one_resource_of_a_pack_can_be_set_to_is_not_refused_by_another_that_has_nothing_to_set(
    database: Database, tmp_path: Path
) -> None:
    several = Counter(pack.name for pack in PACKS for _ in brought([pack], Resource))
    having = {pack.name for pack in PACKS for one in brought([pack], Resource) if one.settings is not NoSettings}
    assert {name for name in having if several[name] > 1} == SETTINGS.keys()
    config = replace(load_config(), data=tmp_path, root=tmp_path, settings=SETTINGS)
    assert resources(PACKS, config, database)
    with pytest.raises(errors.BuildProblems, match=r"\[settings.flags\] is of no pack"):
        resources(PACKS, replace(config, settings={"flags": {"key": "x"}}), database)
