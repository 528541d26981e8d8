"""Which policies each server decides by, as it says itself. Times are the database's."""

from __future__ import annotations

from typing import Final

from isthmus.kernel import ports

KEPT: Final = "1 day"  # of a server that says nothing any more
_SEEN: Final = """
    insert into policy.node (id, host, pid, policies, trouble) values ($1, $2, $3, $4, $5)
    on conflict (id) do update set seen_at = now(), trouble = excluded.trouble, policies = excluded.policies,
        changed_at = case when (node.policies, node.trouble) = (excluded.policies, excluded.trouble)
            then node.changed_at else now() end"""
_GONE: Final = f"delete from policy.node where seen_at < now() - interval '{KEPT}'"


async def seen(session: ports.Session, id: str, host: str, pid: int, policies: str, trouble: str) -> None:
    """Write down which policies a server decides by, and what is wrong with its files."""
    await session.execute(_SEEN, id, host, pid, policies, trouble)
    await session.execute(_GONE)
