"""Statements of one call: a reading session, a transaction with an effect, and the platform's own.

The front end is a setting of the connection (`isthmus.front_end`), which row-level security reads. A connection
remembers which one it is set to, so setting it costs a round trip only where it differs; in a transaction it
goes along with BEGIN. Who is confined to parts of a front end has another role for as long, and the parts in a setting
beside it (tenant.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from operator import attrgetter
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg
import msgspec

from isthmus.kernel import errors, ports

from .ahead import behind
from .connecting import Connection
from .errors import translated
from .front_end_tables import Own
from .tenant import PART_READS, PART_WRITES, ROLE, Tenant, set_tenant
from .watched import METER, noted
from .written_out import execute, hexed, prepared

STATEMENTS_REMEMBERED: Final = 4096  # texts already checked: more than all packs have together

T = TypeVar("T")
if TYPE_CHECKING:  # what a plain function returns: a coroutine around it would be woken up with it at each wait
    Running = CoroutineType[Any, Any, T]

_OUTLIVES: Final = re.compile(
    r"^\s*(set|reset|discard|listen|begin|start|commit|end|rollback|abort|savepoint|release|prepare|declare|load)\b"
    r"|\bset_config\s*\(|\bpg_(try_)?advisory_lock(_shared)?\s*\(|\bcreate\s+(local\s+)?temp",
    re.IGNORECASE,
)
BROKEN: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

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
_EVENT_VALUES: Final = attrgetter(*_EVENT)
_INSERT_EVENT: Final = f"insert into isthmus.outbox ({', '.join(_EVENT)})"
_EVENTS: Final = """
    select * from json_to_recordset($1) as e (id text, type text, version text, subject text, front_end text, box text,
                                              time timestamptz, trace text, data json)"""
_INSERT_ANSWER: Final = "insert into isthmus.idempotency (digest, front_end, key, capability, ask_hash, answer)"
# What a commit writes has a name on each connection: called by it, it goes with the commit in one round trip. What
# begins a transaction has one too, so that it is not planned anew each time.
PREPARE_COMMIT: Final = f"""
    prepare lock_claim (bigint) as select pg_advisory_xact_lock($1);
    prepare find_claim (uuid, text) as select from isthmus.idempotency where digest = $1 and front_end = $2;
    prepare write_event (text, text, text, text, text, text, timestamptz, text, json) as
        {_INSERT_EVENT} values ($1, $2, $3, $4, $5, $6, $7, $8, $9);
    prepare write_events (json) as {_INSERT_EVENT} {_EVENTS};
    prepare write_answer (uuid, text, text, text, text, bytea) as {_INSERT_ANSWER} values ($1, $2, $3, $4, $5, $6)"""

Take = Callable[[], Awaitable[Connection]]
Give = Callable[[Connection], Awaitable[None]]


class Statements:
    """What all sessions share: statements one after the other on one connection, errors as the kernel's.

    Takes its connection with the first statement. Two tasks of one call may use it at once: the second waits.
    """

    def __init__(self, take: Take, give: Give) -> None:
        self._take = take
        self._give = give
        self._connection: Connection | None = None
        self._tenant = Tenant()  # the connection's: one that ends meanwhile has none any more
        self._is_sending = False
        self._turn: asyncio.Future[None] | None = None  # that other tasks of this call wait for

    def fetch(self, sql: str, *args: object) -> Running[Sequence[ports.Row]]:
        return self._run(sql, lambda connection: connection.fetch(sql, *args))

    def fetch_row(self, sql: str, *args: object) -> Running[ports.Row | None]:
        return self._run(sql, lambda connection: connection.fetchrow(sql, *args))

    def fetch_value(self, sql: str, *args: object) -> Running[Any]:
        return self._run(sql, lambda connection: connection.fetchval(sql, *args))

    def execute(self, sql: str, *args: object) -> Running[str]:
        return self._run(sql, lambda connection: connection.execute(sql, *args))

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        await self._run(sql, lambda connection: connection.executemany(sql, rows))

    async def later(self, sql: str, *args: object) -> None:
        """Send it at once: outside a transaction there is nothing to send it with."""
        await self.execute(sql, *args)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo nothing: outside a transaction nothing was written."""
        yield

    def own(self) -> ports.Session:
        raise errors.Fault("this session is of no front end", remedy="use the session of a call")

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._give(connection)

    def _run(self, sql: str, statement: Callable[[Connection], Awaitable[T]]) -> Running[T]:
        if _outlives_the_call(sql):
            fact = f"this statement would outlive the call: {sql.strip()[:80]!r}"
            raise errors.Fault(fact, remedy="use the session's own savepoint and the call's own transaction")
        return self._send(statement)

    async def _send(self, statement: Callable[[Connection], Awaitable[T]], *, is_alone: bool = False) -> T:
        """Send a statement behind what goes ahead of it; alone where it has that in its own text."""
        while self._is_sending:  # by another task of this call, which is rare: an asyncio.Lock costs each statement
            self._turn = self._turn or asyncio.get_running_loop().create_future()
            await asyncio.wait([self._turn])
        self._is_sending = True
        try:
            connection = self._connection or await self._connected()
            ahead = "" if is_alone else await self._ahead(connection)
            is_metered = METER.get() is not None
            if ahead and (is_metered or self._tenant.watcher is not None):  # it sees one by one
                going = connection.execute(ahead)
                await (noted(going) if is_metered else going)
                ahead = ""
            answering = behind(ahead, connection, self._tenant, statement) if ahead else statement(connection)
            result = await (noted(answering) if is_metered else answering)
            self._tenant.is_given_up = False
            return result
        except BROKEN as error:
            raise await self._meaning(error) from error
        finally:
            self._is_sending = False
            if self._turn is not None:
                self._turn.set_result(None)
                self._turn = None

    async def _ahead(self, connection: Connection) -> str:
        """Return what is to be sent ahead of the next statement."""
        return ""

    async def _meaning(self, error: Exception) -> BaseException:
        """Return what is raised for what PostgreSQL, or the way to it, has said."""
        return translated(error)

    async def _connected(self) -> Connection:
        """Take a connection; it is this session's only when it is ready for it, and goes back otherwise."""
        connection = await self._take()
        self._tenant = connection.tenant
        try:
            making = self._make_ready(connection)
            await (making if METER.get() is None else noted(making))
        except BaseException:
            self._tenant.is_given_up = True
            await self._give(connection)
            raise
        self._connection = connection
        return connection

    async def _make_ready(self, connection: Connection) -> None:
        """A connection of the platform's own is ready as it comes."""


class Reading(Statements):
    """Statements for one front end, each seeing what is committed when it starts."""

    def __init__(self, take: Take, give: Give, front_end: str, parts: str = "") -> None:
        super().__init__(take, give)
        self._front_end = front_end
        self._parts = parts
        self._code = f"{front_end} {parts}" if parts else front_end

    def own(self) -> ports.Session:
        return Own(self, self._run, self._front_end, PART_READS if self._parts else ROLE)

    async def _make_ready(self, connection: Connection) -> None:
        tenant = self._tenant
        if tenant.code != self._code:
            tenant.code = ""  # a cut statement leaves it unknown
            await connection.execute(set_tenant(self._front_end, tenant, self._parts, PART_READS))
            tenant.code = self._code


class Transaction(Statements):
    """One transaction; what is not committed when it closes is rolled back."""

    def __init__(self, take: Take, give: Give) -> None:
        super().__init__(take, give)
        self._savepoints = 0
        self._waiting: list[tuple[str, tuple[object, ...]]] = []
        self._opening = ""  # what begins it, until it is sent

    async def later(self, sql: str, *args: object) -> None:
        """Have a statement sent in one round trip with the next one, or with the commit."""
        self._waiting.append((sql, args))

    async def _ahead(self, connection: Connection) -> str:
        """Return what begins the transaction, where that is to be sent yet, and what waits."""
        opening, self._opening = self._opening, ""
        if opening and not {sql for sql, _ in self._waiting} <= connection.named.keys():
            # A statement is prepared within: asyncpg leaves a transaction open after it.
            await connection.execute(opening)
            opening = ""
        waiting, self._waiting = self._waiting, []
        texts = [opening] if opening else []
        for sql, args in waiting:
            name, types, _ = connection.named.get(sql) or await prepared(connection, sql)
            texts.append(execute(name, args, types))
        return "; ".join(texts)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo what was written inside when an error leaves the block."""
        self._savepoints += 1
        name = f"s{self._savepoints}"
        await self._send(lambda connection: connection.execute(f"savepoint {name}"))
        try:
            yield
        except BaseException:
            undo = f"rollback to savepoint {name}; release savepoint {name}"
            await self._send(lambda connection: connection.execute(undo))
            raise
        await self._send(lambda connection: connection.execute(f"release savepoint {name}"))

    async def end(self, last: str = "") -> None:
        """Send a last statement, if any, and commit, in one round trip.

        Where the connection breaks meanwhile nobody knows whether it did: the key of a retry tells.
        """

        async def send(connection: Connection) -> str:
            written = [await self._ahead(connection), last, "commit"]
            return await connection.execute("; ".join(filter(None, written)))

        tag = await self._send(send, is_alone=True)
        if tag != "COMMIT":  # PostgreSQL answers ROLLBACK where a statement had failed
            raise errors.Fault(
                "a statement had failed, and the call went on to commit; nothing was written",
                remedy="let the error end the call, or catch it around a savepoint",
            )

    async def close(self) -> None:
        try:
            connection = self._connection
            if connection is not None and (self._tenant.is_given_up or connection.is_in_transaction()):
                await connection.execute("rollback")
                self._tenant.is_given_up = False
        except BROKEN:
            pass  # a connection that cannot roll back is lost, and its transaction with it
        finally:  # also where the caller gives up once more
            await super().close()

    async def _make_ready(self, connection: Connection) -> None:
        self._open("begin")

    def _open(self, opening: str) -> None:
        """Have the transaction begun with its first statement; until that is answered asyncpg does not know of it."""
        self._opening, self._tenant.is_given_up = opening, True


class Write(Transaction):
    """A transaction for one front end, with its events and the answer to its idempotency key.

    `BEGIN`, the front end and the claim are one round trip. The claim is a lock on the key, so of two at once the
    second waits until the first has ended; the record is written once, with the answer.
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

    def own(self) -> ports.Session:
        return Own(self, self._run, self._front_end, PART_WRITES if self._parts else ROLE)

    async def begin(self) -> None:
        """Begin and claim now. Raises AlreadyAnswered and KeyReused."""
        await self._send(_nothing)

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
        return execute("write_answer", (self._digest, self._front_end, *kept, hexed(answer)))

    def _begin_text(self) -> str:
        """Return what begins the transaction, and sets the front end where the connection is at another."""
        if self._tenant.code == self._code:
            return _BEGIN_WRITE
        self._tenant.code = ""  # known again when it commits: a rollback takes the setting back
        return f"{_BEGIN_WRITE}; {set_tenant(self._front_end, self._tenant, self._parts, PART_WRITES)}"

    async def _make_ready(self, connection: Connection) -> None:
        opening = self._begin_text()
        if self._claim is None:
            await connection.execute(opening)
            return
        found = execute("find_claim", (self._digest, self._front_end))
        opening += f"; {lock_text(self._digest)}; {found}"
        if await connection.execute(opening) != "SELECT 0":
            row = await connection.fetchrow(_FIND_ANSWER, self._digest, self._front_end)
            await connection.execute("rollback")
            raise answered(self._claim, row)


async def _nothing(_: Connection) -> None:
    """Have a session take its connection and no more."""


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


def lock_text(digest: str) -> str:
    """Return what locks a digest until the transaction ends."""
    return execute("lock_claim", [int.from_bytes(bytes.fromhex(digest[:16]), "big", signed=True)])


def events_text(events: Sequence[ports.EventRow]) -> str:
    """Return the statements that write events, or nothing where there are none."""
    if len(events) <= FEW_EVENTS:
        return "; ".join([execute("write_event", _EVENT_VALUES(one)) for one in events])
    return execute("write_events", [msgspec.json.encode([_as_json(one) for one in events])])


def _as_json(event: ports.EventRow) -> dict[str, Any]:
    """Return an event as JSON has it, with its data as it is."""
    return {**dict(zip(_EVENT, _EVENT_VALUES(event), strict=True)), "data": msgspec.Raw(event.data)}


@lru_cache(maxsize=STATEMENTS_REMEMBERED)
def _outlives_the_call(sql: str) -> bool:
    """Tell whether a statement changes the connection beyond its call, which goes back to the pool without a reset."""
    return _OUTLIVES.search(sql) is not None
