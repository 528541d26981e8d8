"""What an ask names, as policies see it: one member, one order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing of a front end, by kind and name, with what is known of it."""

    kind: str
    name: str
    known: Mapping[str, Any] = field(default_factory=dict[str, Any])
