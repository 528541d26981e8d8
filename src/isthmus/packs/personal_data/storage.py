"""Keys of persons in PostgreSQL, wrapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from isthmus.kernel import ports

Session = ports.Session

_KEY: Final = "select envelope, wrapped from personal_data.key where subject = $1"
_KEYS: Final = "select subject, envelope, wrapped from personal_data.key where subject = any($1)"
_ADD_FIRST: Final = "insert into personal_data.key (subject, front_end, envelope, wrapped) values ($1, $2, $3, $4)"
_ADD: Final = f"""
    {_ADD_FIRST} on conflict (subject) do nothing"""
_OLD: Final = """
    select subject, envelope, wrapped from personal_data.key where envelope <> $1
    order by subject limit $2 for update skip locked"""
_REWRAP: Final = "update personal_data.key set envelope = $2, wrapped = $3 where subject = $1"


async def key(session: Session, subject: str) -> tuple[str, bytes] | None:
    """Return the envelope of a person's key, and the key wrapped."""
    row = await session.fetch_row(_KEY, subject)
    return (row["envelope"], row["wrapped"]) if row else None


async def keys(session: Session, subjects: Sequence[str]) -> dict[str, tuple[str, bytes]]:
    """Return the keys of persons as they are wrapped, of those who have one."""
    rows = await session.fetch(_KEYS, list(subjects))
    return {row["subject"]: (row["envelope"], row["wrapped"]) for row in rows}


async def add_first_key(session: Session, front_end: str, subject: str, envelope: str, wrapped: bytes) -> None:
    """Keep the key of somebody new, with what is sent next."""
    await session.later(_ADD_FIRST, subject, front_end, envelope, wrapped)


async def add_key(session: Session, front_end: str, subject: str, envelope: str, wrapped: bytes) -> None:
    """Keep a key where there is none yet; who makes one at the same moment is waited for."""
    await session.execute(_ADD, subject, front_end, envelope, wrapped)


async def forget(session: Session, subjects: Sequence[str]) -> int:
    """Destroy keys; return how many there were."""
    return await session.fetch_value("select personal_data.forget($1)", list(subjects))


async def old_keys(session: Session, newest: str, limit: int) -> Sequence[ports.Row]:
    """Return keys that are wrapped under another envelope than the newest, taken for this transaction."""
    return await session.fetch(_OLD, newest, limit)


async def rewrap(session: Session, subject: str, envelope: str, wrapped: bytes) -> None:
    await session.execute(_REWRAP, subject, envelope, wrapped)


async def count_by_envelope(session: Session) -> dict[str, int]:
    """Return how many keys each envelope wraps."""
    rows = await session.fetch("select envelope, count(*) as count from personal_data.key group by 1 order by 1")
    return {row["envelope"]: row["count"] for row in rows}
