"""What the kernel needs from a store, as protocols; `isthmus.store` is the one that ships."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from .contract import Value


class Row(Protocol):
    """One row of a result, read by column name or position."""

    def __getitem__(self, key: str | int, /) -> Any: ...
    def keys(self) -> Iterable[str]: ...


class Session(Protocol):
    """The statements of one call, for one front end; the store filters rows by it as well."""

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]: ...
    async def fetch_row(self, sql: str, *args: object) -> Row | None: ...
    async def fetch_value(self, sql: str, *args: object) -> Any: ...
    async def execute(self, sql: str, *args: object) -> str: ...
    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...

    def own(self) -> Session: ...  # with nothing in reach but the front end's own tables
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
    """A transaction with an effect."""

    async def commit(self, events: Sequence[EventRow], answer: bytes | None) -> None:
        """Commit, with the events and the claimed key's answer in the same transaction."""
        ...


class Store(Protocol):
    """Where rows, events and idempotency records live."""

    def read(self, front_end: str) -> Session:
        """Return a session that takes a connection with its first statement only."""
        ...

    async def write(self, front_end: str, claim: Claim | None) -> Writing:
        """Begin a transaction and claim the key.

        Raises AlreadyAnswered where the key has been answered for the same ask, and KeyReused where it
        belongs to another one. Of two at once, the second waits until the first has ended.
        """
        ...
