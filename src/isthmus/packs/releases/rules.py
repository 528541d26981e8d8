"""Who is given which release, and which one fares badly."""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import datetime
from typing import TYPE_CHECKING

import mmh3

from isthmus.later import later

from . import api

if TYPE_CHECKING:
    import semver
else:
    semver = later("semver")


def is_given(release: api.AppRelease, device: str, segments: Set[str]) -> bool:
    """Return whether a device is given a release: by a bucket that stays, so that a larger share only adds some."""
    if release.segments and segments.isdisjoint(release.segments):
        return False
    train = release.train
    seed = f"{train.app}/{train.platform}/{train.channel}/{release.version}/{device}"
    return (mmh3.hash(seed, signed=False) * 100) >> 32 < release.share


def offered(releases: Iterable[api.AppRelease], version: str, device: str, segments: Set[str]) -> api.AppRelease | None:
    """Return the newest release for a device, the newest first; None where it runs what it should.

    An older version is offered by a release that rolls back, and by no other. One that the device runs already ends the
    search, however it stands: nobody is sent back and forth.
    """
    own = semver.Version.parse(version)
    for one in releases:
        if one.version == version and one.state is not api.ReleaseState.ROLLED_BACK:
            return None
        if one.state is not api.ReleaseState.ROLLING or not is_given(one, device, segments):
            continue
        is_newer = own.compare(one.version) < 0
        if is_newer or one.rolls_back is not None:
            return one
        return None
    return None


def requirement(minimum: api.Minimum | None, version: str, now: datetime) -> tuple[bool, datetime | None]:
    """Return whether a version may not be used any more, and from when on it may not be, by the server's clock."""
    if minimum is None or minimum.version is None or semver.Version.parse(version).compare(minimum.version) >= 0:
        return False, None
    return minimum.grace_until is None or minimum.grace_until <= now, minimum.grace_until


def problem(limits: api.HealthLimits, health: api.Health) -> str:
    """Return what a release does that it may not, in words; nothing where it fares well, or too few have said so."""
    if health.sessions < limits.sessions_min:
        return ""
    if health.crash_rate > limits.crash_rate:
        crashed = f"{health.crashed} of {health.sessions} sessions crashed"
        return f"{crashed}, and {limits.crash_rate:.1%} is the limit"
    if health.requests and health.error_rate > limits.error_rate:
        return f"{health.errors} of {health.requests} requests failed, and {limits.error_rate:.1%} is the limit"
    if limits.latency_ms is not None and health.requests and health.latency_ms > limits.latency_ms:
        return f"a request takes {health.latency_ms:.0f} ms, and {limits.latency_ms} ms is the limit"
    return ""
