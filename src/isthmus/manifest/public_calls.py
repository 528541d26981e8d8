"""Calls to addresses that others gave: to public ones only, as resolved for this very connection, and no further.

Redirects are not followed, and nothing of the answer's body is read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .public_addresses import Network

if TYPE_CHECKING:
    import httpcore


class Caller:
    """Posts to addresses; keeps connections for a while."""

    def __init__(self, allowed: Sequence[Network], ssl_context: ssl.SSLContext | None = None) -> None:
        self.allowed = tuple(allowed)
        self._ssl_context = ssl_context
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def post(self, url: str, headers: dict[str, str], body: bytes, limit_s: float) -> tuple[int, str]:
        """Return the status of the answer, and its Retry-After. Raises OSError, httpcore's errors, TimeoutError."""
        pool = self._pool(url.partition(":")[0])
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), limit_s)
        async with (
            asyncio.timeout(limit_s),
            pool.stream(
                "POST", url, headers=[*headers.items()], content=body, extensions={"timeout": timeout}
            ) as answer,
        ):
            said = dict(answer.headers)
            return answer.status, said.get(b"retry-after", b"").decode("latin-1")

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        if scheme not in self._pools:
            from .public_connections import public_only  # here: many servers call nobody

            self._pools[scheme] = public_only(scheme, self.allowed, self._ssl_context)
        return self._pools[scheme]
