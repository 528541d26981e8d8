"""Passwords: argon2id, in threads of its own, so that no call waits for one; few at a time, as each takes 64 MiB."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

from .. import api

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

AT_ONCE: Final = 2
WAITING_MAX: Final = 32  # with those running: some two seconds of waiting


class Passwords:
    """Hashes and compares passwords."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._waiting = 0
        self._nobodys = ""

    async def hashed(self, password: str) -> str:
        """Return what is kept of a password. Raises Busy."""
        return await self._apart(lambda: _hasher().hash(_text(password)))

    async def is_right(self, kept: str | None, password: str) -> bool:
        """Say whether a password is the one that is kept; where none is, that takes as long. Raises Busy."""
        if len(password) > api.PASSWORD_MAX:
            return False
        return await self._apart(lambda: self._is_right(kept, _text(password)))

    def _is_right(self, kept: str | None, password: bytes) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        self._nobodys = self._nobodys or _hasher().hash("nobody's")
        try:
            _hasher().verify(kept or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    async def _apart(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise api.Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


@cache
def _hasher() -> PasswordHasher:
    """Return what hashes, imported with the first password: RFC 9106, its second choice, 64 MiB and three passes."""
    from argon2 import PasswordHasher

    return PasswordHasher()


def _text(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
