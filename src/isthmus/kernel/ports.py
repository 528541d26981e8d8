"""What the kernel needs from a store, as protocols; `isthmus.store` is the one that ships."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from .contract import Value


class Row(Protocol):
    """One row of a result, read by column name or position; `keys` are the names of its columns, in their order."""

    def __getitem__(self, key: str | int, /) -> Any: ...
    def keys(self) -> Iterable[str]: ...


class Session(Protocol):
    """The statements of one call, for one front end; the store filters rows by it as well.

    `$1` and so on in the SQL are the arguments, and nothing else is put into it. `fetch` returns all rows, `fetch_row`
    the first one or None, `fetch_value` its first column or None. `execute` is for statements whose rows nobody needs:
    it returns what PostgreSQL says, such as `UPDATE 3`; `execute_many` runs one for each of some rows of arguments.
    They raise the store's ConstraintBroken, BadAsk for a value that no column can hold, Unavailable where the database
    does not answer, and Fault for what is wrong with the statement. `own` is this transaction with nothing in reach
    but the front end's own tables.
    """

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]: ...
    async def fetch_row(self, sql: str, *args: object) -> Row | None: ...
    async def fetch_value(self, sql: str, *args: object) -> Any: ...
    async def execute(self, sql: str, *args: object) -> str: ...
    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...

    async def later(self, sql: str, *args: object) -> None:
        """Send a statement whose rows nobody needs together with the next one or the commit, in one round trip.

        What it breaks is raised there. In a session that only reads it is sent at once.
        """
        ...

    def own(self) -> Session: ...
    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Undo what was written inside when an error leaves the block."""
        ...

    async def close(self) -> None:
        """Give the connection back; what was not committed is rolled back."""
        ...


class Claim(Value):
    """An idempotency key, claimed for one ask: `ask_hash` tells a retry from another ask."""

    key: str
    capability: str
    ask_hash: str


class Saga(Value):
    """A run of a flow in steps, as whoever goes on with it needs to know it."""

    claim: Claim
    is_kept: bool  # its answer is kept under the key of the claim; else nobody sends that key again
    ask: bytes
    caller: bytes
    left_after_s: float  # from its last step on: then any process goes on with it


class Superseded(BaseException):
    """The store's word to a saga: it is somewhere else than this run thought. No implementation catches it."""

    def __init__(self, *, version: int = 0, log: bytes = b"", answer: bytes | None = None) -> None:
        super().__init__("overtaken")
        self.version = version
        self.log = log  # JSON: by place, what was decided
        self.answer = answer


class EventRow(Value):
    """An event ready for the outbox; `data` is JSON."""

    id: str
    type: str
    version: str
    subject: str
    front_end: str
    box: str
    time: datetime
    trace: str
    data: bytes


class Writing(Session, Protocol):
    """A transaction with an effect: a session that can commit. What is not committed is rolled back by `close`."""

    async def commit(self, events: Sequence[EventRow], answer: bytes | None) -> None:
        """Commit, with the events and the claimed key's answer in the same transaction."""
        ...


class Stepping(Session, Protocol):
    """A transaction of a saga at a version; its first statement raises Superseded where that is not the last one."""

    async def commit_step(self, events: Sequence[EventRow], entries: bytes) -> None:
        """Commit, with the events and what the log gains (JSON: by place) in the same transaction."""
        ...

    async def end_saga(self, events: Sequence[EventRow], answer: bytes | None) -> None:
        """Commit, with the events and the key's answer; the saga is over and forgotten."""
        ...

    async def leave_saga(self) -> None:
        """Commit, and let nobody go on with the saga but who sends its key."""
        ...


class Store(Protocol):
    """Where rows, events and idempotency records live."""

    def read(self, front_end: str, parts: str = "") -> Session:
        """Return a session that takes a connection with its first statement only.

        parts: of the front end, to which its rows are confined; nothing: to none of them.
        """
        ...

    async def write(self, front_end: str, claim: Claim | None, parts: str = "") -> Writing:
        """Begin a transaction, confined to parts of the front end, and claim the key.

        Raises AlreadyAnswered where the key has been answered for the same ask, and KeyReused where it
        belongs to another one. Of two at once, the second waits until the first has ended.
        """
        ...

    def step(self, front_end: str, saga: Saga, version: int) -> Stepping:
        """Return the transaction of a saga's next step, which begins with its first statement."""
        ...

    async def saga(self, front_end: str, claim: Claim) -> Superseded | None:
        """Return where a saga is; None where it has not begun. Raises KeyReused."""
        ...


class Guard(Protocol):
    """Says who may call what. A platform without one lets each caller do what its front end uses."""

    async def check(self, caller: Any, capability: Any, settings: Mapping[str, str], ask: Any = None) -> str:
        """Return to which parts of the front end a call is confined: `seller/17 seller/18`; nothing: to none.

        Raise NotPermitted where a `Caller` may not call a `Capability` of one with these settings; ask: as it came.
        """
        ...


class Switches(Protocol):
    """Says which flags are on, where answers of a front end are conditional on some (`when={"flag.NAME": "on"}`)."""

    async def values(
        self, known: Mapping[str, Sequence[str]], ask: Any, caller: Any, now: datetime
    ) -> Mapping[str, str]:
        """Return the variant that each flag has for a call, of those that are known by its name; else `off`."""
        ...


View = Callable[[bytes], Awaitable[bytes]]


class Views(Protocol):
    """Says how much of an answer somebody sees who is a person, or has a role."""

    async def of(self, platform: Any, capability: Any, caller: Any, ask: bytes) -> View | None:
        """Return what an answer goes through before it leaves; None where it leaves as it is. Raises NotPermitted."""
        ...


class KeptRules(Protocol):
    """Gives the rules that something was sold under, after others have taken their place."""

    async def line(self, front_end: str, fingerprint: str) -> Any:
        """Return a `CompiledFrontEnd` that answers as the one of this fingerprint did. Raises RulesNotKept."""
        ...


class Journal(Protocol):
    """Keeps what commands did. What it cannot keep is not done."""

    def watching(self, call: Any) -> tuple[Any, ...]:
        """Return the statement, and its arguments, by which rows that a call changes are noted; none: they are not.

        It is sent in the transaction of a `Call`, or of each step of one, before anything else.
        """
        ...

    def entries(self, done: Sequence[tuple[Any, Any, Sequence[EventRow]]]) -> tuple[Any, ...]:
        """Return the statement, and its arguments, that is committed with what calls of one front end did.

        done: each `Call`, its answer and its events.
        """
        ...

    async def refused(self, capability: Any, ask: Any, caller: Any, call_id: str, error: Exception) -> None:
        """Keep that a command was refused, when nothing of it is left; the ask is JSON where it could not be read."""
        ...

    def act(self, name: str, caller: Any, said: Mapping[str, Any], outcome: str) -> tuple[Any, ...]:
        """Return the statement, and its arguments, for something done that is no capability's call, such as a deploy.

        It is committed with what was done; said: the facts, none of them personal. outcome: `done`, or why it was not.
        """
        ...
