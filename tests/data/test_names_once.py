"""A question's names are found once, and its answer is made without much running between the parts of the house."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import isthmus.data.model.paths
from isthmus.data.model.ask import Ask
from isthmus.data.privacy import policy
from isthmus.markings import Where

from .conftest import World

HOUSE = Path(isthmus.data.model.paths.__file__).parent.parent
HOPS_MAX = 81  # calls from one file into another, for one metric by one dimension and a filter: decision 0081


def test_each_name_of_a_question_is_looked_for_once(shop: World) -> None:
    found, hops = Counter[str](), 0

    def seen(frame: FrameType, event: str, _: object) -> None:
        nonlocal hops
        before = frame.f_back
        if event != "call" or before is None or HOUSE not in Path(frame.f_code.co_filename).parents:
            return
        if frame.f_code is isthmus.data.model.paths.join_path.__code__:
            found[f"{frame.f_locals['origin']} {frame.f_locals['name']}"] += 1
        is_here = HOUSE in Path(before.f_code.co_filename).parents
        hops += is_here and before.f_code.co_filename != frame.f_code.co_filename

    asked = Ask(metrics=("sales",), by=("buyer_id>member.member.tier",), where=(Where("front_end", "=", "north"),))
    proving = Ask(metrics=("sales", "baskets"), by=asked.by)  # what is proved once for a snapshot is no part of it
    shop.metrics.ask(proving, policy.owner())
    sys.setprofile(seen)
    try:
        shop.metrics.ask(asked, policy.owner())
    finally:
        sys.setprofile(None)
    assert set(found.values()) == {1}
    assert hops <= HOPS_MAX
