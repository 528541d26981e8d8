"""Connections as asyncpg has them, with their types, which it does not say: one of one's own, and pools of them."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import Any, Protocol, cast

import asyncpg

from isthmus.kernel import ports

from .ahead import Ahead
from .tenant import Tenant


class TenantConnection(asyncpg.Connection):
    """A connection that remembers which front end it is set to, and has nothing to reset when it is given back.

    Nothing to reset, because `Statements` refuses what would outlive a call; an open transaction is rolled back
    by the pool all the same.
    """

    __slots__ = ("_readable", "ahead", "lent", "named", "names", "tenant")

    def __init__(self, protocol: Any, transport: Any, *args: Any, **kwargs: Any) -> None:
        cast(Any, super()).__init__(protocol, transport, *args, **kwargs)  # asyncpg says nothing of their types
        self.ahead = Ahead(protocol, transport)
        self.tenant = Tenant()
        self.named: dict[str, Any] = {}  # statements that are called by name, by their text
        self.names = count()  # what those are called
        self.lent: Any = None  # this connection as its pool lends it, which asks the pool before each word
        self._readable = select.poll()
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    @property
    def itself(self) -> TenantConnection:
        """Return the connection also where a pool's stand-in for it is asked."""
        return self

    def is_addressed(self) -> bool:
        """Say whether the database has said what nobody has read yet: to one that is not used, that it is ended."""
        return bool(self._readable.poll(0))

    def get_reset_query(self) -> str:
        return ""


class Connection(Protocol):
    """A connection of a pool, to whom it is lent: `TenantConnection`, as far as sessions use it."""

    ahead: Ahead
    lent: Any
    named: dict[str, Any]
    names: Iterator[int]
    tenant: Tenant

    async def fetch(self, query: str, /, *args: object) -> Sequence[ports.Row]: ...
    async def fetchrow(self, query: str, /, *args: object) -> Any: ...
    async def fetchval(self, query: str, /, *args: object) -> Any: ...
    async def execute(self, query: str, /, *args: object) -> str: ...
    async def executemany(self, query: str, args: Iterable[Sequence[object]], /) -> None: ...
    async def prepare(self, query: str, /, *, name: str) -> Any: ...
    def is_closed(self) -> bool: ...
    def is_addressed(self) -> bool: ...
    def is_in_transaction(self) -> bool: ...
    def add_query_logger(self, callback: Any, /) -> None: ...
    def remove_query_logger(self, callback: Any, /) -> None: ...
    def terminate(self) -> None: ...


class DirectConnection(Protocol):
    """A connection beside the pools, for what waits on it, or holds something by it, for long; its owner closes it."""

    async def fetch(self, query: str, /, *args: object) -> Sequence[ports.Row]: ...
    async def fetchrow(self, query: str, /, *args: object) -> Sequence[Any] | None: ...
    async def fetchval(self, query: str, /, *args: object) -> Any: ...
    async def execute(self, query: str, /, *args: object) -> str: ...
    def transaction(self, *, readonly: bool = False) -> AbstractAsyncContextManager[object]: ...
    async def copy_from_query(self, query: str, /, *, output: Path, format: str, header: bool) -> object: ...
    async def copy_records_to_table(
        self, table_name: str, /, *, schema_name: str, columns: Sequence[str], records: Iterable[Sequence[object]]
    ) -> object: ...
    async def add_listener(self, channel: str, callback: Callable[..., None], /) -> None: ...
    def add_termination_listener(self, callback: Callable[..., None], /) -> None: ...
    def get_server_version(self) -> Any: ...
    async def close(self) -> None: ...
    def terminate(self) -> None: ...


class Pool(Protocol):
    """What the store needs of a pool."""

    async def acquire(self) -> Any: ...
    async def release(self, connection: object, /) -> None: ...
    def get_max_size(self) -> int: ...
    async def close(self) -> None: ...
    def terminate(self) -> None: ...


async def connect(url: str, **server_settings: str) -> DirectConnection:
    """Return an open connection. Raises OSError, asyncpg.PostgresError, and ValueError for what is no address.

    server_settings: such as `application_name`, by which the server knows it.
    """
    return await cast(Any, asyncpg).connect(url, server_settings=server_settings)
