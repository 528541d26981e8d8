"""What members are told, kept encrypted under their keys where the platform has it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import ports
from isthmus.sealing import Sealed, Seals

from .. import api

TABLE: Final = "messaging.message"
SEALED: Final = (
    Sealed(column="title", into="sealed_title", subject="member_id::text", empty="''"),
    Sealed(column="body", into="sealed_body", subject="member_id::text", empty="''"),
)


async def put_away(
    session: ports.Session, front_end: str, member_id: UUID, draft: api.Draft, seals: Seals
) -> tuple[Sequence[bytes], Sequence[bytes | None]]:
    """Return title and body as they are written in the clear, and sealed."""
    texts = [draft.title.encode(), draft.body.encode()]
    return await seals.put_away(session, front_end, str(member_id), TABLE, texts, b"")


async def opened(rows: Sequence[ports.Row], session: ports.Session, seals: Seals) -> list[dict[str, Any]]:
    """Return rows with title and body, opened where they are sealed. Raises PersonKeyMissing."""
    found = [dict(row) for row in rows]
    places = [(row, of) for row in found for of in SEALED if row[of.into] is not None]
    kept = [(str(row["member_id"]), row[of.into]) for row, of in places]
    texts = await seals.open_each(session, TABLE, kept) if kept else []
    for (row, of), text in zip(places, texts, strict=True):
        row[of.column] = text.decode()
    return found
