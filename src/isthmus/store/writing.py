"""The transaction of a call: with its events, the answer to its idempotency key, and what begins it."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import asyncpg
import msgspec

from isthmus.kernel import errors, ports

from .errors import said, translated
from .front_end_tables import Own
from .session import BROKEN, Connection, Give, Take, Transaction
from .tenant import PART_WRITES, ROLE, set_tenant
from .written_out import execute, hexed

_MOVED: Final = "IS001"  # raised by migrations: a key has an answer, or a saga is not where it was thought

# Statements of a write know their rows by key, so one plan serves all of them: PostgreSQL need not weigh each time
# whether another would be cheaper. Lists, whose filters come and go, are read outside of a write.
_BEGIN_WRITE: Final = "begin read write; set local plan_cache_mode = force_generic_plan"

_FIND_ANSWER: Final = (
    "select capability, ask_hash, answer from isthmus.idempotency where digest = $1 and front_end = $2"
)
# Few events are written plainly, one by one: in JSON their data would be read twice. Many come as JSON, which is less
# work for PostgreSQL and for Python than a statement for each.
FEW_EVENTS: Final = 2
_EVENT: Final = ("id", "type", "version", "subject", "front_end", "box", "time", "trace", "data")
_INSERT_EVENT: Final = f"insert into isthmus.outbox ({', '.join(_EVENT)})"
_EVENTS: Final = """
    select * from json_to_recordset($1) as e (id text, type text, version text, subject text, front_end text, box text,
                                              time timestamptz, trace text, data json)"""
_INSERT_ANSWER: Final = "insert into isthmus.idempotency (digest, front_end, key, capability, ask_hash, answer)"
# What a commit writes has a name on each connection: called by it, it goes with the commit in one round trip. What
# begins a transaction has one too, so that it is not planned anew each time.
PREPARE_COMMIT: Final = f"""
    prepare claim_key (uuid, text, bigint) as select isthmus.claim_key($1, $2, $3);
    prepare write_event (text, text, text, text, text, text, timestamptz, text, json) as
        {_INSERT_EVENT} values ($1, $2, $3, $4, $5, $6, $7, $8, $9);
    prepare write_events (json) as {_INSERT_EVENT} {_EVENTS};
    prepare write_answer (uuid, text, text, text, text, bytea) as {_INSERT_ANSWER} values ($1, $2, $3, $4, $5, $6)"""


class Write(Transaction):
    """A transaction for one front end, with its events and the answer to its idempotency key.

    `BEGIN`, the front end and the claim go ahead of the first statement, which raises AlreadyAnswered or KeyReused if
    the key has an answer. The claim is a lock on the key, so of two at once the second waits until the first has ended;
    the record is written once, with the answer.
    """

    def __init__(
        self,
        take: Take,
        give: Give,
        front_end: str,
        claim: ports.Claim | None,
        announce: Callable[[], None],
        parts: str = "",
    ) -> None:
        super().__init__(take, give)
        self._front_end = front_end
        self._parts = parts
        self._code = f"{front_end} {parts} " if parts else front_end  # not as it is to read
        self._claim = claim
        self._digest = digest_of(self._code, claim.key) if claim else ""  # nobody else's key gives its answer
        self._announce = announce
        self._is_unclaimed = claim is not None

    def own(self) -> ports.Session:
        return Own(self, self._run, self._front_end, PART_WRITES if self._parts else ROLE)

    async def begin(self) -> None:
        """Begin and claim now, where no statement has. Raises AlreadyAnswered and KeyReused."""

        async def send(connection: Connection) -> None:
            if opening := await self._ahead(connection):
                await connection.execute(opening)

        await self._send(send, is_alone=True)

    async def close(self) -> None:
        """Roll back what was not committed. Raises AlreadyAnswered where a call was refused before it looked.

        Who sends a key again hears the first answer, though by now it would be refused before its first statement.
        """
        try:
            if self._is_unclaimed and not isinstance(sys.exception(), asyncio.CancelledError):
                await self.begin()
        finally:
            await super().close()

    async def commit(self, events: Sequence[ports.EventRow], answer: bytes | None) -> None:
        """Write events and answer, and commit: one statement, one round trip.

        Raises Fault where a key was claimed and there is no answer to keep under it.
        """
        self._check_answer(answer)
        last = self._answer_text(answer) if answer is not None else ""
        await self.end("; ".join(filter(None, (events_text(events), last))))
        await self._done(events)

    async def _done(self, events: Sequence[ports.EventRow]) -> None:
        self._tenant.code = self._code
        await self.close()
        if events:
            self._announce()

    def _check_answer(self, answer: bytes | None) -> None:
        if (self._claim is None) != (answer is None):
            raise errors.Fault("an answer is kept under a key, and a key keeps an answer", remedy="give both or none")

    def _answer_text(self, answer: bytes) -> str:
        claim = self._claim
        kept = (claim.key, claim.capability, claim.ask_hash) if claim else ()
        return execute("write_answer", self._digest, self._front_end, *kept, hexed(answer))

    def _begin_text(self) -> str:
        """Return what begins the transaction, and sets the front end where the connection is at another."""
        if self._tenant.code == self._code:
            return _BEGIN_WRITE
        self._tenant.code = ""  # known again when it commits: a rollback takes the setting back
        return f"{_BEGIN_WRITE}; {set_tenant(self._front_end, self._tenant, self._parts, PART_WRITES)}"

    async def _make_ready(self, connection: Connection) -> None:
        self._is_unclaimed = False
        self._open(f"{self._begin_text()}; {self._hold()}" if self._claim else self._begin_text())

    def _hold(self) -> str:
        """Return what holds the key for this transaction, and breaks it off where that has an answer."""
        return execute("claim_key", self._digest, self._front_end, lock_number(self._digest))

    async def _meaning(self, error: Exception) -> BaseException:
        """Return what is to be said of a key that has an answer, or of a saga that has moved on."""
        connection = self._connection
        has_moved = isinstance(error, asyncpg.PostgresError) and said(error, "sqlstate") == _MOVED
        if connection is None or not has_moved:
            return translated(error)
        try:
            # The rollback takes the setting back.
            await connection.execute(f"rollback; {set_tenant(self._front_end, self._tenant, self._parts, PART_WRITES)}")
            self._tenant.code, self._tenant.is_given_up = self._code, False
            return await self._found(connection)
        except BROKEN as lost:
            return translated(lost)

    async def _found(self, connection: Connection) -> BaseException:
        row = await connection.fetchrow(_FIND_ANSWER, self._digest, self._front_end)
        return answered(cast(ports.Claim, self._claim), row)


def answered(claim: ports.Claim, row: ports.Row) -> Exception:
    """Return what to raise for a key that has an answer: for this ask, or for another."""
    if row["ask_hash"] == claim.ask_hash and row["capability"] == claim.capability:
        return errors.AlreadyAnswered(row["answer"])
    known = "another ask" if row["capability"] == claim.capability else repr(row["capability"])
    return errors.KeyReused(
        f"Idempotency-Key {claim.key!r} already belongs to {known}",
        remedy="send a new key with a new ask, or the first ask with this key",
        path="Idempotency-Key",
    )


def digest_of(front_end: str, key: str) -> str:
    """Return 32 hex digits for a key of a front end: short in the index, and safe in a statement."""
    return hashlib.sha256(f"{front_end}\0{key}".encode()).hexdigest()[:32]


def lock_number(digest: str) -> int:
    """Return what PostgreSQL locks for a digest."""
    return int.from_bytes(bytes.fromhex(digest[:16]), "big", signed=True)


def events_text(events: Sequence[ports.EventRow]) -> str:
    """Return the statements that write events, or nothing where there are none."""
    if len(events) <= FEW_EVENTS:
        return "; ".join([execute("write_event", *[getattr(one, name) for name in _EVENT]) for one in events])
    return execute("write_events", msgspec.json.encode([_as_json(one) for one in events]))


def _as_json(event: ports.EventRow) -> dict[str, Any]:
    """Return an event as JSON has it, with its data as it is."""
    return {name: getattr(event, name) for name in _EVENT} | {"data": msgspec.Raw(event.data)}
