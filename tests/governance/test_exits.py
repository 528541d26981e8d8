"""A pack that leaves the platform answers as it did, or says what holds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from isthmus.governance.exits import runs
from isthmus.store import Database

MONDAY = datetime(2026, 6, 1, 8, tzinfo=UTC)
WEEK = timedelta(days=7)


async def test_the_last_exit_counts_and_says_since_when_exits_end_so(database: Database) -> None:
    await runs.keep(database, "till", MONDAY, "red", 3, "one call differs")
    await runs.keep(database, "till", MONDAY + WEEK, "green", 4, "")
    await runs.keep(database, "till", MONDAY + 2 * WEEK, "red", 5, "two calls differ")
    await runs.keep(database, "till", MONDAY + 3 * WEEK, "red", 6, "three calls differ")
    await runs.keep(database, "shelf", MONDAY, "green", 9, "")
    shelf, till = await runs.latest(database)
    assert (shelf.ended, shelf.since, shelf.sentence) == (
        "green", MONDAY, "exit: green since 2026-06-01, 9 recorded calls answered as before"
    )  # fmt: skip
    assert (till.at, till.calls, till.since) == (MONDAY + 3 * WEEK, 6, MONDAY + 2 * WEEK)
    assert till.sentence == "exit: red since 2026-06-15, three calls differ"
