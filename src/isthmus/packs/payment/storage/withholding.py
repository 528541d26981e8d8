"""What is withheld of payments."""

from __future__ import annotations

from uuid import UUID

from isthmus.kernel import ports


async def withhold(session: ports.Session, front_end: str, payment_id: UUID, minor: int) -> bool:
    """Withhold so much of a payment in all; False where there is no such payment."""
    sql = "update payment.payment set withheld_minor = $3 where front_end = $1 and payment_id = $2"
    return await session.execute(sql, front_end, payment_id, minor) == "UPDATE 1"
