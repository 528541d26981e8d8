"""What a pack has is counted, and more than its budget is refused until as much is retired."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from isthmus.app.config import load_config
from isthmus.app.platform import written
from isthmus.governance.thin import budget
from isthmus.governance.thin.budget import Size
from tests import forked

from .test_thin import release

ROOT = Path(__file__).resolve().parents[2]


def test_a_pack_is_counted():
    found = budget.sizes(release())["till"]
    assert replace(found, decisions=0) == Size(capabilities=2, points=2, options=3, tables=0, decisions=0)
    assert found.decisions == 12  # 4 conditions, two comprehensions, a loop, 4 `if … else`, an `if not`


def test_more_than_the_budget_is_named_and_locking_never_raises_it(tmp_path: Path):
    has = budget.sizes(release())
    file = tmp_path / budget.FILE
    budget.write(file, {}, has)
    assert budget.read(file) == has
    assert budget.exceeded(has, has) == []
    less = {"till": replace(has["till"], points=1)}
    (excess,) = budget.exceeded(less, has)
    assert (excess.pack, excess.what, excess.has, excess.may) == ("till", "points", 2, 1)
    assert "retire 1" in str(excess)
    budget.write(file, less, has)
    assert budget.read(file)["till"].points == 1
    assert budget.exceeded({}, has) == [], "a new pack has no budget before it is locked"


def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path: Path):
    file = tmp_path / budget.FILE
    file.write_text('{"till": {"points": "many"}}')
    with pytest.raises(budget.NoBudget, match="points") as refused:
        budget.read(file)
    assert "isthmus compat --lock" in (refused.value.remedy or "")


def test_the_packs_that_ship_keep_their_budgets():
    budgets = budget.read(ROOT / budget.FILE)
    now = budget.sizes(written(load_config(ROOT / "isthmus.toml")))
    assert [str(one) for one in budget.exceeded(budgets, now)] == []
    assert budgets.keys() == now.keys(), "write the budgets of new packs with `isthmus compat --lock`"


def test_compat_fails_for_a_pack_that_is_over_its_budget(tmp_path: Path):
    (tmp_path / "isthmus.toml").write_text('[platform]\npacks = ["isthmus.packs.tax.pack:PACK"]\nflows = []\n')

    def ran(*more: str) -> subprocess.CompletedProcess[str]:
        return forked.run(["compat", *more], tmp_path, os.environ)

    assert ran("--lock").returncode == 0
    assert ran().returncode == 0
    file = tmp_path / budget.FILE
    budgets = budget.read(file)
    file.write_bytes(file.read_bytes().replace(f'"decisions": {budgets["tax"].decisions}'.encode(), b'"decisions": 1'))
    failed = ran()
    assert failed.returncode == 1
    assert f"tax has {budgets['tax'].decisions} decisions, and its budget is 1" in failed.stdout
    checked = ran("--json")
    assert checked.returncode == 1
    (excess,) = json.loads(checked.stdout)["over_budget"]
    assert excess == {"pack": "tax", "what": "decisions", "has": budgets["tax"].decisions, "may": 1}
