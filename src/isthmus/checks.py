"""Checks beside what packs do: whether somebody wants to know of something before it counts.

A pack says that something begins only where it is watched, by an event that flows react to in its transaction. So a
platform in which nobody looks pays nothing, and the pack knows nobody who does.
"""

from __future__ import annotations

from typing import Final


class Watching:
    """Knows at which front ends what is judged, without asking anybody. This one knows of none."""

    async def is_on(self, front_end: str, kind: str) -> bool:
        """Say whether something of this kind is judged at a front end."""
        return False


NOBODY: Final = Watching()
