"""Who was ever given a key, as it is listed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from isthmus.kernel import Value

from .auth import limit_of, scopes_of
from .wire.rate import Limit

if TYPE_CHECKING:
    from isthmus.store import Database

_LIST: Final = """
    select front_end, name, scopes, role, part, created_at, expires_at, used_at, revoked_at, per_second, at_once,
        public_key is not null as is_public
    from gateway.client order by front_end, name, created_at"""


class Client(Value):
    """Who holds one key. is_public: it is the public half of a pair that the client signs assertions with.

    role: what it was made for, such as `support`; nothing: it sees what its front end sees. part: of the front end, to
    which its calls are confined.
    """

    front_end: str
    name: str
    scopes: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None
    limit: Limit = Limit()
    is_public: bool = False
    role: str = ""
    part: str = ""


async def list_clients(database: Database) -> tuple[Client, ...]:
    """Return every client ever made, revoked ones too, by front end and name."""
    async with database.platform() as session:
        rows = await session.fetch(_LIST)
    return tuple(
        Client(
            front_end=row["front_end"],
            name=row["name"],
            scopes=scopes_of(row),
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            used_at=row["used_at"],
            revoked_at=row["revoked_at"],
            limit=limit_of(row),
            is_public=row["is_public"],
            role=row["role"] or "",
            part=row["part"] or "",
        )
        for row in rows
    )
