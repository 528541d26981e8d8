"""How long the store keeps what it has done with: events that all have read, and answers under old keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from .database import Database

EVENTS_KEPT: Final = timedelta(days=7)  # a new consumer can start so far back
ANSWERS_KEPT: Final = timedelta(hours=24)  # a key sent again after this is a new ask; so are the trails of flows
PRUNE_MAX: Final = 10_000  # rows in one transaction: short enough that nobody waits for it

_PRUNE_EVENTS: Final = """
    with gone as (
        delete from isthmus.event where position in (
            select position from (select position, collected_at from isthmus.event order by position limit $2) oldest
            where collected_at < now() - $1::interval
                and position <= coalesce((select min(position) from isthmus.consumer), position))
        returning position
    ), noted as (
        update isthmus.collector set pruned_through = greatest(pruned_through, last.position)
        from (select max(position) as position from gone having count(*) > 0) last
    )
    select count(*) from gone"""
_PRUNE_ANSWERS: Final = """
    with gone as (
        delete from isthmus.idempotency where digest in (
            select digest from isthmus.idempotency where answered_at < now() - $1::interval limit $2) returning 1
    )
    select count(*) from gone"""
_PRUNE_SAGAS: Final = """
    with gone as (
        delete from isthmus.saga where digest in (
            select digest from isthmus.saga where ask is null and left_at < now() - $1::interval limit $2) returning 1
    )
    select count(*) from gone"""


async def prune_events(database: Database, kept: timedelta = EVENTS_KEPT) -> int:
    """Delete events that are older than `kept` and acknowledged by every consumer; return how many."""
    return await _prune(database, _PRUNE_EVENTS, kept)


async def prune_answers(database: Database, kept: timedelta = ANSWERS_KEPT) -> int:
    """Delete answers, and flows that ended without one, that are older than `kept`. Their keys may be used anew."""
    return await _prune(database, _PRUNE_ANSWERS, kept) + await _prune(database, _PRUNE_SAGAS, kept)


async def _prune(database: Database, sql: str, kept: timedelta) -> int:
    total = 0
    while True:
        async with database.platform() as session:
            deleted: int = await session.fetch_value(sql, kept, PRUNE_MAX)
        total += deleted
        if deleted < PRUNE_MAX:
            return total
