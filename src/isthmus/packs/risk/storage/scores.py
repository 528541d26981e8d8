"""Rows of what services said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from isthmus.kernel import decode, ports

from .. import api

_SAID = """
select answer from risk.score where front_end = $1 and kind = $2 and service = $3 and hashes && $4 and at > $5
order by at desc limit 1
"""

# Outside of a call's transaction, in which nobody is waited for.
KEEP = "insert into risk.score (front_end, kind, service, hashes, at, answer) values ($1, $2, $3, $4, $5, $6)"
PRUNE = "delete from risk.score where at < now() - interval '25 hours'"  # longer than any of them counts


async def said(
    session: ports.Session, front_end: str, kind: str, service: str, hashes: Sequence[bytes], since: datetime
) -> api.Score | None:
    """Return the latest that a service said of something with one of these marks; None where that is nothing."""
    found = await session.fetch_value(_SAID, front_end, kind, service, list(hashes), since)
    return None if found is None else decode(found, api.Score)
