"""Dead letters: events that a front end's capability failed on too often; to be read, and sent again once fixed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from isthmus.kernel import Value, errors, ports
from isthmus.store import Database

log = logging.getLogger("isthmus.runtime")

LISTED_MAX: Final = 1_000
LETTERS_KEPT: Final = timedelta(days=30)  # who has not missed its effect in a month will not send it again
WAITING_KEPT: Final = timedelta(
    days=7
)  # retries end within half an hour: so long waits only what nobody calls any more
PRUNE_MAX: Final = 10_000  # rows in one transaction: short enough that nobody waits for it

_LIST: Final = """
    select id, front_end, capability, event_id, event_type, subject, attempts, last_error, made_at, ask
    from runtime.delivery where state = 'dead' and ($1::text is null or front_end = $1)
      and ($2::bigint is null or id = $2) order by id limit $3"""
_SEND_AGAIN: Final = """
    update runtime.delivery set state = 'waiting', attempts = 0, due_at = now()
    where state = 'dead' and ($1::text is null or front_end = $1) and ($2::bigint is null or id = $2)"""

_BURY: Final = """
    update runtime.delivery set state = 'dead', due_at = now(), last_error = $3
    where id in (
        select id from runtime.delivery
        where state = 'waiting' and due_at < now() - $1::interval and held_until < now()
          and (front_end, capability) not in (select * from unnest($4::text[], $5::text[])) order by id limit $2)"""
_PRUNE: Final = """
    delete from runtime.delivery where id in (
        select id from runtime.delivery where state = 'dead' and due_at < now() - $1::interval order by id limit $2)"""
NOBODY: Final = "nobody subscribed with this capability when it was due, nor in a week after"


class NoSuchDeadLetter(errors.NotFound):
    """No dead letter has this number."""

    slug = "runtime.no-such-dead-letter"

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no dead letter {number}", remedy="list them with `isthmus dead-letters list`")


class DeadLetter(Value):
    """An event that had no effect, and why. `ask` is what the capability was called with, as JSON."""

    id: int
    front_end: str
    capability: str
    event_id: str
    event_type: str
    subject: str
    attempts: int
    last_error: str
    made_at: datetime
    ask: str


async def listed(session: ports.Session, front_end: str | None = None, number: int | None = None) -> list[DeadLetter]:
    """Return dead letters, the oldest first: of all front ends or one, all or the one with a number."""
    rows = await session.fetch(_LIST, front_end, number, LISTED_MAX)
    fields = [name for name in DeadLetter.__struct_fields__ if name != "ask"]
    return [DeadLetter(**{name: row[name] for name in fields}, ask=bytes(row["ask"]).decode()) for row in rows]


async def found(session: ports.Session, number: int) -> DeadLetter:
    """Return one dead letter. Raises NoSuchDeadLetter."""
    for letter in await listed(session, number=number):
        return letter
    raise NoSuchDeadLetter(number)


async def send_again(session: ports.Session, front_end: str | None = None, number: int | None = None) -> int:
    """Have dead letters delivered again, under the keys that they had; return how many.

    Raises NoSuchDeadLetter where a number was given and is not there.
    """
    count = int((await session.execute(_SEND_AGAIN, front_end, number)).rpartition(" ")[2])
    if number is not None and not count:
        raise NoSuchDeadLetter(number)
    return count


async def prune(database: Database, called: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Make dead letters of what nobody calls any more, forget those that are too old; return how many of each.

    called: front end and capability of what is subscribed with now.

    A letter's age counts from when it died, and anew when it is sent again.
    """
    buried = await _by_parts(
        database, _BURY, WAITING_KEPT, NOBODY, [code for code, _ in called], [name for _, name in called]
    )
    forgotten = await _by_parts(database, _PRUNE, LETTERS_KEPT)
    if forgotten:
        log.warning("%d dead letters older than %d days are deleted", forgotten, LETTERS_KEPT.days)
    return buried, forgotten


async def _by_parts(database: Database, sql: str, kept: timedelta, *more: object) -> int:
    total = 0
    while True:
        async with database.platform() as session:
            count = int((await session.execute(sql, kept, PRUNE_MAX, *more)).rpartition(" ")[2])
        total += count
        if count < PRUNE_MAX:
            return total
