"""What the guide on isolation shows is taken as it stands, and what is wrong in such a file is said with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isthmus.kernel import errors
from isthmus.runtime.isolation.isolate import load_isolated, points_of
from isthmus.runtime.isolation.limits import Isolation
from tests import shipped

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "isolation.md"
SHOWN = re.search(r"^```json\n(.*?)^```$", GUIDE.read_text(), re.M | re.S)
ELSEWHERE = Isolation(mode="http", url="http://127.0.0.1:9")


def test_the_front_end_json_of_the_guide_is_taken(tmp_path: Path) -> None:
    assert SHOWN is not None
    (tmp_path / "front_end.json").write_text(SHOWN[1])
    front_end = load_isolated(tmp_path, ELSEWHERE, points_of(shipped.PACKS))
    assert shipped.build([front_end]).line("north").front_end.code == "north"


def test_a_front_end_json_that_is_refused_is_named_with_the_answer(tmp_path: Path) -> None:
    assert SHOWN is not None
    (tmp_path / "front_end.json").write_text(SHOWN[1].replace('"online"', '"web"'))
    front_end = load_isolated(tmp_path, ELSEWHERE, points_of(shipped.PACKS))
    with pytest.raises(errors.BuildProblems, match=r"front_end\.json: markdown.*web"):
        shipped.build([front_end])
