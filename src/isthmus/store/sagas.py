"""Sagas in the database: the transaction of a step, and those that were left.

A step is one transaction with its place in the log. `BEGIN`, the front end, the hold of the saga's row, what the step
sends ahead (`later`) and its first reading are one round trip; what it sends last, its events, its place in the log and
commit another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from isthmus.kernel import ports

from .errors import said, translated
from .session import BROKEN, Connection, Give, Take, Write, answered, events_text, lock_text
from .tenant import set_tenant
from .written_out import execute, hexed

TRIES_MAX: Final = 10  # of going on with one saga: then it is for a person, and the doctor says so
AGAIN_AFTER_S: Final = 90  # longer than any flow's deadline: until then it is in the hands of who took it
_MOVED: Final = "IS001"

# A saga that has not begun has neither a row nor an answer; its key was locked in a statement before, so that these see
# what was there when the lock was given. One that has begun is where its runner thinks, or has moved on.
PREPARE_SAGAS: Final = """
    prepare begin_saga (uuid) as select case when exists (select from isthmus.saga where digest = $1)
        or exists (select from isthmus.idempotency where digest = $1) then isthmus.saga_moved($1, 0) end;
    prepare hold_saga (uuid, integer) as select case when not exists (
        select from isthmus.saga where digest = $1 and version = $2 for update) then isthmus.saga_moved($1, $2) end;
    prepare write_saga (uuid, text, text, boolean, text, text, bytea, bytea, jsonb, double precision) as
        insert into isthmus.saga (digest, front_end, key, is_kept, capability, ask_hash, ask, caller, version, log,
            left_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, now() + make_interval(secs => $10));
    prepare move_saga (uuid, bytea, jsonb, double precision) as
        update isthmus.saga set version = version + 1, log = log || $3, ask = $2,
            left_at = now() + make_interval(secs => $4)
        where digest = $1;
    prepare end_saga (uuid) as delete from isthmus.saga where digest = $1;
    prepare leave_saga (uuid) as update isthmus.saga set ask = null where digest = $1"""
FIND_SAGA: Final = """
    select capability, ask_hash, answer, 0 as version, null as log from isthmus.idempotency
    where digest = $1 and front_end = $2
    union all
    select capability, ask_hash, null, version, log from isthmus.saga where digest = $1 and front_end = $2"""
_TAKE_LEFT: Final = f"""
    update isthmus.saga set left_at = $1::timestamptz + make_interval(secs => {AGAIN_AFTER_S}), tries = tries + 1
    where digest in (
        select digest from isthmus.saga
        where ask is not null and left_at < $1::timestamptz and tries < {TRIES_MAX} and front_end = any($3)
        order by left_at limit $2 for update skip locked)
    returning front_end, key, is_kept, capability, ask_hash, ask, caller"""


def standing(row: ports.Row | None, claim: ports.Claim) -> ports.Superseded:
    """Return where a saga is, from what FIND_SAGA found. Raises KeyReused where the key is another ask's."""
    if row is None:
        return ports.Superseded()
    if (row["capability"], row["ask_hash"]) != (claim.capability, claim.ask_hash):
        raise answered(claim, row)
    return ports.Superseded(version=row["version"], log=row["log"] or b"", answer=row["answer"])


class Step(Write):
    """The transaction of a saga's next step."""

    def __init__(
        self,
        take: Take,
        give: Give,
        front_end: str,
        saga: ports.Saga,
        version: int,
        announce: Callable[[], None],
    ) -> None:
        super().__init__(take, give, front_end, saga.claim, announce)
        self._saga = saga
        self._version = version

    async def commit_step(self, events: Sequence[ports.EventRow], entries: bytes) -> None:
        saga, claim = self._saga, self._saga.claim
        ask, moved = hexed(saga.ask), (entries, saga.left_after_s)
        if self._version:
            await self._committed(events, execute("move_saga", (self._digest, ask, *moved)))
            return
        known = (self._digest, self._front_end, claim.key, saga.is_kept, claim.capability, claim.ask_hash)
        await self._committed(events, execute("write_saga", (*known, ask, hexed(saga.caller), *moved)))

    async def end_saga(self, events: Sequence[ports.EventRow], answer: bytes | None) -> None:
        last = execute("end_saga", [self._digest]) if self._version else ""
        if answer is not None:
            last = f"{last}; {self._answer_text(answer)}" if last else self._answer_text(answer)
        await self._committed(events, last)

    async def leave_saga(self) -> None:
        await self._committed([], execute("leave_saga", [self._digest]))

    async def _committed(self, events: Sequence[ports.EventRow], last: str) -> None:
        await self.end("; ".join(filter(None, (events_text(events), last))))
        await self._done(events)

    def _hold(self) -> str:
        if self._version:
            return execute("hold_saga", (self._digest, self._version))
        return f"{lock_text(self._digest)}; {execute('begin_saga', [self._digest])}"

    async def _make_ready(self, connection: Connection) -> None:
        self._open(f"{self._begin_text()}; {self._hold()}")

    async def _meaning(self, error: Exception) -> BaseException:
        """Return Superseded where the saga is not where this step thought, with where it is."""
        connection = self._connection
        has_moved = isinstance(error, asyncpg.PostgresError) and said(error, "sqlstate") == _MOVED
        if connection is None or not has_moved:
            return await super()._meaning(error)
        try:
            # The rollback takes the setting back.
            await connection.execute(f"rollback; {set_tenant(self._front_end, self._tenant)}")
            self._tenant.code = self._front_end
            row = await connection.fetchrow(FIND_SAGA, self._digest, self._front_end)
        except BROKEN as lost:
            return translated(lost)
        return standing(row, self._saga.claim)


async def take_left(
    session: ports.Session, front_ends: Sequence[str], limit: int, at: datetime
) -> list[tuple[str, ports.Saga]]:
    """Take sagas that were left, each with its front end; nobody else takes them for a while."""
    rows = await session.fetch(_TAKE_LEFT, at, limit, list(front_ends))
    return [
        (
            row["front_end"],
            ports.Saga(
                claim=ports.Claim(key=row["key"], capability=row["capability"], ask_hash=row["ask_hash"]),
                is_kept=row["is_kept"],
                ask=row["ask"],
                caller=row["caller"],
                left_after_s=0,
            ),
        )
        for row in rows
    ]
