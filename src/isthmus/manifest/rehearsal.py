"""What a pack brings to try answers of front ends before they go live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isthmus.kernel.host import ExtensionPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What each of a front end's answers to a point is asked before it is deployed."""

    point: ExtensionPoint[..., Any]
    samples: tuple[tuple[Any, ...], ...]  # arguments
    check: Callable[[Any], str]  # says what is wrong with an answer
