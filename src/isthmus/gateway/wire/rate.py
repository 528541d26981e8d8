"""Token buckets: how often one client may call, and the headers that tell it (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isthmus.kernel import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Sustained requests per second, and the burst allowed on top (token bucket)."""

    per_s: float
    burst: int

    @property
    def policy(self) -> bytes:
        """The RateLimit-Policy field: a full bucket refills within the window `w`."""
        return b'"client";q=%d;w=%d' % (self.burst, math.ceil(self.burst / self.per_s))


class Limit(Value):
    """What one key may do, in each server process: calls a second, and calls at once; none: as all others."""

    per_second: float | None = None
    at_once: int | None = None

    @property
    def rate(self) -> Rate | None:
        """The rate of it, with two seconds' calls at once as a burst."""
        if self.per_second is None:
            return None
        return Rate(per_s=self.per_second, burst=max(1, math.ceil(2 * self.per_second)))


class Bucket:
    """The tokens of one client; each call takes one, time brings them back."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    def take(self, now: float, calls: int = 1) -> bool:
        """Take a token for each call, or return False where there is none; several may be owed for a while."""
        rate = self._rate
        self._tokens = min(rate.burst, self._tokens + (now - self._at) * rate.per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= calls
        return True

    @property
    def wait_s(self) -> int:
        """Seconds until a token is there, rounded up."""
        return max(1, math.ceil((1 - self._tokens) / self._rate.per_s))

    @property
    def field(self) -> bytes:
        """The RateLimit field: what remains, and in how many seconds the bucket is full again."""
        missing = self._rate.burst - self._tokens
        return b'"client";r=%d;t=%d' % (max(0, int(self._tokens)), math.ceil(missing / self._rate.per_s))
