"""What three front ends say of prices."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import PASS, Pass

from .till import Line


def never_says(lines: Sequence[Line]) -> Sequence[int | Pass]:
    return [PASS for _ in lines]


def half(lines: Sequence[Line]) -> Sequence[int | Pass]:
    return [line.minor // 2 if line.minor > 100 else PASS for line in lines]


def third(lines: Sequence[Line]) -> Sequence[int | Pass]:
    return [line.minor // 3 for line in lines]


def gold_is_dear(lines: Sequence[Line]) -> Sequence[int | Pass]:
    return [line.minor * 2 if line.sku == "gold" else PASS for line in lines]


def has_gold(lines: Sequence[Line]) -> bool:
    return any(line.sku == "gold" for line in lines)
