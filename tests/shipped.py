"""The platform as the settings of this checkout have it: what is plugged in, and releases of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from isthmus.app import platform
from isthmus.app.config import load_config
from isthmus.app.packs import plugged
from isthmus.kernel import FrontEnd, Pack
from isthmus.kernel.host import Release

PACKS: Final[tuple[Pack, ...]] = plugged(load_config())


def build(front_ends: Iterable[FrontEnd]) -> Release:
    """Return the release of all that is plugged in with these front ends. Raises BuildProblems."""
    return platform.build(PACKS, front_ends)
