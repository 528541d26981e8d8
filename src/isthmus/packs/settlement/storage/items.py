"""Rows of `settlement.payee` and `settlement.item`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from isthmus.kernel import ports
from isthmus.values import money

from .. import api

_PUT: Final = """
    insert into settlement.payee (front_end, payee, currency, name, iban, bic, hold_back_days, minimum_minor, fee_minor,
        reserve_minor, is_leaving)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (front_end, payee, currency) do update set name = excluded.name, iban = excluded.iban,
        bic = excluded.bic, hold_back_days = excluded.hold_back_days, minimum_minor = excluded.minimum_minor,
        fee_minor = excluded.fee_minor, reserve_minor = excluded.reserve_minor, is_leaving = excluded.is_leaving"""
# Who is known, and who is due something, with the defaults where nothing was said.
_PAYEES: Final = """
    select coalesce(p.payee, o.payee) as payee, coalesce(p.currency, o.currency) as currency,
        coalesce(name, '') as name, coalesce(iban, '') as iban, coalesce(bic, '') as bic,
        coalesce(hold_back_days, 14) as hold_back_days, coalesce(minimum_minor, 0) as minimum_minor,
        coalesce(fee_minor, 0) as fee_minor, coalesce(reserve_minor, 0) as reserve_minor,
        coalesce(is_leaving, false) as is_leaving, coalesce(open, 0) as open
    from (select * from settlement.payee where front_end = $1) as p
    full join (
        select payee, currency, sum(amount_minor)::bigint as open from settlement.item
        where front_end = $1 and settlement_id is null group by payee, currency) as o
        on o.payee = p.payee and o.currency = p.currency
    where (coalesce(p.payee, o.payee), coalesce(p.currency, o.currency)) > ($2, $3)
        and ($4::text is null or coalesce(p.payee, o.payee) = $4)
    order by 1, 2 limit $5"""
_NOTE: Final = """
    insert into settlement.item (front_end, reference, payee, kind, subject, line, currency, gross_minor,
        commission_minor, amount_minor, happened_at)
    select $1, reference, payee, kind, subject, line, currency, gross, commission, gross - commission, $2
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[], $9::bigint[], $10::bigint[])
        as given (reference, payee, kind, subject, line, currency, gross, commission)
    on conflict do nothing"""
_ITEMS: Final = """
    select * from settlement.item
    where front_end = $1 and ($2::uuid is null or settlement_id = $2) and ($3::text is null or subject = $3)
        and ($4::text is null or payee = $4) and ($5::boolean is null or (settlement_id is null) = $5)
        and (happened_at, reference) > ($6, $7)
    order by happened_at, reference limit $8"""


async def put_payee(session: ports.Session, front_end: str, ask: api.PutPayee, iban: str) -> None:
    terms = (ask.hold_back_days, ask.minimum_minor, ask.fee_minor, ask.reserve_minor, ask.is_leaving)
    await session.execute(_PUT, front_end, ask.payee, ask.currency, ask.name, iban, ask.bic, *terms)


async def payees(
    session: ports.Session, front_end: str, after: tuple[str, str], limit: int, payee: str | None = None
) -> list[api.Payee]:
    """Return payees in their order, with what is open."""
    rows = await session.fetch(_PAYEES, front_end, *after, payee, limit)
    return [
        api.Payee(
            payee=row["payee"],
            currency=row["currency"],
            name=row["name"],
            iban=row["iban"],
            bic=row["bic"],
            hold_back_days=row["hold_back_days"],
            minimum_minor=row["minimum_minor"],
            fee_minor=row["fee_minor"],
            reserve_minor=row["reserve_minor"],
            is_leaving=row["is_leaving"],
            open=money(row["open"], row["currency"]),
        )
        for row in rows
    ]


async def note(session: ports.Session, front_end: str, items: Sequence[api.DueItem], now: datetime) -> None:
    """Write items along with what is sent next; those that are known stay as they are."""
    await session.later(
        _NOTE,
        front_end,
        now,
        [one.reference for one in items],
        [one.payee for one in items],
        [one.kind for one in items],
        [one.subject for one in items],
        [one.line for one in items],
        [one.gross.currency for one in items],
        [one.gross.minor for one in items],
        [one.commission.minor for one in items],
    )


async def items(
    session: ports.Session, front_end: str, ask: api.ListItems, after: tuple[datetime, str], limit: int
) -> list[api.SettledItem]:
    """Return items, the earliest first."""
    wanted = (ask.settlement_id, ask.subject, ask.payee, ask.is_open)
    rows = await session.fetch(_ITEMS, front_end, *wanted, *after, limit)
    return [
        api.SettledItem(
            reference=row["reference"],
            payee=row["payee"],
            kind=row["kind"],
            subject=row["subject"],
            line=row["line"],
            gross=money(row["gross_minor"], row["currency"]),
            commission=money(row["commission_minor"], row["currency"]),
            amount=money(row["amount_minor"], row["currency"]),
            happened_at=row["happened_at"],
            settlement_id=row["settlement_id"],
        )
        for row in rows
    ]
