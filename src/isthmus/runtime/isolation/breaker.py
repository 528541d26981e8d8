"""A breaker: where answers keep failing, stop asking for a while, then try with one."""

from __future__ import annotations

import time
from collections.abc import Callable

from isthmus.kernel import errors

FAILURES_MAX = 3  # one bad ask is not a broken front end; three in a row may be
PAUSE_MIN_S = 1.0
PAUSE_MAX_S = 30.0  # so that a front end that was fixed answers again half a minute later at most


class FrontEndAway(errors.Unavailable):
    """A front end's own answers cannot be asked now: they failed too often, or are all busy."""

    slug = "runtime.front-end-away"


class Breaker:
    """Counts failures in a row. Closed, open for a pause that doubles, then one trial."""

    def __init__(self, who: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._who = who
        self._clock = clock
        self._failures = 0
        self._pause_s = PAUSE_MIN_S
        self._until = 0.0

    def admit(self) -> None:
        """Let an ask through, or raise Unavailable at once."""
        if self._failures >= FAILURES_MAX:
            now = self._clock()
            if now < self._until:
                raise FrontEndAway(
                    f"{self._who} failed {self._failures} times in a row and is not asked for now",
                    remedy="fix it or roll it back; it is tried again by itself",
                )
            self._until = now + self._pause_s  # the others keep away while one tries

    def succeeded(self) -> None:
        self._failures = 0
        self._pause_s = PAUSE_MIN_S

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._until = self._clock() + self._pause_s
            self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
