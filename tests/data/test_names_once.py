"""A question's names are found once, and its answer is made without much running between the parts of the house."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import pytest

import isthmus.data.model.paths
from isthmus.data.model.ask import Ask
from isthmus.data.model.paths import Names
from isthmus.data.privacy import policy
from isthmus.data.query.plan import plan
from isthmus.markings import Where

from .conftest import World

HOUSE = Path(isthmus.data.model.paths.__file__).parent.parent
HOPS_MAX = 81  # calls from one file into another, for one metric by one dimension and a filter: decision 0081


def test_each_name_of_a_question_is_looked_for_once_and_not_again_for_the_next(shop: World) -> None:
    found, hops = Counter[str](), 0
    shop.metrics.model.known.clear()

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
    _watched(seen, lambda: shop.metrics.ask(proving, policy.owner()))
    assert set(found.values()) == {1}
    found.clear()
    hops = 0
    _watched(seen, lambda: shop.metrics.ask(asked, policy.owner()))
    assert not found
    assert hops <= HOPS_MAX


def test_names_without_end_are_not_remembered_without_end(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data.model.paths.KNOWN_MAX", 3)
    for name in shop.metrics.model.entity("shop.order").fields:
        Names(shop.metrics.model).of("shop.order", name, "a test")
        assert len(shop.metrics.model.known) <= 3


def test_a_period_up_to_now_is_another_one_in_the_next_question(shop: World) -> None:
    asked = Ask(metrics=("sales_this_month", "sales"))
    january, february = (
        plan(shop.metrics.model, asked, datetime(2026, month, 5, tzinfo=UTC)).metrics for month in (1, 2)
    )
    assert january["sales_this_month"] != february["sales_this_month"]
    assert january["sales"] is february["sales"]


def _watched(seen: Callable[[FrameType, str, object], None], run: Callable[[], object]) -> None:
    sys.setprofile(seen)
    try:
        run()
    finally:
        sys.setprofile(None)
