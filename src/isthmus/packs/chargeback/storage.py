"""Rows of `chargeback.chargeback`."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import money

from . import api

_ADD: Final = """
    insert into chargeback.chargeback (front_end, provider, reference, payment_id, paid_for, state, currency,
        amount_minor, fee_minor, reason, opened_at)
    values ($1, $2, $3, $4, $5, 'opened', $6, $7, $8, $9, $10) returning *"""
_END: Final = """
    update chargeback.chargeback set state = $4, ended_at = $5, fee_minor = $6
    where front_end = $1 and provider = $2 and reference = $3 and state = 'opened'"""
_PAGE: Final = """
    select * from chargeback.chargeback
    where front_end = $1 and ($2::text is null or state = $2) and ($3::text is null or paid_for = $3)
    order by opened_at desc, provider, reference limit $4"""


async def held(session: ports.Session, front_end: str, payment_id: UUID) -> int:
    """Keep the chargebacks of a payment as they are until the end; return what they took and did not give back."""
    await session.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"chargeback/{payment_id}")
    return await session.fetch_value(
        """select coalesce(sum(amount_minor), 0)::bigint from chargeback.chargeback
           where front_end = $1 and payment_id = $2 and state <> 'won'""",
        front_end,
        payment_id,
    )


async def find(session: ports.Session, front_end: str, provider: str, reference: str) -> api.Chargeback | None:
    row = await session.fetch_row(
        "select * from chargeback.chargeback where front_end = $1 and provider = $2 and reference = $3",
        front_end,
        provider,
        reference,
    )
    return None if row is None else _chargeback(row)


async def add(session: ports.Session, front_end: str, said: api.NoteChargeback, now: datetime) -> api.Chargeback:
    """Write a chargeback as it was opened; the fee of one that is told when it has ended comes with its end."""
    fee = said.fee.minor if said.fee and said.state is api.ChargebackState.OPENED else 0
    of = (front_end, said.provider, said.reference, said.payment_id, said.paid_for)
    rows = await session.fetch(_ADD, *of, said.amount.currency, said.amount.minor, fee, said.reason, now)
    return _chargeback(rows[0])


async def end(session: ports.Session, front_end: str, ended: api.Chargeback) -> None:
    of = (front_end, ended.provider, ended.reference)
    await session.execute(_END, *of, ended.state, ended.ended_at, ended.fee.minor)


async def page(session: ports.Session, front_end: str, ask: api.ListChargebacks) -> list[api.Chargeback]:
    rows = await session.fetch(_PAGE, front_end, ask.state, ask.paid_for, ask.limit)
    return [_chargeback(row) for row in rows]


def _chargeback(row: ports.Row) -> api.Chargeback:
    return api.Chargeback(
        provider=row["provider"],
        reference=row["reference"],
        payment_id=row["payment_id"],
        paid_for=row["paid_for"],
        state=api.ChargebackState(row["state"]),
        amount=money(row["amount_minor"], row["currency"]),
        fee=money(row["fee_minor"], row["currency"]),
        reason=row["reason"],
        opened_at=row["opened_at"],
        ended_at=row["ended_at"],
    )
