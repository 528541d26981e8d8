"""The public keys that people sign with, in PostgreSQL. Times are the database's."""

from __future__ import annotations

from typing import Final

from isthmus.kernel import ports

from .. import api

Session = ports.Session

_STATE: Final = """
    case when k.revoked_at is not null then 'revoked' when k.ends_at <= now() then 'ended' else 'good' end"""


async def add(session: Session, key: str, person_id: int, public_key: bytes, label: str, by: str, days: int) -> None:
    await session.execute(
        """insert into identity.signing_key (key, person_id, public_key, label, made_by, ends_at)
           values ($1, $2, $3, $4, $5, now() + make_interval(days => $6))""",
        key, person_id, public_key, label, by, days,
    )  # fmt: skip


async def find(session: Session, key: str) -> ports.Row | None:
    """Return a key, whose it is, and in what state."""
    return await session.fetch_row(
        f"select k.person_id, k.public_key, {_STATE} as state from identity.signing_key k where key = $1", key
    )


async def find_all(session: Session, *, name: str = "", key: str = "") -> tuple[api.SigningKey, ...]:
    """Return keys, of one person or all, the newest first."""
    rows = await session.fetch(
        f"""select k.key, p.name, k.label, k.made_at, k.made_by, k.ends_at, {_STATE} as state
            from identity.signing_key k join identity.person p using (person_id)
            where ($1 = '' or p.name = $1) and ($2 = '' or k.key = $2) order by k.made_at desc, k.key limit 1000""",
        name, key,
    )  # fmt: skip
    return tuple(api.SigningKey(**dict(row)) for row in rows)


async def end(session: Session, key: str, person_id: int, days: int) -> bool:
    """Have a key of somebody end in some days, where it does not sooner; say whether it is theirs and still good."""
    found = await session.fetch_value(
        f"""update identity.signing_key k set ends_at = least(ends_at, now() + make_interval(days => $3))
            where key = $1 and person_id = $2 and {_STATE} = 'good' returning true""",
        key, person_id, days,
    )  # fmt: skip
    return bool(found)


async def revoke(session: Session, key: str, of: str, by: str) -> str | None:
    """Revoke a key, where it is of this person or `of` is empty, and return whose it was."""
    return await session.fetch_value(
        """update identity.signing_key k set revoked_at = coalesce(revoked_at, now()), revoked_by = $3
           from identity.person p where p.person_id = k.person_id and k.key = $1 and ($2 = '' or p.name = $2)
           returning p.name""",
        key, of, by,
    )  # fmt: skip
