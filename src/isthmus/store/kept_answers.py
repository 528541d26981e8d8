"""What services outside have answered: asked where nothing is locked, kept, and given again for a while.

A pack has a table for them, by the hash of what was asked (`front_end`, `digest`, `asked_at`, `service`, `answer`).
Who asks the same in that time gets the same answer without asking, also in a transaction, where nobody may be waited
for; and so does a replay with the time of then.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from isthmus.kernel import Value, encode, errors, ports

from .database import Database
from .session import Reading

LIMIT_S = 10.0  # of one ask, whatever a service's own limit is
Asking = Callable[[str], Awaitable[bytes]]  # under a key: equal for equal asks

log = logging.getLogger("isthmus.store")


async def release(session: ports.Session) -> None:
    """Give a connection back before something outside is waited for; the next statement takes one again.

    Raises Fault where a transaction is open: rows would be locked for as long as the outside takes.
    """
    if not isinstance(session, Reading):
        raise errors.Fault(
            "something outside would be waited for in a transaction",
            remedy="ask before the transaction begins, and keep the answer",
        )
    await session.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswers:
    """The answers in one table of a pack; valid_s: for how long one counts, kept_days: for how long it is there."""

    database: Database
    table: str
    valid_s: int
    kept_days: int

    async def said(
        self, session: ports.Session, front_end: str, service: str, ask: Value, now: datetime, asking: Asking | None
    ) -> bytes | None:
        """Return what a service says: as it is kept, or as it is asked now; None where it has not said anything.

        asking: asks the service; none: it may not be asked. Raises Fault where a transaction is open and it would be.
        """
        digest = hashlib.sha256(service.encode() + b"\0" + encode(ask)).digest()
        known = await session.fetch_value(
            f"select answer from {self.table} where front_end = $1 and digest = $2 and asked_at > $3 and asked_at <= $4"
            " order by asked_at desc limit 1",
            front_end,
            digest,
            now - timedelta(seconds=self.valid_s),
            now,
        )
        if known is not None or asking is None:
            return known
        await release(session)
        try:
            async with asyncio.timeout(LIMIT_S):
                answer = await asking(digest.hex())
        except Exception as wrong:
            log.warning("%s of %r is not answered: %r", type(ask).__name__, service, wrong)
            return None
        async with self.database.platform() as own:
            await own.execute(
                f"insert into {self.table} (front_end, digest, asked_at, service, answer) values ($1, $2, $3, $4, $5)"
                " on conflict do nothing",
                front_end,
                digest,
                now,
                service,
                answer,
            )
        return answer

    async def forget(self, session: ports.Session, front_end: str, now: datetime) -> int:
        """Forget what is older than it is kept; return how many answers."""
        sql = f"delete from {self.table} where front_end = $1 and asked_at < $2 returning digest"
        return len(await session.fetch(sql, front_end, now - timedelta(days=self.kept_days)))
