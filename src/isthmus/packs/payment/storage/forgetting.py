"""Payments that forget a person: why a provider refused goes, what was paid stays."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import ports

_FORGET = """
update payment.attempt set reason = '' from payment.payment
where attempt.front_end = $1 and payment.front_end = $1 and payment.payment_id = attempt.payment_id
  and split_part(reference, '/', 1) = any($2) and reason <> '' and ended_at is not null
"""


async def forget(session: ports.Session, front_end: str, references: Sequence[str]) -> None:
    """Take the reasons out of what was attempted for these purposes."""
    if references:
        await session.execute(_FORGET, front_end, list(references))
