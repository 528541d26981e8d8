"""Connections at hand: one that is given back waits here for the next call, without a word to its pool.

The pool makes a task for each connection given back and a timer for each one taken, a fifth of what a short read costs.
It still opens and closes connections, counts them, and serves those who wait while all are busy.
"""

from __future__ import annotations

import asyncio
from collections import deque

from isthmus.kernel import errors

from .connecting import Pool
from .session import Connection
from .watched import WATCHING, watcher


class Connections:
    """Takes connections from a pool and keeps them between calls, the last one given back first."""

    def __init__(self, pool: Pool, *, take_limit_s: float, unused_limit_s: float) -> None:
        self._pool = pool
        self._take_limit_s = take_limit_s
        self._unused_limit_s = unused_limit_s
        self._at_hand: deque[tuple[Connection, float]] = deque()  # with the time since when
        self._waiting = 0

    async def take(self) -> Connection:
        """Return a connection. Raises Unavailable where none is free in time."""
        connection = await self._taken()
        if (found := WATCHING.get()) is not None:
            connection.tenant.watcher = watcher(found, connection.named)
            connection.add_query_logger(connection.tenant.watcher)
        return connection

    async def _taken(self) -> Connection:
        while self._at_hand:
            connection, _ = self._at_hand.pop()
            if not connection.is_closed() and not connection.is_addressed():
                return connection
            connection.terminate()
            await self._pool.release(connection.lent)  # which makes another one in its place
        self._waiting += 1
        try:
            async with asyncio.timeout(self._take_limit_s):  # the pool's own limit makes a task
                lent = await self._pool.acquire()
        except TimeoutError as error:
            raise errors.Unavailable(
                f"all {self._pool.get_max_size()} connections to the database were busy for {self._take_limit_s:g} s",
                remedy="send it again in a moment; if it lasts, raise connections_max or look for slow statements",
            ) from error
        finally:
            self._waiting -= 1
        connection: Connection = lent.itself
        connection.lent = lent
        return connection

    async def give(self, connection: Connection) -> None:
        """Take a connection back; where somebody waits, or it is not as new, the pool has it.

        The pool waits for the end of a statement that was given up, and rolls back what it may have begun.
        """
        can_be_used = not connection.is_closed()
        if can_be_used and connection.tenant.watcher is not None:
            connection.remove_query_logger(connection.tenant.watcher)
            connection.tenant.watcher = None
        is_given_up = can_be_used and connection.tenant.is_given_up
        if is_given_up:
            connection.tenant.is_given_up, connection.tenant.code = False, ""
        if self._waiting or not can_be_used or is_given_up or connection.is_in_transaction():
            await self._pool.release(connection.lent)
            return
        now = asyncio.get_running_loop().time()
        self._at_hand.append((connection, now))
        if now - self._at_hand[0][1] > self._unused_limit_s:
            await self._pool.release(self._at_hand.popleft()[0].lent)

    async def close(self, limit_s: float) -> None:
        """Let running calls end, for a while, and disconnect."""
        try:
            async with asyncio.timeout(limit_s):
                self._waiting += 1  # who gives one back from now on gives it to the pool
                while self._at_hand:
                    await self._pool.release(self._at_hand.pop()[0].lent)
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()
