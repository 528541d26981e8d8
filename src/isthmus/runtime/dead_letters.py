"""Dead letters: events that a front end's capability failed on too often; to be read, and sent again once mended."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from isthmus.kernel import Value, errors, ports

LISTED_MAX: Final = 1_000

_LIST: Final = """
    select id, front_end, capability, event_id, event_type, subject, attempts, last_error, made_at, ask
    from runtime.delivery where state = 'dead' and ($1::text is null or front_end = $1)
      and ($2::bigint is null or id = $2) order by id limit $3"""
_SEND_AGAIN: Final = """
    update runtime.delivery set state = 'waiting', attempts = 0, due_at = now()
    where state = 'dead' and ($1::text is null or front_end = $1) and ($2::bigint is null or id = $2)"""


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
