"""Tables of front ends, which forget a person when all packs have: what their SQL marks, within seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from isthmus.kernel import Value, decode, errors
from isthmus.kernel.host import event_kind
from isthmus.store import Consumer, Database, Event, schema_of
from isthmus.store.errors import ConstraintBroken
from isthmus.store.personal_columns import forget_in

CONSUMER: Final = "forgotten-own-tables"


def consumer(database: Database, event_type: type[Value]) -> Consumer:
    """Return who empties personal columns of front ends; a table that refuses holds up no other person."""

    async def deliver(events: Sequence[Event]) -> None:
        failed: list[Exception] = []
        for event in events:
            gone: Any = decode(event.data, event_type)
            names = [*map(str, gone.member_ids), *gone.references]
            try:
                await _forget(database, event.front_end, names)
            except Exception as error:  # all are tried before the first failure has them tried again
                failed.append(error)
        if failed:
            raise failed[0]

    return Consumer(name=CONSUMER, deliver=deliver, types=(event_kind(event_type).name,))


async def _forget(database: Database, front_end: str, names: Sequence[str]) -> None:
    try:
        async with database.platform_transaction() as session:
            await forget_in(session, schema_of(front_end), names)
    except ConstraintBroken as broken:
        # without the row that it quotes: what failed is written down
        raise errors.Fault(
            f"personal data of front end {front_end!r} cannot be emptied: constraint {broken.constraint!r} of "
            f"{broken.table!r} is broken by it",
            remedy="let the column be null, or have the constraint take texts that begin with 'erased:'",
        ) from None
