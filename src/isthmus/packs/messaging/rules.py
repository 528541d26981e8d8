"""Rules of pushes: the night of a zone, what is said to a device, how large that is, when it is tried again. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from isthmus.kernel import encode

from . import api

RETRY_FIRST: Final = timedelta(minutes=2)  # longer than a try takes; what a killed server had taken is due after it
RETRY_LAST: Final = timedelta(hours=2)
SLOW_FIRST: Final = timedelta(seconds=30)
SLOW_LAST: Final = timedelta(hours=1)
CAP_WINDOW: Final = timedelta(hours=24)
GONE: Final = (404, 410)
TOO_LARGE: Final = 413


@lru_cache(maxsize=1_000)
def zone(name: str) -> ZoneInfo | None:
    """Return a time zone; None where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def quiet_until(now: datetime, zone_name: str, quiet: str) -> datetime | None:
    """Return when a night ends that it is in a zone; None where it is day. quiet: `21:00-08:00`, or nothing."""
    place = zone(zone_name)
    if not quiet or place is None:
        return None
    begins, ends = (time.fromisoformat(one) for one in quiet.split("-"))
    local = now.astimezone(place)
    at = local.time().replace(tzinfo=None)
    is_quiet = begins <= at < ends if begins <= ends else at >= begins or at < ends
    if not is_quiet:
        return None
    day = local.date() if at < ends else local.date() + timedelta(days=1)
    return datetime.combine(day, ends, place)


def payload(message_id: object, title: str, body: str, link: str, tag: str) -> bytes:
    """Return what a device is pushed."""
    return encode({"id": str(message_id), "title": title, "body": body, "link": link, "tag": tag})


def check_size(draft: api.Draft) -> None:
    """Raise PayloadTooLarge for what push services would not take."""
    size = len(payload("0" * 36, draft.title, draft.body, draft.link, draft.collapse_key))
    if size > api.PAYLOAD_BYTES_MAX:
        raise api.PayloadTooLarge(size=size, most=api.PAYLOAD_BYTES_MAX)


def receipt(status: int) -> api.Receipt:
    """Return what the status of a push service's answer means; 0: there was none."""
    if 200 <= status < 300:
        return api.Receipt(state="sent")
    reason = f"answered {status}" if status else "no answer"
    if status in GONE:
        return api.Receipt(state="gone", reason=reason)
    is_passing = status == 0 or status in (408, 425, 429) or status >= 500
    return api.Receipt(state="again" if is_passing else "refused", reason=reason)


def subject(person: object) -> bytes:
    """Return what stands for a person where pushes are counted: it can be compared, and names nobody."""
    return hashlib.sha256(f"pushed/{person}".encode()).digest()


def columns(items: Any, *names: str) -> list[list[Any]]:
    """Return some fields of values, each as a column."""
    return [[getattr(one, name) for one in items] for name in names]
